"""The interviewer's fixed lines, in English and Chinese.

Where a line has several wordings a seed chooses one: lines vary in an interview, and the same
interview says the same again after it was rebuilt. An empty seed takes the first.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from enum import Enum

from services.interview.interviewer.assessing import Assessment
from services.interview.interviewer.personas import primary
from services.interview.record import InterviewSettings

Wordings = Mapping[str, Sequence[str]]

WELL = 0.65
"""From this level on an answer is praised; below it, it is only thanked for."""

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_CHINESE_NUMBERS = ("零", "一", "两", "三", "四", "五", "六", "七", "八", "九", "十")


class Said(Enum):
    """Lines that may be needed at any moment.

    Attributes:
        HOLD: To a candidate who asks for time.
        TAKE_YOUR_TIME: Into a long silence.
        STILL_THERE: Into a longer one.
        OFFER_SKIP: And into the next.
        SKIPPED: When a question is left out.
        NOT_HEARD: When long speech brought no words.
        CONFIRM_END: To a candidate who seems to want to stop.
        CONFIRM_END_AGAIN: And whose reply to that is unclear.
        WAS_THAT_IT: To what sounds as if it was no answer, and no wish that was understood.
        ENDING: When the candidate wants to stop.
        BACK: After a pause, or when the connection is there again.
        TYPE_ANSWERS: Recognition is away.
        READ_TEXT: Synthesis is away; shown, never heard.
        HEARING_AGAIN: Recognition is back.
        TROUBLE: Something else is away, and the interview goes on.
    """

    HOLD = "hold"
    TAKE_YOUR_TIME = "take_your_time"
    STILL_THERE = "still_there"
    OFFER_SKIP = "offer_skip"
    SKIPPED = "skipped"
    NOT_HEARD = "not_heard"
    CONFIRM_END = "confirm_end"
    CONFIRM_END_AGAIN = "confirm_end_again"
    WAS_THAT_IT = "was_that_it"
    ENDING = "ending"
    BACK = "back"
    TYPE_ANSWERS = "type_answers"
    READ_TEXT = "read_text"
    HEARING_AGAIN = "hearing_again"
    TROUBLE = "trouble"


_LINES: Mapping[Said, Wordings] = {
    Said.HOLD: {
        "en": ("Of course, take your time.", "Sure, no hurry.", "Certainly. I'll wait."),
        "zh": ("当然，请慢慢来。", "好的，不着急。", "没问题，我等您。"),
    },
    Said.TAKE_YOUR_TIME: {
        "en": ("Take your time.", "No hurry, think it over.", "There's no rush."),
        "zh": ("请慢慢想。", "不用着急。", "您可以再想一想。"),
    },
    Said.STILL_THERE: {
        "en": (
            "I can't hear anything. Are you still there?",
            "It has become quiet. Are you still with me?",
        ),
        "zh": ("我没有听到声音，您还在吗？", "现在很安静，您还在听吗？"),
    },
    Said.OFFER_SKIP: {
        "en": (
            "Shall we skip this question? Just say next question.",
            "We can leave this one out if you prefer. Shall we go on to the next question?",
        ),
        "zh": (
            "要不要跳过这个问题？您可以说下一题，也可以继续回答。",
            "如果您愿意，我们可以先放下这一题。要进入下一题吗？",
        ),
    },
    Said.SKIPPED: {
        "en": ("No problem, let's move on.", "That's fine, we'll leave that one out."),
        "zh": ("没关系，我们继续。", "好的，这一题先跳过。"),
    },
    Said.NOT_HEARD: {
        "en": (
            "I'm afraid I didn't catch that. Could you say it again, or type it?",
            "I couldn't understand that. Would you say it again, please, or type it?",
        ),
        "zh": (
            "抱歉，我没有听清，请再说一遍，或者打字回答，好吗？",
            "不好意思，刚才没有听懂，可以再说一遍，或者打字吗？",
        ),
    },
    Said.CONFIRM_END: {
        "en": (
            "Shall I end the interview here? Say yes, or let's go on.",
            "Do you want to end the interview? Yes, or shall we go on?",
        ),
        "zh": (
            "要在这里结束面试吗？您可以说是的，也可以说继续。",
            "您想结束面试吗？结束请说是的，否则请说继续。",
        ),
    },
    Said.CONFIRM_END_AGAIN: {
        "en": ("Just to be sure: shall I end the interview? Please say only yes, or no.",),
        "zh": ("我再确认一下：要结束面试吗？请只说是，或者不。",),
    },
    Said.WAS_THAT_IT: {
        "en": ("Was that your answer? Say yes, or I will ask the question again.",),
        "zh": ("这是您的回答吗？请说是，不然我再问一遍。",),
    },
    Said.ENDING: {
        "en": (
            "Of course. We'll stop here. Thank you, your report is on its way.",
            "All right, let's end here. Thank you; your report will be ready in a moment.",
        ),
        "zh": (
            "好的，我们就到这里。谢谢您，报告马上就好。",
            "没问题，面试到此结束。谢谢，报告正在生成。",
        ),
    },
    Said.BACK: {
        "en": ("Welcome back. Let's go on.", "Good to have you back. Shall we continue?"),
        "zh": ("欢迎回来，我们继续。", "您回来了，我们接着谈。"),
    },
    Said.TYPE_ANSWERS: {
        "en": ("I can't hear you at the moment. Please type your answer.",),
        "zh": ("我暂时听不到您的声音，请打字回答。",),
    },
    Said.READ_TEXT: {
        "en": ("My voice is not available at the moment. Please read my questions on the screen.",),
        "zh": ("我暂时无法发声，请看屏幕上的文字。",),
    },
    Said.HEARING_AGAIN: {
        "en": ("I can hear you again. Please go on speaking.",),
        "zh": ("我又能听到您了，请继续说。",),
    },
    Said.TROUBLE: {
        "en": ("There is a small technical problem, but we can go on.",),
        "zh": ("遇到了一点技术问题，不过我们可以继续。",),
    },
}

_WELL: Wordings = {
    "en": (
        "Thank you, that was clear.",
        "Thanks, that gives me a good picture.",
        "Thank you, that's a helpful answer.",
        "I see, thank you for the detail.",
    ),
    "zh": (
        "谢谢，讲得很清楚。",
        "谢谢，这样我就明白了。",
        "好的，很有帮助。",
        "明白了，谢谢您说得这么具体。",
    ),
}
_PLAIN: Wordings = {
    "en": ("Thank you.", "I see.", "All right, thank you.", "Okay, thanks."),
    "zh": ("谢谢。", "我明白了。", "好的，谢谢。", "嗯，了解了。"),
}
_DECLINED: Wordings = {
    "en": ("That's all right.", "No problem.", "That's fine, not every question fits."),
    "zh": ("没关系。", "没问题。", "没事，不是每个问题都合适。"),
}
_OPENERS: Wordings = {
    "en": ("Mm-hm.", "Okay.", "I see.", "Right."),
    "zh": ("嗯。", "好的。", "明白。", "嗯嗯。"),
}
_SPARE: Wordings = {
    "en": (
        "Could you give me a concrete example of that?",
        "What would you do differently if you did it again?",
        "What did you learn from it?",
        "Which part of that was the most difficult?",
        "How did others see it?",
    ),
    "zh": (
        "能举一个具体的例子吗？",
        "如果再来一次，您会怎么做？",
        "您从中学到了什么？",
        "其中最难的是哪一部分？",
        "其他人是怎么看的？",
    ),
}
_REPEATED: Wordings = {
    "en": ("Of course. {}", "Sure, once more: {}", "Gladly. {}"),
    "zh": ("好的，我再问一遍。{}", "当然，问题是：{}", "没问题。{}"),
}
_REPHRASED: Wordings = {
    "en": (
        "What I would like to know is this: {}",
        "This is what I am after: {}",
    ),
    "zh": ("我想知道的是：{}", "我想了解的是：{}"),
}
_HINT: Wordings = {"en": ("{} It has to do with {}.",), "zh": ("{}这个问题和{}有关。",)}
_FIRST: Wordings = {
    "en": ("Let's begin. {}", "Here is my first question. {}", "Let's start. {}"),
    "zh": ("我们开始吧。{}", "第一个问题：{}", "那我们开始。{}"),
}
_NEXT: Wordings = {
    "en": ("Next question: {}", "Let's go on. {}", "Here is the next one. {}"),
    "zh": ("下一个问题：{}", "我们继续。{}", "接下来请问：{}"),
}
_LAST: Wordings = {
    "en": ("My last question: {}", "And the last question: {}", "One last question. {}"),
    "zh": ("最后一个问题：{}", "还有最后一个问题：{}", "最后请问：{}"),
}
_OWN_TRADE = {
    "en": (
        " My question bank has no technical questions for it, so I will ask about your experience"
        " and the way you work."
    ),
    "zh": "我的题库里没有这个职位的专业题，所以会请您谈谈经历和做事的方法。",
}
_TRADE_UNSURE = {
    "en": (
        " My technical questions are about software. I cannot tell from its name whether they fit,"
        " so I will ask about your own trade too. You can skip what does not fit."
    ),
    "zh": (
        "我的专业题是软件方面的，从职位名称看不出合不合适，所以也会请您谈谈您的本行。"
        "不合适的题可以跳过。"
    ),
}
_THANKS = {"en": "Thank you. ", "zh": "谢谢。"}


def chosen(wordings: Wordings, language: str, seed: str) -> str:
    """One of the wordings in a language; English stands in for a language without any."""
    there = wordings.get(primary(language), wordings["en"])
    return there[zlib.crc32(seed.encode()) % len(there)] if seed else there[0]


def line(said: Said, language: str, seed: str = "") -> str:
    """A line that fits a moment."""
    return chosen(_LINES[said], language, seed)


def opening(settings: InterviewSettings) -> str:
    """The greeting and what will happen; also if the bank's technical questions may not fit."""
    if primary(settings.language) == "zh":
        name = f"{settings.candidate_name}，" if settings.candidate_name else ""
        about = f"{settings.job_title}职位的" if settings.job_title else ""
        trade = _about_trade(settings, "zh")
        number = _CHINESE_NUMBERS[settings.rounds]
        return (
            f"{name}您好，欢迎参加{about}模拟面试。{trade}"
            f"我会问您{number}个问题，请不要着急，慢慢回答。"
        )
    greeting = f"Hello {settings.candidate_name}" if settings.candidate_name else "Hello"
    about = f" for the position of {settings.job_title}" if settings.job_title else ""
    trade = _about_trade(settings, "en")
    questions = "one question" if settings.rounds == 1 else f"{_NUMBERS[settings.rounds]} questions"
    return (
        f"{greeting}, and welcome. This is a practice interview{about}.{trade}"
        f" I have {questions} for you. Take your time with each answer."
    )


