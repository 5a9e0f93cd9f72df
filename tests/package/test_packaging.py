"""What is shipped: a wheel, built from the sdist, that holds the backends."""

import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.support.paths import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that ``python -m build`` makes from the sdist of a copy of the tree."""
    tree = tmp_path_factory.mktemp("build") / "tree"
    made = shutil.ignore_patterns(".*", "*.egg-info", "__pycache__", "build", "dist", "out")
    shutil.copytree(ROOT, tree, symlinks=True, ignore=made)
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", "dist"]
    result = subprocess.run(build, cwd=tree, capture_output=True, text=True, check=False)  # noqa: S603 # our own tree
    assert result.returncode == 0, result.stderr + result.stdout
    (path,) = (tree / "dist").glob("*.whl")
    return path


def test_the_wheel_holds_every_module_and_nothing_else(wheel: Path) -> None:
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    modules = {path.relative_to(ROOT / "src").as_posix() for path in (ROOT / "src").rglob("*.py")}
    backends = {f"eplb_xp/{path.relative_to(ROOT).as_posix()}" for path in (ROOT / "backends").rglob("*.py")}
    assert {"eplb_xp/backends/torch.py", "eplb_xp/backends/jax.py", "eplb_xp/backends/kernels/prepare.py"} <= backends
    pages = {f"eplb_xp/{path.relative_to(ROOT).as_posix()}" for path in (ROOT / "backends").rglob("README.md")}
    assert {"eplb_xp/backends/README.md", "eplb_xp/backends/kernels/README.md"} <= pages
    assert names == modules | backends | pages | {"eplb_xp/py.typed"}


def test_the_wheel_plans_on_its_own(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path)
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import numpy as np, eplb_xp, eplb_xp.backends\n"
        "plan = eplb_xp.rebalance_experts(np.arange(8.0)[None], 12, 1, 1, 4)\n"
        "print(eplb_xp.backends.__file__, eplb_xp.__version__, plan.logcnt.sum())\n"
    )
    run = [sys.executable, "-I", "-c", program, str(tmp_path)]
    result = subprocess.run(run, capture_output=True, text=True, check=True)  # noqa: S603 # our own program
    path, version, replicas = result.stdout.split()
    assert Path(path) == tmp_path / "eplb_xp" / "backends" / "__init__.py"
    assert version == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert replicas == "12"


def test_the_wheel_carries_only_our_licence(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    licences = [name for name in archive.namelist() if "licen" in name.lower()]
    assert [Path(name).name for name in licences] == ["LICENSE"]
    assert "Apache License" in archive.read(licences[0]).decode()
