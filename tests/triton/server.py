"""A real Triton Inference Server on a model repository, for as long as a test needs it."""

from __future__ import annotations

import os
import signal
import subprocess
import sysconfig
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import grpc

from tests.server_process import free_ports
from tests.triton.environment import environment, site_packages

_READY_SECONDS = 120
_STOP_SECONDS = 15
_SHARED_MEMORY = Path("/dev/shm")


class TritonFailedError(Exception):
    """Triton did not get ready; carries the end of its log."""


@dataclass(frozen=True, slots=True)
class Triton:
    """A running Triton.

    Attributes:
        grpc_address: "host:port" of KServe v2 over gRPC.
        http_address: The same over HTTP.
        metrics_address: Of its Prometheus page, /metrics.
        process: The server's process, leader of its own group.
        log: What it and its models write.
    """

    grpc_address: str
    http_address: str
    metrics_address: str
    process: subprocess.Popen[bytes]
    log: Path


@contextmanager
def running_triton(repository: Path) -> Iterator[Triton]:
    """Starts tritonserver on a model repository, ready when entered, gone when left.

    Makes the environment first if need be. Every process it started and all shared memory is gone
    afterwards, whatever happened.

    Raises:
        TritonFailedError: A model does not load, or the server does not get ready in 120 s.
    """
    packages = site_packages() / "pytriton" / "tritonserver"
    prefix = f"viva-{uuid.uuid4().hex[:12]}-"
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="triton-")))
        log = folder / "log"
        ports = free_ports(3)
        command = [
            str(packages / "bin" / "tritonserver"),
            f"--model-repository={repository}",
            f"--backend-directory={_backends(packages, folder)}",
            f"--backend-config=python,shm-region-prefix-name={prefix}",
            "--exit-timeout-secs=5",
            "--allow-gpu-metrics=false",
        ]
        for name, port in zip(("grpc", "http", "metrics"), ports, strict=True):
            command.append(f"--{name}-port={port}")
            command.append(f"--{name}-address=127.0.0.1")
        output = stack.enter_context(log.open("wb"))
        stack.callback(_release_shared_memory, prefix)
        process = _start(command, output)
        stack.callback(_stop, process)
        addresses = [f"127.0.0.1:{port}" for port in ports]
        triton = Triton(addresses[0], addresses[1], addresses[2], process, log)
        _await_ready(triton)
        yield triton


def _backends(packages: Path, folder: Path) -> Path:
    """The python backend beside the stub of this Python, which is where Triton looks for it."""
    backends = folder / "backends"
    python = backends / "python"
    python.mkdir(parents=True)
    for file in (packages / "backends" / "python").iterdir():
        (python / file.name).symlink_to(file)
    stub = python / "triton_python_backend_stub"
    stub.unlink(missing_ok=True)
    version = sysconfig.get_python_version()
    stub.symlink_to(packages / "python_backend_stubs" / version / stub.name)
    return backends


def _start(command: list[str], output: IO[bytes]) -> subprocess.Popen[bytes]:
    packages = site_packages()
    bundled = [packages / "nvidia_pytriton.libs", packages / "pytriton" / "tritonserver" / "lib"]
    # The backend's stub links libpython, which need not be where the linker looks.
    libraries = [sysconfig.get_config_var("LIBDIR"), *(str(path) for path in bundled)]
    return subprocess.Popen(
        command,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        env={
            **os.environ,
            "PATH": f"{environment() / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": str(packages),
            "LD_LIBRARY_PATH": ":".join([*libraries, os.environ.get("LD_LIBRARY_PATH", "")]),
        },
    )


def _await_ready(triton: Triton) -> None:
    """Waits until the gRPC port answers: Triton opens it when all its models are loaded."""
    with grpc.insecure_channel(triton.grpc_address) as channel:
        ready = grpc.channel_ready_future(channel)
        for _ in range(_READY_SECONDS):
            try:
                ready.result(timeout=1)
            except grpc.FutureTimeoutError:
                if triton.process.poll() is None:
                    continue
                break
            return
        ready.cancel()
    tail = triton.log.read_text(errors="replace")[-16000:]
    raise TritonFailedError(f"exit status {triton.process.poll()}; its log ends:\n{tail}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ends the server, then whatever is left of its group: the models' own processes."""
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _release_shared_memory(prefix: str) -> None:
    for region in _SHARED_MEMORY.glob(f"{prefix}*"):
        region.unlink(missing_ok=True)
