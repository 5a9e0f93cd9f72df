"""Run by a wheel's Python, with NumPy and nothing else: native code is there, and plans as the once-written code."""

import os

import numpy as np

import eplb_xp
from eplb_xp.backends.launching.from_numpy import extension
from eplb_xp.backends.takeover import NATIVE, OFF, SWITCH


def main() -> None:
    load = np.random.default_rng(0).lognormal(5, 1, (5, 64))
    for policy in eplb_xp.POLICIES:
        for sizes in ((96, 1, 1, 32), (80, 8, 4, 16)):
            plans = []
            for form in (NATIVE, OFF):
                os.environ[SWITCH] = form
                plans.append(eplb_xp.rebalance_experts(load, *sizes, policy=policy))
            if not all(np.array_equal(ours, theirs) for ours, theirs in zip(*plans, strict=True)):
                raise SystemExit(f"native code makes another plan: {policy}, {sizes}")
    print("eplb-xp", eplb_xp.__version__, "plans by native code in", extension().MOST_LANES, "lanes")


if __name__ == "__main__":
    main()
