"""The mesh through a stranger's client: grpcurl lists and calls every service at one address."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.real_mesh import RealMesh

SERVICES = {
    "viva.asr.v1.AsrService",
    "viva.tts.v1.TtsService",
    "viva.llm.v1.LlmService",
    "viva.embed.v1.EmbedService",
    "viva.interview.v1.InterviewService",
    "viva.interview.v1.PersonaService",
    "viva.interview.v1.QuestionService",
}


def grpcurl(mesh: RealMesh, path_with_tools: dict[str, str], *arguments: str) -> str:
    *options, last = arguments
    result = subprocess.run(
        ["grpcurl", "-plaintext", "-max-time", "60", *options, mesh.address, *last.split()],
        capture_output=True,
        text=True,
        check=False,
        env=path_with_tools,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_every_service_is_listed(mesh: RealMesh, path_with_tools: dict[str, str]) -> None:
    assert set(grpcurl(mesh, path_with_tools, "list").split()) >= SERVICES


@pytest.mark.parametrize(
    ("method", "request_json", "field"),
    [
        ("viva.asr.v1.AsrService/ListModels", {}, "models"),
        ("viva.tts.v1.TtsService/ListVoices", {}, "voices"),
        ("viva.tts.v1.TtsService/Synthesize", {"text": "Hello."}, "chunk"),
        (
            "viva.llm.v1.LlmService/Chat",
            {"messages": [{"role": "ROLE_USER", "content": "Hi"}], "maxTokens": 4},
            "delta",
        ),
        (
            "viva.embed.v1.EmbedService/Similarity",
            {"text": "a cat", "others": ["a kitten"]},
            "scores",
        ),
        ("viva.interview.v1.InterviewService/CreateInterview", {}, "interview"),
        ("viva.interview.v1.PersonaService/ListVoices", {"language": "en"}, "voices"),
        ("viva.interview.v1.QuestionService/SearchQuestions", {"query": "teamwork"}, "results"),
    ],
)
def test_every_service_is_called(
    mesh: RealMesh,
    path_with_tools: dict[str, str],
    method: str,
    request_json: dict[str, object],
    field: str,
) -> None:
    output = grpcurl(mesh, path_with_tools, "-d", json.dumps(request_json), method)
    assert f'"{field}"' in output
