"""What experts and their moves take on the machine at hand."""

import importlib
from collections.abc import Callable
from typing import NamedTuple

from eplb_xp.backends.timing.machine import Experts, Machine
from eplb_xp.simulation.presets import Model, model_of

MACHINES = {"torch": ("by_torch", "TorchMachine"), "jax": ("by_jax", "JaxMachine")}
TOKENS = (16, 64, 256, 1024, 4096, 16384)  # of an expert
EXPERTS = 8
MOST_SECONDS = 0.5  # of one product: more tokens are not tried


class Product(NamedTuple):
    """Experts side by side, each with as many tokens.

    Attributes
    ----------
    tokens : int
        Of an expert.
    seconds : float
        Of one expert.
    """

    tokens: int
    seconds: float


class Measured(NamedTuple):
    """What a machine takes.

    Attributes
    ----------
    machine : str
        What it is.
    devices : int
        How many of them.
    products : list of Product
        Matrix products of experts, by tokens.
    cost : dict
        The fields of a `Cost` that were measured: ``cost_of(...)._replace(**found.cost)`` has the others, too.
    missing : list of str
        What could not be measured, and why.
    """

    machine: str
    devices: int
    products: list[Product]
    cost: dict[str, float]
    missing: list[str]


def machine_of(library: str) -> Machine:
    """Find the devices of a library, which is imported for it.

    Parameters
    ----------
    library : str
        ``"torch"`` or ``"jax"``.

    Returns
    -------
    Machine
        What `measure` times.

    Raises
    ------
    ValueError
        Where the library is another one.
    """
    if library not in MACHINES:
        raise ValueError(f"a machine is measured by {' or '.join(MACHINES)}, got {library!r}")
    module, name = MACHINES[library]
    made: Machine = getattr(importlib.import_module(f"eplb_xp.backends.timing.{module}"), name)()
    return made


def measure(
    machine: Machine, model: str | Model, *, experts: int = EXPERTS, announce: Callable[[str], None] = lambda _: None
) -> Measured:
    """Time the products of experts with few and many tokens, and a copy to the next device.

    Products are those of a gated network, up and gate and then down, of as many experts side by side; their weights
    are read from memory in each. Experts with few tokens tell what a slot takes, those with many what a token does.

    Parameters
    ----------
    machine : Machine
        See `machine_of`.
    model : str or Model
        One of `MODELS`, or the widths of another.
    experts : int
        Of one device.
    announce : callable
        Told of each piece of work as it begins.

    Returns
    -------
    Measured
        What was timed, and what could not be.

    Examples
    --------
    >>> found = measure(machine_of("torch"), Model(64, 32), experts=2)
    >>> found.cost["seconds_per_active_slot"] > 0
    True
    """
    its = model_of(model)
    products: list[Product] = []
    for tokens in TOKENS:
        announce(f"experts with {tokens} tokens")
        seconds = machine.product(Experts(experts, tokens, its.hidden, its.intermediate))
        products.append(Product(tokens, seconds / experts))
        if seconds > MOST_SECONDS:
            break
    most = products[-1]
    cost = {"seconds_per_token": most.seconds / most.tokens, "seconds_per_active_slot": products[0].seconds}
    missing = ["moves to another node, shares"]
    if machine.devices > 1:
        announce("a copy to the next device")
        cost["seconds_per_move"] = machine.copy(its.expert_bytes)
    else:
        missing.insert(0, "moves: there is one device" if machine.is_gpu else "moves: there is no GPU")
    if not machine.is_gpu:
        missing.insert(0, "a GPU's products: these are a processor's, in float32")
    return Measured(machine.name, machine.devices, products, cost, missing)
