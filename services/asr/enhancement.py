"""What is done to audio before voice activity and recognition."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from services.asr.denoising import SpectralGate
from services.asr.engines.engine import Float32
from services.asr.high_pass import HighPass
from services.asr.levelling import Leveller
from services.asr.neural_denoising import Dtln
from services.runtime.errors import ResourceMissing
from services.runtime.weights import package_files

_PACKAGED = Path("plugins/dtln/models")

_logger = logging.getLogger(__name__)


class Filter(Protocol):
    """Changes a 16 kHz mono stream piece by piece. Not for two threads at once."""

    def feed(self, samples: Float32, *, last: bool = False) -> Float32:
        """The next samples, aligned with the input and perhaps a little late; `last` flushes."""
        ...


class Chain:
    """Filters one behind the other."""

    def __init__(self, filters: Sequence[Filter]) -> None:
        self._filters = filters

    def feed(self, samples: Float32, *, last: bool = False) -> Float32:
        """See Filter."""
        for each in self._filters:
            samples = each.feed(samples, last=last)
        return samples


class Enhancement:
    """Makes the filters of streams and recordings."""

    def __init__(self, denoiser: Dtln | None) -> None:
        """Takes the neural denoiser; without one, steady noise alone is reduced."""
        self._denoiser = denoiser

    @classmethod
    def load(cls) -> Enhancement:
        """With the packaged denoiser, where its package is installed."""
        try:
            folder = package_files("livekit", "") / _PACKAGED
        except ResourceMissing:
            folder = None
        if folder is None or not folder.is_dir():
            _logger.info("no neural denoiser is installed: only steady noise is reduced")
            return cls(None)
        return cls(Dtln(folder))

    def filters(self, *, denoise: bool) -> Filter:
        """The filters of a new stream: noise goes where that is asked for, the rest always."""
        denoisers = [self.denoiser()] if denoise else []
        return Chain([HighPass(), *denoisers, Leveller()])

    def denoiser(self) -> Filter:
        """The best denoiser there is, for a new stream."""
        return self._denoiser.stream() if self._denoiser else SpectralGate()
