"""``eplb-xp sweep``."""

from eplb_xp.cli import options, sweeping
from eplb_xp.cli.files import check_target, read_loads
from eplb_xp.cli.output import documents, show, sweep_table
from eplb_xp.cli.planning import Planner
from eplb_xp.cli.progress import progress


def sweep(
    file: options.File,
    *,
    num_replicas: options.ReplicaList = None,
    num_gpus: options.GpuList = None,
    num_groups: options.Groups = 1,
    num_nodes: options.Nodes = 1,
    steps: options.Steps = ":",
    layers: options.Layers = ":",
    index_column: options.IndexColumn = None,
    policy: options.PolicyName = options.DEFAULT_POLICY,
    plot: options.Plot = None,
    json: options.Json = False,
) -> None:
    """Plan for several numbers of replicas and GPUs, and say how many are worth their memory.

    For example:

    eplb-xp sweep loads.npz --plot sweep.png

    eplb-xp sweep loads.npz --num-replicas 256,288,320 --num-gpus 16,32 --json
    """
    replicas = options.as_numbers("--num-replicas", num_replicas)
    gpus = options.as_numbers("--num-gpus", num_gpus)
    loads = read_loads(file, options.as_steps(steps), options.as_layers(layers), index_column, hidden=json)
    check_target("--plot", plot, options.PICTURES, file)
    sizes = sweeping.grid(loads.load.shape[1], replicas, gpus, num_groups, num_nodes)
    with progress(len(sizes.layouts), hidden=json) as announce:
        swept = sweeping.sweep(loads, Planner(policy), sizes, announce)
    show(swept, sweep_table.swept, documents.swept, json=json)
    if plot is not None:
        from eplb_xp.cli.output import pictures, sweep_picture  # noqa: PLC0415  matplotlib takes a while

        pictures.write(plot, sweep_picture.swept(swept))
