"""How people type to somebody they talk to: abbreviations, apostrophes left out, slips."""

from __future__ import annotations

import re

from rapidfuzz.distance import OSA

_SHORT = {
    "pls": "please",
    "plz": "please",
    "plss": "please",
    "u": "you",
    "ur": "your",
    "im": "i am",
    "ive": "i have",
    "thx": "thanks",
    "thanx": "thanks",
    "tks": "thanks",
    "sry": "sorry",
    "srry": "sorry",
    "soz": "sorry",
    "idk": "i do not know",
    "dunno": "do not know",
    "wdym": "what do you mean",
    "wym": "what do you mean",
    "brb": "be right back",
    "nvm": "never mind",
    "wanna": "want to",
    "gonna": "going to",
    "gotta": "have to",
    "lemme": "let me",
    "gimme": "give me",
    "whats": "what is",
    "thats": "that is",
    "okey": "okay",
    "okie": "okay",
    "kk": "ok",
    "tht": "that",
    "rpt": "repeat",
    "cuz": "because",
    "coz": "because",
    "g2g": "got to go",
    "gtg": "got to go",
    "👍": " yes ",
    "✅": " yes ",
    "👌": " ok ",
    "👎": " no ",
    "甚么": "什么",
}
_ALONE = "|".join(re.escape(short) for short in _SHORT if short.isascii())
_SIGNS = "|".join(re.escape(short) for short in _SHORT if not short.isascii())
_SHORTENED = re.compile(rf"(?<![\w'])(?:{_ALONE})(?![a-z0-9])|{_SIGNS}", re.ASCII)
_BARE_NOT = re.compile(
    r"(?<![a-z])(do|does|did|is|are|was|were|have|has|had|could|should|would|ca|wo)nt(?![a-z'])"
)
_LET_US = re.compile(
    r"(?<![a-z])lets(?= (?:just |please )?(?:skip|stop|end|go|move|continue|finish|do|call|try"
    r"|wrap|keep|carry|pause|take|see)\b)"
)
_ARE_YOU = re.compile(r"(?<![\w'])r (?=(?:you|u)(?![\w']))")
"""By itself it is a language."""
_I_WOULD = re.compile(r"(?<![\w'])id (?=(?:rather|prefer|like|love)(?![\w']))")
_QUESTION = re.compile(
    r"(?<![a-z])((?:this|that|the|your|next|last|another|more) )(?:q|qn|ques)(?![a-z])"
)
_MISTYPED = re.compile(r"(?<![a-z])(?:q[a-z]{6,8}|i[a-z]{7,9})(?![a-z])")
_TYPED_WRONG = ("question", "interview")
_WIDE = {code: code - 0xFEE0 for code in (*range(0xFF10, 0xFF1A), *range(0xFF41, 0xFF5B))}
"""Full-width digits and small letters, which Chinese keyboards write."""


def spelled_out(text: str) -> str:
    """Text in lower case as it would have been said; what is no such habit stays as it is."""
    text = _I_WOULD.sub("i'd ", _ARE_YOU.sub("are ", text.translate(_WIDE)))
    text = _SHORTENED.sub(lambda found: _SHORT[found[0]], text)
    text = _LET_US.sub("let's", _BARE_NOT.sub(r"\1n't", text))
    return _MISTYPED.sub(_meant, _QUESTION.sub(r"\1question", text))


def _meant(found: re.Match[str]) -> str:
    """The word that was mistyped by a letter; its plural is another word."""
    word = found[0]
    for right in _TYPED_WRONG:
        if word != f"{right}s" and OSA.distance(word, right, score_cutoff=1) <= 1:
            return right
    return word
