"""What the pages show can be typed: their commands and programs run against the real mesh."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.real_mesh import RealMesh
from tests.recordings import librivox

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```(sh|python|)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ADDRESS = re.compile(r"localhost:\d+")
# Servers run already; these make what only their own block needs.
_OTHERS = re.compile(r"^viva up|^VIVA_\w+=\S+ \S*viva up|admin\.sock|viva\.binpb", re.MULTILINE)
_STARTS = re.compile(r"^python -m services\.\w+\n", re.MULTILINE)
_SHELL = 'set -eu -o pipefail; curl() { command curl -sS --fail-with-body "$@"; }\n'
# A block may await, as in `python -m asyncio`.
_PYTHON = """
import ast, asyncio, inspect, sys
code = compile(sys.stdin.read(), "page", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
result = eval(code)
if inspect.iscoroutine(result):
    asyncio.run(result)
"""


def blocks() -> list[pytest.ParameterSet]:
    """Every block of code that calls a mesh: its language and itself."""
    return [
        pytest.param(language, code, id=f"{page.stem}-{number}")
        for page in sorted([*ROOT.glob("README*.md"), *ROOT.glob("docs/*.md")])
        for number, (language, code) in enumerate(_BLOCK.findall(page.read_text("utf-8")))
        if _ADDRESS.search(code) and not _OTHERS.search(code)
    ]


def guest(mesh: RealMesh) -> dict[str, str]:
    """The tokens of somebody new, as the pages name them."""
    wanted = {"wantRefreshToken": True}
    answer = httpx.post(f"{mesh.edge}/v1/account:guest", json=wanted).raise_for_status()
    tokens = answer.json()["credentials"]
    return {"TOKEN": tokens["accessToken"], "REFRESH": tokens["refreshToken"]}


def test_the_pages_have_such_blocks() -> None:
    pages = {str(block.id).rpartition("-")[0] for block in blocks()}
    assert pages >= {"README", "accounts", "edge", "interview", "llm", "python-client"}


@pytest.mark.parametrize(("language", "code"), blocks())
def test_it_can_be_typed(
    mesh: RealMesh,
    path_with_tools: dict[str, str],
    tmp_path: Path,
    language: str,
    code: str,
) -> None:
    edge = mesh.edge.removeprefix("http://")
    here = _ADDRESS.sub(lambda at: edge if at[0].endswith(":8080") else mesh.address, code)
    (tmp_path / "answer.wav").symlink_to(librivox()[0].path)
    command = ["bash", "-c", _SHELL + _STARTS.sub("", here)]
    if language == "python":
        command = [sys.executable, "-c", _PYTHON]
    result = subprocess.run(
        command,
        input=here,
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={
            **mesh.variables,
            "PATH": path_with_tools["PATH"],
            **(guest(mesh) if "$TOKEN" in code else {}),
        },
        timeout=120,
    )
    assert result.returncode == 0, result.stdout + result.stderr
