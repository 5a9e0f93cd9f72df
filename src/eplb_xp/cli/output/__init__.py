"""What was found, as a table, as JSON or as a picture."""

import json as standard_json
from collections.abc import Callable
from typing import Any, TypeVar

from rich.console import Console, RenderableType

Found = TypeVar("Found")


def show(
    found: Found,
    table: Callable[[Found], RenderableType],
    document: Callable[[Found], dict[str, Any]],
    *,
    json: bool,
) -> None:
    """Print it, as a table or as one JSON object in one line."""
    if json:
        print(standard_json.dumps(document(found)))
    else:
        Console().print(table(found))
