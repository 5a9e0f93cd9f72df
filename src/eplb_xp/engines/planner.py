"""A plan for an engine: what it gives, made what the library takes; the plan; a line that says what it brings."""

import sys
import time
from typing import Any

import numpy as np

from eplb_xp.backends import library_of
from eplb_xp.backends.standard import Standard
from eplb_xp.engines import loads, old_maps, once, report
from eplb_xp.engines.active import as_active, on_active
from eplb_xp.engines.settings import PLAN_ON, Settings
from eplb_xp.following import is_small
from eplb_xp.planning import rebalance_experts
from eplb_xp.sizes import check_sizes
from eplb_xp.types import Plan


def plan(
    engine: str,
    settings: Settings,
    weight: Any,
    num_replicas: int,
    num_groups: int | None,
    num_nodes: int | None,
    num_gpus: int,
    *,
    old: Any = None,
    active: Any = None,
) -> "Plan[np.ndarray[Any, Any]]":
    """The plan, in host memory, the same on every rank that is given the same.

    Parameters
    ----------
    engine : str
        Its name, for the log.
    settings : Settings
        How to plan.
    weight : [layers, experts] or [steps, layers, experts] numbers
        Tokens, in arrays of any library on any device.
    num_replicas, num_gpus : int
        Slots of all GPUs, and these.
    num_groups, num_nodes : int or None
        0 and None are 1. Groups that don't divide the experts or over the nodes are none.
    old : [layers, any] integers, optional
        The placement in use; -1 is an empty slot. Of another width it is cut, or followed by empty slots.
    active : [gpus] numbers, optional
        Which GPUs are up; all of them by default.
    """
    start = time.perf_counter()
    lib = library_of("weight", weight)
    load = loads.read(lib, weight)
    layers, experts = load.shape[-2:]
    is_up = np.ones(num_gpus, dtype=bool) if active is None else as_active(active, num_gpus)
    groups, nodes = _topology(experts, num_groups or 1, num_nodes or 1, num_gpus) if is_up.all() else (1, 1)
    sizes = check_sizes(experts, num_replicas, groups, nodes, num_gpus)

    used = old_maps.fitted(None if old is None else _read(old), layers, num_replicas)
    options: dict[str, Any] = {"policy": settings.policy}
    budget = settings.budget(num_replicas)
    if used is not None:
        previous = old_maps.cleaned(used, experts, sizes)
        options |= {"previous": previous, "min_gain": settings.min_gain}
        # A placement that splits groups, as engines begin with, is no start for few moves.
        if budget is not None and (previous == used).all():
            options |= {"max_moves": budget}
    is_short = "max_moves" in options and is_small(budget, num_replicas * int(is_up.sum()) // num_gpus)
    wanted = loads.window(load, settings.samples if is_short else 1)
    device = settings.device if is_up.all() and _is_there(settings.device, weight) else "cpu"
    if not is_up.all():
        made = on_active(wanted, num_replicas, groups, nodes, num_gpus, is_up, **options)
    else:
        # In a hierarchical plan no move is far.
        if "max_moves" in options and sizes.num_nodes == 1 and num_nodes and num_gpus % num_nodes == 0:
            options |= {"gpus_per_node": num_gpus // num_nodes, "far_cost": settings.far_cost}
        made = _planned(lib, device, wanted, (num_replicas, groups, nodes, num_gpus), options)
    seconds = time.perf_counter() - start
    report.tell(engine, settings, report.Made(loads.window(load, 1), used, made.phy2log, is_up, device, seconds))
    return made


def _read(x: Any) -> "np.ndarray[Any, Any]":
    return library_of("x", x).to_numpy(x)


def _topology(experts: int, groups: int, nodes: int, gpus: int) -> tuple[int, int]:
    """Groups and nodes of a hierarchical plan, or 1 and 1."""
    keeps = experts % groups == 0 and groups % nodes == 0 and gpus % nodes == 0
    return (groups, nodes) if keeps else (1, 1)


def _is_there(device: str, weight: Any) -> bool:
    """Whether plans can be made on a device; if not, and another than the CPU is asked for, that is said once."""
    torch: Any = sys.modules.get("torch")
    is_there = device == "cpu" or (torch is not None and isinstance(weight, torch.Tensor) and torch.cuda.is_available())
    if not is_there:
        once.warn(
            "device", "%s=%s needs loads of PyTorch and a GPU that it finds: plans are made on the CPU", PLAN_ON, device
        )
    return is_there


def _planned(
    lib: Standard, device: str, load: Any, sizes: tuple[int, ...], options: dict[str, Any]
) -> "Plan[np.ndarray[Any, Any]]":
    """The plan, made on the device, back in host memory."""
    if device == "cpu":
        return rebalance_experts(load, *sizes, **options)

    def there(x: Any) -> Any:
        return lib.xp.asarray(x, device=device) if isinstance(x, np.ndarray) else x

    made = rebalance_experts(there(load), *sizes, **{name: there(x) for name, x in options.items()})
    return Plan(*(lib.to_numpy(x) for x in made))
