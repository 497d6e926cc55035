"""A guest talks, takes an account, and finds the interview again after the mesh was restarted."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.real_mesh import RealMesh
from tests.web.conftest import Browser

pytestmark = pytest.mark.slow


def test_an_interview_is_found_again_after_a_restart_and_a_guests_comes_along(
    browser: Browser, built: Path, mesh: RealMesh, tmp_path: Path
) -> None:
    assert (built / "index.html").exists()
    variables = {"VIVA_EDGE": mesh.edge, "VIVA_RESULTS": str(tmp_path / "results")}
    browser.run("registering.spec.ts", variables)
    mesh.restart()
    browser.run("coming-back.spec.ts", variables)
