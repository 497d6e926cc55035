"""The pages around the room, against recorded answers: looks, states, keyboard, words."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.web.conftest import Browser

pytestmark = pytest.mark.slow


def test_they_show_every_state_and_do_what_they_offer(
    browser: Browser, states: str, tmp_path: Path
) -> None:
    browser.run("pages.spec.ts", {"VIVA_EDGE": states, "VIVA_RESULTS": str(tmp_path)})
