"""Every state of the room, and the pages before it, in both languages, themes and sizes.

`VIVA_SHOTS=FOLDER` leaves a picture of each in every combination of them.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.web.conftest import WEB, Browser

pytestmark = pytest.mark.slow


def _names() -> list[str]:
    text = (WEB / "src/dev/logs.ts").read_text()
    listed = text[text.index("export const LOGS") :]
    return re.findall(r'^  "?([a-z-]+)"?: \(', listed, re.MULTILINE)


def test_nothing_is_inaccessible_or_too_wide(browser: Browser, states: str, tmp_path: Path) -> None:
    names = _names()
    assert {"listening", "thinking", "speaking", "held", "lost", "everything"} <= set(names)
    browser.run(
        "states.spec.ts",
        {"VIVA_EDGE": states, "VIVA_STATES": " ".join(names), "VIVA_RESULTS": str(tmp_path)},
    )
