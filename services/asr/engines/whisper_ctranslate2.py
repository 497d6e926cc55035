"""Whisper on CTranslate2, fed with windows as long as the speech instead of always 30 s.

Whisper was trained on 30 s windows. Fed with less, the encoder is several times cheaper, but the
decoder may not notice the end and loop. What keeps it right here (measured with Whisper base):

- it predicts timestamps: without them short windows looped in 4 of 10 recordings, with them and
  2 s of silence behind the speech in none;
- the number of tokens is bounded by what can be said in that time;
- a looped, overlong or broken-off text is decoded again in the full window, then without
  timestamps.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np
import tokenizers
from faster_whisper.feature_extractor import FeatureExtractor
from faster_whisper.tokenizer import _LANGUAGE_CODES, Tokenizer

from services.asr.engines import guards
from services.asr.engines.engine import (
    MAX_WINDOW_SECONDS,
    SAMPLE_RATE,
    EngineInfo,
    Float32,
    Hypothesis,
    HypothesisWord,
    Window,
)

_HOP = 160
"""Samples a mel frame (10 ms)."""
_TIMESTAMP_SECONDS = 0.02
"""Seconds an encoder frame, and a timestamp token."""
_TRAILING_SECONDS = 2.0
_BROKEN_OFF_SECONDS = 1.5
"""Speech left untranscribed at the end that makes a text count as broken off."""
_TEXT_CONTEXT = 448
_MAX_PROMPT_TOKENS = 160
_CONTEXT_CHARACTERS = 200
_PROMPT_STEP = 8
"""Prompts are cut to a multiple of this, so that windows with similar prompts share a batch."""
_MEDIAN_FILTER = 7


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One way to decode: window length in seconds, and whether timestamps are predicted."""

    seconds: float
    timestamps: bool


@dataclass(frozen=True, slots=True)
class _Decoded:
    tokens: list[int]
    log_probability: float
    no_speech_probability: float
    reliable: bool