def _about_trade(settings: InterviewSettings, language: str) -> str:
    if settings.own_trade:
        return _OWN_TRADE[language]
    return _TRADE_UNSURE[language] if settings.trade_unsure else ""


def question(
    text: str,
    round_number: int,
    rounds: int,
    language: str = "en",
    seed: str = "",
    *,
    thanked: bool = False,
) -> str:
    """A question of the plan, with a word on where the interview stands.

    Args:
        text: The question.
        round_number: From 1.
        rounds: How many there are.
        language: BCP 47.
        seed: Chooses the wording.
        thanked: Whether an encouragement was said just before.
    """
    if round_number == 1:
        return chosen(_FIRST, language, seed).format(text)
    thanks = "" if thanked else _THANKS.get(primary(language), _THANKS["en"])
    which = _LAST if round_number == rounds else _NEXT
    return thanks + chosen(which, language, seed).format(text)


def closing(settings: InterviewSettings, *, answered: bool = True) -> str:
    """Thanks and goodbye; of an interview in which nothing was answered there is no report."""
    if primary(settings.language) == "zh":
        name = f"，{settings.candidate_name}" if settings.candidate_name else ""
        if not answered:
            return f"谢谢您{name}，我们就到这里。这次没有回答问题，所以没有报告。再见！"
        return f"谢谢您{name}，我的问题问完了。您的报告马上就好，再见！"
    name = f", {settings.candidate_name}" if settings.candidate_name else ""
    if not answered:
        return f"Thank you{name}, we stop here. Without an answer there is no report. Goodbye!"
    return f"Thank you{name}, that was my last question. Your report is on its way. Goodbye!"


