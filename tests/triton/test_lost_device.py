"""An instance in Triton that has lost its device ends; the server that calls it does not."""

from __future__ import annotations

import json
import os
import runpy
import sys
import types
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np
import pytest
from tritonclient.utils import InferenceServerException

from services.asr.engines.engine import Window
from services.asr.engines.triton import TritonRecognizer
from services.embed.engines import triton as embed_triton
from services.embed.engines.triton import TritonEncoder
from services.embed.engines.triton_repository import write_repository
from services.embed.pooling import Pooling
from services.embed.tokenization import TokenizedText
from services.runtime.engine_health import EngineHealth
from services.runtime.errors import Unavailable

LOST = "CUDA failed with error an illegal memory access was encountered"


class Client:
    """Triton, whose instance says what the test wants."""

    def __init__(self, said: str) -> None:
        self.said = said

    def get_model_config(self, *_: object, **__: object) -> dict[str, Any]:
        return {"config": {"parameters": {}}}

    def get_model_metadata(self, *_: object, **__: object) -> Any:
        return types.SimpleNamespace(outputs=[types.SimpleNamespace(shape=[-1, 4])])

    def infer(self, *_: object, **__: object) -> None:
        raise InferenceServerException(self.said, status="StatusCode.INTERNAL")


async def probe() -> None:
    pass


async def test_the_recogniser_there_is_unavailable_and_our_own_process_goes_on() -> None:
    engine = TritonRecognizer(Client(LOST), "node:8001", "whisper", timeout=1)
    health = EngineHealth("asr", probe=probe, device="node:8001")
    with pytest.raises(Unavailable, match="node:8001 has lost its device") as failed:
        engine.decode([Window(np.zeros(16_000, np.float32))])
    health.report(failed.value)
    assert not health.device_lost.is_set()


async def test_the_encoder_there_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embed_triton, "InferenceServerClient", lambda _: Client(LOST))
    with pytest.raises(Unavailable, match="has lost its device"):
        TritonEncoder("node:8001", "encoder", timeout=1).encode([TokenizedText((0,), (0,))])


def test_other_failures_there_are_told_as_they_are() -> None:
    engine = TritonRecognizer(Client("no such tensor"), "node:8001", "whisper", timeout=1)
    with pytest.raises(InferenceServerException):
        engine.decode([Window(np.zeros(16_000, np.float32))])


class Ended(BaseException):
    """The process has."""


@pytest.mark.parametrize(("said", "ends"), [(LOST, True), ("the text is empty", False)])
def test_an_instance_that_lost_its_device_ends_so_that_triton_starts_another(
    said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, ends: bool
) -> None:
    (tmp_path / "weights").mkdir()
    write_repository(
        tmp_path, name="m", weights=tmp_path / "weights", dimensions=4, pooling=Pooling.MEAN
    )
    backend = types.ModuleType("triton_python_backend_utils")
    tensors = {"ids": np.ones((1, 1), np.int32), "lengths": np.ones(1, np.int32)}
    backend.__dict__.update(
        get_input_tensor_by_name=lambda _, name: types.SimpleNamespace(
            as_numpy=lambda: tensors[name]
        ),
        InferenceResponse=lambda error: error,
        TritonError=str,
    )
    monkeypatch.setitem(sys.modules, "triton_python_backend_utils", backend)
    monkeypatch.setattr(sys, "path", list(sys.path))

    def fail(*_: object) -> None:
        raise RuntimeError(said)

    encoder = types.SimpleNamespace(forward_batch=fail)
    monkeypatch.setattr(ctranslate2, "Encoder", lambda *_, **__: encoder)

    def exit_(status: int) -> None:
        raise Ended(status)

    monkeypatch.setattr(os, "_exit", exit_)
    # Nothing of ours is on the path there but what lies in the repository.
    for name in [each for each in sys.modules if each.startswith("services.runtime.device_memory")]:
        monkeypatch.delitem(sys.modules, name)
    instance = runpy.run_path(str(tmp_path / "m" / "1" / "model.py"))["TritonPythonModel"]()
    parameters = {"pooling": {"string_value": "mean"}, "threads": {"string_value": "1"}}
    instance.initialize(
        {
            "model_config": json.dumps({"parameters": parameters}),
            "model_repository": str(tmp_path / "m"),
            "model_version": "1",
            "model_instance_kind": "GPU",
            "model_instance_device_id": "0",
        }
    )
    if ends:
        with pytest.raises(Ended, match="3"):
            instance.execute([object()])
    else:
        assert instance.execute([object()]) == [said]
