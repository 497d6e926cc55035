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
    """The text with simplified characters in the place of traditional ones; as long as before."""
    return _CONVERTER.convert(text) if _HANZI.search(text) else text
