"""Whisper on CTranslate2, fed with windows as long as the speech instead of always 30 s.

Whisper was trained on 30 s windows. Fed with less, the encoder is several times cheaper, but the
decoder may not notice the end and loop. What keeps it right here (measured with Whisper base):

- it predicts timestamps: without them short windows looped in 4 of 10 recordings, with them and
  2 s of silence behind the speech in none;
- the number of tokens is bounded by what can be said in that time;
- a final text that loops, breaks off, was cut for its length or is improbable is decoded again,
  in the full window and by beam search, then without timestamps by sampling.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np
import tokenizers
from faster_whisper.feature_extractor import FeatureExtractor
from faster_whisper.tokenizer import _LANGUAGE_CODES, Tokenizer

from services.asr.engines import guards, languages, whisper_prompt
from services.asr.engines.engine import (
    MAX_WINDOW_SECONDS,
    SAMPLE_RATE,
    EngineInfo,
    Float32,
    Hypothesis,
    HypothesisWord,
    Window,
    mean_probability,
)
from services.asr.engines.whisper_words import TIMESTAMP_SECONDS, timed_words

_HOP = 160
"""Samples a mel frame (10 ms)."""
_FADE_OUT = 4 * _HOP
"""Silence behind the samples: the last mel frame sees nothing else."""
_TRAILING_SECONDS = 2.0
_LENGTH_CLASSES = {"cpu": (5.0, 10.0, 20.0, MAX_WINDOW_SECONDS), "cuda": (MAX_WINDOW_SECONDS,)}
"""Padded seconds, by device. Windows of one class share batches, and a batch is as long as its
longest window: on a CPU a longer window costs what it is longer, on a GPU next to nothing beside
the steps of the decoder, which all windows of a batch share."""
_BROKEN_OFF_SECONDS = 1.5
"""Speech left untranscribed at the end that makes a text count as broken off."""
_TEXT_CONTEXT = 448
_CONTEXT_CHARACTERS = 400
_MEDIAN_FILTER = 7
_LANGUAGES_TOLD = 8
_BEAM_COST = 1.5
"""A decode by beam search over one of a window as long that is not."""


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One way to decode.

    Attributes:
        seconds: Length of the padded window.
        timestamps: Whether timestamps are predicted.
        context: Whether the decoder is told what was said before.
        hints: Whether it is told the hints.
        beam: Width of the beam.
        temperature: Above 0, the best of `beam` samples instead.
        runner_up: Whether to try the second likeliest language: the text shows which it is.
    """

    seconds: float = MAX_WINDOW_SECONDS
    timestamps: bool = True
    context: bool = True
    hints: bool = True
    beam: int = 1
    temperature: float = 0.0

    runner_up: bool = False

    def is_for(self, window: Window, hypothesis: Hypothesis) -> bool:
        """Whether a final text may gain by it."""
        if self.runner_up:
            return window.language is None and guards.is_in_doubtful_language(hypothesis)
        if self.temperature > 0:
            # Samples are seldom more probable, but loop less.
            return not hypothesis.reliable
        return guards.is_doubtful(hypothesis)


# As Whisper itself does when its guards fire (Radford et al. 2022, section 4.5); context goes as
# well, since it may be what the model repeats, and hints at last.
_FALLBACKS = (
    _Attempt(context=False, beam=5),
    _Attempt(context=False, beam=5, runner_up=True),
    _Attempt(context=False, hints=False, beam=5, timestamps=False, temperature=0.4),
)


