"""Chinese in simplified characters, as the bank is written, whatever it was written in.

Speech comes in the script of the interview from the recogniser; what is typed does not. It is
understood and judged in simplified characters, by the same conversion (OpenCC: characters only,
never words), and kept and shown as it was typed.
"""

from __future__ import annotations

import re

from opencc import OpenCC

_HANZI = re.compile("[\u4e00-\u9fff]")
# Made when the server starts: their dictionaries take a while to read.
_PLAIN, _TAIWAN = OpenCC("t2s"), OpenCC("tw2s")


def simplified(text: str) -> str:
    """The text with simplified characters in the place of traditional ones, as many as before."""
    if not _HANZI.search(text):
        return text
    # Taiwan's variants are undone where the text is in traditional characters alone: of simplified
    # ones that would spoil words, 显著 as 显着.
    return text if _converted(_PLAIN, text) == text else _converted(_TAIWAN, text)


def _converted(conversion: OpenCC, text: str) -> str:
    # OpenCC takes a zero for the end of the text.
    return "\0".join(map(conversion.convert, text.split("\0")))
