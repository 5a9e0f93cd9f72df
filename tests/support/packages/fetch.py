"""``python -m tests.support.packages.fetch FOLDER [PACKAGE ...]``: what is needed of others' packages, by version.

pip fetches an archive, a source distribution where tests of the engine's own are wanted, else a wheel; a few of its
files are kept. Where one can't be had, a file says why, and the tests and the rows that need it are left out. Without
names, those that tests of adapters need are fetched.
"""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple


class Package(NamedTuple):
    """A release of an engine, and what is kept of it."""

    name: str
    version: str
    kept: str  # a pattern of paths
    is_source: bool = False

    @property
    def folder(self) -> str:
        return f"{self.name}-{self.version}"


_VLLM = r"(vllm/distributed/eplb/.*|vllm/plugins/__init__|tests/distributed/(test_eplb_algo|eplb_utils))\.py"
_SGLANG = r"sglang/srt/(eplb|plugins|elastic_ep)/.*\.py"
_ASCEND = r"vllm_ascend/eplb/.*\.py"
_LMDEPLOY = r"lmdeploy/pytorch/nn/eplb\.py"
OF_VLLM = ("0.12.0", "0.13.0", "0.14.1", "0.18.1", "0.19.1", "0.33.0")
OF_SGLANG = ("0.5.10.post1", "0.5.15", "0.5.23")
PACKAGES = (
    *(Package("vllm", version, _VLLM, is_source=True) for version in OF_VLLM),
    *(Package("sglang", version, _SGLANG) for version in OF_SGLANG),
    Package("vllm-ascend", "0.23.0", _ASCEND),
)
# What planners are compared with ours, beside the newest of each of those: `benchmarks.peers`.
MORE = (Package("lmdeploy", "0.18.0", _LMDEPLOY),)
# Wheels are for Python 3.12 and Linux; only their text is read.
_WHEELS = ["--only-binary=:all:", "--python-version=3.12", "--platform=any"]
_WHEELS += [f"--platform=manylinux_2_{minor}_x86_64" for minor in (28, 34)]


def fetch(package: Package, folder: Path) -> None:
    """Keep what is wanted of a package, or say why there is none."""
    target = folder / package.folder
    if target.is_dir():
        return
    print(f"Fetching {package.name} {package.version}", flush=True)
    with tempfile.TemporaryDirectory(dir=folder) as name:
        there = Path(name)
        kind = [f"--no-binary={package.name}", "--no-build-isolation"] if package.is_source else _WHEELS
        # Without them vLLM's setup looks for a compiler of CUDA, and calls the version another.
        environment = os.environ | {"VLLM_TARGET_DEVICE": "empty", "VLLM_VERSION_OVERRIDE": package.version}
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", f"--dest={there}", *kind]
        command = [*pip, f"{package.name}=={package.version}"]
        run = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)  # noqa: S603 # pip
        archives = [path for path in there.iterdir() if path.suffix in {".whl", ".gz"}]
        if run.returncode or len(archives) != 1:
            errors = [line for line in run.stderr.splitlines() if line.startswith("ERROR")]
            (folder / f"{package.folder}.missing").write_text(errors[-1] if errors else f"pip: {run.returncode}")
            return
        kept = there / "kept"
        for path, content in _files(archives[0]):
            if re.fullmatch(package.kept, path):
                (kept / path).parent.mkdir(parents=True, exist_ok=True)
                (kept / path).write_bytes(content)
        shutil.move(kept, target)


def _files(archive: Path) -> Iterator[tuple[str, bytes]]:
    """Paths in a package and what they hold; in a source distribution all are in one folder."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            for name in wheel.namelist():
                if name.endswith(".py"):
                    yield name, wheel.read(name)
    else:
        with tarfile.open(archive) as source:
            for member in source:
                file = source.extractfile(member) if member.name.endswith(".py") else None
                if file:
                    yield member.name.partition("/")[2], file.read()


def main(folder: Path, names: list[str]) -> None:
    """Those of some names, or all that tests need."""
    wanted = [package for package in (*PACKAGES, *MORE) if package.folder in names] if names else PACKAGES
    folder.mkdir(parents=True, exist_ok=True)
    for stale in folder.glob("*.missing"):
        stale.unlink()
    for package in wanted:
        fetch(package, folder)
    missing = sorted(path.name.removesuffix(".missing") for path in folder.glob("*.missing"))
    print(f"{len(wanted) - len(missing)} of {len(wanted)} packages in {folder}", *missing)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