@dataclass(frozen=True, slots=True)
class _Decoded:
    """A window's text, and the encoder's output that it was read from."""

    hypothesis: Hypothesis
    tokens: list[int]
    encoded: Any
    row: int


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
        self._kind = kind
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
        self._space = self._id("Ġ")
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

    def prepare(self, window: Window) -> Window:
        """Computes the log-mel spectrogram of its samples."""
        return replace(window, features=self._features_of(window))

    def batch_key(self, window: Window) -> tuple[float, int, int]:
        """Windows of one length class, prompt length and attempt share a batch."""
        if window.attempt:
            prompt = self._attempted_prompt(window, _FALLBACKS[window.attempt - 1])
            return MAX_WINDOW_SECONDS, len(prompt), window.attempt
        prompt = self._prompt(window.hints, window.context)
        return length_class(window.seconds, self._kind), len(prompt), 0

    def cost(self, window: Window) -> float:
        """The padded length in seconds; a fallback's beam takes about half as much again."""
        if window.attempt:
            return _BEAM_COST * MAX_WINDOW_SECONDS
        return padded_seconds(window.seconds)

    def close(self) -> None:
        """Releases the model's memory."""
        self._model.unload_model()

    def decode(self, windows: Sequence[Window]) -> Sequence[Hypothesis | Exception]:
        """Decodes windows of one `batch_key` together, once."""
        prepared = [self.prepare(window) for window in windows]
        number = windows[0].attempt
        if number:
            attempt = _FALLBACKS[number - 1]
        else:
            attempt = _Attempt(padded_seconds(max(w.seconds for w in windows)))
        return self._with_words(windows, self._attempt(prepared, attempt))

    def again(self, window: Window, best: Hypothesis) -> Window | None:
        """The next of the fallbacks, where it may help a final text."""
        if not window.final or window.attempt == len(_FALLBACKS):
            return None
        if not _FALLBACKS[window.attempt].is_for(window, best):
            return None
        return replace(window, attempt=window.attempt + 1)

    def _attempt(self, windows: Sequence[Window], attempt: _Attempt) -> list[_Decoded]:
        encoded = self._model.encode(self._mel(windows, attempt.seconds))
        detected = self._languages(windows, encoded)
        chosen: list[tuple[str, float]] = []
        for row, window in enumerate(windows):
            if window.language:
                chosen.append((window.language, 1.0))
                continue
            ranking = languages.ranked(detected[row], window.language_prior, window.seconds)
            if attempt.runner_up and len(ranking) > 1:
                # If its text turns out the better one, it was the likelier language all along.
                detected[row] = languages.exchanged(detected[row], ranking[0][0], ranking[1][0])
                chosen.append((ranking[1][0], ranking[0][1]))
            else:
                chosen.append(ranking[0])
        suffix = [] if attempt.timestamps else [self._no_timestamps]
        prompts = [
            [*self._attempted_prompt(w, attempt), *self._start_sequence(code), *suffix]
            for w, (code, _) in zip(windows, chosen, strict=True)
        ]
        room = _TEXT_CONTEXT - len(prompts[0])
        limits = [
            min(room, guards.token_limit(code, window.seconds))
            for window, (code, _) in zip(windows, chosen, strict=True)
        ]
        sampling = attempt.temperature > 0
        generated = self._model.generate(
            encoded,
            prompts,
            beam_size=1 if sampling else attempt.beam,
            num_hypotheses=attempt.beam if sampling else 1,
            sampling_temperature=attempt.temperature if sampling else 1.0,
            sampling_topk=0 if sampling else 1,
            max_length=_max_length(len(prompts[0]), max(limits)),
            return_scores=True,
            return_no_speech_prob=True,
        )
        decoded: list[_Decoded] = []
        for row, result in enumerate(generated):
            hypothesis, tokens = self._read(
                result,
                windows[row],
                attempt=attempt,
                limit=limits[row],
                language=chosen[row],
                detected=detected[row],
            )
            decoded.append(_Decoded(hypothesis, tokens, encoded, row))
        return decoded

    def _features_of(self, window: Window) -> Float32:
        if window.features is not None:
            return window.features
        samples = np.pad(window.samples, (0, -len(window.samples) % _HOP + _FADE_OUT))
        features: Float32 = self._features(samples, padding=0)
        return features

    def _mel(self, windows: Sequence[Window], seconds: float) -> Any:
        frames = math.ceil(seconds * SAMPLE_RATE / _HOP)
        batch = np.empty((len(windows), self._model.n_mels, frames), dtype=np.float32)
        for row, window in zip(batch, windows, strict=True):
            features = self._features_of(window)
            count = min(frames, features.shape[1])
            row[:, :count] = features[:, :count]
            row[:, count:] = features[:, -1:]
        return ctranslate2.StorageView.from_array(batch)

    def _languages(
        self, windows: Sequence[Window], encoded: Any
    ) -> list[tuple[tuple[str, float], ...]]:
        """The likeliest languages of each window, for those that do not name one."""
        if not self._multilingual:
            return [(("en", 1.0),)] * len(windows)
        if all(window.language for window in windows):
            return [()] * len(windows)
        return [
            languages.among(
                [(token.strip("<|>"), float(score)) for token, score in ranking], window.languages
            )
            for window, ranking in zip(windows, self._model.detect_language(encoded), strict=True)
        ]

    def _start_sequence(self, language: str) -> list[int]:
        start = [self._id("<|startoftranscript|>")]
        if self._multilingual:
            start += [self._id(f"<|{language}|>"), self._id("<|transcribe|>")]
        return start

    def _attempted_prompt(self, window: Window, attempt: _Attempt) -> list[int]:
        hints = window.hints if attempt.hints else ()
        return self._prompt(hints, window.context if attempt.context else "")

    def _prompt(self, hints: Sequence[str], context: str) -> list[int]:
        tokens = whisper_prompt.fitted(
            self._hint_tokens(hints),
            self._text_tokens(context[-_CONTEXT_CHARACTERS:]),
            self._space,
        )
        return [self._id("<|startofprev|>"), *tokens] if tokens else []

    def _hint_tokens(self, hints: Sequence[str]) -> list[int]:
        """As many hints as there is room for, the likeliest last: there it is heard best."""
        tokens: list[int] = []
        for number, hint in enumerate(hints):
            before = self._text_tokens(f"{hint}{',' if number else '.'}")
            if len(before) + len(tokens) > whisper_prompt.SIZES[-1]:
                break
            tokens = before + tokens
        return tokens

    def _text_tokens(self, text: str) -> list[int]:
        if not text:
            return []
        ids = self._tokenizer.encode(f" {text.strip()}", add_special_tokens=False).ids
        # Written out, "<|startoftranscript|>" becomes the control token; a prompt is text alone.
        tokens = [token for token in ids if token < self._end]
        return tokens if any(c.isalnum() for c in self._text(tokens)) else []

    def _read(
        self,
        result: Any,
        window: Window,
        *,
        attempt: _Attempt,
        limit: int,
        language: tuple[str, float],
        detected: tuple[tuple[str, float], ...],
    ) -> tuple[Hypothesis, list[int]]:
        ids: list[int] = [token for token in result.sequences_ids[0] if token != self._end]
        count = len(ids) + 1
        tokens, covered = self._spoken(ids, window.seconds) if attempt.timestamps else (ids, None)
        tail = guards.looped_tail(tokens)
        tokens = tokens[: len(tokens) - tail]
        text = self._text(tokens)
        looped = tail > 0 or guards.compression_ratio(text) > guards.COMPRESSION_RATIO
        doubled = attempt.context and guards.is_doubled(text)
        broken_off = covered is not None and window.seconds - covered > _BROKEN_OFF_SECONDS
        reliable = not (looped or doubled or broken_off or len(ids) >= limit)
        log_probability = float(result.scores[0]) * (count - 1) / count
        silent = guards.is_no_speech(
            float(result.no_speech_prob), log_probability, reliable=reliable
        )
        spoken = not silent and any(c.isalnum() for c in text)
        # A prompt, more than anything else, may make the model write nothing.
        mute = not spoken and not silent and bool(window.hints or window.context)
        hypothesis = Hypothesis(
            text=text if spoken else "",
            language=language[0],
            language_probability=language[1],
            detected=detected[:_LANGUAGES_TOLD] if window.language is None else (),
            probability=math.exp(min(0.0, log_probability)),
            reliable=(reliable and not mute) or silent,
        )
        return hypothesis, tokens

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
            moment = (token - self._first_timestamp) * TIMESTAMP_SECONDS
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

    def _with_words(
        self, windows: Sequence[Window], results: Sequence[_Decoded]
    ) -> list[Hypothesis]:
        """The hypotheses, with words for the windows that ask for them.

        Of an improbable final text the words' probability says whether somebody spoke at all.
        """
        hypotheses = [result.hypothesis for result in results]
        groups: dict[tuple[int, str], list[int]] = defaultdict(list)
        for i, (window, result) in enumerate(zip(windows, results, strict=True)):
            heard = result.hypothesis
            doubtful = window.final and guards.is_improbable(heard)
            if heard.text and (window.word_offsets or doubtful):
                groups[id(result.encoded), result.hypothesis.language].append(i)
        for (_, code), indices in groups.items():
            chosen = [results[i] for i in indices]
            lengths = [windows[i].seconds for i in indices]
            for i, words in zip(indices, self._align(chosen, code, lengths), strict=True):
                asked = words if windows[i].word_offsets else ()
                hypotheses[i] = replace(
                    hypotheses[i], words=asked, word_probability=mean_probability(words)
                )
        return hypotheses

    def _align(
        self, results: Sequence[_Decoded], language: str, lengths: Sequence[float]
    ) -> list[tuple[HypothesisWord, ...]]:
        """Words of results of one attempt, from cross-attention by dynamic time warping."""
        encoded, rows = results[0].encoded, [result.row for result in results]
        features = encoded
        if len(rows) != encoded.shape[0]:
            # numpy has no bfloat16; the model takes what it is given into its own precision.
            on_cpu = encoded.to(ctranslate2.DataType.float32).to_device(ctranslate2.Device.cpu)
            features = ctranslate2.StorageView.from_array(
                np.ascontiguousarray(np.array(on_cpu)[rows])
            )
        tokens = [result.tokens for result in results]
        frames = [min(encoded.shape[1] * 2, round(s * SAMPLE_RATE / _HOP)) for s in lengths]
        alignments = self._model.align(
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
            timed_words(splitter, text, alignment, length)
            for text, alignment, length in zip(tokens, alignments, lengths, strict=True)
        ]

    def _text(self, tokens: Sequence[int]) -> str:
        return str(self._tokenizer.decode([t for t in tokens if t < self._end]))

    def _id(self, token: str) -> int:
        found = self._tokenizer.token_to_id(token)
        if found is None:
            raise RuntimeError(f"the tokenizer knows no {token}: not a Whisper model")
        return int(found)


def padded_seconds(seconds: float) -> float:
    """The padded length for `seconds` of speech, in steps: what a decode of it alone takes."""
    wanted = seconds + _TRAILING_SECONDS
    step = 0.5 if wanted <= 10.0 else 1.0
    return min(MAX_WINDOW_SECONDS, math.ceil(wanted / step) * step)


def length_class(seconds: float, device: str) -> float:
    """The longest padded length that windows of this length share a batch with.

    Args:
        seconds: Length of the speech.
        device: "cpu" or "cuda".
    """
    padded = padded_seconds(seconds)
    return min(length for length in _LENGTH_CLASSES[device] if padded <= length)


def _max_length(prompt: int, tokens: int) -> int:
    """What to ask CTranslate2 for so that it may generate that many tokens.

    Its Whisper generates at most half of `max_length`, and no more than that less the prompt.
    """
    return max(2 * tokens, prompt + tokens)
