"""Calls to the mesh from a terminal: one channel, a deadline, and errors a person can act on.

Exit statuses: 0 done, 1 failed, 2 wrong usage or a refused field, 3 the mesh does not answer,
4 overloaded, 5 the deadline passed, 130 interrupted.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import grpc
import typer
from google.protobuf import json_format
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from rich.console import Console
from rich.markup import escape

from services.cli.launcher import control
from services.cli.launcher.control import NoAnswer
from services.cli.launcher.data_folder import data_dir
from services.cli.launcher.overview import Overview
from services.cli.ungrouped import ungrouped
from services.runtime.channel import open_channel, outgoing

ResultT = TypeVar("ResultT")
RequestT = TypeVar("RequestT", bound=Message)
ResponseT = TypeVar("ResponseT", bound=Message)

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

_EXIT = {
    grpc.StatusCode.INVALID_ARGUMENT: 2,
    grpc.StatusCode.NOT_FOUND: 2,
    grpc.StatusCode.UNAVAILABLE: 3,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 4,
    grpc.StatusCode.DEADLINE_EXCEEDED: 5,
}

_ADVICE = {
    grpc.StatusCode.UNAVAILABLE: "is the mesh up? `viva status` tells, `viva up` starts it",
    grpc.StatusCode.DEADLINE_EXCEEDED: "`--timeout` gives it more time",
    grpc.StatusCode.UNIMPLEMENTED: (
        "no server at this address has the method; `--address` sets another"
    ),
}

DEFAULT_ADDRESS = "localhost:7000"


def _here(context: typer.Context, parameter: typer.CallbackParam, address: str) -> str:
    """Where nobody named one: the mesh that runs here may not have the usual address."""
    if "://" in address:
        refuse(f"--address {address}: write HOST:PORT, without {address.partition('://')[0]}://")
    source = context.get_parameter_source(parameter.name or "")
    if source is None or source.name != "DEFAULT" or context.resilient_parsing:
        return address
    found = running_here()
    return address if found is None else found.mesh


def running_here() -> Overview | None:
    """What runs on this data folder; None where nothing does."""
    with suppress(NoAnswer, OSError):
        return control.read(data_dir())
    return None


Address = Annotated[
    str,
    typer.Option(
        envvar="VIVA_MESH_ADDRESS",
        help="Where the mesh or a single server listens.",
        show_default=f"the mesh that runs here, or {DEFAULT_ADDRESS}",
        callback=_here,
    ),
]
Timeout = Annotated[float, typer.Option(help="Seconds until the call is given up.", min=0.001)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def run(work: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Runs a command's work; a failed call becomes one helpful line and an exit status."""
    try:
        return asyncio.run(ungrouped(work))
    except grpc.aio.AioRpcError as error:
        fail(error)
    except OSError as error:
        what = error.strerror or str(error) or "it took too long"
        tell(f"{what}: {error.filename or ''}".rstrip(": "))
        raise typer.Exit(1) from None


def call(
    address: str,
    method: Callable[[grpc.aio.Channel], grpc.aio.UnaryUnaryMultiCallable[RequestT, ResponseT]],
    request: RequestT,
    timeout: float,
    *,
    as_json: bool,
    show: Callable[[ResponseT], None],
) -> None:
    """A whole command: makes one call and prints its answer, as JSON or with `show`."""

    async def answer() -> ResponseT:
        async with open_channel(address) as channel:
            return await method(channel)(request, **outgoing(timeout))

    (print_json if as_json else show)(run(answer()))


def tell(message: str) -> None:
    """Prints what went wrong. The message may hold anything, also what looks like markup."""
    err.print(f"[red]error:[/] {escape(as_called(message))}", soft_wrap=True)


def as_called(message: str) -> str:
    """The message with its commands as they work here: `.venv/bin/viva up`, off the PATH."""
    program = Path(sys.argv[0])
    if program.name != "viva" or shutil.which("viva") is not None:
        return message
    with suppress(ValueError):
        program = program.absolute().relative_to(Path.cwd())
    return message.replace("`viva ", f"`{program} ")


def refuse(message: str) -> NoReturn:
    """Ends the command because of its arguments."""
    tell(message)
    raise typer.Exit(2)


def fail(error: grpc.aio.AioRpcError) -> NoReturn:
    """Ends the command because a call failed."""
    found, advice = explain(error)
    for line in found:
        tell(line)
    if advice:
        err.print(as_called(advice))
    raise typer.Exit(2 if _too_large(error) else _EXIT.get(_code(error), 1))


def _code(error: grpc.aio.AioRpcError) -> grpc.StatusCode:
    """What the call ended with; a server that died in mid-stream is unavailable, however told.

    A proxy whose headers are sent can only reset the stream then (docs/edge.md).
    """
    if error.code() is grpc.StatusCode.INTERNAL and "RST_STREAM" in (error.details() or ""):
        return grpc.StatusCode.UNAVAILABLE
    return error.code()


def _too_large(error: grpc.aio.AioRpcError) -> bool:
    """Whether gRPC itself refused a message; it uses the status of an overload, without a hint."""
    exhausted = error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    return exhausted and "larger than max" in (error.details() or "")


def explain(error: grpc.aio.AioRpcError) -> tuple[list[str], str]:
    """What went wrong, a line each, and what to do about it; empty when nothing is known."""
    words = _code(error).name.lower().replace("_", " ")
    lines = [f"{words}: {error.details()}"]
    violations, retry = _details(error)
    if violations:
        lines = [f"{field or 'request'}: {what}" for field, what in violations]
    if retry is not None:
        return lines, f"try again in {retry:.1f} s"
    if _too_large(error):
        return lines, "that is more than the server takes in a message; send less at a time"
    return lines, _ADVICE.get(_code(error), "")


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


def print_json(value: object, *, line: bool = False) -> None:
    """Prints a message, or anything JSON can say, as JSON; `line` for one of a sequence."""
    if isinstance(value, Message):
        value = json_format.MessageToDict(
            value, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
        )
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=None if line else 2) + "\n")
    sys.stdout.flush()


def read_file(path: str) -> bytes:
    """The bytes of a file, or of standard input for `-`."""
    if path == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        refuse(f"{path}: no such file")
    except OSError as error:
        refuse(f"{path}: {error.strerror}")


def read_text(text: str) -> str:
    """The text itself, or standard input for `-`, or the content of FILE for `@FILE`."""
    if text != "-" and not text.startswith("@"):
        return text
    source = text.removeprefix("@")
    try:
        return read_file(source).decode()
    except UnicodeDecodeError:
        refuse(f"{source}: not UTF-8 text")
