"""A guest's journey in a real browser, against the real mesh and its models."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.real_mesh import RealMesh
from tests.web.conftest import Browser, speaking

pytestmark = pytest.mark.slow

# Chromium plays it in a circle: whoever comes in at any moment hears a whole answer soon.
BEFORE_SECONDS, AFTER_SECONDS = 14, 8


def test_a_guest_talks_types_reloads_and_reaches_the_report(
    browser: Browser, built: Path, mesh: RealMesh, tmp_path: Path
) -> None:
    assert (built / "index.html").exists()
    voice = speaking(
        tmp_path / "answer.wav", before_seconds=BEFORE_SECONDS, after_seconds=AFTER_SECONDS
    )
    browser.run(
        "journey.spec.ts",
        {
            "VIVA_EDGE": mesh.edge,
            "VIVA_VOICE": str(voice),
            "VIVA_RESULTS": str(tmp_path / "results"),
        },
    )
