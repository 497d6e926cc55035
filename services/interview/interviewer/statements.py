"""What a report says in sentences, in English and Chinese."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from services.interview.interviewer.personas import primary

QUOTE_CELLS = 90
"""Of a quotation so much is shown, in columns: some 16 English words, 45 Chinese characters."""
LEAST_SHARE = 0.6
"""It is cut at the end of a clause or a word if that leaves so much of it."""

_NAMES: Mapping[str, Mapping[str, str]] = {
    "en": {
        name: name for name in ("relevance", "content", "depth", "clarity", "structure", "delivery")
    },
    "zh": {
        "relevance": "切题程度",
        "content": "内容要点",
        "depth": "深度",
        "clarity": "清晰度",
        "structure": "叙述结构",
        "delivery": "表达",
    },
}

_ADVICE: Mapping[str, Mapping[str, str]] = {
    "en": {
        "relevance": "Begin with one sentence that answers the question, then explain.",
        "content": "Before you answer, name to yourself the two or three points it needs.",
        "depth": "Prepare one example you can tell in detail: figures, tools, what it changed.",
        "clarity": "Replace general words by what exactly was done, by whom and how much.",
        "structure": "Tell it as a story: the situation, your task, what you did, what came of it.",
        "delivery": "Practise aloud at a calm, even pace; a short silence is better than a filler.",
    },
    "zh": {
        "relevance": "先用一句话直接回答问题，再作解释。",
        "content": "回答之前，先在心里列出两三个要点。",
        "depth": "准备一个能讲出细节的例子：数字、工具的名称、带来的变化。",
        "clarity": "少用笼统的话，说清楚做了什么、谁做的、做到什么程度。",
        "structure": "按顺序讲：背景、任务、你的行动、结果。",
        "delivery": "用平稳的语速大声练习，短暂的停顿好过口头语。",
    },
}

_TEXTS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "made": "Question {round}: you made the point “{point}” when you said “{quote}”",
        "strong": "Question {round}: strong {name} ({score:.0f}): {rationale}",
        "denied": "Question {round}: you said the opposite of “{point}”: “{quote}”",
        "not_said": "Question {round}: not mentioned: {points}",
        "not_recognised": "Question {round}: not recognised in the answer: {points}",
        "weak": "Question {round}: {name}: {rationale}",
        "elsewhere": "The answer was in {spoken}; this interview is in {own}, so nothing in it"
        " was recognised.",
        "answered_elsewhere": "Question {round}: not recognised in {own}, the interview's"
        " language: you answered in {spoken}.",
        "answer_in": "Answer in {own}, the language of the interview.",
        "include": "Answer “{question}” again and include: {point}",
        "unanswered": "Question {round}: not answered.",
        "prepare": "Prepare an answer to “{question}”; it could begin with: {point}",
        "nothing": "None of the {rounds} questions was answered, so there is nothing to score.",
        "reached": "You answered {answered} of {rounds} questions and reached {score:.0f} of 100.",
        "beginning": "Question {round}: only the first {letters:,} letters of the answer were"
        " scored.",
        "no_point": "No point of a good answer was recognised: the score tells how it was said more"
        " than what.",
        "sides": "Your best side was {best} ({best_score:.0f}); there is most to gain in {worst}"
        " ({worst_score:.0f}).",
        "weakest": "Weakest answer: {rationale}",
        "better": "Last time {before:.0f}, this time {now:.0f} of 100: {by:.0f} points more.",
        "worse": "Last time {before:.0f}, this time {now:.0f} of 100: {by:.0f} points less.",
        "same": "Last time {before:.0f}, this time {now:.0f} of 100: about the same.",
        "most_gained": "You gained most in {name}: from {before:.0f} to {now:.0f}.",
        "most_lost": "{name} was better last time: {before:.0f}, now {now:.0f}.",
        "; ": "; ",
    },
    "zh": {
        "made": "问题{round}：你说“{quote}”，讲到了要点“{point}”",
        "strong": "问题{round}：{name}很好（{score:.0f}分）：{rationale}",
        "denied": "问题{round}：你的说法和“{point}”相反：“{quote}”",
        "not_said": "问题{round}：没有提到：{points}",
        "not_recognised": "问题{round}：没有在回答中识别到：{points}",
        "weak": "问题{round}：{name}：{rationale}",
        "elsewhere": "回答使用的是{spoken}，而本次面试使用{own}，所以无法识别内容。",
        "answered_elsewhere": "问题{round}：回答使用的是{spoken}，不是面试语言{own}，"
        "所以没有识别到内容。",
        "answer_in": "请用面试语言{own}回答。",
        "include": "再回答一次“{question}”，并讲到：{point}",
        "unanswered": "问题{round}：没有回答。",
        "prepare": "为“{question}”准备一个回答，可以从这一点讲起：{point}",
        "nothing": "{rounds}个问题都没有回答，所以没有评分。",
        "reached": "你回答了{answered}个问题（共{rounds}个），得分{score:.0f}（满分100）。",
        "beginning": "问题{round}：只对回答的前{letters}个字符评了分。",
        "no_point": "没有识别到好答案的要点：这个得分主要反映表达，而不是内容。",
        "sides": "最好的是{best}（{best_score:.0f}分），"
        "最有提高空间的是{worst}（{worst_score:.0f}分）。",
        "weakest": "最弱的一题：{rationale}",
        "better": "上次{before:.0f}分，这次{now:.0f}分，提高了{by:.0f}分。",
        "worse": "上次{before:.0f}分，这次{now:.0f}分，少了{by:.0f}分。",
        "same": "上次{before:.0f}分，这次{now:.0f}分，基本相同。",
        "most_gained": "进步最大的是{name}：从{before:.0f}分到{now:.0f}分。",
        "most_lost": "{name}上次更好：上次{before:.0f}分，这次{now:.0f}分。",
        "; ": "；",
    },
}


def statement(language: str, key: str, **values: object) -> str:
    """A sentence in a language; English where there is none."""
    texts = _TEXTS.get(primary(language), _TEXTS["en"])
    return texts[key].format(**values)


def joined(language: str, *sentences: str) -> str:
    """Sentences one after the other; Chinese has no spaces between them."""
    return ("" if primary(language) == "zh" else " ").join(sentences)


def named(language: str, dimension: str) -> str:
    """What a dimension is called."""
    return _NAMES.get(primary(language), _NAMES["en"]).get(dimension, dimension)


def advice(language: str, dimension: str) -> str:
    """What to do about a weak dimension."""
    return _ADVICE.get(primary(language), _ADVICE["en"])[dimension]


def in_another_language(language: str, spoken: str) -> str:
    """Why an answer in another language was not understood."""
    return statement(language, "elsewhere", **languages(language, spoken))


def languages(language: str, spoken: str) -> dict[str, str]:
    """The names of the interview's language and of an answer's, in the former."""
    names = _LANGUAGES.get(primary(language), _LANGUAGES["en"])
    own = primary(language)
    return {"own": names.get(own, own), "spoken": names.get(spoken, spoken)}


def shortened(text: str) -> str:
    """The beginning of a quotation, as wide as `QUOTE_CELLS` columns, cut where it may be."""
    text = " ".join(text.split())
    width, end = 0, len(text)
    for place, character in enumerate(text):
        width += 2 if unicodedata.east_asian_width(character) in "WF" else 1
        if width > QUOTE_CELLS:
            end = place
            break
    else:
        return text
    for boundary in (_CLAUSE_END, _WORD_END):
        ends = [found.end() for found in boundary.finditer(text, 0, end + 1) if found.end() <= end]
        if ends and ends[-1] >= LEAST_SHARE * end:
            return text[: ends[-1]].rstrip(" ,;，；、。.") + "…"
    return text[:end] + "…"


_LANGUAGES: Mapping[str, Mapping[str, str]] = {
    "en": {
        "en": "English",
        "zh": "Chinese",
        "zh-latn": "pinyin",
        "ja": "Japanese",
        "other": "another language",
    },
    "zh": {"en": "英语", "zh": "中文", "zh-latn": "拼音", "ja": "日语", "other": "其他语言"},
}
_CLAUSE_END = re.compile(r"[,;，；、。！？.!?](?=\s|[\u4e00-\u9fff])")
_WORD_END = re.compile(r"\S(?=\s)")
