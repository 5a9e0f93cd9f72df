"""Programs by XLA's plain code generator for CPUs, which takes a fifth of the time that optimized ones take to compile.

`tests/backends/jax/test_on_numpy.py` compiles plans of every policy as users do, and so does fuzzing, every property.
"""

import os
from collections.abc import Generator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any
from unittest import mock

import jax
import jax.numpy as jnp
from jax._src import compiler


@lru_cache
def plain_code_generator() -> dict[str, bool | int | str]:
    """What to compile with; nothing where a jaxlib doesn't know it: then all is as users have it."""
    plain: dict[str, bool | int | str] = {
        "xla_cpu_use_fusion_emitters": False,
        "xla_backend_optimization_level": 0,
        "xla_cpu_parallel_codegen_split_count": 1,  # parts for threads, when every processor has tests of its own
        # They look at all loops again and again, and change little.
        "xla_disable_hlo_passes": "simplify-while-loops,while-loop-invariant-code-motion",
    }
    if jax.default_backend() != "cpu" or os.environ.get("HYPOTHESIS_PROFILE") == "fuzz":
        return {}
    try:
        jax.jit(jnp.negative, compiler_options=plain)(1.0)
    except jax.errors.JaxRuntimeError:
        return {}
    return plain


def plain_environment() -> dict[str, str]:
    """The same for the environment of another process."""
    flags = (f"--{name}={str(value).lower()}" for name, value in plain_code_generator().items())
    return {"XLA_FLAGS": " ".join(flags)}


@contextmanager
def plain_programs() -> Generator[None]:
    """All that is compiled meanwhile: also in the package, whose programs take no options, and in a mesh."""
    plain, compile_options = plain_code_generator(), compiler.get_compile_options

    def with_plain(*args: Any, **options: Any) -> Any:
        options["env_options_overrides"] = plain | (options.get("env_options_overrides") or {})
        return compile_options(*args, **options)

    with mock.patch.object(compiler, "get_compile_options", with_plain):
        yield
