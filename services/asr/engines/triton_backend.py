"""The recogniser inside Triton's Python backend.

`triton_repository` copies this file, what it imports of ours and the weights into the model
repository.
It runs in Triton's environment, which needs ctranslate2 and faster-whisper.
"""

from __future__ import annotations

import json
import os
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils

_DEVICE_LOST = 3
"""The status that our servers exit with then, too."""


class TritonPythonModel:
    """One instance.

    Inputs: `samples` float32 [n, longest], `lengths` int32 [n], `options` JSON [n].
    Output: `hypotheses` JSON [n]; see triton_wire.py.
    """

    def initialize(self, args: dict[str, str]) -> None:
        """Loads the engine and the weights that lie beside this file."""
        version = Path(args["model_repository"]) / args["model_version"]
        sys.path.insert(0, str(version))
        from services.asr.engines import triton_wire
        from services.asr.engines.engine import decode_fully
        from services.asr.engines.whisper_ctranslate2 import WhisperCTranslate2
        from services.runtime.device_memory import is_device_lost

        config = json.loads(args["model_config"])
        parameters = {key: v["string_value"] for key, v in config["parameters"].items()}
        on_gpu = args["model_instance_kind"] == "GPU"
        self._is_device_lost = is_device_lost
        self._wire = triton_wire
        self._fully = decode_fully
        self._engine = WhisperCTranslate2(
            version / "weights",
            name=parameters["name"],
            device=f"cuda:{args['model_instance_device_id']}" if on_gpu else "cpu",
            compute_type=parameters["compute_type"],
            threads=int(parameters["threads"]),
        )

    def execute(self, requests: list[Any]) -> list[Any]:
        """Decodes each request's batch; one that fails does not touch the others."""
        return [self._answer(request) for request in requests]

    def finalize(self) -> None:
        """Releases the model."""
        self._engine.close()

    def _answer(self, request: Any) -> Any:
        try:
            samples, lengths, options = (
                pb_utils.get_input_tensor_by_name(request, name).as_numpy()
                for name in ("samples", "lengths", "options")
            )
            answers = self._decode(samples, lengths, options)
        except Exception as error:  # noqa: BLE001 - the caller is told, the instance lives on
            if self._is_device_lost(error):
                # Nothing more can be done in this process. Triton starts another in its place.
                os._exit(_DEVICE_LOST)
            return pb_utils.InferenceResponse(error=pb_utils.TritonError(str(error)))
        return pb_utils.InferenceResponse(output_tensors=[pb_utils.Tensor("hypotheses", answers)])

    def _decode(self, samples: Any, lengths: Any, options: Any) -> Any:
        windows = [
            self._wire.window_from_json(row[:length], json.loads(option))
            for row, length, option in zip(samples, lengths, options, strict=True)
        ]
        groups: dict[Any, list[int]] = defaultdict(list)
        for index, window in enumerate(windows):
            groups[self._engine.batch_key(window)].append(index)
        answers = np.empty(len(windows), dtype=np.object_)
        for indices in groups.values():
            decoded = self._fully(self._engine, [windows[index] for index in indices])
            for index, hypothesis in zip(indices, decoded, strict=True):
                if isinstance(hypothesis, Exception):
                    raise hypothesis
                answers[index] = self._wire.hypothesis_to_json(hypothesis).encode()
        return answers
