"""Kernels stand where the code stands that they mean."""

import re
from pathlib import Path

import pytest

from tests.support.paths import ROOT

KERNELS, ALGORITHMS = ROOT / "backends" / "kernels", ROOT / "src" / "eplb_xp" / "algorithms"
# The kernels themselves, and what only a GPU needs.
WITHOUT_NAMESAKE = {"prepare.py", "improve.py", "choose.py", "in_place.py", "bits.py", "waiting.py"}
MODULES = {path.relative_to(KERNELS).as_posix(): path for path in sorted(KERNELS.rglob("*.py"))}

# A row of the table: functions here, and what they mean.
ROWS = re.findall(r"^\| (`[a-z_.]+\.[a-z_]+`.*) \| (.*) \|$", (KERNELS / "README.md").read_text(), re.MULTILINE)


def modules_of(cell: str, folder: Path) -> list[tuple[Path, str]]:
    """The functions named in a cell; one without a module is in that of the one before."""
    found = []
    module = ""
    for name in re.findall(r"`([a-z_.]+)`", cell):
        before, _, function = name.rpartition(".")
        module = before or module
        path = folder / f"{name.replace('.', '/')}.py"
        found.append((path, "") if path.exists() else (folder / f"{module.replace('.', '/')}.py", function))
    return found


@pytest.mark.parametrize("name", sorted(MODULES.keys() - WITHOUT_NAMESAKE))
def test_a_module_has_a_namesake_in_the_once_written_code(name: str) -> None:
    assert (ALGORITHMS / name).exists()
    text = MODULES[name].read_text()
    if not name.endswith("__init__.py"):
        assert f"`algorithms/{name}`" in text, "its docstring names it"


def test_there_are_rows() -> None:
    assert len(ROWS) > 15


@pytest.mark.parametrize(("here", "there"), ROWS)
def test_the_table_names_what_is_there(here: str, there: str) -> None:
    for cell, folder in ((here, KERNELS), (there, ALGORITHMS)):
        functions = modules_of(cell, folder)
        assert functions
        for path, function in functions:
            assert path.exists(), path
            assert re.search(rf"^(def|class) {function}", path.read_text(), re.MULTILINE), function
