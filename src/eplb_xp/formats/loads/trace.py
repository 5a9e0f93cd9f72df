"""eplb-xp's own traces: ``load`` and a schema's number, perhaps what they are of."""

from eplb_xp import __version__
from eplb_xp.formats.containers.npz import Archive
from eplb_xp.formats.fields import Numbers, UnfitError, listed
from eplb_xp.formats.loads.options import Options
from eplb_xp.formats.loads.recorded import Recorded, of_array
from eplb_xp.formats.loads.trace_fields import Fields, check_size, checked, whole_number
from eplb_xp.formats.source import Kind, Source

# Another number is for files that earlier readers would misread, or that have more fields.
SCHEMA = 1
LOAD = "load"
NAMES = ("schema", LOAD, *Fields._fields)


def recognises(source: Source, _: Options) -> bool:
    """An archive with a schema, and no plan."""
    return source.kind == Kind.npz and "schema" in source.archive and "phy2log" not in source.archive


def read(source: Source, _: Options) -> Recorded:
    """The loads, a step at a time, and what is said of them."""
    archive = source.archive
    _check_schema(whole_number("schema", _field(archive, "schema")))
    unknown = [name for name in archive if name not in NAMES]
    if unknown or LOAD not in archive:
        fault = f"has no field {listed(unknown)}" if unknown else f"has an array {LOAD} [steps, layers, experts]"
        raise UnfitError(f"a trace of schema {SCHEMA} {fault}; found: {listed(archive)}; known: {', '.join(NAMES)}")
    load = archive.steps(LOAD)
    if load.dtype.kind not in "iuf" or len(load.shape) != 3 or 0 in load.shape:
        raise UnfitError(
            f"load must be [steps, layers, experts], none of them 0, of integers or floats, got shape {load.shape} of "
            f"{load.dtype}"
        )
    layers, experts = load.shape[1:]
    given = {name: _field(archive, name) for name in Fields._fields if name in archive}
    return of_array(load)._replace(fields=checked(layers, experts, **given))


def _field(archive: Archive, name: str) -> Numbers:
    check_size(name, archive.head(name).size)
    return archive.array(name)


def _check_schema(schema: int) -> None:
    """Refuse what a later version wrote and this one would misread."""
    if schema > SCHEMA:
        raise UnfitError(
            f"a trace of schema {schema}, and eplb-xp {__version__} reads up to {SCHEMA}: a newer eplb-xp reads it"
        )
    if schema < 1:
        raise UnfitError(f"a trace's schema must be {SCHEMA}, got {schema}")
