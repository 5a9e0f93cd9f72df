"""The extension module of native code, which is left out where it can't be built; all else is in pyproject.toml."""

import sysconfig
from pathlib import Path

from setuptools import Extension, setup

FOLDER = Path("src/eplb_xp/backends/native")

# The stable interface, so that one build is for all versions of Python; those without a lock have none.
HAS_STABLE = not sysconfig.get_config_var("Py_GIL_DISABLED")

setup(
    ext_modules=[
        Extension(
            "eplb_xp.backends.native._native",
            sources=[str(FOLDER / "native.cpp")],
            depends=sorted(map(str, FOLDER.glob("**/*.hpp"))),
            define_macros=[("Py_LIMITED_API", "0x030B0000")] if HAS_STABLE else [],
            # Products and sums are rounded one by one, as everywhere.
            extra_compile_args=[
                "-std=c++20",
                "-O3",
                "-g0",
                "-ffp-contract=off",
                "-fno-math-errno",
                "-fvisibility=hidden",
            ],
            py_limited_api=HAS_STABLE,
            optional=True,
        )
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}} if HAS_STABLE else {},
)
