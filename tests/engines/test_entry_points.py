"""Engines find the adapters by themselves, and adapters import no engine before they are called."""

import importlib
import subprocess
import sys
import tomllib

import pytest

from tests.support.paths import ROOT

GROUPS = ("vllm.general_plugins", "sglang.srt.plugins")
POINTS = [
    (group, name, target)
    for group, points in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"].items()
    for name, target in points.items()
]


def test_there_is_a_point_for_each_engine_that_calls_such() -> None:
    assert {group for group, _, _ in POINTS} == set(GROUPS)
    assert {name for _, name, _ in POINTS} == {"eplb_xp", "eplb_xp_ascend"}


@pytest.mark.parametrize("target", [target for _, _, target in POINTS])
def test_a_point_leads_to_a_function_that_does_nothing_by_itself(target: str) -> None:
    module, _, function = target.partition(":")
    before = set(sys.modules)
    assert getattr(importlib.import_module(module), function)() is None
    assert not {each.partition(".")[0] for each in set(sys.modules) - before} & {"vllm", "sglang", "vllm_ascend"}


def test_adapters_import_neither_engines_nor_libraries() -> None:
    modules = [path.stem for path in (ROOT / "src" / "eplb_xp" / "engines").glob("[a-z]*.py")]
    code = "\n".join(f"import eplb_xp.engines.{name}" for name in modules)
    alone = [
        sys.executable,
        "-I",
        "-c",
        f"import sys\nsys.path.insert(0, {str(ROOT / 'src')!r})\n{code}\nprint(*sys.modules)",
    ]
    run = subprocess.run(alone, check=True, capture_output=True, text=True)  # noqa: S603 # our own code
    imported = {name.partition(".")[0] for name in run.stdout.split()}
    assert "eplb_xp" in imported
    assert not imported & {"torch", "jax", "vllm", "sglang", "sgl_jax", "prometheus_client", "typer", "rich"}
