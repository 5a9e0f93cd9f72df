"""The program as a whole: how it is started, what it imports, what it prints."""

import json
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from eplb_xp.cli import main
from tests.support.command_line import plan, run
from tests.support.paths import ROOT


def test_console_script_is_main() -> None:
    (script,) = entry_points(group="console_scripts", name="eplb-xp")
    assert script.load() is main


def test_module_runs_and_fails_without_a_traceback() -> None:
    command = [sys.executable, "-m", "eplb_xp.cli", "plan", "missing.npy", "--num-gpus=4", "--num-replicas=8"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 2
    assert done.stderr == "eplb-xp: missing.npy: can't be read: No such file or directory\n"


def test_importing_the_library_imports_nothing_of_the_command_line() -> None:
    heavy = "typer, rich, matplotlib, jax, torch"
    code = f"import sys, eplb_xp; print(sorted({{*'{heavy}'.split(', ')}} & {{*sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout == "[]\n"


def test_only_a_picture_imports_matplotlib(file: Path) -> None:
    code = f"""import sys; from pathlib import Path; from tests.support.command_line import plan
plan(Path({str(file)!r}))
print("matplotlib" in sys.modules, file=sys.stderr)"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)  # noqa: S603
    assert done.stderr == "False\n"


def test_nothing_prints_but_the_table(file: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert plan(file, "--json", "-o", tmp_path / "plan.npz", "--plot", tmp_path / "plan.png") == 0
    out, err = capfd.readouterr()
    json.loads(out)
    assert err == ""
    assert run("evaluate", tmp_path / "plan.npz", file) == 0
    assert capfd.readouterr().err == ""
