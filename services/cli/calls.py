"""Calls to the mesh from a terminal: one channel, a deadline, and errors a person can act on.

Exit statuses: 0 done, 1 failed, 2 wrong usage or a refused field, 3 the mesh does not answer,
4 overloaded, 5 the deadline passed, 130 interrupted.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import grpc
import typer
from google.protobuf import json_format
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from rich.console import Console

ResultT = TypeVar("ResultT")

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

_EXIT = {
    grpc.StatusCode.INVALID_ARGUMENT: 2,
    grpc.StatusCode.NOT_FOUND: 2,
    grpc.StatusCode.UNAVAILABLE: 3,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 4,
    grpc.StatusCode.DEADLINE_EXCEEDED: 5,
}

Address = Annotated[
    str,
    typer.Option(envvar="VIVA_MESH_ADDRESS", help="Where the mesh or a single server listens."),
]
Timeout = Annotated[float, typer.Option(help="Seconds until the call is given up.", min=0.001)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]

DEFAULT_ADDRESS = "localhost:7000"


def run(work: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Runs a command's work; a failed call becomes one helpful line and an exit status."""
    try:
        return asyncio.run(work)
    except grpc.aio.AioRpcError as error:
        _fail(error)
    except OSError as error:
        err.print(f"[red]error:[/] {error.strerror or error}: {error.filename or ''}".rstrip(": "))
        raise typer.Exit(1) from None


def refuse(message: str) -> NoReturn:
    """Ends the command because of its arguments."""
    err.print(f"[red]error:[/] {message}")
    raise typer.Exit(2)


def _fail(error: grpc.aio.AioRpcError) -> NoReturn:
    for line in explain(error):
        err.print(line)
    raise typer.Exit(_EXIT.get(error.code(), 1))


def explain(error: grpc.aio.AioRpcError) -> list[str]:
    """The lines that tell a person what went wrong and what to do."""
    words = error.code().name.lower().replace("_", " ")
    lines = [f"[red]error:[/] {words}: {error.details()}"]
    violations, retry = _details(error)
    if violations:
        lines = [f"[red]error:[/] {field or 'request'}: {what}" for field, what in violations]
    if retry is not None:
        lines.append(f"try again in {retry:.1f} s")
    elif error.code() == grpc.StatusCode.UNAVAILABLE:
        lines.append("is the mesh up? `viva status` tells, `viva up` starts it")
    elif error.code() == grpc.StatusCode.DEADLINE_EXCEEDED:
        lines.append("`--timeout` gives it more time")
    elif error.code() == grpc.StatusCode.UNIMPLEMENTED:
        lines.append("no server at this address has the method; `--address` sets another")
    return lines


def _details(error: grpc.aio.AioRpcError) -> tuple[list[tuple[str, str]], float | None]:
    status = rpc_status.from_call(error)  # type: ignore[arg-type]
    violations: list[tuple[str, str]] = []
    retry = None
    for detail in status.details if status else ():
        bad, hint = error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
        if detail.Unpack(bad):
            violations += [(v.field, v.description) for v in bad.field_violations]
        elif detail.Unpack(hint):
            retry = hint.retry_delay.ToMilliseconds() / 1000
    return violations, retry


def print_json(value: object) -> None:
    """Prints a message, or anything JSON can say, as JSON."""
    if isinstance(value, Message):
        value = json_format.MessageToDict(
            value, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
        )
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def read_file(path: str) -> bytes:
    """The bytes of a file, or of standard input for `-`."""
    if path == "-":
        return sys.stdin.buffer.read()
    file = Path(path)
    if not file.is_file():
        refuse(f"{path}: no such file")
    return file.read_bytes()


def read_text(text: str) -> str:
    """The text itself, or standard input for `-`, or the content of FILE for `@FILE`."""
    if text == "-":
        return sys.stdin.read()
    if text.startswith("@"):
        return read_file(text[1:]).decode()
    return text
