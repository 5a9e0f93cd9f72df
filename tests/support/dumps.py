"""Made samples of what engines record: the files of each format, and the loads in them."""

import json
import struct
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from tests.support.libraries import NumPyArray
from tests.support.recorded import npy, npz, pt, table

# Two ranks, three steps, four layers of which the first has no experts of its own, six experts in eight slots.
RNG = np.random.default_rng(0)
RANKS, STEPS, LAYERS, EXPERTS, SLOTS = 2, 3, 4, 6, 8
PHY2LOG: NumPyArray = np.stack([RNG.permutation([0, 1, 2, 3, 4, 5, 0, 5]) for _ in range(LAYERS)])
OF_RANKS: NumPyArray = RNG.integers(0, 900, (RANKS, STEPS, LAYERS, SLOTS)) * (np.arange(LAYERS) > 0)[:, None]


def logical(counts: NumPyArray) -> NumPyArray:
    """Counts of slots, [..., layers, slots], summed for each expert, one by one."""
    load = np.zeros((*counts.shape[:-1], EXPERTS), np.int64)
    for place in np.ndindex(counts.shape):
        load[(*place[:-1], PHY2LOG[place[-2:]])] += counts[place]
    return load


LOAD = logical(OF_RANKS)  # [ranks, steps, layers, experts]
TOTAL = LOAD.sum(axis=0)


class Sample(NamedTuple):
    """Files by their names, and what is read of them."""

    files: dict[str, bytes]
    expected: NumPyArray  # [steps, layers, experts]
    options: dict[str, Any] = {}  # noqa: RUF012 # never changed


def lines(*records: dict[str, Any]) -> bytes:
    """JSON lines."""
    return "".join(json.dumps(record) + "\n" for record in records).encode()


def safetensors(**tensors: NumPyArray) -> bytes:
    """The public layout: the length of a JSON header, the header, and all values one after the other."""
    header, start = {}, 0
    for name, array in tensors.items():
        kind = {"int32": "I32", "int64": "I64", "float32": "F32", "float64": "F64"}[array.dtype.name]
        header[name] = {"dtype": kind, "shape": array.shape, "data_offsets": [start, start + array.nbytes]}
        start += array.nbytes
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + b"".join(array.tobytes() for array in tensors.values())


def passes(rank: int, **more: Any) -> bytes:
    """SGLang's recorder in mode per_pass."""
    records = [
        {
            "forward_pass_id": 7 + step,
            "rank": rank,
            "gatherer_key": "primary",
            "global_physical_count": torch.asarray(OF_RANKS[rank, step]).int(),
            **more,
        }
        for step in range(STEPS)
    ]
    return pt({"records": records, "last_physical_to_logical_map": torch.asarray(PHY2LOG)})


def megatron(rank: int) -> bytes:
    """Megatron-core's recorder: layers from 1 on, and two forwards that were never written."""
    written = LOAD[rank, :, 1:].transpose(1, 0, 2).astype(np.int32)
    loads = np.full((LAYERS - 1, STEPS + 2, EXPERTS), -123456789, np.int32)
    loads[:, :STEPS] = written
    return npz(
        loads=loads,
        layer_numbers=np.arange(1, LAYERS, dtype=np.int32),
        forward_counts=np.full(LAYERS - 1, STEPS, np.int32),
        ep_group_ranks=np.arange(RANKS, dtype=np.int32),
        ep_rank=np.int32(rank),
        ep_size=np.int32(RANKS),
        global_rank=np.int32(rank),
        dump_version=np.asarray("mcore_ep_load_dump_v1"),
    )


def of_step(rank: int) -> NumPyArray:
    """Layers and experts of the first step of a rank."""
    return LOAD[rank, 0]


def log() -> bytes:
    """omni-infer's: half of the experts on each rank, among other lines."""
    half = EXPERTS // RANKS
    rows = ["INFO starting"]
    for step, rank, layer in np.ndindex(STEPS, RANKS, LAYERS):
        counts = "\t".join(map(str, TOTAL[step, layer, rank * half : (rank + 1) * half]))
        rows.append(
            f"[dump activation] decode step {step} in rank {rank} for layer {layer} get {half} experts data: {counts}"
        )
    return ("\n".join(rows) + "\n").encode()


