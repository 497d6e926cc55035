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
        ("What would you say to the caller?", "Could you repeat the question?", Intent.REPEAT),
        ("你对客户说什么？", "请您重复一下问题。", Intent.REPEAT),
    ],
)
def test_a_wish_is_one_all_the_same(question: str, text: str, intent: Intent) -> None:
    assert meant(question, text) is intent


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("Did you get the promotion in the end?", "No, I did not get it."),
        ("Did you get the promotion in the end?", "I did not get it."),
        ("What would you say to the caller?", "Please hold on."),
        ("What would you say to the caller?", "Could you repeat that?"),
        ("Which one do you prefer?", "The next one."),
        ("What did your boss say?", "Let's move on."),
        ("Are you still there?", "Still here."),
        ("Would you do it again?", "Yes, again."),
        ("Do you have anything to add?", "No, that's all for today."),
        ("What do you need to do your best work?", "More time."),
        ("What did the users ask for?", "Something else."),
        ("你会怎么处理超时请求？", "跳过它。"),
        ("你当时对客户说了什么？", "请稍等。"),
        ("你对客户说什么？", "请您再说一遍。"),
        ("你对客户说什么？", "麻烦您稍等。"),
        ("客人着急的时候你怎么说？", "您稍等一下。"),
        ("你为什么离职？", "不想继续了。"),
        ("你还在那家公司吗？", "我还在。"),
        ("如果队列满了怎么办？", "等一等。"),
        ("项目后来怎么样了？", "结束了。"),
        ("你当时明白吗？", "不明白。"),
    ],
)
def test_what_the_question_asks_for_is_no_wish(question: str, text: str) -> None:
    assert meant(question, text) is SPEECH


OPEN = "Tell me about a project that you are proud of."
OPEN_ZH = "请介绍一个你引以为豪的项目。"


@pytest.mark.parametrize(
    ("question", "text", "intent"),
    [
        (OPEN, "I'm afraid I missed that, could you repeat it?", Intent.REPEAT),
        (OPEN, "Sorry, my connection dropped, what was the question?", Intent.REPEAT),
        (OPEN, "One more time please, I was distracted.", Intent.REPEAT),
        (OPEN, "What do you mean by ownership?", Intent.REPHRASE),
        (OPEN, "Let me gather my thoughts.", HOLD),
        (OPEN, "One second, there's someone at the door.", HOLD),
        (OPEN, "I'd prefer a different question.", Intent.SKIP),
        (OPEN_ZH, "刚才网络卡了，能再说一遍吗？", Intent.REPEAT),
        (OPEN_ZH, "请稍等片刻。", HOLD),
        (OPEN_ZH, "等我一下，有人敲门。", HOLD),
    ],
)
def test_a_clear_request_may_say_why(question: str, text: str, intent: Intent) -> None:
    assert meant(question, text) is intent


@pytest.mark.parametrize(
    "text",
    [
        "Could you repeat that, the customer said.",
        "Hold on, that's a different project.",
        "Let's move on, the team said.",
        "We waited a moment, it was fine.",
        "Please wait, I told my boss.",
        "请再说一遍，客户说。",
    ],
)
def test_content_beside_a_request_makes_it_content(text: str) -> None:
    assert meant(OPEN if text.isascii() else OPEN_ZH, text) is SPEECH
