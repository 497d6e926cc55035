"""Anyone's recordings of answers, judged by where they truly end.

A folder holds 16 kHz or other WAV, FLAC or Ogg files, one answer each, and `ends.csv`:

    file,end,language,question
    monday.wav,12.4,en,Tell me about a project you are proud of.

`end` is where the last word ends, in seconds. Language (en) and question (none) may be left out.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from viva.serving.v1 import serving_pb2

from services.asr.engines.engine import SAMPLE_RATE, Float32, Recognizer, Window, decode_fully
from services.asr.engines.selection import load_recognizers
from services.asr.settings import AsrSettings
from services.asr.turn_completion import TurnCompletion, load_turn_completion
from services.asr.vad import SileroVad
from services.cli.bench.endpointing.cases import Case
from services.cli.bench.endpointing.hearing import HeardPause, heard_pauses
from services.interview.endpointing.moment import Asked, Pause
from services.interview.endpointing.pace import SpeakerPace
from services.interview.record import Phase
from services.runtime.audio.decoding import open_recording
from services.runtime.errors import ResourceMissing

LISTING = "ends.csv"
_TAIL = round(0.2 * SAMPLE_RATE)
"""Silence that the recogniser hears behind a pause's beginning."""
_CLOSE_AFTER = round(14.0 * SAMPLE_RATE)
"""Audio after which what was understood is kept, and the next words are heard without it."""
_CLOSE_ENOUGH = 0.35
"""Seconds by which voice activity may see the end before the last word's true one."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A recording of one answer.

    Attributes:
        file: Where it is.
        end: Where its last word ends, in seconds.
        asked: What it answers.
    """

    file: Path
    end: float
    asked: Asked


def recorded_answers(folder: Path) -> Sequence[Recorded]:
    """What a folder holds.

    Raises:
        LookupError: It has no `ends.csv`, or that names a file which is not there or no end.
    """
    listing = folder / LISTING
    if not listing.is_file():
        raise LookupError(f"{folder} has no {LISTING} with the columns file,end")
    found = []
    with listing.open(newline="", encoding="utf-8") as text:
        for row in csv.DictReader(text):
            try:
                name, end = str(row["file"]), float(row["end"])
            except (KeyError, TypeError, ValueError):
                raise LookupError(f"{listing}: a row has no file or no end in seconds") from None
            if not (folder / name).is_file():
                raise LookupError(f"{listing} names {name}, which is not there")
            language, question = row.get("language") or "en", row.get("question") or ""
            found.append(
                Recorded(folder / name, end, Asked(question, Phase.QUESTION, None, language))
            )
    if not found:
        raise LookupError(f"{listing} names no recording")
    return found


class Listener:
    """The parts of our recognition server, in this process."""

    def __init__(self) -> None:
        """Loads the models.

        Raises:
            ResourceMissing: One is not there.
        """
        judge = load_turn_completion()
        if judge is None:
            raise ResourceMissing("Smart Turn is not installed", "install it with `make setup`")
        self._judge: TurnCompletion = judge
        self._vad = SileroVad()
        self._recognizer: Recognizer = load_recognizers(AsrSettings())[0]

    @property
    def model(self) -> str:
        """The recogniser's name."""
        return self._recognizer.info.name

    def cases(self, recording: Recorded) -> Sequence[Case]:
        """The pauses of a recording."""
        file = recording.file.read_bytes()
        with open_recording(file, serving_pb2.AudioFormat(), target_hz=SAMPLE_RATE) as opened:
            samples = np.concatenate(list(opened.blocks()))
        return self.heard(recording.file.stem, samples, recording.end, recording.asked)

    def heard(self, name: str, samples: Float32, end: float, asked: Asked) -> Sequence[Case]:
        """The pauses of an answer whose last word ends at `end` seconds."""
        pauses = list(_up_to_the_end(self.pauses(samples), end))
        texts = self.texts(samples, pauses, asked.language)
        pace = SpeakerPace()
        found = []
        for pause, text in zip(pauses, texts, strict=True):
            known = Pause(0.0, pause.sound, text, pause.speech)
            lag = pause.start - end if pause.length is None else 0.0
            found.append(Case(name, known, asked, pace, pause.length, lag))
            if pause.length is not None:
                pace = pace.observe(pause.length)
        return found

    def pauses(self, samples: Float32) -> Sequence[HeardPause]:
        """The pauses of a recording, 16 kHz mono."""
        return heard_pauses(samples, self._vad, self._judge)

    def texts(self, samples: Float32, pauses: Sequence[HeardPause], language: str) -> Iterator[str]:
        """What was understood of a recording up to each of its pauses."""
        kept, begun = "", 0
        for pause in pauses:
            stop = round(pause.start * SAMPLE_RATE)
            text = (kept + self._text(samples[begun : stop + _TAIL], language)).strip()
            yield text
            if stop - begun > _CLOSE_AFTER:
                kept, begun = text + ("" if language.startswith("zh") else " "), stop

    def _text(self, samples: Float32, language: str) -> str:
        window = self._recognizer.prepare(Window(samples, language=language))
        [hypothesis] = decode_fully(self._recognizer, [window])
        if isinstance(hypothesis, Exception):
            raise hypothesis
        return hypothesis.text.strip()


def _up_to_the_end(pauses: Sequence[HeardPause], end: float) -> Iterator[HeardPause]:
    """The pauses inside the answer, and the one it ends with."""
    for pause in pauses:
        if pause.start < end - _CLOSE_ENOUGH and pause.length is not None:
            yield pause
        else:
            yield HeardPause(pause.start, None, pause.sound, pause.speech)
            return
