"""Chinese in simplified characters, whatever it was written in.

Speech comes in the script of the interview from the recogniser; what is typed does not. It is
understood and judged in simplified characters, by the same conversion (OpenCC, `tw2s`: characters
only, never words), and kept and shown as it was typed.
"""

from __future__ import annotations

import re

from opencc import OpenCC

_HANZI = re.compile("[\u4e00-\u9fff]")
# Made when the server starts: its dictionaries take a third of a second.
_CONVERTER = OpenCC("tw2s")


def simplified(text: str) -> str:
    """The text with simplified characters in the place of traditional ones."""
    if not _HANZI.search(text):
        return text
    # OpenCC takes a zero for the end of the text.
    converted: str = "\0".join(map(_CONVERTER.convert, text.split("\0")))
    return converted
