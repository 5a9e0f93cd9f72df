"""The assignment of most weight: the Hungarian method, with a tree for every free agent, all of which grow at once.

Agents and tasks have potentials. Those of an agent and a task are never less than their weight together; a pair is
tight where they are just that. So no assignment has more weight than all potentials together, and one of tight pairs
has as much. Trees grow along tight pairs, from free agents to tasks and on to the agents that have those, until they
meet free tasks; then all on the path to one change tasks. Where no tree can grow, potentials change until one can.

Free agents have one potential, which falls from the largest weight and never below zero, and weights are integers. So
potentials change no more often than the largest weight says, which is small where weights are overlaps of GPUs.
"""

from typing import NamedTuple

from eplb_xp.algorithms.moving.paths import first_of_trees, on_paths
from eplb_xp.algorithms.runs import of_owner
from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array

# Beyond all slacks: half of it must be more than any weight times twice the agents.
FAR = 2**30


class _Matching(NamedTuple):
    """Tight pairs, potentials, and trees; the number of agents stands for nobody and for no task."""

    task: Array  # [rows, agents] of each agent
    agent: Array  # [rows, tasks] of each task
    agent_potential: Array  # [rows, agents]
    task_potential: Array  # [rows, tasks]
    root: Array  # [rows, agents] the free agent in whose tree each agent is
    parent: Array  # [rows, tasks] the agent from whom a tree came to each task


def assigned(lib: Standard, weight: Array) -> Array:
    """The task of each agent, for as many tasks as agents: a permutation of each row with the largest sum of weights.

    weight: [rows, agents, tasks] integers, not negative, below 2^28 / agents -> [rows, agents].
    """
    xp = lib.xp
    rows, agents, _ = weight.shape
    nobody = agents
    bits = (agents - 1).bit_length()
    number = xp.broadcast_to(lib.arange(agents, weight), (rows, agents))
    # The lowest bits say who it is. Of equal agents each task prefers another one, first that of its own number.
    table = (weight << bits) - (number[:, :, None] ^ number[:, None, :])
    unassigned = xp.broadcast_to(xp.full_like(number[:, :1], nobody), (rows, agents + 1))

    def unfinished(now: _Matching) -> Array:
        return xp.any(now.task == nobody)

    def grow(now: _Matching) -> _Matching:
        in_tree = now.root < nobody
        nearest = xp.where(in_tree, now.agent_potential << bits, FAR)
        nearest = xp.min(nearest[:, :, None] - table, axis=1)
        reached = of_owner(lib, now.root, now.agent, nobody) < nobody
        slack = xp.where(reached, FAR, (nearest >> bits) + now.task_potential)
        step = xp.where(xp.any(in_tree, axis=-1, keepdims=True), xp.min(slack, axis=-1, keepdims=True), 0)
        agent_potential = xp.where(in_tree, now.agent_potential - step, now.agent_potential)
        task_potential = xp.where(reached, now.task_potential + step, now.task_potential)
        is_new = slack == step
        parent = xp.where(is_new, (nearest & ((1 << bits) - 1)) ^ number, now.parent)
        tree = xp.where(is_new, lib.take_along_axis(now.root, parent), nobody)

        end = first_of_trees(lib, xp.where(now.agent == nobody, tree, nobody))
        changes = on_paths(lib, end, lib.take_along_axis(now.task, parent))
        agent = xp.where(changes, parent, now.agent)
        task = lib.put_along_axis(unassigned, agent, number)[:, :agents]

        # Trees whose root is free no longer are gone, with all that is in them.
        joined = of_owner(lib, tree, task, nobody)
        root = xp.where(joined < nobody, joined, now.root)
        root = xp.where(of_owner(lib, task, root, nobody) == nobody, root, nobody)
        return _Matching(task, agent, agent_potential, task_potential, root, parent)

    none, zero = unassigned[:, :agents], xp.zeros_like(number)
    start = _Matching(none, none, zero + xp.max(weight, axis=(1, 2))[:, None], zero, number, zero)
    return lib.while_loop(unfinished, grow, start).task
