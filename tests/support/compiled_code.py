"""What is in the code of a compiled kernel, as NVIDIA's tools beside Triton read it."""

import subprocess
import tempfile

import triton


def resources(cubin: bytes, function: str) -> dict[str, int]:
    """What a kernel takes: registers (REG), bytes of memory where those don't suffice (STACK), and others."""
    said = _read(cubin, triton.knobs.nvidia.cuobjdump.path, "--dump-resource-usage")
    pairs = (pair.partition(":") for pair in said.partition(f"Function {function}:")[2].split())
    return {name: int(number) for name, _, number in pairs}


def instructions(cubin: bytes) -> str:
    """A kernel's instructions, one a line."""
    return _read(cubin, triton.knobs.nvidia.nvdisasm.path, "--print-code")


def _read(cubin: bytes, *command: str) -> str:
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        return subprocess.run([*command, file.name], capture_output=True, text=True, check=True).stdout  # noqa: S603 # it is Triton's
