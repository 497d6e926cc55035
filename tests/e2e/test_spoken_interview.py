"""A whole spoken interview on real models: human recordings in, speech and a report out."""

from __future__ import annotations

import json
import re
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.real_mesh import RealMesh
from tests.recordings import librivox

ROUNDS = 2
PICKED = (0, 3, 4)
"""Recordings with whole sentences."""


@dataclass(frozen=True)
class Left:
    """What `viva interview` left behind."""

    out: Path
    transcript: dict[str, Any]
    timings: dict[str, Any]
    report: dict[str, Any]

    @property
    def turns(self) -> list[dict[str, Any]]:
        turns: list[dict[str, Any]] = self.transcript["turns"]
        return turns

    @property
    def talk(self) -> list[dict[str, Any]]:
        """The turns without asides ("Mm-hm."), which belong to no round."""
        last = len(self.turns) - 1
        return [
            turn
            for number, turn in enumerate(self.turns)
            if turn["speaker"] == "candidate" or turn["round"] or number in {0, last}
        ]


@pytest.fixture(scope="module")
def left(mesh: RealMesh, tmp_path_factory: pytest.TempPathFactory) -> Left:
    recordings = librivox()
    out = tmp_path_factory.mktemp("interview")
    answers = [str(recordings[number].path) for number in PICKED]
    held = mesh.run(
        *("interview", "--answers", *answers, "--rounds", str(ROUNDS), "--out", str(out))
    )
    assert held.returncode == 0, held.stderr + held.stdout

    def read(name: str) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((out / name).read_text())
        return content

    return Left(out, read("transcript.json"), read("timings.json"), read("report.json"))


def words(text: str) -> list[str]:
    return re.findall(r"[a-z']+", text.lower())


def test_every_round_has_a_question_an_answer_and_a_follow_up(left: Left) -> None:
    speakers = [turn["speaker"] for turn in left.talk]
    assert speakers == ["interviewer"] + ["interviewer", "candidate"] * 2 * ROUNDS + ["interviewer"]
    rounds = [turn["round"] for turn in left.turns if turn["speaker"] == "candidate"]
    assert rounds == [1, 1, 2, 2]
    asked = [t["text"] for t in left.talk if t["speaker"] == "interviewer"]
    assert len(set(asked)) == len(asked)


def test_the_candidate_is_understood(left: Left) -> None:
    said = [turn for turn in left.turns if turn["speaker"] == "candidate"]
    recordings = librivox()
    for number, turn in enumerate(said):
        expected = words(recordings[PICKED[number % len(PICKED)]].transcript)
        heard = words(turn["text"])
        assert len(set(expected) & set(heard)) >= 0.8 * len(set(expected))
        assert abs(len(heard) - len(expected)) <= 3


def test_times_are_in_order_on_one_clock(left: Left) -> None:
    for one, other in zip(left.talk, left.talk[1:], strict=False):
        assert one["start"] <= one["end"] <= other["end"]
    for one, other in zip(left.turns, left.turns[1:], strict=False):
        assert one["start"] < other["start"]
    for turn in left.turns:
        starts = [word["start"] for word in turn["words"]]
        assert starts == sorted(starts)
        if starts:
            assert turn["start"] - 0.3 <= starts[0]
            assert turn["words"][-1]["end"] <= turn["end"] + 0.3


def test_every_utterance_can_be_heard(left: Left) -> None:
    spoken = [turn for turn in left.turns if turn["speaker"] == "interviewer"]
    files = sorted(left.out.glob("interviewer-*.wav"))
    assert len(files) == len(spoken)
    for turn, path in zip(spoken, files, strict=True):
        with wave.open(str(path)) as file:
            seconds = file.getnframes() / file.getframerate()
            samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
        assert 0.15 * len(words(turn["text"])) < seconds < 0.9 * len(words(turn["text"])) + 1
        assert np.abs(samples).max() > 1000


def test_the_interviewers_speech_says_the_interviewers_text(left: Left, mesh: RealMesh) -> None:
    spoken = [turn for turn in left.turns if turn["speaker"] == "interviewer"]
    question = mesh.json("transcribe", str(left.out / "interviewer-02.wav"))
    expected, heard = set(words(spoken[1]["text"])), set(words(question["text"]))
    assert len(expected & heard) >= 0.7 * len(expected)


def test_both_sides_are_recorded_on_the_interviews_clock(left: Left) -> None:
    with wave.open(str(left.out / "interview.wav")) as file:
        assert file.getnchannels() == 2
        rate = file.getframerate()
        samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").reshape(-1, 2)
    for turn in left.turns:
        side = 0 if turn["speaker"] == "candidate" else 1
        start, end = (round(turn[key] * rate) for key in ("start", "end"))
        assert np.abs(samples[start:end, side]).max() > 500
        assert samples.shape[0] >= end - rate


def test_every_turn_is_timed_by_both_sides(left: Left) -> None:
    turns = left.timings["turns"]
    assert len(turns) == 2 * ROUNDS
    for turn in turns:
        assert turn["client"]["speech_end_to_first_audio"] > 0
        server = turn["server"]
        assert 0 < server["end_of_turn"] <= server["asr_final"] <= server["first_audio"]
    assert left.timings["speech_end_to_first_audio"]["count"] == 2 * ROUNDS
    assert not left.timings["degraded"]


def test_every_score_rests_on_a_span_of_the_transcript(left: Left) -> None:
    report = left.report
    turns = {turn["id"]: turn for turn in left.turns}
    assert 0 <= report["overallScore"] <= 100
    assert report["basis"] == "SCORING_BASIS_RUBRIC_EMBEDDING"
    assert [question["round"] for question in report["questions"]] == [1, 2]
    for question in report["questions"]:
        assert len(question["turnIds"]) == 2
        for dimension in question["dimensions"]:
            assert dimension["evidence"]
            for evidence in dimension["evidence"]:
                turn = turns[evidence["turnId"]]
                start, end = (float(evidence[key].rstrip("s")) for key in ("start", "end"))
                assert turn["start"] - 0.3 <= start <= end <= turn["end"] + 0.3
                assert set(words(evidence["quote"])) <= {*words(turn["text"]), "pause"}
