"""An encoder on a Triton Inference Server, over the KServe v2 gRPC protocol."""

from __future__ import annotations

from collections.abc import Sequence

import grpc
import numpy as np
from numpy.typing import NDArray

from services.embed.engines import EngineInfo
from services.embed.tokenization import TokenizedText
from services.runtime.device_memory import is_device_lost
from services.runtime.errors import ResourceMissing, Unavailable

try:
    from tritonclient.grpc import InferenceServerClient, InferInput, InferRequestedOutput
    from tritonclient.utils import InferenceServerException
except (ModuleNotFoundError, RuntimeError) as error:
    # tritonclient hides what it misses behind a RuntimeError.
    raise ResourceMissing(
        f"the engine triton needs tritonclient and what it imports ({error.__cause__ or error})",
        "install viva-mesh[triton]",
    ) from None


class TritonEncoder:
    """The model that `triton_repository` writes, or one with the same inputs and output."""

    def __init__(self, address: str, model: str, *, timeout: float, parallel: int = 1) -> None:
        """Connects and asks for the model.

        Args:
            address: "host:port" of Triton's gRPC endpoint.
            model: The model's name there.
            timeout: Seconds a batch may take.
            parallel: Batches to send at the same time: the model's instances there.

        Raises:
            ResourceMissing: Triton is not there, or the model is not ready.
        """
        self._address = address
        self._model = model
        self._timeout = timeout
        self._parallel = parallel
        self._client = InferenceServerClient(address)
        try:
            metadata = self._client.get_model_metadata(model, client_timeout=timeout)
        except InferenceServerException as error:
            self._client.close()
            raise ResourceMissing(
                f"Triton at {address} does not serve the model {model!r} ({error.message()})",
                "check VIVA_EMBED_TRITON_ADDRESS and VIVA_EMBED_TRITON_MODEL",
            ) from None
        self._dimensions = int(metadata.outputs[0].shape[-1])

    @property
    def info(self) -> EngineInfo:
        """What it is."""
        return EngineInfo("triton", self._address, 0, self._parallel)

    @property
    def dimensions(self) -> int:
        """Length of its vectors."""
        return self._dimensions

    def encode(self, batch: Sequence[TokenizedText]) -> NDArray[np.float32]:
        """Pooled vectors, float32 [n, dimensions], not normalised.

        Raises:
            Unavailable: Triton cannot be reached, or did not answer in time.
        """
        lengths = np.array([len(text.ids) for text in batch], dtype=np.int32)
        ids = np.zeros((len(batch), int(lengths.max())), dtype=np.int32)
        for row, text in zip(ids, batch, strict=True):
            row[: len(text.ids)] = text.ids
        inputs = [
            InferInput("ids", list(ids.shape), "INT32").set_data_from_numpy(ids),
            InferInput("lengths", list(lengths.shape), "INT32").set_data_from_numpy(lengths),
        ]
        try:
            result = self._client.infer(
                self._model,
                inputs,
                outputs=[InferRequestedOutput("vectors")],
                client_timeout=self._timeout,
            )
        except InferenceServerException as error:
            if _passing(error):
                raise Unavailable(
                    f"Triton at {self._address} does not answer: {error.status()}"
                ) from None
            if is_device_lost(error):
                # That of the instance there, not of this process: Triton starts it afresh.
                raise Unavailable(f"the model at {self._address} has lost its device") from None
            raise
        vectors: NDArray[np.float32] = result.as_numpy("vectors")
        return vectors

    def close(self) -> None:
        """Closes the channel."""
        self._client.close()


def _passing(error: InferenceServerException) -> bool:
    codes = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
    return str(error.status()) in {str(code) for code in codes}
