"""What words over the interviewer, or in an answer's place, mean."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.cli.demo import INTERVIEW
from services.interview.questions.bank import load_bank
from services.interview.understanding.intent import Intent, Situation, understand
from services.interview.understanding.wording import read
from tests.interview.understanding.corpus import Sample, samples

COMMANDS = {Intent.REPEAT, Intent.REPHRASE, Intent.HOLD, Intent.SKIP, Intent.END}
UNDISTURBED = {Intent.NOISE, Intent.BACK_CHANNEL, Intent.ECHO}
SILENT = Situation("en", None)
LINE = "How do you keep a large database healthy over the years?"
PLAYING = Situation("en", LINE, "How do you keep a large")


def meant(half: Sequence[Sample]) -> list[tuple[Sample, Intent]]:
    return [(s, understand(s.text, s.situation, final=s.final)) for s in half]


@pytest.mark.parametrize("sample", samples("fitted"), ids=lambda s: f"{s.intent.name}-{s.text}")
def test_the_fitted_half_is_understood(sample: Sample) -> None:
    assert understand(sample.text, sample.situation, final=sample.final) is sample.intent


def test_the_half_that_was_held_out_is_understood() -> None:
    """241 of 243 at its first judging; one more since, where a pattern was torn by a blank."""
    found = meant(samples("held_out"))
    wrong = [(sample.text, intent) for sample, intent in found if intent is not sample.intent]
    assert len(found) >= 150 + 60
    assert len(wrong) <= 0.02 * len(found), wrong


@pytest.mark.parametrize("half", ["fitted", "held_out"])
def test_no_content_is_taken_for_a_command(half: str) -> None:
    assert not [
        (sample.text, intent)
        for sample, intent in meant(samples(half))
        if intent in COMMANDS and sample.intent is not intent
    ]


def test_both_halves_cover_both_languages_and_have_nothing_in_common_but_signs() -> None:
    fitted, held_out = samples("fitted"), samples("held_out")
    for half, least in ((fitted, 75), (held_out, 70)):
        assert sum(s.situation.language == "zh" for s in half) >= least
        assert {sample.intent for sample in half} == set(Intent)
    # Stripped of punctuation, a command of one half is none of the other's.
    plain = [
        {re.sub(r"\W", "", s.text.lower()) for s in half if s.intent in COMMANDS}
        for half in (fitted, held_out)
    ]
    assert len(plain[0] & plain[1]) <= 4


def test_nothing_in_the_bank_or_in_whole_answers_is_a_command() -> None:
    texts = [text for prepared in INTERVIEW for text in (prepared.answer, prepared.after)]
    for question in load_bank():
        texts += [question.text, *question.key_points, *question.follow_ups]
    parts = [part for text in texts for part in (text, *re.split(r"[.?!,;]", text))]
    assert len(parts) > 1000
    assert not [part for part in parts if understand(part, SILENT, final=True) in COMMANDS]


@pytest.mark.parametrize(
    "text",
    ["Could you repeat that?", "One moment.", "Next question please.", "Can we stop here?"],
)
def test_before_the_text_is_final_a_command_only_stops_the_line(text: str) -> None:
    assert understand(text, PLAYING, final=False) is Intent.SPEECH
    assert understand(text, PLAYING, final=True) in COMMANDS


def test_a_line_stops_on_evidence_alone() -> None:
    """As its recognition grows: nothing, a fragment, then words."""
    grown = ["", "I", "I would", "I would like to"]
    heard = [understand(text, PLAYING, final=False) for text in grown]
    assert heard == [Intent.NOISE, Intent.NOISE, Intent.SPEECH, Intent.SPEECH]


@pytest.mark.parametrize("words", range(1, 12))
def test_a_growing_echo_never_stops_the_line(words: int) -> None:
    played = " ".join(LINE.split()[:words])
    situation = Situation("en", LINE, played)
    assert understand(played, situation, final=False) in UNDISTURBED
    if words >= 2:
        assert understand(played, situation, final=True) is Intent.ECHO


def test_what_is_said_over_an_echo_is_heard_besides_it() -> None:
    said = "how do you keep a wait can I ask something"
    assert understand(said, PLAYING, final=True) is Intent.SPEECH


def test_words_of_the_line_that_were_not_played_yet_are_no_echo() -> None:
    line = "Thanks for that long and careful answer. Now tell me about the years at the bank."
    start = Situation("en", line, "Thanks")
    assert understand("tell me about the years", start, final=True) is Intent.SPEECH


def test_a_short_answer_that_stands_in_the_question_is_an_answer_once_that_was_heard() -> None:
    line = "Which do you prefer, Python or Java?"
    assert understand("Java.", Situation("en", line, line, question_heard=True), final=True) is (
        Intent.SPEECH
    )


@pytest.mark.parametrize("text", ["Exactly.", "Great.", "Correct.", "Sure.", "Yes."])
def test_what_listens_over_a_line_may_answer_where_an_answer_is_expected(text: str) -> None:
    assert understand(text, PLAYING, final=True) is Intent.BACK_CHANNEL
    assert understand(text, SILENT, final=True) is Intent.SPEECH


def test_a_long_answer_is_speech_whatever_stands_in_it() -> None:
    answer = "Um, let me think. Next question please, the customer said. " * 40
    assert understand(answer, SILENT, final=True) is Intent.SPEECH
    assert understand(answer, PLAYING, final=False) is Intent.SPEECH


@pytest.mark.parametrize(
    "text",
    [
        "Subscribe to the order events and keep a local copy.",
        "Subscribe to the topic.",
        "Subtitles made me learn English.",
        "字幕组里我负责校对和时间轴。",
        "字幕翻译是我的第一份工作。",
        "我会让每个服务订阅自己关心的频道，这样没有直接的依赖。",
        "Я пять лет работаю инженером.",
        "저는 백엔드 개발자로 일했습니다.",
        "أنا مهندس برمجيات",
        "Όχι",
    ],
)
def test_no_answer_is_taken_for_noise(text: str) -> None:
    assert understand(text, SILENT, final=True) is Intent.SPEECH


@pytest.mark.parametrize(
    "text",
    ["Subscribe.", "Like and subscribe to our channel!", "字幕志愿者 某某", "请订阅我的频道"],
)
def test_what_recognition_makes_up_is_noise(text: str) -> None:
    assert understand(text, SILENT, final=True) is Intent.NOISE


BRANCHES = "Do you prefer short lived branches or long lived feature branches?"
INDEXES = "What does a database index do, and why not index every column?"
SERVICES = "你们用的是微服务还是单体架构？"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Long lived feature branches.", BRANCHES),
        ("Short lived branches.", BRANCHES),
        ("I prefer short lived branches.", BRANCHES),
        ("I would index every column.", INDEXES),
        ("I don't index every column.", INDEXES),
        ("单体架构。", SERVICES),
        ("用的是单体架构。", SERVICES),
        ("我们用的是微服务", SERVICES),
    ],
)
def test_an_answer_in_the_questions_words_is_no_echo_once_that_was_heard(
    text: str, line: str
) -> None:
    situation = Situation("en", line, line, question_heard=True)
    assert understand(text, situation, final=True) is Intent.SPEECH
    assert understand(line, situation, final=True) is Intent.ECHO


@pytest.mark.parametrize(
    "text",
    [
        "Yes, we should stop.",
        "We can stop.",
        "Well, we could end early.",
        "Then I have to go.",
        "I need to close.",
        "I have to finish.",
        "I would rather cancel.",
        "I need to stop.",
    ],
)
def test_an_answer_does_not_end_the_interview(text: str) -> None:
    assert understand(text, SILENT, final=True) is Intent.SPEECH


@pytest.mark.parametrize(
    "text",
    ["Can we stop?", "I have to go now.", "We should stop the interview.", "May I leave now?"],
)
def test_a_request_ends_the_interview(text: str) -> None:
    assert understand(text, SILENT, final=True) is Intent.END


@pytest.mark.parametrize("sound", ["嗯", "呃", "嗯呃", "m"])
def test_a_drawn_out_sound_is_read_as_a_short_one(sound: str) -> None:
    """Else the commands' patterns look at every way to divide it."""
    assert read((sound * 118)[:118]) == read(sound * 4)
    assert len(read((sound * 118)[:118]).clauses[0]) <= 6
    assert understand((sound * 118)[:118], SILENT, final=True) is Intent.BACK_CHANNEL


