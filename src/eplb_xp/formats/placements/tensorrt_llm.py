"""TensorRT-LLM's ``moe_load_balancer`` file: YAML, layers numbered as in the model."""

import importlib
import re
from pathlib import Path
from typing import Any

from eplb_xp.formats.fields import UnfitError
from eplb_xp.formats.placements.checking import by_layers
from eplb_xp.formats.placements.placement import Placement
from eplb_xp.formats.placements.vllm import KEY
from eplb_xp.formats.source import Kind, Source

ENDINGS = (".yaml", ".yml")
LINE = re.compile(rb"^(num_slots|initial_global_assignments|layer_updates_per_iter)\s*:", re.MULTILINE)


def recognises(source: Source) -> bool:
    """Text with one of its keys, or an object with the map."""
    if source.kind == Kind.text:
        return LINE.search(source.head) is not None
    return source.kind == Kind.json and KEY in source.names()


def read(source: Source) -> Placement:
    """The map, and the numbers of its layers."""
    content = source.document if source.kind == Kind.json else _parsed(source.text)
    if not isinstance(content, dict):
        raise UnfitError(f"there must be a map with {KEY}")
    return by_layers(KEY, content.get(KEY), source.size, content.get("num_slots"))


def write(path: Path, placement: Placement) -> None:
    """The map, for a placement that stays as it is."""
    layers = range(len(placement.phy2log)) if placement.layer_numbers is None else placement.layer_numbers.tolist()
    content = {
        "num_slots": placement.phy2log.shape[1],
        KEY: dict(zip(layers, placement.phy2log.tolist(), strict=True)),
        "layer_updates_per_iter": 0,
    }
    yaml = _yaml()
    with path.open("w") as file:
        fastest = _fastest(yaml, "SafeDumper")
        yaml.dump(content, file, Dumper=fastest, default_flow_style=None, sort_keys=False, width=120)


def _parsed(text: str) -> Any:
    yaml = _yaml()

    class Loader(_fastest(yaml, "SafeLoader")):  # type: ignore[misc] # whichever there is
        def flatten_mapping(self, node: Any) -> None:
            """Refuse what grows by being merged."""
            if any(key.tag == "tag:yaml.org,2002:merge" for key, _ in node.value):
                raise UnfitError("no map may be merged into another one, by <<")

    return yaml.load(text, Loader=Loader)  # it is a SafeLoader


def _yaml() -> Any:
    try:
        return importlib.import_module("yaml")
    except ImportError as error:
        raise UnfitError(
            f'.yaml files take PyYAML, which can\'t be imported ({error}): pip install "eplb-xp[cli]"'
        ) from error


def _fastest(yaml: Any, name: str) -> Any:
    """A class of PyYAML, in C where it was built with that."""
    return getattr(yaml, f"C{name}", getattr(yaml, name))
