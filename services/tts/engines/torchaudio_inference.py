"""The part of torchaudio that coqui-tts needs to run models, for a torch without CUDA.

coqui-tts asks for torchaudio at import, but torchaudio's wheels on the package index link against
CUDA libraries and do not load beside a CPU torch. What inference uses of it (resampling, mel
spectrograms) is offered here under its name; the rest of its interface is absent on purpose. Where
the real one loads, it is used.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import sys
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import soxr
import torch


def ensure_torchaudio() -> None:
    """Makes `import torchaudio` work: the real one, or this."""
    if "torchaudio" in sys.modules:
        return
    try:
        importlib.import_module("torchaudio")
    except (ImportError, OSError):
        _install()


def _install() -> None:
    package = types.ModuleType("torchaudio")
    package.__spec__ = importlib.machinery.ModuleSpec("torchaudio", loader=None, is_package=True)
    package.__path__ = []
    functional = types.ModuleType("torchaudio.functional")
    transforms = types.ModuleType("torchaudio.transforms")
    functional.__dict__["resample"] = resample
    transforms.__dict__.update(MelSpectrogram=MelSpectrogram, Resample=Resample)
    package.__dict__.update(
        __version__=f"{torch.__version__}-inference", functional=functional, transforms=transforms
    )
    sys.modules["torchaudio"] = package
    sys.modules["torchaudio.functional"] = functional
    sys.modules["torchaudio.transforms"] = transforms


def resample(waveform: Any, orig_freq: int, new_freq: int) -> Any:
    """A tensor [channels, samples] at another rate, by soxr."""
    if orig_freq == new_freq:
        return waveform
    samples = waveform.detach().cpu().numpy()
    channels = [soxr.resample(channel, orig_freq, new_freq, "HQ") for channel in samples]
    return torch.from_numpy(np.stack(channels)).to(waveform.dtype).to(waveform.device)


class Resample(torch.nn.Module):
    """`resample` as a module."""

    def __init__(self, orig_freq: int = 16_000, new_freq: int = 16_000) -> None:
        super().__init__()
        self._rates = (orig_freq, new_freq)

    def forward(self, waveform: Any) -> Any:
        """Resamples a tensor [channels, samples]."""
        return resample(waveform, *self._rates)


class MelSpectrogram(torch.nn.Module):
    """The mel spectrogram of torchaudio.transforms, centred, on the HTK scale."""

    def __init__(
        self,
        sample_rate: int = 16_000,
        n_fft: int = 400,
        win_length: int | None = None,
        hop_length: int | None = None,
        f_min: float = 0.0,
        f_max: float | None = None,
        n_mels: int = 128,
        window_fn: Callable[..., Any] = torch.hann_window,
        power: float = 2.0,
        *,
        normalized: bool = False,
        norm: str | None = None,
    ) -> None:
        super().__init__()
        if normalized:
            raise NotImplementedError("normalised spectrograms")
        self._n_fft = n_fft
        self._win_length = win_length or n_fft
        self._hop_length = hop_length or self._win_length // 2
        self._power = power
        top = f_max or sample_rate / 2
        banks = _mel_banks(n_fft // 2 + 1, f_min, top, n_mels, sample_rate, slaney=norm == "slaney")
        self.spectrogram = _Buffers(window=window_fn(self._win_length))
        self.mel_scale = _Buffers(fb=torch.from_numpy(banks))

    def forward(self, waveform: Any) -> Any:
        """Mel energies [..., mels, frames] of a tensor [..., samples]."""
        shape = waveform.shape
        spectrum = (
            torch.stft(
                waveform.reshape(-1, shape[-1]),
                self._n_fft,
                self._hop_length,
                self._win_length,
                self.spectrogram.get_buffer("window"),
                center=True,
                pad_mode="reflect",
                return_complex=True,
            ).abs()
            ** self._power
        )
        mel = torch.matmul(spectrum.transpose(-1, -2), self.mel_scale.get_buffer("fb")).transpose(
            -1, -2
        )
        return mel.reshape(*shape[:-1], *mel.shape[-2:])


class _Buffers(torch.nn.Module):
    """Holds tensors under torchaudio's names, so that checkpoints with them load."""

    def __init__(self, **buffers: Any) -> None:
        super().__init__()
        for name, tensor in buffers.items():
            self.register_buffer(name, tensor)


def _mel_banks(
    bins: int, low: float, high: float, mels: int, rate: int, *, slaney: bool
) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Triangles [bins, mels], evenly spaced in mels (O'Shaughnessy 1987)."""

    def to_mel(hertz: float) -> float:
        return float(2595.0 * np.log10(1.0 + hertz / 700.0))

    centres = 700.0 * (10 ** (np.linspace(to_mel(low), to_mel(high), mels + 2) / 2595.0) - 1.0)
    frequencies = np.linspace(0, rate // 2, bins)
    slopes = centres[None, :] - frequencies[:, None]
    widths = np.diff(centres)
    banks = np.maximum(0.0, np.minimum(-slopes[:, :-2] / widths[:-1], slopes[:, 2:] / widths[1:]))
    if slaney:
        banks *= 2.0 / (centres[2:] - centres[:-2])
    return banks.astype(np.float32)
