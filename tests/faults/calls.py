"""How calls end, as their callers see it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import grpc
from grpc_status import rpc_status

from tests.faults.methods import Call, Method
from tests.refusals import blamed, reason_of
from tests.server_process import GUARD_SECONDS


@dataclass(frozen=True)
class Ending:
    """How a call ended: its status, its reason, the fields it blames, and what came before."""

    code: grpc.StatusCode
    message: str
    reason: str
    fields: tuple[str, ...]
    answers: tuple[Any, ...]


async def ending(call: Call) -> Ending:
    """Reads a call to its end."""
    answers: list[Any] = []
    error: grpc.aio.AioRpcError | None = None
    async with asyncio.timeout(GUARD_SECONDS):
        try:
            if hasattr(call, "read"):
                while answer := await call.read():
                    answers.append(answer)
            else:
                answers.append(await call)
        except grpc.aio.AioRpcError as raised:
            error = raised
        except asyncio.CancelledError:
            if not call.cancelled():
                raise
        code = await call.code()
    message = str(await call.details() or "")
    status = None if error is None else rpc_status.from_call(error)  # type: ignore[arg-type]
    if status is None:
        return Ending(code, message, "", (), tuple(answers))
    return Ending(code, message, reason_of(status), tuple(blamed(status)), tuple(answers))


async def whole(method: Method, channel: grpc.aio.Channel) -> Ending:
    """A call that nothing happens to."""
    call = await method.begin(channel, GUARD_SECONDS)
    return await finished(method, channel, call)


async def finished(method: Method, channel: grpc.aio.Channel, call: Call) -> Ending:
    """Lets a call end that its caller ends."""
    if method.end is not None:
        await method.end(channel, call)
    return await ending(call)
