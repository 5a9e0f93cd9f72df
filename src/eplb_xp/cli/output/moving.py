"""What moves, in words and for scripts."""

from typing import Any

from eplb_xp.cli.amounts import in_letters
from eplb_xp.cli.moved import Moved
from eplb_xp.cli.summary import percent


def lines(moved: Moved) -> str:
    """One line of slots, and one of bytes where they are known."""
    text = (
        f"\nmoved slots: mean {moved.mean:.2f} of {moved.of} a layer ({percent(moved.mean / moved.of)}), "
        f"most {moved.most} ({percent(moved.most / moved.of)}, layer {moved.most_layer})\n"
    )
    if moved.num_nodes > 1:
        text += f"across nodes: {moved.across:,} of the {moved.slots.sum():,} slots of all layers\n"
    if moved.bytes is None:
        return text
    received = moved.bytes.received
    across = f", {in_letters(int(moved.bytes.sent_across.sum()))} across nodes" if moved.num_nodes > 1 else ""
    return text + (
        f"moved bytes: {in_letters(moved.bytes.total)} in all, "
        f"most {in_letters(int(received.max()))} to a GPU ({received.argmax()}){across}\n"
    )


def document(moved: Moved) -> dict[str, Any]:
    """The same numbers, and those of every layer and GPU."""
    slots = {
        "mean": moved.mean,
        "mean_share": moved.mean / moved.of,
        "most": moved.most,
        "most_share": moved.most / moved.of,
        "most_layer": moved.most_layer,
        "layers": moved.slots.tolist(),
    }
    if moved.num_nodes > 1:
        slots["across_nodes"] = moved.across
    if moved.bytes is None:
        return {"moved_slots": slots}
    received = moved.bytes.received
    number = {
        "total": moved.bytes.total,
        "most": int(received.max()),
        "most_gpu": int(received.argmax()),
        "across_nodes": int(moved.bytes.sent_across.sum()),
        "gpus": received.tolist(),
    }
    return {"moved_slots": slots, "moved_bytes": number}
