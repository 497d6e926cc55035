"""The encoder inside Triton's Python backend.

`triton_repository` copies this file, and what it imports of ours, into the model repository.
It runs in Triton's environment: numpy and ctranslate2.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np
import triton_python_backend_utils as pb_utils

_DEVICE_LOST = 3
"""The status that our servers exit with then, too."""


class TritonPythonModel:
    """One instance: `ids` int32 [n, longest] and `lengths` int32 [n] to `vectors` [n, d]."""

    def initialize(self, args: dict[str, str]) -> None:
        """Loads the weights that lie beside this file."""
        config = json.loads(args["model_config"])
        parameters = {key: v["string_value"] for key, v in config["parameters"].items()}
        version = Path(args["model_repository"]) / args["model_version"]
        sys.path.insert(0, str(version))
        from services.runtime.device_memory import is_device_lost

        self._is_device_lost = is_device_lost
        self._pooling = parameters["pooling"]
        self._model: Any = ctranslate2.Encoder(
            str(version / "weights"),
            device="cuda" if args["model_instance_kind"] == "GPU" else "cpu",
            device_index=int(args["model_instance_device_id"]),
            intra_threads=int(parameters["threads"]),
        )

    def execute(self, requests: list[Any]) -> list[Any]:
        """Encodes each request's batch; one that fails does not touch the others."""
        return [self._answer(request) for request in requests]

    def _answer(self, request: Any) -> Any:
        try:
            ids = pb_utils.get_input_tensor_by_name(request, "ids").as_numpy()
            lengths = pb_utils.get_input_tensor_by_name(request, "lengths").as_numpy()
            vectors = self._encode(ids, lengths)
        except Exception as error:  # noqa: BLE001 - the caller is told, the instance lives on
            if self._is_device_lost(error):
                # Nothing more can be done in this process. Triton starts another in its place.
                os._exit(_DEVICE_LOST)
            return pb_utils.InferenceResponse(error=pb_utils.TritonError(str(error)))
        return pb_utils.InferenceResponse(output_tensors=[pb_utils.Tensor("vectors", vectors)])

    def _encode(self, ids: Any, lengths: Any) -> Any:
        batch = [row[:length].tolist() for row, length in zip(ids, lengths, strict=True)]
        output = self._model.forward_batch(batch).last_hidden_state
        hidden = np.asarray(output.to_device(ctranslate2.Device.cpu), dtype=np.float32)
        if self._pooling == "cls":
            return hidden[:, 0].copy()
        return np.stack([row[:n].mean(axis=0) for row, n in zip(hidden, lengths, strict=True)])