SAMPLES: dict[str, Sample] = {
    "arrays": Sample({"a.npy": npy(TOTAL)}, TOTAL),
    "own": Sample({"a.npz": npz(load=TOTAL)}, TOTAL),
    "trace": Sample(
        {"a.npz": npz(load=TOTAL, schema=1, model="m", layer_numbers=np.arange(LAYERS) + 3, top_k=2)}, TOTAL
    ),
    "sglang-stat": Sample({"a.pt": pt({"rank": 0, "logical_count": torch.asarray(TOTAL).int()})}, TOTAL),
    "sglang-passes": Sample({"e_9.5_0.pt": passes(0), "e_9.5_1.pt": passes(1)}, TOTAL),
    "sglang-passes, of tokens": Sample(
        {"e_0.pt": passes(0, topk_ids_of_layer=torch.full((LAYERS, 5, 2), -1), forward_mode=1)}, LOAD[0]
    ),
    "sglang-csv": Sample(
        {
            f"expert_distribution_rank{rank}_timestamp1.csv": table(
                "layer_id,expert_id,count",
                *(
                    (layer, expert, of_step(rank)[layer, expert])
                    for layer in range(1, LAYERS)
                    for expert in range(EXPERTS)
                ),
            )
            for rank in range(RANKS)
        },
        TOTAL[:1],
    ),
    "sglang-jax": Sample(
        {"a.npy": npy(np.array({"logical_count": TOTAL[0], "timestamp": "20261127"}, object))}, TOTAL[:1]
    ),
    "vllm": Sample(
        {
            "a.jsonl": lines(
                {"record_type": "eplb_load_meta", "version": 1, "model": "m", "num_layers": LAYERS},
                *(
                    {
                        "record_type": "eplb_load_stats",
                        "version": 1,
                        "step": step,
                        "expert_load": OF_RANKS.sum(axis=0)[step].tolist(),
                        "p2l_map": PHY2LOG.tolist(),
                    }
                    for step in range(STEPS)
                ),
            )
        },
        TOTAL,
    ),
    "vllm-window": Sample({"w_i0.safetensors": safetensors(window=TOTAL[0].astype(np.int32))}, TOTAL[:1]),
    "vllm-explore": Sample(
        {
            "a.json": json.dumps(
                {
                    "per_layer_stats": [
                        {"layer": layer, "physical_load": [1] * SLOTS, "logical_load": TOTAL[0, layer].tolist()}
                        for layer in (3, 1, 2, 0)
                    ],
                    "physical_to_logical_map": PHY2LOG.tolist(),
                }
            ).encode()
        },
        TOTAL[:1],
    ),
    "load-history": Sample(
        {"a.json": json.dumps({"load_history": [{"logical_expert_load": t.tolist(), "n": 1} for t in TOTAL]}).encode()},
        TOTAL,
    ),
    "megatron": Sample({f"mcore_ep_loads_rank{rank}_x.npz": megatron(rank) for rank in range(RANKS)}, TOTAL),
    "dlblas": Sample(
        {
            f"expert_load_rank{rank}.json": json.dumps(
                {f"layer_{layer}": of_step(rank)[layer].tolist() for layer in (3, 2, 1)}, indent=2
            ).encode()
            for rank in range(RANKS)
        },
        TOTAL[:1],
    ),
    "omni-infer": Sample({"a.log": log()}, TOTAL),
    "mindie": Sample(
        {
            f"npu_{npu}.csv": table("", *map(tuple, TOTAL[..., 3 * npu : 3 * npu + 3].reshape(-1, 3)))[1:]
            for npu in range(2)
        },
        TOTAL,
        {"num_layers": LAYERS},
    ),
    "tensorrt-llm": Sample(
        {
            "meta_info.json": json.dumps(
                {"num_experts": EXPERTS, "num_experts_per_token": 2, "ep_size": RANKS}
            ).encode(),
            **{
                f"rank{rank}.safetensors": safetensors(
                    **{
                        f"{100 + step}_{layer}": LOAD[rank, step, layer].astype(np.int32)
                        for step in range(STEPS)
                        for layer in range(1, LAYERS)
                    }
                )
                for rank in range(RANKS)
            },
            "rank0_raw.safetensors": safetensors(x=np.zeros((2, 2), np.int32)),
        },
        TOTAL,
    ),
    "table": Sample({"a.csv": table("", *map(tuple, TOTAL[0]))[1:]}, TOTAL[:1]),
    "json": Sample({"a.json": json.dumps(TOTAL.tolist()).encode()}, TOTAL),
}


def write(files: dict[str, bytes], folder: Path) -> Path:
    """The one file, or the folder of several."""
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder if len(files) > 1 else folder / next(iter(files))


def damaged(content: bytes, random: np.random.Generator) -> bytes:
    """Some bytes changed, left out, said twice or put elsewhere, and often the end cut off."""
    made = bytearray(content)
    for _ in range(random.integers(1, 4)):
        place, size = int(random.integers(len(made))), int(random.integers(1, 9))
        piece = made[place : place + size]
        match random.integers(5):
            case 0:
                made[place : place + 1] = bytes([int(random.integers(256))])
            case 1:
                made[place : place + size] = b""
            case 2:
                made[place:place] = piece
            case 3:
                made[place : place + size] = random.bytes(size)
            case _:  # digits, so that numbers change and the form doesn't
                digits = [i for i in range(place, min(place + 400, len(made))) if 48 <= made[i] < 58]
                for i in digits[:size]:
                    made[i] = 48 + int(random.integers(10))
        made = made or bytearray(b"0")
    return bytes(made[: random.integers(1, len(made) + 1)] if random.random() < 0.3 else made)
