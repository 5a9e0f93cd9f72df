"""How a plan is launched: the shape that its kernels are compiled for, and the memory they need."""

from dataclasses import dataclass, replace

from eplb_xp.algorithms.improving.finishing import most_steps
from eplb_xp.algorithms.packing.starts import NOISE_BITS
from eplb_xp.algorithms.trying.shape import shape_of
from eplb_xp.backends.launching.layout import Layout
from eplb_xp.backends.launching.shape import power
from eplb_xp.backends.takeover import Refusal
from eplb_xp.policy import Policy
from eplb_xp.sizes import Sizes

MOST_EXPERTS = 1024
MOST_REPLICAS = 2048
MOST_GPUS = 1024
MOST_WORDS = 2**28  # a gibibyte

# What Triton has pointers to; loads of other dtypes are converted first.
DTYPES = (
    *("float16", "bfloat16", "float32", "float64"),
    *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
)

# So many programs keep a GPU busy; beyond that several starts of a row share one.
PROGRAMS = 32768


@dataclass(frozen=True)
class Launch:
    """The kernels of a plan: how many programs each has, and the words of memory between them."""

    shape: Layout
    prepare_programs: int
    improve_programs: int  # 0 where nothing is improved
    choose_programs: int  # 0 where nothing is chosen from
    words: int
    prepare_warps: int
    warps: int  # of the others


def launch(layers: int, experts: int, sizes: Sizes, policy: Policy) -> Launch | Refusal:
    """How to launch a plan, or why the kernels leave it to the once-written code."""
    for name, number, most in (
        ("experts", experts, MOST_EXPERTS),
        ("replicas", sizes.num_replicas, MOST_REPLICAS),
        ("GPUs", sizes.num_gpus, MOST_GPUS),
    ):
        if number > most:
            return Refusal(f"the kernels plan for at most {most} {name}, got {number}")
    if layers == 0:
        return Refusal("there are no layers")
    shape = _shape(layers, experts, sizes, policy)
    rows = layers * shape.rows
    words = rows * shape.parts * shape.words
    if shape.levels:
        words += rows * (shape.record_words + shape.blocks * shape.words) + 1
    if words > MOST_WORDS:
        return Refusal(f"the kernels would need {words * 4 / 2**30:.1f} GiB of memory, and take at most 1 GiB")
    return Launch(
        shape,
        prepare_programs=rows,
        improve_programs=rows * shape.parts if shape.improves else 0,
        choose_programs=layers * shape.layer_programs if shape.compares else 0,
        words=words,
        prepare_warps=4,
        warps=_warps(shape),
    )


def _shape(layers: int, experts: int, sizes: Sizes, policy: Policy) -> Layout:
    grouped = sizes.num_groups > 1
    nodes = sizes.num_nodes if grouped else 1
    halves = 2 if grouped and policy.rounds > 0 and 1 < nodes < sizes.num_groups else 1
    node_experts, slots, gpus = experts // nodes, sizes.num_replicas // nodes, sizes.num_gpus // nodes
    apart = not policy.may_double
    everywhere = apart and slots >= node_experts * gpus
    fewest = gpus if everywhere else 1
    spares = slots - node_experts * fewest
    most = spares + 1
    if apart:
        most = sizes.max_replicas or slots
        most = most if everywhere else min(most, gpus)
    packed = spares if everywhere else slots
    chooses = gpus > 1 and packed > gpus
    starts = policy.starts if chooses else 1
    tried = shape_of(policy, num_packs=gpus, capacity=slots // gpus, num_spares=spares, most=most)
    tries = apart and not everywhere and 1 < gpus < slots and tried.num_levels > 0
    finish = most_steps(policy, gpus, packed // gpus) if not tries else 0 if tried.shaken else tried.finish
    shape = Layout(
        experts=experts,
        groups=sizes.num_groups,
        nodes=nodes,
        halves=halves,
        node_experts=node_experts,
        fewest=fewest,
        most=most,
        spares=spares,
        gpus=gpus,
        slots=slots,
        packed=packed,
        width=sizes.max_replicas or sizes.num_replicas - experts + 1,
        apart=apart,
        everywhere=everywhere,
        ring=policy.ring and not everywhere and 1 < gpus < slots,
        parts=1,
        starts=starts,
        noise=round(policy.noise * 2**NOISE_BITS),
        seed=policy.seed,
        lightest=policy.neighbourhood == "lightest",
        rounds=policy.rounds,
        finish=finish,
        threshold=policy.threshold,
        levels=tried.num_levels if tries else 0,
        generations=tried.generations if tries else 1,
        refined=tried.refined if tries else 0,
        parents=tried.parents if tries else 0,
        steps=tried.finish,
        close=1.0 + policy.tolerance,
    )
    # As many programs for a row as keep a GPU busy and have room; several starts share one where that is not enough.
    programs = max(min(PROGRAMS, MOST_WORDS // 2 // shape.words) // (layers * shape.rows), 1)
    return replace(shape, parts=-(-starts // -(-starts // programs)))


def _warps(shape: Layout) -> int:
    """Swaps go fastest in one warp, which has no barriers, as long as it holds the table in its registers."""
    entries = shape.columns2 * shape.capacity2 + (shape.linked2 if shape.ring else 0)
    return min(max(power(entries) // 1024, 1), 16)
