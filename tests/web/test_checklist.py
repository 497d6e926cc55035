"""What every page bears: slow answers, zoom, wider spacing, less motion, the keyboard alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.web.conftest import Browser, room_states, speaking

pytestmark = pytest.mark.slow


def test_pages_hold_still_fit_and_need_no_mouse(
    browser: Browser, states: str, tmp_path: Path
) -> None:
    browser.run(
        "checklist.spec.ts",
        {
            "VIVA_EDGE": states,
            "VIVA_STATES": " ".join(room_states()),
            "VIVA_VOICE": str(speaking(tmp_path / "voice.wav", before_seconds=0, after_seconds=1)),
            "VIVA_RESULTS": str(tmp_path / "results"),
        },
    )
