"""A guest's journey in a real browser, against the real mesh and its models."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest
import soxr

from tests.e2e.conftest import RealMesh
from tests.recordings import librivox
from tests.web.conftest import Browser

pytestmark = pytest.mark.slow

# Chromium plays it in a circle: whoever comes in at any moment hears a whole answer soon.
BEFORE_SECONDS, AFTER_SECONDS = 14, 8
RATE_HZ = 44_100
"""Not the page's rate: it has to resample, as for most microphones."""


@pytest.fixture(scope="module")
def voice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording in place of the microphone: somebody speaks, and then is silent."""
    with wave.open(str(librivox()[3].path)) as recording:
        samples = np.frombuffer(recording.readframes(recording.getnframes()), np.int16)
        rate = recording.getframerate()
    speech = soxr.resample(samples, rate, RATE_HZ)
    # No microphone gives nothing at all.
    noise = np.random.default_rng(7)
    path = tmp_path_factory.mktemp("voice") / "answer.wav"
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE_HZ)
        for part in (
            noise.integers(-3, 4, BEFORE_SECONDS * RATE_HZ, np.int16),
            speech.astype(np.int16),
            noise.integers(-3, 4, AFTER_SECONDS * RATE_HZ, np.int16),
        ):
            out.writeframes(part.tobytes())
    return path


def test_a_guest_talks_types_reloads_and_reaches_the_report(
    browser: Browser, built: Path, mesh: RealMesh, voice: Path, tmp_path: Path
) -> None:
    assert (built / "index.html").exists()
    browser.run(
        "journey.spec.ts",
        {"VIVA_EDGE": mesh.edge, "VIVA_VOICE": str(voice), "VIVA_RESULTS": str(tmp_path)},
    )
