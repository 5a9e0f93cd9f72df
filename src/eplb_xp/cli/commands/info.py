"""``eplb-xp info``."""

from eplb_xp.cli import options
from eplb_xp.cli.errors import refusals
from eplb_xp.cli.installation import installation
from eplb_xp.cli.output import installation as output
from eplb_xp.cli.output import show


def info(*, json: options.Json = False) -> None:
    """Say what is installed, which forms of the code plan here, native code or Triton's kernels, and in which engines.

    EPLB_XP_KERNELS names the forms that may be used, by default native,triton; 0 turns them off. EPLB_XP_HOST=1 lets
    plans for CUDA tensors that no kernel makes go through the host. With EPLB_XP_POLICY, such as
    EPLB_XP_POLICY=joint,max_moves=10%, vLLM and SGLang plan with eplb-xp.

    For example:

    eplb-xp info

    eplb-xp info --json
    """
    with refusals():
        found = installation()
    show(found, output.table, output.document, json=json)
