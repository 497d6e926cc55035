"""Recognition on a Triton Inference Server, over the KServe v2 gRPC protocol."""

from __future__ import annotations

import json
from collections.abc import Hashable, Sequence
from typing import Any

import grpc
import numpy as np
from tritonclient.grpc import InferenceServerClient, InferInput, InferRequestedOutput
from tritonclient.utils import InferenceServerException

from services.asr.engines.engine import MAX_WINDOW_SECONDS, EngineInfo, Hypothesis, Window
from services.asr.engines.triton_wire import hypothesis_from_json, options_to_json
from services.runtime.device_memory import is_device_lost
from services.runtime.errors import ResourceMissing, Unavailable

_LENGTH_CLASSES = (5.0, 10.0, 20.0, MAX_WINDOW_SECONDS)
_PASSING = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


class TritonRecognizer:
    """The model that `triton_repository` writes, or one with the same inputs and output."""

    def __init__(self, client: Any, address: str, model: str, *, timeout: float) -> None:
        """Asks Triton for the model.

        Raises:
            ResourceMissing: Triton is not there, or does not serve the model.
        """
        self._client = client
        self._model = model
        self._timeout = timeout
        self._address = address
        try:
            config = client.get_model_config(model, as_json=True, client_timeout=timeout)
        except InferenceServerException as error:
            raise ResourceMissing(
                f"Triton at {address} does not serve the model {model!r} ({error.message()})",
                "check VIVA_ASR_TRITON_ADDRESS and VIVA_ASR_TRITON_MODEL",
            ) from None
        parameters = config["config"].get("parameters", {})
        said = {key: value.get("string_value", "") for key, value in parameters.items()}
        self._info = EngineInfo(
            name=said.get("name", model),
            version=said.get("version", ""),
            engine="triton",
            device=address,
            languages=tuple(said.get("languages", "en").split(",")),
            memory_bytes=0,
        )

    @classmethod
    def connect(cls, address: str, model: str, *, timeout: float) -> TritonRecognizer:
        """Opens a channel to Triton.

        Args:
            address: "host:port" of its gRPC endpoint.
            model: The model's name there.
            timeout: Seconds a batch may take.

        Raises:
            ResourceMissing: Triton is not there, or does not serve the model.
        """
        client = InferenceServerClient(address)
        try:
            return cls(client, address, model, timeout=timeout)
        except ResourceMissing:
            client.close()
            raise

    @property
    def info(self) -> EngineInfo:
        """What it is."""
        return self._info

    def prepare(self, window: Window) -> Window:
        """Nothing: features are computed where the model is."""
        return window

    def batch_key(self, window: Window) -> Hashable:
        """Windows of similar length travel together; the shorter ones are padded for it."""
        return min(length for length in _LENGTH_CLASSES if window.seconds <= length)

    def cost(self, window: Window) -> float:
        """The length in seconds."""
        return window.seconds

    def decode(self, windows: Sequence[Window]) -> Sequence[Hypothesis | Exception]:
        """Sends a batch to Triton.

        Raises:
            Unavailable: Triton cannot be reached, or did not answer in time.
        """
        lengths = np.array([len(window.samples) for window in windows], dtype=np.int32)
        samples = np.zeros((len(windows), max(1, int(lengths.max()))), dtype=np.float32)
        for row, window in zip(samples, windows, strict=True):
            row[: len(window.samples)] = window.samples
        options = np.array([options_to_json(w).encode() for w in windows], dtype=np.object_)
        inputs = [
            InferInput("samples", list(samples.shape), "FP32").set_data_from_numpy(samples),
            InferInput("lengths", list(lengths.shape), "INT32").set_data_from_numpy(lengths),
            InferInput("options", list(options.shape), "BYTES").set_data_from_numpy(options),
        ]
        try:
            result = self._client.infer(
                self._model,
                inputs,
                outputs=[InferRequestedOutput("hypotheses")],
                client_timeout=self._timeout,
            )
        except InferenceServerException as error:
            if str(error.status()) in {str(code) for code in _PASSING}:
                raise Unavailable(
                    f"Triton at {self._address} does not answer: {error.status()}"
                ) from None
            if is_device_lost(error):
                # That of the instance there, not of this process: Triton starts it afresh.
                raise Unavailable(f"the model at {self._address} has lost its device") from None
            raise
        return [hypothesis_from_json(json.loads(text)) for text in result.as_numpy("hypotheses")]

    def again(self, window: Window, best: Hypothesis) -> Window | None:
        """Nothing: where the model is, a window is decoded to the end."""
        return None

    def close(self) -> None:
        """Closes the channel."""
        self._client.close()
