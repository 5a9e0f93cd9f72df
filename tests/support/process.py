"""What the whole process, and a thread of it, is set to."""

import csv
import decimal
import gc
import locale
import logging
import os
import random
import signal
import sys
import threading
import warnings
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch


def settings_of_process() -> dict[str, Any]:
    """What a call may not leave changed for other threads."""
    loggers = [each for each in logging.root.manager.loggerDict.values() if isinstance(each, logging.Logger)]
    return {
        "warnings": (list(warnings.filters), warnings.showwarning, warnings.formatwarning),
        "environment": dict(os.environ),
        "folder": os.getcwd(),
        "path": (list(sys.path), list(sys.path_hooks), list(sys.meta_path)),
        "streams": (sys.stdin, sys.stdout, sys.stderr),
        "hooks": (sys.excepthook, sys.unraisablehook, threading.excepthook, sys.gettrace(), sys.getprofile()),
        "limits": (sys.getrecursionlimit(), sys.get_int_max_str_digits(), csv.field_size_limit(), gc.isenabled()),
        "locale": locale.setlocale(locale.LC_ALL),
        "signals": [signal.getsignal(number) for number in signal.valid_signals()],
        "loggers": [(each.name, each.level, each.disabled, list(each.handlers)) for each in (logging.root, *loggers)],
        "random": (random.getstate(), repr(np.random.get_state()), torch.get_rng_state().tolist()),  # noqa: NPY002 # the old one is the process's
        "numpy": repr(np.get_printoptions()),
        "jax": dict(jax.config.values),
        "torch": (
            torch.get_default_dtype(),
            torch.get_num_threads(),
            torch.are_deterministic_algorithms_enabled(),
            torch.serialization.get_default_mmap_options(),
            set(torch.serialization.get_safe_globals()),
        ),
    }


def settings_of_thread() -> dict[str, Any]:
    """What a call may not leave changed in its own thread, nor ever change in another one."""
    return {
        "numpy": (np.geterr(), np.geterrcall()),
        "decimal": repr(decimal.getcontext()),
        "jax": (str(jnp.arange(1).dtype), str(jnp.ones(1).dtype), jax.numpy_dtype_promotion.value),
        "torch": (
            torch.get_default_device(),
            torch.is_grad_enabled(),
            torch.is_inference_mode_enabled(),
            torch.is_autocast_enabled("cpu"),
            torch._C._len_torch_function_stack(),
            torch._C._len_torch_dispatch_stack(),
        ),
    }