def test_numbers_keep_their_digits() -> None:
    assert read("100000 rows").words == ("100000", "rows")


@given(st.text(alphabet=st.characters(max_codepoint=0x9FFF)), st.booleans(), st.booleans())
@example(text="um " * 2000, playing=False, final=True)
@example(text="sorry i do not know " * 500, playing=False, final=True)
@example(text="嗯" * 3000, playing=True, final=True)
def test_any_text_means_something(text: str, playing: bool, final: bool) -> None:
    assert understand(text, PLAYING if playing else SILENT, final=final) in Intent


@pytest.mark.parametrize(
    "text",
    [
        "Close the session.",
        "End the session.",
        "Terminate the session.",
        "Cancel the session.",
        "Finish the session",
        "End the call.",
        "Stop the call now.",
        "End the conversation.",
        "Quit the call.",
        "No, that's all for now.",
        "That's it for now.",
        "结束会话。",
        "结束对话。",
        "终止对话",
        "终止。",
    ],
)
def test_an_answer_about_a_session_or_a_call_does_not_end_the_interview(text: str) -> None:
    assert understand(text, SILENT, final=True) is Intent.SPEECH


@pytest.mark.parametrize(
    "text",
    [
        "End the interview.",
        "Please end the session.",
        "Can we end the call here?",
        "我想结束对话。",
    ],
)
def test_the_interview_is_ended_by_name_or_by_a_request(text: str) -> None:
    assert understand(text, SILENT, final=True) is Intent.END
