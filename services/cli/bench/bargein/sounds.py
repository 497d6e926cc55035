"""What is heard over the interviewer: words, signs of listening, noises, their own echo."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

import grpc
import numpy as np
import numpy.typing as npt
import soxr
from viva.serving.v1 import serving_pb2
from viva.tts.v1 import tts_pb2, tts_pb2_grpc

from services.cli.bench.denoise import noise
from services.cli.bench.spoken import people
from services.cli.demo import VOICE
from services.cli.sound_card import RATE_HZ, Samples
from services.runtime.channel import outgoing

CALL_SECONDS = 120.0
LEVEL = 0.1
"""Root mean square of a sound near a microphone; full scale is 1."""
ROOM_SECONDS = 0.3
"""Until sound in a furnished room has fallen by 60 dB."""
ECHO_SECONDS = 0.06
"""From loudspeaker to microphone through the devices' buffers."""
_SEED = 7

INTERRUPTIONS = (
    "Sorry, may I add something to that?",
    "Wait, I have a question about the team.",
    "Excuse me, I can not hear you very well.",
    "No, that is not what I wanted to say.",
    "Could you repeat that, please?",
    "I think we should talk about the other project first.",
)
LISTENING = ("Mm-hm.", "Uh-huh.", "Right, right.", "Okay.", "Yeah.", "I see.", "Ha ha ha.")


class Kind(Enum):
    """What a sound is; only WORDS may stop the interviewer."""

    WORDS = "words"
    BACK_CHANNEL = "back-channels"
    NOISE = "noises"
    ECHO = "echo"


@dataclass(frozen=True, slots=True)
class Sound:
    """A sound at `RATE_HZ`, mono.

    Attributes:
        name: What to call it.
        kind: What it is.
        make: Makes it of the rest of the line that plays, at `RATE_HZ`; only an echo needs that.
    """

    name: str
    kind: Kind
    make: Callable[[Samples], Samples]


async def sounds(channel: grpc.aio.Channel) -> list[Sound]:
    """All of them; what is said is spoken by the mesh, in another voice than the interviewer's.

    Raises:
        grpc.aio.AioRpcError: The mesh does not speak.
        RecordingsUnavailableError: The recordings of people cannot be fetched.
    """
    stub: tts_pb2_grpc.TtsServiceAsyncStub = tts_pb2_grpc.TtsServiceStub(channel)
    made = [_fixed(text, Kind.WORDS, await _spoken(stub, text)) for text in INTERRUPTIONS]
    made += [_fixed(one.name, Kind.WORDS, one.samples) for one in people()[1:3]]
    made += [_fixed(text, Kind.BACK_CHANNEL, await _spoken(stub, text)) for text in LISTENING]
    made += noises()
    made += [
        Sound(f"echo at {decibels} dB", Kind.ECHO, echo(decibels)) for decibels in (-12, -18, -24)
    ]
    return made


def noises() -> list[Sound]:
    """Generated: breath and body, room and street, music."""
    generator = np.random.default_rng(_SEED)
    second = np.arange(RATE_HZ) / RATE_HZ
    chord = sum(np.sin(2 * np.pi * pitch * second) for pitch in (220.0, 277.2, 329.6))
    music = np.concatenate([np.asarray(chord) * np.exp(-2 * second)] * 3)
    hum = np.sin(2 * np.pi * 50 * second) + 0.3 * np.sin(2 * np.pi * 150 * second)
    voices = [generator.normal(0, 0.1, RATE_HZ).astype(np.float32)]
    made = {
        "cough": cough(generator, 1),
        "two coughs": cough(generator, 2),
        "throat": cough(generator, 3, seconds=0.12),
        "breath": _shaped(generator, 1.2, 600.0, 3000.0, np.hanning),
        "white noise": generator.normal(0, 1, RATE_HZ),
        "pink noise": noise("pink", RATE_HZ, voices),
        "typing": noise("keys", 2 * RATE_HZ, voices),
        "door": np.exp(-second * 12) * generator.normal(0, 1, RATE_HZ),
        "hum": hum,
        "music": music,
    }
    return [
        _fixed(name, Kind.NOISE, np.asarray(samples, dtype=np.float32))
        for name, samples in made.items()
    ]


