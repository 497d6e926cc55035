"""How other commands talk to a running `viva up`: a Unix socket that only its owner can open.

The socket is `run/control.sock` in the data folder. A request is one line of JSON; the answer is
lines of JSON, then the end of the connection:

    {"do": "status"}                         → one line, the overview
    {"do": "restart", "servers": ["asr"]}    → {"name": …, "event": …} for whatever happens, then
                                               {"done": true} or {"error": …}
    {"do": "signal", "server": "asr", "signal": "SIGKILL"}
                                             → {"done": true} or {"error": …}

Whoever asked for a restart may go away: it is carried out all the same.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from services.cli.launcher.lock import run_folder
from services.cli.launcher.overview import Overview

_SOCKET = "control.sock"
# A launcher that does not answer a question about itself is stopped or hung.
_STATUS_SECONDS = 15.0

Note = Callable[[str, str], None]
"""Called with a process's name and what has happened to it."""


class NoAnswer(Exception):
    """The launcher does not answer."""


class RestartFailed(Exception):
    """A server was not replaced; the message says why. What ran before still runs."""


class UnknownServer(RestartFailed):
    """No such server runs here."""


class SignalFailed(Exception):
    """A server was not signalled; the message says why."""


class Controlled(Protocol):
    """What can be asked of a running mesh."""

    async def overview(self) -> Overview:
        """What runs."""

    async def restart(self, servers: Sequence[str], note: Note) -> None:
        """Replaces the servers, replica by replica; raises RestartFailed."""

    def signal(self, server: str, name: str) -> None:
        """Signals the processes of a server; raises SignalFailed."""


@asynccontextmanager
async def serving(mesh: Controlled, data_dir: Path) -> AsyncIterator[None]:
    """Answers on the socket until the scope ends."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Whoever asked may be gone before the answer is, and the launcher before the question.
        with suppress(ConnectionError, asyncio.CancelledError):
            await _answer(mesh, reader, writer)
        writer.close()

    with _short(data_dir) as path:
        path.unlink(missing_ok=True)
        server = await asyncio.start_unix_server(answer, path)
        try:
            yield
        finally:
            server.close()
            path.unlink(missing_ok=True)


async def _answer(
    mesh: Controlled, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    def send(content: Mapping[str, Any]) -> None:
        if not writer.is_closing():
            writer.write(json.dumps(content).encode() + b"\n")

    match json.loads(await reader.readline() or b"{}"):
        case {"do": "status"}:
            send((await mesh.overview()).to_json())
        case {"do": "restart", "servers": [*servers]}:
            try:
                await mesh.restart(
                    [str(server) for server in servers],
                    lambda name, event: send({"name": name, "event": event}),
                )
            except RestartFailed as error:
                send({"error": str(error), "unknown": isinstance(error, UnknownServer)})
            else:
                send({"done": True})
        case {"do": "signal", "server": str(server), "signal": str(name)}:
            try:
                mesh.signal(server, name)
            except SignalFailed as error:
                send({"error": str(error)})
            else:
                send({"done": True})
        case other:
            send({"error": f"{other!r} is no request"})
    await writer.drain()


def read(data_dir: Path) -> Overview:
    """What runs on the data folder.

    Raises:
        NoAnswer: No launcher answers there.
    """
    with _asked(data_dir, {"do": "status"}, _STATUS_SECONDS) as lines:
        for line in lines:
            return Overview.from_json(line)
    raise NoAnswer(str(data_dir))


def restart(data_dir: Path, servers: Sequence[str], note: Note) -> None:
    """Has the launcher replace the servers; tells what happens.

    Raises:
        NoAnswer: No launcher answers, or it ended meanwhile.
        UnknownServer: One does not run here; nothing was replaced.
        RestartFailed: A server was not replaced.
    """
    with _asked(data_dir, {"do": "restart", "servers": list(servers)}, None) as lines:
        for line in lines:
            match line:
                case {"name": str(name), "event": str(event)}:
                    note(name, event)
                case {"error": str(error), **rest}:
                    raise (UnknownServer if rest.get("unknown") else RestartFailed)(error)
                case {"done": True}:
                    return
    raise NoAnswer(str(data_dir))


def signal_server(data_dir: Path, server: str, name: str) -> None:
    """Has the launcher signal every process of a server.

    Args:
        data_dir: The launcher's.
        server: As `viva status` names it.
        name: One of mesh.SIGNALS, as "SIGKILL".

    Raises:
        NoAnswer: No launcher answers.
        SignalFailed: There is no such server or signal, or it does not run now.
    """
    request = {"do": "signal", "server": server, "signal": name}
    with _asked(data_dir, request, _STATUS_SECONDS) as lines:
        for line in lines:
            if error := line.get("error"):
                raise SignalFailed(str(error))
            return
    raise NoAnswer(str(data_dir))


@contextmanager
def _asked(
    data_dir: Path, request: Mapping[str, Any], seconds: float | None
) -> Iterator[Iterator[dict[str, Any]]]:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(seconds)
        try:
            with _short(data_dir) as path:
                connection.connect(str(path))
            connection.sendall(json.dumps(request).encode() + b"\n")
            with connection.makefile("rb") as answer:
                yield (json.loads(line) for line in answer)
        except (ConnectionError, FileNotFoundError, TimeoutError):
            raise NoAnswer(str(data_dir)) from None


@contextmanager
def _short(data_dir: Path) -> Iterator[Path]:
    """The socket's path, through its open folder: a socket's path has room for 107 bytes."""
    folder = os.open(run_folder(data_dir), os.O_PATH)
    try:
        yield Path(f"/proc/self/fd/{folder}/{_SOCKET}")
    finally:
        os.close(folder)
