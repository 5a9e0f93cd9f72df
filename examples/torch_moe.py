"""An MoE layer on several PyTorch processes, before and after a plan, and with shares of each batch.

``python examples/torch_moe.py`` starts one process for each GPU it stands for (on the CPU, with gloo), lets every rank
make the plan from the summed loads of a past batch, sends the tokens of the next batch to replicas so that the busiest
rank has as few as can be, and compares the output with a layer without replicas.
"""

import argparse
import hashlib
import tempfile

import torch
import torch.distributed as dist
from torch.multiprocessing.spawn import spawn
from torch.nn.functional import gelu

import eplb_xp

EXPERTS, CHOICES, TOKENS, DIM = 16, 2, 256, 32  # each token goes to two experts; tokens are for each rank


def counted(chosen: torch.Tensor) -> torch.Tensor:
    """Tokens of each rank for each expert [layers, ranks, experts]; ``chosen`` [tokens, choices] are this rank's."""
    own = torch.bincount(chosen.ravel(), minlength=EXPERTS)[None]  # one layer; a model has many
    everyones = [torch.empty_like(own) for _ in range(dist.get_world_size())]
    dist.all_gather(everyones, own)
    return torch.stack(everyones, dim=1)


def make_plan(chosen: torch.Tensor, replicas: int) -> eplb_xp.Plan[torch.Tensor]:
    """A plan for the summed loads."""
    gpus = dist.get_world_size()
    plan = eplb_xp.rebalance_experts(counted(chosen).sum(dim=1), replicas, 1, 1, gpus, policy="ring")
    # Nothing was broadcast, and yet all ranks have the same plan.
    digests = [""] * gpus
    dist.all_gather_object(digests, hashlib.sha256(b"".join(x.numpy().tobytes() for x in plan)).hexdigest())
    if len(set(digests)) > 1:
        raise RuntimeError(f"the ranks' plans differ: {digests}")
    return plan


def route(
    chosen: torch.Tensor, plan: eplb_xp.Plan[torch.Tensor], prepared: eplb_xp.Prepared[torch.Tensor]
) -> tuple[torch.Tensor, float]:
    """The slot for each choice of each token, and how many tokens the busiest GPU has at least."""
    counts = counted(chosen)
    shares = eplb_xp.share_tokens(plan, counts.sum(dim=1), counts.shape[1], prepared=prepared)
    quota = eplb_xp.quotas(shares, plan, counts, rank=dist.get_rank())
    return eplb_xp.route(chosen, [x[0] for x in plan], quota[0]), shares.lower_bound.item()


def exchange(x: torch.Tensor, sent: list[int], received: list[int]) -> torch.Tensor:
    """Rows to and from all ranks, so many to each and so many from each."""
    result = x.new_empty(sum(received), *x.shape[1:])
    dist.all_to_all_single(result, x.contiguous(), received, sent)
    return result


def moe(
    tokens: torch.Tensor, slot: torch.Tensor, gate: torch.Tensor, held: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The output for this rank's tokens, and how many tokens it computed; ``held`` are its own slots' weights."""
    order = slot.ravel().argsort(stable=True)  # the slots of a GPU are contiguous, so this sorts by GPU
    slot_sent = slot.ravel()[order]
    counts = torch.bincount(slot_sent // len(held), minlength=dist.get_world_size())
    sent, received = counts.tolist(), exchange(counts, [1] * len(counts), [1] * len(counts)).tolist()
    inbox = exchange(tokens[order // CHOICES], sent, received)
    slot_inbox = exchange(slot_sent, sent, received) - dist.get_rank() * len(held)
    hidden = torch.empty_like(inbox)
    for i, weight in enumerate(held):
        hidden[slot_inbox == i] = gelu(inbox[slot_inbox == i] @ weight)
    back = exchange(hidden, received, sent)
    out = torch.zeros_like(tokens).index_add(0, order // CHOICES, back * gate.ravel()[order, None])
    return out, torch.tensor([len(inbox)])


def moe_without_replicas(
    tokens: torch.Tensor, chosen: torch.Tensor, gate: torch.Tensor, weights: torch.Tensor
) -> torch.Tensor:
    """What the output must be."""
    return torch.einsum("tkd,tk->td", gelu(torch.einsum("td,tkde->tke", tokens, weights[chosen])), gate)


def draw(popularity: torch.Tensor, own: torch.Generator) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Tokens of this rank, the experts that each goes to, and its gates."""
    noise = -torch.empty(TOKENS, EXPERTS).exponential_(generator=own).log()
    gate, chosen = (popularity + noise).topk(CHOICES)
    return torch.randn(TOKENS, DIM, generator=own), chosen, gate.softmax(dim=-1)


def tokens_of_gpus(gpu: torch.Tensor) -> list[int]:
    """The tokens that all ranks send to each GPU."""
    number = torch.bincount(gpu.ravel(), minlength=dist.get_world_size())
    dist.all_reduce(number)
    return number.tolist()


def rank_main(rank: int, gpus: int, replicas: int, seed: int, meeting: str) -> None:
    """One rank: count, plan, hold, route, compute, compare."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=gpus)
    same = torch.Generator().manual_seed(seed)  # on all ranks
    popularity, change = torch.randn(2, EXPERTS, generator=same)
    weights = torch.randn(EXPERTS, DIM, DIM, generator=same) / DIM**0.5  # stands for a checkpoint
    own = torch.Generator().manual_seed(seed + 1 + rank)
    _, past, _ = draw(1.5 * popularity, own)
    tokens, chosen, gate = draw(1.5 * popularity + change, own)

    plan = make_plan(past, replicas)
    prepared = eplb_xp.prepare_shares(plan, gpus)
    held = weights[plan.phy2log[0].reshape(gpus, -1)[rank]]  # the expert of each of this rank's slots
    slot, bound = route(chosen, plan, prepared)
    output, computed = moe(tokens, slot, gate, held)
    torch.testing.assert_close(output, moe_without_replicas(tokens, chosen, gate, weights), rtol=0, atol=1e-5)

    in_turn = eplb_xp.route(chosen, [x[0] for x in plan])
    before, turns = tokens_of_gpus(chosen * gpus // EXPERTS), tokens_of_gpus(in_turn // len(held))
    found = [torch.zeros_like(computed) for _ in range(gpus)]
    dist.all_gather(found, computed)  # so every rank has compared, too
    if rank == 0:
        print("tokens per GPU, experts in order:  ", *before)
        print("with the plan, replicas in turn:   ", *turns)
        print("with the plan, replicas by shares: ", *torch.cat(found).tolist())
        print("the busiest GPU can't have less than", bound)
        print("All ranks made the same plan; their outputs equal those of the layer without replicas.")
    dist.destroy_process_group()


def main() -> None:
    """Read the arguments and start the ranks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gpus", type=int, default=4, help="processes, one for each GPU (default: 4)")
    parser.add_argument("--replicas", type=int, default=24, help=f"slots for {EXPERTS} experts (default: 24)")
    parser.add_argument("--seed", type=int, default=0, help="of tokens, weights and routing (default: 0)")
    args = parser.parse_args()
    try:  # sizes that don't fit are refused here, in one line, and not by every rank
        eplb_xp.rebalance_experts(torch.ones(1, EXPERTS), args.replicas, 1, 1, args.gpus)
    except ValueError as error:
        parser.error(str(error))
    with tempfile.TemporaryDirectory() as folder:
        spawn(rank_main, (args.gpus, args.replicas, args.seed, f"{folder}/meeting"), nprocs=args.gpus)


if __name__ == "__main__":
    main()
