"""Costs of usual GPUs and models, derived from what both are made of."""

from typing import NamedTuple, TypeVar

from eplb_xp.simulation.cost import Cost

# Of what vendors state, grouped matrix products and moves of experts reached so much in layers on four H200s, bfloat16,
# DeepSeek-V3's and Qwen3-235B's shapes (docs/layers.md): 692 and 686 of 989 TFLOP/s, 3.1 and 3.0 of 4.8 TB/s, 152 and
# 156 of 450 GB/s. A network is taken to reach as much as a link.
FLOPS_REACHED, BANDWIDTH_REACHED, LINK_REACHED = 0.70, 0.64, 0.34
# Counts of all ranks, shares, quotas and slots in CUDA graphs, less slots in turn: a layer with nine slots a GPU.
SECONDS_PER_SHARE = 29e-6


T = TypeVar("T")


class Gpu(NamedTuple):
    """What a vendor states of a GPU.

    Attributes
    ----------
    flops : float
        Dense bfloat16 operations a second.
    bandwidth : float
        Bytes a second from memory.
    link : float
        Bytes a second to another GPU of the node, one way.
    network : float
        Bytes a second to another node, one way, of the adapter that usually comes with it.
    """

    flops: float
    bandwidth: float
    link: float
    network: float


class Model(NamedTuple):
    """One expert: three matrices between the width of the model and its own.

    Attributes
    ----------
    hidden : int
        Width of the model.
    intermediate : int
        Width of an expert.
    bytes_per_parameter : float
        As it is served.
    """

    hidden: int
    intermediate: int
    bytes_per_parameter: float = 2.0

    @property
    def expert_bytes(self) -> int:
        """The weights of one expert of one layer."""
        return int(3 * self.hidden * self.intermediate * self.bytes_per_parameter)


GPUS = {
    "a100": Gpu(312e12, 2.0e12, 300e9, 25e9),
    "h100": Gpu(989e12, 3.35e12, 450e9, 50e9),
    "h200": Gpu(989e12, 4.8e12, 450e9, 50e9),
    "b200": Gpu(2250e12, 8.0e12, 900e9, 50e9),
}
MODELS = {
    "deepseek-v3": Model(7168, 2048),
    "deepseek-v2-lite": Model(2048, 1408),
    "gpt-oss-20b": Model(2880, 2880),
    "kimi-k2": Model(7168, 2048),
    "qwen3-235b": Model(4096, 1536),
}


def cost_of(gpu: str | Gpu, model: str | Model, *, overlap: float = 0.0) -> Cost:
    """Derive a cost: operations of an expert over what the GPU reaches, and its bytes over bandwidths.

    Parameters
    ----------
    gpu : str or Gpu
        One of `GPUS`, or what is stated of another.
    model : str or Model
        One of `MODELS`, or the widths of another.
    overlap : float
        Which part of the moves hides behind steps, from 0 to 1.

    Returns
    -------
    Cost
        Of the model's experts on the GPU.

    Raises
    ------
    ValueError
        Where there is no such GPU or model.

    Examples
    --------
    >>> cost = cost_of("h200", "deepseek-v3")
    >>> f"{cost.seconds_per_token:.2e} {cost.seconds_per_active_slot:.1e} {cost.seconds_per_move:.1e}"
    '1.27e-07 2.9e-05 5.8e-04'
    """
    its, of = _named("gpu", gpu, GPUS), model_of(model)
    operations = 6 * of.hidden * of.intermediate
    return Cost(
        operations / (FLOPS_REACHED * its.flops),
        of.expert_bytes / (BANDWIDTH_REACHED * its.bandwidth),
        of.expert_bytes / (LINK_REACHED * its.link),
        of.expert_bytes / (LINK_REACHED * its.network),
        SECONDS_PER_SHARE,
        overlap,
    )


def model_of(model: str | Model) -> Model:
    """The widths of a model by its name, or those given."""
    return _named("model", model, MODELS)


def _named(what: str, given: str | T, presets: dict[str, T]) -> T:
    if not isinstance(given, str):
        return given
    if given not in presets:
        raise ValueError(f"{what} must be one of {', '.join(presets)}, or its own figures, got {given!r}")
    return presets[given]