def encouragement(assessment: Assessment | None, language: str, seed: str = "") -> str:
    """A word on the last answer: praise is kept for answers that earn it.

    Without an assessment the candidate is thanked.
    """
    if assessment is None:
        return chosen(_PLAIN, language, seed)
    if assessment.declined:
        return chosen(_DECLINED, language, seed)
    return chosen(_WELL if assessment.level >= WELL else _PLAIN, language, seed)


def openers(language: str) -> tuple[str, ...]:
    """Short sounds that do no harm if the candidate goes on speaking."""
    return tuple(_OPENERS.get(primary(language), _OPENERS["en"]))


def repeated(text: str, language: str, seed: str = "") -> str:
    """A line said once more."""
    return chosen(_REPEATED, language, seed).format(text)


def rephrased(text: str, language: str, point: str | None = None, seed: str = "") -> str:
    """A question introduced in another way, with a hint at what it is about.

    Args:
        text: The question.
        language: BCP 47.
        point: What could be spoken about, such as one of the question's tags.
        seed: Chooses the wording.
    """
    said = chosen(_REPHRASED, language, seed).format(text)
    return chosen(_HINT, language, "").format(said, point) if point else said


def take_your_time(language: str, seed: str = "") -> str:
    """What is said in a long pause."""
    return line(Said.TAKE_YOUR_TIME, language, seed)


def skip_offer(language: str, seed: str = "") -> str:
    """What a candidate is asked who says nothing."""
    return line(Said.OFFER_SKIP, language, seed)


def spare_follow_ups(language: str) -> tuple[str, ...]:
    """Follow-ups that fit any answer."""
    return tuple(_SPARE.get(primary(language), _SPARE["en"]))
