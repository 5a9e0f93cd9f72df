"""Plans that follow others on a GPU, held against NumPy's."""

from typing import Any

import torch

from eplb_xp import Plan
from tests.support.cuda import CUDA
from tests.support.follow_kernels import Case, Shape, expected
from tests.support.plans import assert_same

SMALL = Shape(16, 24, 8)


def on_gpu(given: Case) -> list[torch.Tensor]:
    """What the step takes."""
    return [CUDA.asarray(x) for x in given[1:]]


def assert_equal(made: Any, given: Case) -> None:
    """The plan that tensors got is NumPy's."""
    assert isinstance(made, Plan)
    assert_same(Plan(*(x.numpy(force=True) for x in made)), expected(given))