class WhisperCTranslate2:
    """A Whisper model in CTranslate2's format."""

    def __init__(
        self,
        folder: Path,
        *,
        name: str,
        version: str = "",
        device: str = "cpu",
        compute_type: str = "int8",
        threads: int = 2,
        workers: int = 1,
    ) -> None:
        """Loads the model.

        Args:
            folder: Holds `model.bin`, `config.json`, `tokenizer.json` and the vocabulary.
            name: What the model is called.
            version: The weights' version.
            device: "cpu", "cuda" or "cuda:N".
            compute_type: CTranslate2's name of the arithmetic, for example "int8" or "float16".
            threads: CPU threads a batch.
            workers: Batches that may run at the same time.

        Raises:
            RuntimeError: CTranslate2 can't load the folder.
        """
        kind, _, index = device.partition(":")
        self._model = ctranslate2.models.Whisper(
            str(folder),
            device=kind,
            device_index=int(index or 0),
            compute_type=compute_type,
            intra_threads=threads,
            inter_threads=workers,
        )
        self._tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._multilingual = bool(self._model.is_multilingual)
        self._features = FeatureExtractor(feature_size=self._model.n_mels)
        self._end = self._id("<|endoftext|>")
        self._no_timestamps = self._id("<|notimestamps|>")
        self._first_timestamp = self._no_timestamps + 1
        languages = ("en",)
        if self._multilingual:
            known = (code for code in _LANGUAGE_CODES if self._tokenizer.token_to_id(f"<|{code}|>"))
            languages = tuple(known)
        self._info = EngineInfo(
            name=name,
            version=version,
            engine="ctranslate2",
            device=device,
            languages=languages,
            memory_bytes=sum(file.stat().st_size for file in folder.glob("model.bin")),
        )

    @property
    def info(self) -> EngineInfo:
        """What it is."""
        return self._info

    def batch_key(self, window: Window) -> Hashable:
        """Windows of the same padded length and prompt length share a batch."""
        return (padded_seconds(window.seconds), len(self._prompt(window)), window.word_offsets)

    def cost(self, window: Window) -> float:
        """The padded length in seconds."""
        return padded_seconds(window.seconds)

    def close(self) -> None:
        """Releases the model's memory."""
        self._model.unload_model()

    def decode(self, windows: Sequence[Window]) -> Sequence[Hypothesis | Exception]:
        """Decodes windows of one `batch_key` together, and again those where it went wrong."""
        first = _Attempt(padded_seconds(max(w.seconds for w in windows)), timestamps=True)
        results = self._attempt(windows, first)
        full = MAX_WINDOW_SECONDS
        for attempt in (_Attempt(full, timestamps=True), _Attempt(full, timestamps=False)):
            doubtful = [i for i, r in enumerate(results) if windows[i].final and not r.reliable]
            if not doubtful:
                break
            again = self._attempt([windows[i] for i in doubtful], attempt)
            for i, result in zip(doubtful, again, strict=True):
                if result.reliable or not results[i].text:
                    results[i] = result
        return results

    def _attempt(self, windows: Sequence[Window], attempt: _Attempt) -> list[Hypothesis]:
        encoded = self._model.encode(self._mel(windows, attempt.seconds))
        languages = self._languages(windows, encoded)
        starts = [self._start_sequence(code) for code, _ in languages]
        suffix = [] if attempt.timestamps else [self._no_timestamps]
        prompts = [
            [*self._prompt(window), *start, *suffix]
            for window, start in zip(windows, starts, strict=True)
        ]
        limits = [
            guards.token_limit(code, window.seconds)
            for window, (code, _) in zip(windows, languages, strict=True)
        ]
        generated = self._model.generate(
            encoded,
            prompts,
            beam_size=1,
            max_length=min(_TEXT_CONTEXT, len(prompts[0]) + max(limits)),
            return_scores=True,
            return_no_speech_prob=True,
        )
        decoded = [
            self._read(result, window, limit, timestamps=attempt.timestamps)
            for result, window, limit in zip(generated, windows, limits, strict=True)
        ]
        hypotheses = [
            self._hypothesis(result, code, probability)
            for result, (code, probability) in zip(decoded, languages, strict=True)
        ]
        asked = [i for i, w in enumerate(windows) if w.word_offsets and hypotheses[i].text]
        by_language: dict[str, list[int]] = defaultdict(list)
        for i in asked:
            by_language[languages[i][0]].append(i)
        for code, rows in by_language.items():
            tokens = [decoded[i].tokens for i in rows]
            lengths = [windows[i].seconds for i in rows]
            for i, words in zip(
                rows, self._align(encoded, rows, code, tokens, lengths), strict=True
            ):
                mean = float(np.mean([word.probability for word in words])) if words else 0.0
                hypotheses[i] = replace(hypotheses[i], words=words, probability=mean)
        return hypotheses

    def _mel(self, windows: Sequence[Window], seconds: float) -> Any:
        count = math.ceil(seconds * SAMPLE_RATE / _HOP) * _HOP
        batch = np.zeros((len(windows), count), dtype=np.float32)
        for row, window in zip(batch, windows, strict=True):
            speech = window.samples[:count]
            row[: len(speech)] = speech
        mels = [self._features(row, padding=0)[:, : count // _HOP] for row in batch]
        return ctranslate2.StorageView.from_array(np.ascontiguousarray(np.stack(mels)))

    def _languages(self, windows: Sequence[Window], encoded: Any) -> list[tuple[str, float]]:
        if not self._multilingual:
            return [("en", 1.0)] * len(windows)
        if all(window.language for window in windows):
            return [(window.language or "", 1.0) for window in windows]
        detected = self._model.detect_language(encoded)
        return [
            (window.language, 1.0) if window.language else _likeliest(ranking, window.languages)
            for window, ranking in zip(windows, detected, strict=True)
        ]

    def _start_sequence(self, language: str) -> list[int]:
        start = [self._id("<|startoftranscript|>")]
        if self._multilingual:
            start += [self._id(f"<|{language}|>"), self._id("<|transcribe|>")]
        return start

    def _prompt(self, window: Window) -> list[int]:
        text = ", ".join(window.hints)
        if window.context:
            text = f"{text}. {window.context[-_CONTEXT_CHARACTERS:]}" if text else window.context
        if not text:
            return []
        ids = self._tokenizer.encode(f" {text.strip()}", add_special_tokens=False).ids
        # Written out, "<|startoftranscript|>" becomes the control token; a prompt is text alone.
        tokens = [token for token in ids if token < self._end][-_MAX_PROMPT_TOKENS:]
        if not tokens:
            return []
        if not window.hints and len(tokens) > _PROMPT_STEP:
            tokens = tokens[len(tokens) % _PROMPT_STEP :]
        return [self._id("<|startofprev|>"), *tokens]

    def _read(self, result: Any, window: Window, limit: int, *, timestamps: bool) -> _Decoded:
        ids: list[int] = [token for token in result.sequences_ids[0] if token != self._end]
        count = len(ids) + 1
        tokens, covered = self._spoken(ids, window.seconds) if timestamps else (ids, None)
        tail = guards.looped_tail(tokens)
        tokens = tokens[: len(tokens) - tail]
        text = self._text(tokens)
        looped = tail > 0 or guards.compression_ratio(text) > guards.COMPRESSION_RATIO
        overlong = len(ids) >= limit and covered is None
        broken_off = covered is not None and window.seconds - covered > _BROKEN_OFF_SECONDS
        return _Decoded(
            tokens=tokens,
            log_probability=float(result.scores[0]) * (count - 1) / count,
            no_speech_probability=float(result.no_speech_prob),
            reliable=not (looped or overlong or broken_off),
        )

    def _spoken(self, ids: Sequence[int], seconds: float) -> tuple[list[int], float | None]:
        """The text tokens of what was said within `seconds`, and up to where, if the model said.

        A segment that starts where the speech is over, or that can't have been said in the rest of
        it, is the beginning of a loop.
        """
        tokens: list[int] = []
        segment: list[int] = []
        start = 0.0
        covered: float | None = None
        for token in ids:
            if token < self._first_timestamp:
                segment.append(token)
                continue
            moment = (token - self._first_timestamp) * _TIMESTAMP_SECONDS
            if segment:
                tokens += segment
                covered = moment
                segment = []
            start = moment
        left = seconds - start
        plausible = covered is None or len(segment) <= guards.token_limit("en", left) / 2
        if segment and plausible and left > 0:
            tokens += segment
            covered = None
        return [token for token in tokens if token < self._end], covered

    def _hypothesis(self, decoded: _Decoded, language: str, probability: float) -> Hypothesis:
        silent = guards.is_no_speech(
            decoded.no_speech_probability, decoded.log_probability, reliable=decoded.reliable
        )
        text = "" if silent else self._text(decoded.tokens)
        return Hypothesis(
            text=text if any(c.isalnum() for c in text) else "",
            language=language,
            language_probability=probability,
            probability=math.exp(min(0.0, decoded.log_probability)),
            reliable=decoded.reliable or silent,
        )

    def _align(
        self,
        encoded: Any,
        rows: list[int],
        language: str,
        tokens: list[list[int]],
        lengths: list[float],
    ) -> list[tuple[HypothesisWord, ...]]:
        """Words of each row, from the decoder's cross-attention by dynamic time warping."""
        features = encoded
        if len(rows) != encoded.shape[0]:
            on_cpu = encoded.to_device(ctranslate2.Device.cpu)
            features = ctranslate2.StorageView.from_array(
                np.ascontiguousarray(np.array(on_cpu)[rows])
            )
        frames = [min(encoded.shape[1] * 2, round(s * SAMPLE_RATE / _HOP)) for s in lengths]
        results = self._model.align(
            features,
            self._start_sequence(language),
            tokens,
            frames,
            median_filter_width=_MEDIAN_FILTER,
        )
        splitter = Tokenizer(
            self._tokenizer, self._multilingual, task="transcribe", language=language
        )
        return [
            _words(splitter, text, result, length)
            for text, result, length in zip(tokens, results, lengths, strict=True)
        ]

    def _text(self, tokens: Sequence[int]) -> str:
        return str(self._tokenizer.decode([t for t in tokens if t < self._end]))

    def _id(self, token: str) -> int:
        found = self._tokenizer.token_to_id(token)
        if found is None:
            raise RuntimeError(f"the tokenizer knows no {token}: not a Whisper model")
        return int(found)


def _likeliest(ranking: Sequence[tuple[str, float]], among: Sequence[str]) -> tuple[str, float]:
    """The likeliest language of those that may be spoken, and its probability among them."""
    scores = [(token.strip("<|>"), float(score)) for token, score in ranking]
    possible = [(code, score) for code, score in scores if not among or code in among]
    code, score = possible[0]
    return code, score / sum(each for _, each in possible)


def padded_seconds(seconds: float) -> float:
    """The padded length for `seconds` of speech: in steps, so that similar windows share."""
    wanted = seconds + _TRAILING_SECONDS
    step = 0.5 if wanted <= 10.0 else 1.0
    return min(MAX_WINDOW_SECONDS, math.ceil(wanted / step) * step)


def _words(
    splitter: Tokenizer, tokens: list[int], result: Any, seconds: float
) -> tuple[HypothesisWord, ...]:
    texts, groups = splitter.split_to_word_tokens([*tokens, splitter.eot])
    if len(groups) <= 1 or not result.alignments:
        return ()
    text_indices, time_indices = np.array(result.alignments).T
    jumps = np.pad(np.diff(text_indices), (1, 0), constant_values=1).astype(bool)
    moments: Float32 = time_indices[jumps] * np.float32(_TIMESTAMP_SECONDS)
    bounds = np.pad(np.cumsum([len(group) for group in groups[:-1]]), (1, 0))
    words: list[HypothesisWord] = []
    for text, first, last in zip(texts[:-1], bounds[:-1], bounds[1:], strict=True):
        start, end = (
            round(min(seconds, float(moments[min(i, len(moments) - 1)])), 2) for i in (first, last)
        )
        probability = float(np.mean(result.text_token_probs[first:last]))
        if words and _belongs_to_previous(text, words[-1].text, splitter.language_code):
            previous = words[-1]
            spoken = any(c.isalnum() for c in text)
            words[-1] = replace(
                previous,
                text=previous.text + text,
                end=max(previous.end, end) if spoken else previous.end,
            )
        else:
            words.append(HypothesisWord(text, start, max(start, end), probability))
    return tuple(words)


_UNSPACED = frozenset({"zh", "ja", "th", "lo", "my", "yue"})


def _belongs_to_previous(text: str, previous: str, language: str) -> bool:
    if not any(c.isalnum() for c in previous):
        return True  # An opening quote waits for its word.
    if not any(c.isalnum() for c in text):
        return not text.startswith(" ")
    return not text.startswith(" ") and language not in _UNSPACED
