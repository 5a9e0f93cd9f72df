"""The programs of examples/, run as a reader would run them."""

import re
import sys
from math import ceil

import pytest
import torch.distributed

from tests.support.examples import load_example, run


def tokens_per_gpu(output: str) -> list[list[int]]:
    return [[int(number) for number in re.findall(r"\d+", line)] for line in output.splitlines()[:3]]


EXAMPLE_NAMES = [
    "jax_moe.py",
    pytest.param(
        "torch_moe.py",
        marks=pytest.mark.skipif(not torch.distributed.is_gloo_available(), reason="this torch has no gloo"),
    ),
]


@pytest.mark.parametrize("name", EXAMPLE_NAMES)
def test_an_example_balances_the_tokens_and_keeps_the_output(name: str) -> None:
    result = run(name)
    assert result.returncode == 0, result.stderr
    before, in_turn, by_shares = tokens_per_gpu(result.stdout)
    assert len(before) == len(in_turn) == len(by_shares) == 4
    assert sum(before) == sum(in_turn) == sum(by_shares) == 4 * 256 * 2  # devices, tokens, experts of a token
    *_, bound, last = result.stdout.splitlines()
    assert max(before) > 1.4 * 512
    assert 1.4 * 512 > max(in_turn) > max(by_shares)
    assert max(by_shares) == ceil(float(bound.split()[-1]))
    assert "equal" in last


@pytest.mark.parametrize(
    ("name", "replicas"), [("jax_moe", 18), ("torch_moe", 18), ("jax_moves", 78), ("torch_moves", 78)]
)
def test_an_example_refuses_bad_sizes_in_one_line(
    name: str, replicas: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [f"{name}.py", "--replicas", str(replicas)])
    with pytest.raises(SystemExit) as refused:
        load_example(name).main()
    assert refused.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert f"{replicas} is not a multiple of 4" in err.splitlines()[-1]
    assert "Traceback" not in err