def cough(
    generator: np.random.Generator, bursts: int, *, seconds: float = 0.25
) -> npt.NDArray[np.float64]:
    """Bursts of noise as a throat makes them: a sharp beginning, a long end, no pitch."""
    gap = np.zeros(round(0.15 * RATE_HZ))
    pieces = []
    for _ in range(bursts):
        length = round(seconds * RATE_HZ)
        shape = np.minimum(1.0, np.arange(length) / (0.01 * RATE_HZ)) * np.exp(
            -3.0 * np.arange(length) / length
        )
        pieces += [_band(generator.normal(0, 1, length), 300.0, 2500.0) * shape, gap]
    return np.concatenate(pieces)


def _shaped(
    generator: np.random.Generator,
    seconds: float,
    low: float,
    high: float,
    shape: Callable[[int], npt.NDArray[np.float64]],
) -> npt.NDArray[np.float64]:
    length = round(seconds * RATE_HZ)
    return _band(generator.normal(0, 1, length), low, high) * shape(length)


def _band(samples: npt.NDArray[np.float64], low: float, high: float) -> npt.NDArray[np.float64]:
    spectrum = np.fft.rfft(samples)
    pitch = np.fft.rfftfreq(samples.size, 1 / RATE_HZ)
    spectrum[(pitch < low) | (pitch > high)] = 0
    return np.fft.irfft(spectrum, samples.size)


def echo(decibels: float) -> Callable[[Samples], Samples]:
    """What a microphone hears of the loudspeaker, so much weaker than it plays.

    The room answers with noise that decays exponentially (Moorer 1979).
    """

    def made(line: Samples) -> Samples:
        generator = np.random.default_rng(_SEED)
        length = round(ROOM_SECONDS * RATE_HZ)
        decay = 10 ** (-3 * np.arange(length) / length)
        room = generator.normal(0, 1, length) * decay
        room /= np.sqrt(np.sum(room**2))
        room[0] += 1.0  # the direct way
        size = line.size + length - 1
        heard = np.fft.irfft(np.fft.rfft(line, size) * np.fft.rfft(room, size), size)
        late = np.zeros(round(ECHO_SECONDS * RATE_HZ))
        return np.concatenate([late, heard * 10 ** (decibels / 20)]).astype(np.float32)

    return made


def levelled(samples: Samples) -> Samples:
    """The same sound as loud as one near a microphone, not clipped."""
    active = np.sqrt(np.mean(samples[np.abs(samples) > 1e-4] ** 2)) if samples.any() else 1.0
    scaled = samples * np.float32(LEVEL / active)
    return (scaled * np.float32(min(1.0, 0.95 / np.abs(scaled).max(initial=1e-9)))).astype(
        np.float32
    )


def _fixed(name: str, kind: Kind, samples: Samples) -> Sound:
    loud = levelled(samples)
    return Sound(name, kind, lambda _: loud)


async def _spoken(stub: tts_pb2_grpc.TtsServiceAsyncStub, text: str) -> Samples:
    shape = serving_pb2.AudioFormat(encoding=serving_pb2.AUDIO_ENCODING_PCM_S16LE)
    call = stub.Synthesize(
        tts_pb2.SynthesizeRequest(
            text=text, config=tts_pb2.SpeechConfig(voice=VOICE, format=shape)
        ),
        **outgoing(CALL_SECONDS),
    )
    rate, pieces = RATE_HZ, []
    async for message in call:
        if message.chunk.HasField("format"):
            rate = message.chunk.format.sample_rate_hz
        pieces.append(message.chunk.audio)
    samples = np.frombuffer(b"".join(pieces), dtype="<i2").astype(np.float32) / 32768
    resampled: Samples = soxr.resample(samples, rate, RATE_HZ)
    return resampled


def a_few(all_of_them: Sequence[Sound]) -> list[Sound]:
    """Two of each kind."""
    return [
        sound for kind in Kind for sound in [one for one in all_of_them if one.kind is kind][:2]
    ]
