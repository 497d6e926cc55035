"""The Triton that other tests rely on: it gets ready, says why it can't, and leaves nothing."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import psutil
import pytest
from tritonclient.grpc import InferenceServerClient, InferInput

from tests.triton.environment import ENVIRONMENT, environment
from tests.triton.server import TritonFailedError, running_triton

CONFIG = """
name: "double"
backend: "python"
input [ { name: "number" data_type: TYPE_FP32 dims: [ 1 ] } ]
output [ { name: "twice" data_type: TYPE_FP32 dims: [ 1 ] } ]
instance_group [ { count: 1 kind: KIND_CPU } ]
"""

MODEL = """
import triton_python_backend_utils as pb_utils

class TritonPythonModel:
    def execute(self, requests):
        return [
            pb_utils.InferenceResponse([
                pb_utils.Tensor(
                    "twice", 2 * pb_utils.get_input_tensor_by_name(request, "number").as_numpy()
                )
            ])
            for request in requests
        ]
"""


def repository(folder: Path, source: str) -> Path:
    version = folder / "double" / "1"
    version.mkdir(parents=True)
    (folder / "double" / "config.pbtxt").write_text(CONFIG)
    (version / "model.py").write_text(source)
    return folder


def group(leader: int) -> set[int]:
    return {p.pid for p in psutil.process_iter() if _group_of(p.pid) == leader}


def _group_of(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None


def test_it_serves_a_model_and_leaves_no_process_behind(tmp_path: Path) -> None:
    before = set(Path("/dev/shm").glob("viva-*"))
    with running_triton(repository(tmp_path, MODEL)) as triton:
        with InferenceServerClient(triton.grpc_address) as client:
            number = InferInput("number", [1], "FP32")
            number.set_data_from_numpy(np.array([21], dtype=np.float32))
            assert client.infer("double", [number]).as_numpy("twice").tolist() == [42]
        leader = triton.process.pid
        assert len(group(leader)) >= 2  # the server and its model
    assert group(leader) == set()
    assert set(Path("/dev/shm").glob("viva-*")) <= before


def test_a_model_that_does_not_load_is_an_error_with_the_log(tmp_path: Path) -> None:
    broken = repository(tmp_path, "raise ValueError('these weights are broken')")
    with (
        pytest.raises(TritonFailedError, match="these weights are broken"),
        running_triton(broken),
    ):
        pass


def test_the_environment_is_made_once() -> None:
    environment()
    made = (ENVIRONMENT / ".done").stat().st_mtime_ns
    assert environment() == ENVIRONMENT
    assert (ENVIRONMENT / ".done").stat().st_mtime_ns == made
