"""The pages know every public name, and no page or README links to a file that isn't there."""

import re
from pathlib import Path

import pytest

import eplb_xp
from eplb_xp import loads
from tests.support.paths import ROOT

PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "backends" / "README.md", *ROOT.glob("docs/*.md")]


@pytest.mark.parametrize("name", [*eplb_xp.__all__, *loads.__all__])
def test_the_reference_has_every_public_name(name: str) -> None:
    directive = rf"^\.\. (autofunction|autoclass|automodule|py:data):: (eplb_xp\.)?{name}$"
    assert re.search(directive, (ROOT / "docs" / "api.rst").read_text(), re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
        assert target.startswith("https://") or (page.parent / target).exists(), target
