"""One turn: which audio to decode, and its text as it becomes known. No clocks, no tasks.

Positions are samples (16 kHz) from the start of the stream.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from services.asr.agreement import StableText, continuation
from services.asr.endpointing import EndReason
from services.asr.engines.engine import SAMPLE_RATE, Float32, Hypothesis, HypothesisWord, Window
from services.asr.engines.guards import is_invented
from services.asr.stream_context import StreamContext
from services.asr.transcript import Cost, Partial, TimedWord, Transcript, timed_words
from services.asr.widening import (
    LONGEST_SECONDS,
    SHORT_SECONDS,
    Widening,
    better,
    is_convincing,
    is_unsure,
)

_CLOSE_AFTER = 13.0
"""Seconds from which a window's settled beginning is closed off: long windows cost too much."""
_LONGEST = 26.0
"""Seconds a window may have; four less than the model's, for the silence behind it."""
_FORCE_AFTER = 20.0
"""Seconds from which a window is closed off even where its text is not yet stable."""
_LEAST_CLOSED = 3.0
_LEAST_LEFT = 6.0
"""Seconds that stay in a window when its beginning is closed off: what is said next is understood
better with the speech before it."""
_SURE_LANGUAGE = 0.95
_SURE_AFTER = 2.0
"""Seconds of speech after which a language recognised with that probability is kept."""
_DECIDED_AFTER = 8.0
"""Seconds of speech after which the likeliest language is kept, sure or not."""
_PROBABLE = 0.65
"""Probability from which a text may become stable: from there on no stable beginning of 34 turns
of the tuning recordings differed from the final text, from 0.6 on two did."""
_FRESH = round(0.3 * SAMPLE_RATE)
"""Audio that a decode must have heard beyond the one before it to confirm it."""
_SENTENCE_END = (".", "?", "!", "。", "？", "！")
_PAUSE_MARK = (",", ";", ":", "，", "；", "：", "、")


@dataclass(frozen=True, slots=True)
class Job:
    """Audio to decode: from `start` to `end`.

    `speech_end` is where the turn's speech ends if this decode is to settle its text; None for a
    preview. `widened` says that the speech before the turn is decoded with it.
    """

    start: int
    end: int
    speech_end: int | None
    widened: bool = False


@dataclass(frozen=True, slots=True)
class _Opinions:
    """What a turn's text is if its speech ended there: alone, and with the speech before it."""

    speech_end: int
    alone: Hypothesis | None = None
    together: Hypothesis | None = None


@dataclass(frozen=True, slots=True)
class _Settled:
    speech_end: int
    transcript: Transcript


