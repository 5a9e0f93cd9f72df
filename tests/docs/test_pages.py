"""The pages know every public name, and no page or README links to a file that isn't there."""

import re
from pathlib import Path

import pytest

import eplb_xp
from eplb_xp import loads
from eplb_xp.formats import loads as recorded
from eplb_xp.formats import placements
from tests.support.paths import ROOT

PAGES = [
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "benchmarks/README.md")),
    *ROOT.glob("backends/**/README.md"),
    *ROOT.glob("docs/*.md"),
]


@pytest.mark.parametrize("name", [*eplb_xp.__all__, *loads.__all__])
def test_the_reference_has_every_public_name(name: str) -> None:
    directive = rf"^\.\. (autofunction|autoclass|automodule|py:data):: (eplb_xp\.)?{name}$"
    assert re.search(directive, (ROOT / "docs" / "api.rst").read_text(), re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
        assert target.startswith("https://") or (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_are_where_pages_say(page: Path) -> None:
    for name in re.findall(r"`((?:backends|benchmarks|docs|examples|src|tests)/[^`\s]*)`", page.read_text()):
        # One page has a table of what is in tests/, held by the next test.
        assert (ROOT / name).exists() or (ROOT / "tests" / name).exists(), name


def test_tests_are_where_the_table_says() -> None:
    rows = re.findall(r"^\| .* \| (`.*`) \|$", (ROOT / "docs" / "testing.md").read_text(), re.MULTILINE)
    assert len(rows) > 10
    for name in re.findall(r"`([^`]+)`", " ".join(rows)):
        assert (ROOT / "tests" / name).exists(), name


def test_every_algorithm_has_a_topic() -> None:
    algorithms = ROOT / "src" / "eplb_xp" / "algorithms"
    table = re.findall(r"^\| `.*\.py`.* \|$", (ROOT / "docs" / "design.md").read_text(), re.MULTILINE)
    named = {name.rpartition("/")[2] for name in re.findall(r"`([a-z_/]+\.py)`", "\n".join(table))}
    assert named == {path.name for path in algorithms.rglob("*.py")} - {"__init__.py"}


@pytest.mark.parametrize("name", [*recorded.NAMES, *placements.FORMATS])
def test_every_format_of_files_has_a_row(name: str) -> None:
    assert f"\n| `{name}` | " in (ROOT / "docs" / "files.md").read_text()
