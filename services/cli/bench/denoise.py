"""What `denoise` is worth: word error rates of noisy recordings with and without it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from viva.asr.v1 import asr_pb2, asr_pb2_grpc
from viva.serving.v1 import serving_pb2

from services.cli.bench.frame import BenchResult, Figure
from services.cli.bench.recordings import librivox
from services.runtime.audio import pcm
from services.runtime.audio.decoding import open_recording
from services.runtime.channel import open_channel, outgoing

NOISES = ("pink", "voices", "keys")
RATIOS_DB = (5, 10)
_RATE = 16_000
_CALL_SECONDS = 120.0
_SEED = 500
_PAUSE = np.zeros(round(0.4 * _RATE), dtype=np.float32)


async def run(address: str) -> BenchResult:
    """Recognises read sentences in noise, plain and denoised.

    Args:
        address: The mesh listener, or the recognition server itself.
    """
    import jiwer
    from whisper_normalizer.english import EnglishTextNormalizer

    normal = EnglishTextNormalizer()
    recordings = librivox()
    clips = [await asyncio.to_thread(_samples, each.path.read_bytes()) for each in recordings]
    speech = np.concatenate([piece for clip in clips for piece in (clip, _PAUSE)])
    transcript = normal(" ".join(each.transcript for each in recordings))
    figures: list[Figure] = []
    async with open_channel(address) as channel:
        stub: asr_pb2_grpc.AsrServiceAsyncStub = asr_pb2_grpc.AsrServiceStub(channel)
        model = (await stub.ListModels(asr_pb2.ListModelsRequest(), timeout=10)).models[0].name
        for ratio in RATIOS_DB:
            errors: dict[bool, list[float]] = {False: [], True: []}
            for kind in NOISES:
                noisy = mixed(speech, noise(kind, len(speech), clips), ratio)
                for denoise, rates in errors.items():
                    text = await _text(stub, noisy, denoise=denoise)
                    rates.append(100 * float(jiwer.wer(transcript, normal(text))))
                plain, cleaned = errors[False][-1], errors[True][-1]
                figures += [
                    Figure(f"word error rate, {kind} at {ratio} dB", plain, "%"),
                    Figure(f"word error rate, {kind} at {ratio} dB, denoised", cleaned, "%"),
                ]
            gained = float(np.mean(errors[False]) - np.mean(errors[True]))
            figures.append(Figure(f"gained at {ratio} dB", gained, "points", least=0.0))
    return BenchResult("denoise", figures, {"asr": model}, ["five sentences read by people"])


def noise(kind: str, length: int, voices: Sequence[pcm.Float32]) -> pcm.Float32:
    """Noise of power 1: pink, other people talking at once, or somebody typing in a quiet room."""
    generator = np.random.default_rng(_SEED)
    match kind:
        case "voices":
            made = np.zeros(length)
            for voice in voices:
                # Backwards, speech keeps its sound and says nothing.
                talk = np.resize(voice[::-1], length) / voice.std()
                made += np.roll(talk, generator.integers(length))
        case "keys":
            made = 0.15 * _pink(generator, length)
            stroke = np.exp(-np.arange(800) / 120)
            for start in generator.integers(0, length - 800, length * 6 // _RATE):
                made[start : start + 800] += generator.normal(0, 1, 800) * stroke
        case _:
            made = _pink(generator, length)
    scaled: pcm.Float32 = (made / np.sqrt(np.mean(made**2))).astype(np.float32)
    return scaled


def _pink(generator: np.random.Generator, length: int) -> npt.NDArray[np.float64]:
    """Its power falls with 1/f."""
    spectrum = np.fft.rfft(generator.normal(0, 1, length))
    spectrum /= np.sqrt(np.maximum(1, np.arange(len(spectrum)) * _RATE / length / 20))
    made = np.fft.irfft(spectrum, length)
    scaled: npt.NDArray[np.float64] = made / made.std()
    return scaled


def mixed(speech: pcm.Float32, made: pcm.Float32, ratio_db: float) -> pcm.Float32:
    """Speech in noise of power 1, at a ratio to the speech's active level, not clipped."""
    frames = speech[: len(speech) // 320 * 320].reshape(-1, 320)
    powers = np.mean(frames**2, axis=1)
    active = np.sqrt(powers[powers > powers.max() * 1e-3].mean())
    together = speech + made * np.float32(active / 10 ** (ratio_db / 20))
    loudest = float(np.abs(together).max())
    return (together * np.float32(min(1.0, 0.9 / loudest))).astype(np.float32)


def _samples(file: bytes) -> pcm.Float32:
    with open_recording(file, serving_pb2.AudioFormat(), target_hz=_RATE) as recording:
        return np.concatenate(list(recording.blocks()))


async def _text(
    stub: asr_pb2_grpc.AsrServiceAsyncStub, samples: pcm.Float32, *, denoise: bool
) -> str:
    answer = await stub.Recognize(
        asr_pb2.RecognizeRequest(
            config=asr_pb2.RecognitionConfig(languages=["en"], denoise=denoise),
            format=serving_pb2.AudioFormat(
                encoding=serving_pb2.AUDIO_ENCODING_PCM_S16LE, sample_rate_hz=_RATE
            ),
            audio=pcm.s16le_from_float(samples),
        ),
        **outgoing(_CALL_SECONDS),
    )
    return answer.text
