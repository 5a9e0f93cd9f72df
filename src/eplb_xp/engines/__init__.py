"""Adapters: eplb-xp in place of the planners of vLLM, SGLang and others, which are imported only when they are there.

vLLM and SGLang find `vllm.register` and `sglang.register` by themselves, as entry points of the installed package. They
do nothing unless ``EPLB_XP_POLICY`` is set, to a policy and, if wanted, to what may change from plan to plan:
``EPLB_XP_POLICY=joint,max_moves=10%``.

How data flows in all of them: loads of the engine (`loads`), and its old map (`old_maps`), in NumPy's arrays -> a plan
under the settings of the environment (`settings`, `planner`), on the GPUs that are up (`active`) -> a line in the log
(`report`) and, if asked for, metrics -> what the engine wants back.
"""

from eplb_xp.engines.active import on_active

__all__ = ["on_active"]
