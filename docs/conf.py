"""How Sphinx builds these pages; ``make docs`` does it, and a warning is an error."""

from importlib.metadata import version as version_of
from typing import Any

project = "eplb-xp"
author = "the eplb-xp contributors"
copyright = f"2026, {author}"  # noqa: A001 # Sphinx's name
release = version_of("eplb-xp")

extensions = ["sphinx.ext.autodoc", "numpydoc", "myst_parser"]
nitpicky = True
default_role = "py:obj"  # a name in single backquotes is a link
myst_heading_anchors = 3

autodoc_typehints = "none"  # the sections of a docstring say more
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_validation_checks = {
    "all",  # but these
    "ES01",  # one line of meaning is often enough
    "EX01",
    "SA01",
    "RT04",  # a return value may begin with a shape
}
numpydoc_validation_exclude = {
    # numpydoc wants a tuple's fields as parameters too
    r"\.(Frontier|MovedBytes|Moves|Plan|Prepared|Report|SharedReport|Shares|Statistics)$",
    r"\.simulation\.(Cost|Gpu|Measured|Model|Product|Score|Strategy|Worth)$",
    r"\.backends\.",  # for people who read code: one line each
}

html_theme = "furo"
html_title = f"eplb-xp {release}"
html_show_sphinx = False
html_static_path = ["style.css"]
html_css_files = ["style.css"]


# Files of the repository, as they are linked, and the pages that include them.
PAGES = {
    "../backends/README.md": "backends.md",
    "../backends/kernels/README.md": "kernels.md",
    "kernels/README.md": "kernels.md",
}


def setup(app: Any) -> None:
    """What is linked as a file of the repository is a page here."""
    app.connect("source-read", lambda _app, _page, source: _link_pages(source))
    app.connect("include-read", lambda _app, _file, _page, source: _link_pages(source))


def _link_pages(source: list[str]) -> None:
    for file, page in PAGES.items():
        source[0] = source[0].replace(f"({file})", f"({page})")
