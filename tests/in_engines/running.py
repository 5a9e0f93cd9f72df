"""Processes of their own, since an engine's files and their stand-ins can't be taken back."""

import os
import subprocess
import sys
import uuid
from pathlib import Path

from tests.support.paths import ROOT

SECONDS = 120


def processes(arguments: list[list[str]], policy: str) -> list[str]:
    """What several Python processes, all at once, print; each must end well."""
    environment = os.environ | {"EPLB_XP_POLICY": policy, "PYTHONPATH": f"{ROOT}", "OMP_NUM_THREADS": "1"}
    pipe = subprocess.PIPE
    started = [
        subprocess.Popen([sys.executable, *each], cwd=ROOT, env=environment, stdout=pipe, stderr=pipe, text=True)  # noqa: S603 # our own code
        for each in arguments
    ]
    try:
        ended = [process.communicate(timeout=SECONDS) for process in started]
    finally:
        for process in started:
            process.kill()
    for process, (_, errors) in zip(started, ended, strict=True):
        assert process.returncode == 0, errors[-3000:]
    return [output for output, _ in ended]


def moved(engine: str, package: Path, ranks: int, policy: str, folder: Path, *more: str) -> int:
    """How many slots receive another expert in transfers among so many processes, each of which checks its own."""
    meeting = folder / uuid.uuid4().hex
    module = ["-m", "tests.in_engines.transfers", engine, str(package)]
    outputs = processes([[*module, str(rank), str(ranks), str(meeting), *more] for rank in range(ranks)], policy)
    (number,) = {int(output.split()[-1]) for output in outputs}
    return number
