"""Every state of the room, and the pages before it, in both languages, themes and sizes.

`VIVA_SHOTS=FOLDER` leaves a picture of each in every combination of them; `VIVA_TRACE=1` leaves a
trace of what fails, in each of these tests' results.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.web.conftest import Browser, room_states

pytestmark = pytest.mark.slow


def test_nothing_is_inaccessible_or_too_wide(browser: Browser, states: str, tmp_path: Path) -> None:
    names = room_states()
    assert {"listening", "thinking", "speaking", "held", "lost", "everything"} <= set(names)
    browser.run(
        "states.spec.ts",
        {"VIVA_EDGE": states, "VIVA_STATES": " ".join(names), "VIVA_RESULTS": str(tmp_path)},
    )
