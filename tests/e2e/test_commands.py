"""Every command against the real mesh, as a person would use it."""

from __future__ import annotations

import json

import jiwer
import soundfile
from whisper_normalizer.english import EnglishTextNormalizer

from tests.real_mesh import RealMesh
from tests.recordings import librivox

normalize = EnglishTextNormalizer()


def word_errors(said: str, heard: str) -> float:
    return float(jiwer.wer(normalize(said), normalize(heard)))


def test_status_lists_every_server_healthy_and_within_six_gigabytes(mesh: RealMesh) -> None:
    servers = {server["name"]: server for server in mesh.json("status")["servers"]}
    assert set(servers) == {
        "asr",
        "tts",
        "llm",
        "embed",
        "interview",
        "bridge",
        "gateway",
        "reflection",
        "envoy",
        "postgres",
    }
    assert {server["health"] for server in servers.values()} == {"SERVING"}
    for name in ("asr", "tts", "llm", "embed"):
        assert servers[name]["model"]
        assert servers[name]["device"].startswith("cpu")
    assert sum(server["memory_bytes"] for server in servers.values()) < 6 * 2**30


def test_every_server_names_a_default_model(mesh: RealMesh) -> None:
    models = mesh.json("models")
    assert set(models) == {"asr", "tts", "llm", "embed"}
    for answer in models.values():
        assert answer[0]["default"]
        assert answer[0]["ready"]


def test_a_recording_is_transcribed_whole(mesh: RealMesh) -> None:
    recording = librivox()[0]
    answer = mesh.json("transcribe", str(recording.path), "--language", "en", "--words")
    assert word_errors(recording.transcript, answer["text"]) <= 0.1
    words = [word for segment in answer["segments"] for word in segment["words"]]
    assert len(words) >= len(recording.transcript.split()) - 2


def test_a_recording_is_transcribed_as_live_audio(mesh: RealMesh) -> None:
    recording = librivox()[1]
    result = mesh.viva("transcribe", str(recording.path), "--stream", "--language", "en")
    assert result.returncode == 0, result.stderr
    lines = [line.split(" ", 1)[1] for line in result.stdout.splitlines() if line[2:3] == ":"]
    assert word_errors(recording.transcript, " ".join(lines)) <= 0.2


def test_what_is_said_can_be_understood(mesh: RealMesh) -> None:
    sentence = "Tell me about a project that you are proud of, and what was hard about it."
    file = mesh.scratch / "said.wav"
    said = mesh.json("say", sentence, "--out", str(file))
    samples, rate = soundfile.read(file)
    assert len(samples) / rate > 2
    assert abs(len(samples) / rate - said["seconds"]) < 0.1
    heard = mesh.json("transcribe", str(file), "--language", "en")
    assert word_errors(sentence, heard["text"]) <= 0.15


def test_there_are_at_least_three_voices_with_one_default(mesh: RealMesh) -> None:
    voices = mesh.json("voices")["voices"]
    assert len({voice["id"] for voice in voices}) >= 3
    assert [voice["is_default"] for voice in voices].count(True) == 1
    assert {voice["gender"] for voice in voices} >= {"GENDER_MALE", "GENDER_FEMALE"}


def test_a_constrained_answer_is_one_of_the_choices(mesh: RealMesh) -> None:
    answer = mesh.json(
        "chat", "Is the sky blue?", "--choice", "yes", "--choice", "no", "--temperature", "0"
    )
    assert answer["text"] in {"yes", "no"}
    assert answer["completion_tokens"] >= 1


def test_an_answer_fits_its_schema(mesh: RealMesh) -> None:
    schema = {
        "type": "object",
        "properties": {"skill": {"type": "string", "maxLength": 20}, "years": {"type": "integer"}},
        "required": ["skill", "years"],
        "additionalProperties": False,
    }
    answer = mesh.json("chat", "Five years of Python.", "--schema", json.dumps(schema))
    parsed = json.loads(answer["text"])
    assert set(parsed) == {"skill", "years"}
    assert isinstance(parsed["years"], int)


def test_alike_texts_score_higher(mesh: RealMesh) -> None:
    scores = mesh.json("similarity", "a database index", "a B-tree speeds up queries", "a sunset")
    assert scores["scores"][0] > scores["scores"][1]


def test_documents_are_ordered_by_what_they_answer(mesh: RealMesh) -> None:
    ranked = mesh.json("rerank", "how do I undo a commit", "a cake recipe", "git revert and reset")
    assert ranked["results"][0]["index"] == 1


def test_a_refusal_names_the_field(mesh: RealMesh) -> None:
    result = mesh.viva("say", "hello", "--voice", "nobody")
    assert result.returncode == 2
    assert "nobody" in result.stderr


def test_the_tables_are_of_this_programs_version(mesh: RealMesh) -> None:
    looked = mesh.viva("migrate", "--check")
    assert looked.returncode == 0, looked.stderr
    assert "nothing to do" in looked.stderr
