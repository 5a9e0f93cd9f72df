"""Native code stands in the rooms of the algorithms, a header for each module that it does the same as."""

import re

from tests.support.paths import ROOT

NATIVE, ALGORITHMS = ROOT / "backends" / "native", ROOT / "src" / "eplb_xp" / "algorithms"
# Memory, what is given, threads, and who calls.
SHAPES = {"shape.hpp", "following/shape.hpp", "sharing/shape.hpp", "routing/shape.hpp"}
CALLS = {"request.hpp", "given.hpp", "xla.hpp", "following/request.hpp", "following/samples_request.hpp"}
CALLS |= {"sharing/request.hpp", "routing/request.hpp"}
AROUND = {"each.hpp", "memory.hpp", "threads.hpp", *SHAPES, *CALLS}
# What is called; lanes; how the best swap is found where packs are many, how those meet that are shaken; which
# candidates can't be the best; which GPUs hold an expert; what is given; what else path.py and follow.py have.
OF_PACKS = {"improving/narrowing.hpp", "improving/meetings.hpp", "improving/glance.hpp"}
OWN = {*AROUND, *OF_PACKS, "code.hpp", "lanes.hpp", "scratch.hpp", "trying/least.hpp", "following/holders.hpp"}
OWN |= {"sharing/reading.hpp", "following/best.hpp", "following/renew.hpp"}


def test_each_header_has_a_module_of_its_name() -> None:
    headers = {path.relative_to(NATIVE).as_posix() for path in NATIVE.rglob("*.hpp")}
    assert headers >= OWN
    for header in headers - OWN:
        module = header.replace(".hpp", ".py")
        assert (ALGORITHMS / module).exists(), header
        assert f"algorithms/{module}" in (NATIVE / header).read_text().partition("\n")[0]


def test_row_code_is_included_once_for_each_number_of_lanes() -> None:
    included = re.findall(r'#include "(.*)"', (NATIVE / "each.hpp").read_text())
    assert sorted(included) == sorted({path.relative_to(NATIVE).as_posix() for path in NATIVE.rglob("*.hpp")} - AROUND)
    for header in included:
        assert "#include" not in (NATIVE / header).read_text()
