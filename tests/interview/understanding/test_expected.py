"""What the question makes of words that elsewhere are a wish, listening, or nothing."""

from __future__ import annotations

import pytest

from services.interview.endpointing.moment import Asked
from services.interview.record import Phase
from services.interview.understanding.intent import Intent, Situation, understand

SPEECH, HOLD = Intent.SPEECH, Intent.HOLD


def meant(question: str, text: str, *, over: bool = False) -> Intent:
    language = "en" if question.isascii() else "zh"
    asked = Asked(question, Phase.QUESTION, None, language)
    if over:
        situation = Situation(language, question, question, question_heard=True, asked=asked)
    else:
        situation = Situation(language, None, asked=asked)
    return understand(text, situation, final=True)


@pytest.mark.parametrize("over", [False, True])
@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("How long did it take?", "Two minutes."),
        ("How long did the outage last?", "A few seconds."),
        ("How long did the outage last?", "Half a minute."),
        ("How soon would you notice?", "A couple of minutes."),
        ("How long did you wait?", "A while."),
        ("Did it pass?", "Pass."),
        ("Did the last build pass or fail?", "Pass."),
        ("Should a consumer wait or poll?", "Wait."),
        ("Which option would you take, A or B?", "A."),
        ("Which option would you take, A or B?", "The A."),
        ("Which team do you work in?", "IT."),
        ("你们的测试是过还是没过？", "过。"),
    ],
)
def test_a_short_fact_answers_a_question_for_one(question: str, text: str, over: bool) -> None:
    assert meant(question, text, over=over) is SPEECH


@pytest.mark.parametrize(
    "text", ["Okay.", "All right.", "Sounds good.", "Mm-hmm.", "Uh-huh.", "No problem.", "Thanks."]
)
def test_assent_answers_a_closed_question(text: str) -> None:
    assert meant("Are you ready to begin?", text) is SPEECH


@pytest.mark.parametrize(
    ("question", "text"),
    [("你准备好了吗？", "好的。"), ("Can you hear me?", "I can hear you.")],
)
def test_so_do_signs_that_one_is_there(question: str, text: str) -> None:
    assert meant(question, text) is SPEECH


@pytest.mark.parametrize("text", ["Um.", "Hmm.", "Uh", "Haha.", "Oh."])
def test_a_hesitation_answers_nothing(text: str) -> None:
    assert meant("Are you ready to begin?", text) is Intent.BACK_CHANNEL


@pytest.mark.parametrize(
    ("question", "text", "intent"),
    [
        ("How would you find a slow query?", "Two minutes.", HOLD),
        ("How would you find a slow query?", "Wait.", HOLD),
        ("How would you find a slow query?", "Pass.", Intent.SKIP),
        ("How would you find a slow query?", "Okay.", Intent.BACK_CHANNEL),
        ("How long did it take?", "Give me a minute.", HOLD),
        ("How long did it take?", "One moment, please.", HOLD),
        ("How long did it take?", "Could you repeat that?", Intent.REPEAT),
        ("Did you ship it?", "Let me think.", HOLD),
        ("Did you ship it?", "Next question, please.", Intent.SKIP),
        ("Was it cheap or fast?", "Can you repeat that?", Intent.REPEAT),
    ],
)
def test_a_wish_is_one_all_the_same(question: str, text: str, intent: Intent) -> None:
    assert meant(question, text) is intent
