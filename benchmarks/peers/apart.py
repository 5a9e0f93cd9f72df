"""Calls in processes of their own, which may hang or be killed: forks, so that nothing is imported again."""

import multiprocessing
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection

SECONDS = 20.0


def apart(call: Callable[[], str], seconds: float = SECONDS) -> str:
    """What the call returns, or how its process ended."""
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_send, args=(call, there), daemon=True)
    process.start()
    there.close()
    try:
        if not here.poll(seconds):
            return f"hangs: no answer in {seconds:g} seconds"
        answer: str = here.recv()
        return answer
    except EOFError:
        process.join()
        code = process.exitcode or 0
        return f"kills the process: {signal.Signals(-code).name}" if code < 0 else f"ends the process with {code}"
    finally:
        process.kill()
        process.join()
        here.close()


def _send(call: Callable[[], str], there: Connection) -> None:
    try:
        answer = call()
    except Exception as error:  # whatever others raise
        answer = f"{type(error).__name__}: {error}"
    there.send(answer)
