"""What is shipped: a wheel, built from the sdist, that holds the backends."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.support.paths import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that ``python -m build`` makes from the sdist of a copy of the tree."""
    folder = tmp_path_factory.mktemp("build")
    tree, hasty = copied(folder), str(compiler_in_haste(folder))
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", "dist"]
    environment = os.environ | {"CC": hasty, "CXX": hasty}
    result = subprocess.run(build, cwd=tree, capture_output=True, text=True, check=False, env=environment)  # noqa: S603 # our own tree
    assert result.returncode == 0, result.stderr + result.stdout
    (path,) = (tree / "dist").glob("*.whl")
    return path


def compiler_in_haste(folder: Path) -> Path:
    """A compiler that optimizes nothing: what is built is only looked at here, and plans once."""
    program = folder / "g++"
    program.write_text('#!/bin/sh\nexec g++ "$@" -O0\n')
    program.chmod(0o755)
    return program


def copied(folder: Path) -> Path:
    """A copy of the tree, without what was made in it."""
    tree = folder / "tree"
    made = shutil.ignore_patterns(".*", "*.egg-info", "*.so", "__pycache__", "build", "dist", "out")
    shutil.copytree(ROOT, tree, symlinks=True, ignore=made)
    return tree


def test_the_wheel_holds_every_module_and_nothing_else(wheel: Path) -> None:
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    modules = {path.relative_to(ROOT / "src").as_posix() for path in (ROOT / "src").rglob("*.py")}
    backends = {f"eplb_xp/{path.relative_to(ROOT).as_posix()}" for path in (ROOT / "backends").rglob("*.py")}
    assert {"eplb_xp/backends/torch.py", "eplb_xp/backends/jax.py", "eplb_xp/backends/kernels/prepare.py"} <= backends
    pages = {f"eplb_xp/{path.relative_to(ROOT).as_posix()}" for path in (ROOT / "backends").rglob("README.md")}
    assert {"eplb_xp/backends/README.md", "eplb_xp/backends/kernels/README.md"} <= pages
    native = {name for name in names if name.startswith("eplb_xp/backends/native/_native.")}
    assert len(native) == (shutil.which("g++") is not None)
    assert names == modules | backends | pages | native | {"eplb_xp/py.typed"}


def test_the_wheel_names_the_adapters_of_engines(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (name,) = (name for name in archive.namelist() if name.endswith("entry_points.txt"))
    points = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    lines = archive.read(name).decode().splitlines()
    for group, targets in points.items():
        assert f"[{group}]" in lines
        assert {f"{name} = {target}" for name, target in targets.items()} <= set(lines)


def test_one_wheel_is_for_all_versions_of_python(wheel: Path) -> None:
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        pytest.skip("Python without a lock has no stable interface")
    assert "-cp311-abi3-" in wheel.name


def test_the_sdist_holds_the_sources_of_native_code(wheel: Path, tmp_path: Path) -> None:
    (sdist,) = wheel.parent.glob("*.tar.gz")
    shutil.unpack_archive(sdist, tmp_path, filter="data")
    (tree,) = tmp_path.iterdir()
    sources = {path for kind in ("cpp", "hpp") for path in (ROOT / "backends" / "native").rglob(f"*.{kind}")}
    assert sources
    for path in sources:
        assert (tree / "src" / "eplb_xp" / path.relative_to(ROOT)).read_bytes() == path.read_bytes()


def test_without_a_compiler_all_else_is_installed(tmp_path: Path) -> None:
    tree = copied(tmp_path)
    build = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", "dist"]
    environment = os.environ | {"CC": "false", "CXX": "false"}
    subprocess.run(build, cwd=tree, capture_output=True, check=True, env=environment)  # noqa: S603 # our own tree
    (path,) = (tree / "dist").glob("*.whl")
    names = zipfile.ZipFile(path).namelist()
    assert "eplb_xp/backends/native/__init__.py" in names
    assert not [name for name in names if "_native." in name]


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
