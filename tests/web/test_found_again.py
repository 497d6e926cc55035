"""A guest talks, takes an account, and finds the interview again after the mesh was restarted."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.running_mesh import environment
from tests.e2e.conftest import running
from tests.web.conftest import Browser

pytestmark = pytest.mark.slow


def test_an_interview_is_found_again_after_a_restart_and_a_guests_comes_along(
    browser: Browser, built: Path, tmp_path: Path
) -> None:
    assert (built / "index.html").exists()
    variables = environment(tmp_path / "data")
    for spec in ("registering.spec.ts", "coming-back.spec.ts"):
        with running(variables, tmp_path) as mesh:
            browser.run(spec, {"VIVA_EDGE": mesh.edge, "VIVA_RESULTS": str(tmp_path / "results")})
