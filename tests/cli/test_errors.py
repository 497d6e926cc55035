"""What a person reads when a call fails."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Thread

import grpc
import pytest
from typer.testing import CliRunner
from viva.embed.v1 import embed_pb2, embed_pb2_grpc

from services.cli.app import app
from services.cli.calls import as_called
from services.runtime.errors import InvalidField, Overloaded, ServiceError
from services.runtime.server import Service, serving
from services.runtime.settings import ServerSettings
from tests.cli import in_process
from tests.cli.in_process import Said

pytestmark = pytest.mark.slow


def viva(*arguments: str, text: str = "") -> Said:
    return in_process.viva({**os.environ, "COLUMNS": "100"}, *arguments, text=text)


class Cut(ServiceError):
    """What a client sees behind a proxy when the server dies in the middle of an answer."""

    code = grpc.StatusCode.INTERNAL

    def __init__(self) -> None:
        super().__init__("Received RST_STREAM with error code 2")


class Refusing(embed_pb2_grpc.EmbedServiceServicer):
    """Refuses each text in its own way."""

    async def Embed(
        self, request: embed_pb2.EmbedRequest, context: object
    ) -> embed_pb2.EmbedResponse:
        errors: dict[str, ServiceError] = {
            "long": InvalidField("inputs[0]", "300 tokens; the model takes 256"),
            "brackets": InvalidField("model", "no model '[/red][x]'"),
            "cut": Cut(),
            "busy": Overloaded("embed is overloaded", retry_after=2.5),
        }
        if request.inputs[0] == "slow":
            await asyncio.Event().wait()
        raise errors[request.inputs[0]]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A server in a thread of its own, since each command has an event loop of its own."""
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    ports: asyncio.Queue[int] = asyncio.Queue()

    @asynccontextmanager
    async def build() -> AsyncIterator[Sequence[Service]]:
        yield [
            Service(
                "viva.embed.v1.EmbedService",
                lambda server: embed_pb2_grpc.add_EmbedServiceServicer_to_server(
                    Refusing(),
                    server,
                ),
            )
        ]

    async def serve() -> None:
        settings = ServerSettings(lame_duck_seconds=0, drain_seconds=0)
        async with serving(settings, "embed", build) as running:
            await ports.put(running.port)
            await stop.wait()

    thread = Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    port = asyncio.run_coroutine_threadsafe(ports.get(), loop).result(30)
    yield f"127.0.0.1:{port}"
    loop.call_soon_threadsafe(stop.set)
    thread.join()
    loop.close()


def test_a_refused_field_is_named(address: str) -> None:
    result = viva("embed", "long", "--address", address)
    assert result.returncode == 2
    assert result.stderr.strip() == "error: inputs[0]: 300 tokens; the model takes 256"


def test_a_server_that_died_in_mid_stream_is_unavailable(address: str) -> None:
    result = viva("embed", "cut", "--address", address)
    assert result.returncode == 3
    assert result.stderr.startswith("error: unavailable")
    assert "`viva status` tells" in result.stderr


def test_an_overload_says_when_to_try_again(address: str) -> None:
    result = viva("embed", "busy", "--address", address)
    assert result.returncode == 4
    assert "try again in 2.5 s" in result.stderr


def test_more_than_a_message_may_hold_is_no_overload(address: str, tmp_path: Path) -> None:
    (tmp_path / "large.txt").write_bytes(b"x" * 9 * 2**20)
    result = viva("embed", f"@{tmp_path / 'large.txt'}", "--address", address)
    assert result.returncode == 2
    assert "send less at a time" in result.stderr


def test_a_deadline_that_passed_names_the_option(address: str) -> None:
    result = viva("embed", "slow", "--address", address, "--timeout", "0.2")
    assert result.returncode == 5
    assert "`--timeout` gives it more time" in result.stderr


def test_a_method_nobody_serves_is_told(address: str) -> None:
    result = viva("voices", "--address", address)
    assert result.returncode == 1
    assert "no server at this address has the method" in result.stderr


def test_no_mesh_says_how_to_start_one() -> None:
    result = viva("models", "--address", "127.0.0.1:1")
    assert result.returncode == 3
    assert "`viva up` starts it" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_file_that_is_not_there_is_told_before_any_call() -> None:
    result = viva("transcribe", "nowhere.wav", "--address", "127.0.0.1:1")
    assert result.returncode == 2
    assert "nowhere.wav: no such file" in result.stderr


def test_an_unknown_style_lists_the_known_ones() -> None:
    result = viva("say", "hello", "--style", "angry")
    assert result.returncode == 2
    assert "neutral, welcoming" in result.stderr


@pytest.mark.parametrize(
    "command",
    ["transcribe", "say", "voices", "chat", "embed", "similarity", "rerank", "models", "bench"],
)
def test_every_command_explains_itself_within_100_columns(command: str) -> None:
    result = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "100"})
    assert result.exit_code == 0
    assert "Usage:" in result.stdout
    assert 90 < max(map(len, result.stdout.splitlines())) <= 100


def test_what_looks_like_markup_is_shown_as_it_is(address: str) -> None:
    result = viva("embed", "@[/no].txt", "--address", address)
    assert result.returncode == 2
    assert result.stderr == "error: [/no].txt: no such file\n"


def test_a_text_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "vectors.bin"
    path.write_bytes(b"\xff\xfe\x00")
    result = viva("embed", f"@{path}", "--address", "127.0.0.1:1")
    assert result.returncode == 2
    assert f"{path}: not UTF-8 text" in result.stderr


def test_a_folder_in_a_files_place_is_told(tmp_path: Path) -> None:
    result = viva("transcribe", str(tmp_path), "--address", "127.0.0.1:1")
    assert result.returncode == 2
    assert f"{tmp_path}: Is a directory" in result.stderr


def test_an_error_that_looks_like_markup_is_shown_whole(address: str) -> None:
    result = viva("embed", "brackets", "--address", address)
    assert result.returncode == 2
    assert result.stderr == "error: model: no model '[/red][x]'\n"


def test_hints_name_the_program_as_it_was_called(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("sys.argv", [str(tmp_path / ".venv/bin/viva"), "status"])
    assert as_called("`viva up` starts it") == "`.venv/bin/viva up` starts it"
    monkeypatch.setattr("sys.argv", ["/elsewhere/viva", "status"])
    assert as_called("`viva up` starts it") == "`/elsewhere/viva up` starts it"
    # A program of another name that uses the same code.
    monkeypatch.setattr("sys.argv", ["pytest"])
    assert as_called("`viva up` starts it") == "`viva up` starts it"