class Turn:
    """A turn from its first speech to its final text."""

    def __init__(
        self,
        number: int,
        *,
        speech_start: int,
        audio_start: int,
        languages: tuple[str, ...],
        hints: tuple[str, ...],
        word_offsets: bool,
        context: StreamContext | None = None,
    ) -> None:
        """Starts a turn.

        Args:
            number: Its number in the stream, from 1.
            speech_start: Where its speech starts.
            audio_start: Where its audio starts, a little earlier.
            languages: Codes of the languages that may be spoken; see StreamConfig.
            hints: Phrase hints, the likeliest first.
            word_offsets: Whether its transcript has words.
            context: The turns before it, which it joins; None where there can be none.
        """
        self.number = number
        self.speech_start = speech_start
        self.audio_start = audio_start
        self.heard = audio_start
        self.cost = Cost()
        self.eager_end: int | None = None
        self.eager_sent = False
        self.paused = False
        """Whether the present silence has been told."""
        self.end: int | None = None
        self.reason = EndReason.SILENCE
        self.ended_at = 0.0
        self._languages = languages
        self._named_language = languages[0] if len(languages) == 1 else None
        self._language = self._named_language
        self._language_confidence: float | None = None
        self._hints = hints
        self._word_offsets = word_offsets
        self._text = StableText()
        self._closed_words: tuple[TimedWord, ...] = ()
        """The words of the windows before the present one."""
        self._window_words: list[TimedWord] = []
        """What the engine heard in the present window."""
        self._weighed = 0.0
        self._weight = 0
        self._settled: _Settled | None = None
        self._context = context or StreamContext()
        self._evidence: tuple[tuple[str, float], ...] = ()
        self._evidence_seconds = 0.0
        self._samples: Float32 = np.zeros(0, dtype=np.float32)
        self._opinions = _Opinions(-1)
        self._widening: Widening | None = None
        self._heard_as = ""
        """The language of the newest text heard alone."""
        self._compared_end = audio_start
        self._compared_probable = False
        """Of the newest hypothesis: what the next is compared with."""

    def partial(self) -> Partial:
        """What has been understood so far."""
        return Partial(
            self._text.stable,
            self._text.unstable,
            self.heard / SAMPLE_RATE,
            self._words(self._text.stable, self._window_words),
            self._language,
        )

    def settled(self, speech_end: int) -> Transcript | None:
        """The final transcript if the speech ended at `speech_end`; None until it is known."""
        if self._settled is None or self._settled.speech_end != speech_end:
            return None
        return self._settled.transcript

    def settling(self, speech_end: int, end: int) -> Job:
        """The next job towards the final text; a preview first while the window is too long."""
        limit = self.audio_start + round(_LONGEST * SAMPLE_RATE)
        if end > limit:
            return Job(self.audio_start, limit, None)
        opinions = self._opinions
        if opinions.speech_end == speech_end and (opinions.alone or opinions.together):
            widened = opinions.together is None
        else:
            widened = self._starts_widened((end - self.audio_start) / SAMPLE_RATE)
        return Job(self.audio_start, end, speech_end, widened=widened)

    def preview(self, end: int) -> Job:
        """A job for what has been said so far."""
        limit = self.audio_start + round(_LONGEST * SAMPLE_RATE)
        return Job(self.audio_start, min(end, limit), None)

    def window(self, job: Job, samples: Float32) -> Window:
        """What to decode for a job."""
        seconds = len(samples) / SAMPLE_RATE
        if job.speech_end is not None:
            self._samples = samples
        window = Window(
            samples=samples,
            language=self._language,
            languages=self._languages,
            language_prior=() if self._language else self._context.prior(self.number),
            hints=self._hints,
            word_offsets=self._word_offsets or (not job.speech_end and seconds >= _CLOSE_AFTER),
            final=job.speech_end is not None or seconds >= _FORCE_AFTER,
        )
        if not job.widened:
            return window
        fits = seconds <= LONGEST_SECONDS
        self._widening = Widening(
            self._context.earlier(self.number) if fits else None,
            self._context.text(self.number, self._language),
            lead=(self.speech_start - self.audio_start) / SAMPLE_RATE,
        )
        return self._widening.window(window)

    def absorb(self, job: Job, hypothesis: Hypothesis) -> bool:
        """Takes a job's result; whether a Partial would now say something new."""
        before = (self._text.stable, self._text.unstable)
        self.heard = max(self.heard, job.end)
        seconds = (job.end - job.start) / SAMPLE_RATE
        if job.widened and self._widening is not None:
            hypothesis = self._widening.own(hypothesis)
        else:
            self._heard_as = hypothesis.language if hypothesis.text else self._heard_as
        self._note_language(hypothesis, seconds)
        if job.speech_end is not None:
            concluded = self._concluded(job.speech_end, hypothesis, seconds, widened=job.widened)
            if concluded is not None:
                hypothesis = concluded
                if is_invented(hypothesis):
                    hypothesis = replace(hypothesis, text="", words=())
                self._settle(job.speech_end, hypothesis)
            elif job.widened:
                return False
        if seconds < _FORCE_AFTER and (not hypothesis.reliable or is_invented(hypothesis)):
            return False
        # What is stable stays: its language must be known, and two probable texts must say it that
        # have not heard the same.
        probable = hypothesis.probability >= _PROBABLE
        fresh = job.end - self._compared_end >= _FRESH
        agree = self._language is not None and fresh and probable and self._compared_probable
        self._text.update(hypothesis.text, agree=agree)
        self._compared_end, self._compared_probable = job.end, probable
        self._window_words = self._absolute(hypothesis.words)
        if job.speech_end is None and seconds >= _CLOSE_AFTER:
            self._close_window(job, hypothesis, force=seconds >= _FORCE_AFTER)
        return before != (self._text.stable, self._text.unstable)

    def _starts_widened(self, seconds: float) -> bool:
        """Whether a turn of that length is heard together with earlier speech before alone."""
        return self._may_widen(seconds) and (
            seconds <= SHORT_SECONDS or not self._compared_probable
        )

    def _may_widen(self, seconds: float) -> bool:
        """Whether there is earlier speech that it may be heard with: none in another language."""
        if self._text.closed or seconds > LONGEST_SECONDS:
            return False
        before = self._context.language(self.number)
        heard = self._language or self._heard_as
        return self._context.has_earlier(self.number) and heard in ("", before)

    def _concluded(
        self, speech_end: int, opinion: Hypothesis, seconds: float, *, widened: bool
    ) -> Hypothesis | None:
        """The turn's text if its speech ended there; None while another opinion is wanted."""
        opinions = self._opinions
        if opinions.speech_end != speech_end:
            opinions = _Opinions(speech_end)
        if widened:
            opinions = replace(opinions, together=opinion)
        else:
            opinions = replace(opinions, alone=opinion)
        self._opinions = opinions
        alone, together = opinions.alone, opinions.together
        if alone is None:
            return together if together and is_convincing(together) else None
        if together is not None:
            return better(alone, together)
        short = bool(alone.text) and seconds <= SHORT_SECONDS
        if self._may_widen(seconds):
            return None if short or is_unsure(alone, seconds) else alone
        prompted = not self._text.closed and self._context.text(self.number, self._language)
        return None if prompted and is_unsure(alone, seconds) else alone

    def _note_language(self, hypothesis: Hypothesis, seconds: float) -> None:
        if self._language is not None or not hypothesis.text:
            return
        self._language_confidence = hypothesis.language_probability
        if hypothesis.detected:
            self._evidence, self._evidence_seconds = hypothesis.detected, seconds
        # A prior may be what makes it sure: then the speech itself must not say otherwise.
        agreed = not hypothesis.detected or hypothesis.detected[0][0] == hypothesis.language
        sure = agreed and hypothesis.language_probability >= _SURE_LANGUAGE
        if seconds >= (_SURE_AFTER if sure else _DECIDED_AFTER):
            self._language = hypothesis.language

    def _settle(self, speech_end: int, hypothesis: Hypothesis) -> None:
        self._context.settle(
            self.number, hypothesis, self._samples, self._evidence, self._evidence_seconds
        )
        text = self._text.settle(hypothesis.text)
        weight = len(hypothesis.text)
        total = self._weight + weight
        confidence = (self._weighed + hypothesis.probability * weight) / total if total else 0.0
        limit = speech_end / SAMPLE_RATE
        words = tuple(
            replace(word, start=min(word.start, limit), end=min(word.end, limit))
            for word in self._words(text, self._absolute(hypothesis.words))
        )
        transcript = Transcript(
            text=text,
            words=words,
            language=(self._language or hypothesis.language) if text else "",
            language_confidence=self._language_confidence if text else None,
            confidence=confidence if text else None,
            start=self.speech_start / SAMPLE_RATE,
            end=speech_end / SAMPLE_RATE,
        )
        self._settled = _Settled(speech_end, transcript)

    def _words(self, text: str, heard: list[TimedWord]) -> tuple[TimedWord, ...]:
        """The words of a text that begins with the closed windows' text, when asked for."""
        if not self._word_offsets:
            return ()
        window_text = text[len(self._text.closed.lstrip()) :]
        return (*self._closed_words, *timed_words(window_text, heard))

    def _absolute(self, words: tuple[HypothesisWord, ...]) -> list[TimedWord]:
        offset = self.audio_start / SAMPLE_RATE
        first = self.speech_start / SAMPLE_RATE
        return [
            TimedWord(
                word.text.strip(),
                max(first, round(offset + word.start, 3)),
                max(first, round(offset + word.end, 3)),
                word.probability,
            )
            for word in words
        ]

    def _close_window(self, job: Job, hypothesis: Hypothesis, *, force: bool) -> None:
        """Closes the settled beginning of a long window off, at the best place to cut."""
        seconds = (job.end - job.start) / SAMPLE_RATE
        lengths = self._lengths(hypothesis)
        words = hypothesis.words
        best: tuple[float, int] | None = None
        for i in range(len(words) - 1):
            if words[i].end < _LEAST_CLOSED or words[i + 1].start > seconds - _LEAST_LEFT:
                continue
            if lengths[i] > self._text.window_stable + 1 and not force:
                break
            merit = (_merit(words[i], words[i + 1]), i)
            best = max(best, merit) if best else merit
        if best is not None:
            index = best[1]
            cut = (words[index].end + words[index + 1].start) / 2
            self._close_text(lengths[index], index + 1)
            self._weighed += hypothesis.probability * lengths[index]
            self._weight += lengths[index]
            self.audio_start += round(cut * SAMPLE_RATE)
        elif force:
            # Nothing to hold on to: no words, or one that fills the window.
            self._close_text(len(self._text.window_text), len(words))
            self.audio_start = job.end

    def _close_text(self, length: int, words: int) -> None:
        """Closes characters and words of the present window off."""
        heard = self._window_words
        if self._word_offsets:
            self._closed_words += timed_words(self._text.window_text[:length], heard[:words])
        self._window_words = heard[words:]
        self._text.close_window(length)

    def _lengths(self, hypothesis: Hypothesis) -> list[int]:
        """For each word of the hypothesis, where it ends in the window's text."""
        text = self._text.window_text
        lengths: list[int] = []
        said = ""
        for word in hypothesis.words:
            said += word.text
            length = continuation(said, text)
            while length < len(text) and not (text[length].isspace() or text[length].isalnum()):
                length += 1
            lengths.append(length)
        return lengths


def _merit(word: HypothesisWord, following: HypothesisWord) -> float:
    """How good a place to cut lies between two words: a sentence's end, a pause, rather late."""
    text = word.text.rstrip()
    mark = 1.0 if text.endswith(_SENTENCE_END) else 0.3 if text.endswith(_PAUSE_MARK) else 0.0
    pause = min(1.0, 2 * max(0.0, following.start - word.end))
    return mark + pause + 0.02 * word.end
