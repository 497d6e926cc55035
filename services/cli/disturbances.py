"""What is done to an interview on purpose: interruptions, a cut connection, failing servers.

Times are seconds from the interview's beginning. Servers are signalled by the `viva up` that runs
them, through its control socket; it starts those that ended again.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from services.cli.launcher import control

HANG_SECONDS = 10.0
"""How long a server hangs when nothing else is said."""

_NUMBER = r"\d+(?:\.\d+)?"
_FAULT = re.compile(rf"(?P<server>[a-z][a-z0-9-]*)@(?P<at>{_NUMBER})", re.ASCII)
_HANG = re.compile(rf"{_FAULT.pattern}(?:\+(?P<length>{_NUMBER}))?", re.ASCII)


class Disturbance(Enum):
    """What happens to a server; the value is the command's option."""

    KILL = "kill"
    STOP = "stop"
    HANG = "hang"


@dataclass(frozen=True, slots=True)
class Fault:
    """A server that fails.

    Attributes:
        what: KILL by SIGKILL, STOP by SIGTERM, HANG by SIGSTOP and, later, SIGCONT.
        server: As `viva status` names it; all of its replicas.
        at: When.
        seconds: How long it hangs.
    """

    what: Disturbance
    server: str
    at: float
    seconds: float = HANG_SECONDS


def fault(what: Disturbance, written: str) -> Fault:
    """Reads SERVER@SECONDS, or SERVER@SECONDS+LENGTH for one that hangs.

    Raises:
        ValueError: It is neither; the message says how to write it.
    """
    hangs = what is Disturbance.HANG
    match = _HANG.fullmatch(written) if hangs else _FAULT.fullmatch(written)
    if match is None:
        form = "SERVER@SECONDS[+LENGTH]" if hangs else "SERVER@SECONDS"
        raise ValueError(f"--{what.value} {written}: write {form}, as asr@20")
    length = match["length"] if hangs else None
    return Fault(
        what, match["server"], float(match["at"]), float(length) if length else HANG_SECONDS
    )


@dataclass(frozen=True, slots=True)
class Disturbances:
    """All that is done to an interview.

    Attributes:
        interruptions: When the candidate speaks over the interviewer: then, or as soon after it as
            the interviewer speaks.
        cuts: When the connection is cut.
        faults: When servers fail.
        data_dir: Of the `viva up` whose servers they are.
    """

    interruptions: Sequence[float] = ()
    cuts: Sequence[float] = ()
    faults: Sequence[Fault] = ()
    data_dir: Path = Path()


NOTHING = Disturbances()
Note = Callable[[str], None]


async def disturb(
    planned: Disturbances,
    note: Note,
    *,
    interrupt: Callable[[], Awaitable[None]],
    cut: Callable[[], Awaitable[None]],
) -> None:
    """Does everything at its time; a server that hangs when this is cancelled goes on.

    Args:
        planned: What to do, counted from now.
        note: Told in a sentence of each fault as it happens.
        interrupt: Has the candidate speak over the interviewer.
        cut: Cuts the connection.
    """

    async def later(seconds: float, do: Callable[[], Awaitable[None]]) -> None:
        await asyncio.sleep(seconds)
        await do()

    async with asyncio.TaskGroup() as tasks:
        for at in planned.interruptions:
            tasks.create_task(later(at, interrupt))
        for at in planned.cuts:
            tasks.create_task(later(at, cut))
        for one in planned.faults:
            tasks.create_task(_fail(one, planned.data_dir, note))


async def _fail(one: Fault, data_dir: Path, note: Note) -> None:
    await asyncio.sleep(one.at)
    match one.what:
        case Disturbance.KILL:
            if await _signal(one.server, "SIGKILL", data_dir, note):
                note(f"{one.server} is killed")
        case Disturbance.STOP:
            if await _signal(one.server, "SIGTERM", data_dir, note):
                note(f"{one.server} is told to stop")
        case Disturbance.HANG:
            try:
                if await _signal(one.server, "SIGSTOP", data_dir, note):
                    note(f"{one.server} hangs for {one.seconds:g} s")
                await asyncio.sleep(one.seconds)
            finally:
                if await _signal(one.server, "SIGCONT", data_dir, note):
                    note(f"{one.server} goes on")


async def _signal(server: str, name: str, data_dir: Path, note: Note) -> bool:
    try:
        await asyncio.to_thread(control.signal_server, data_dir, server, name)
    except control.SignalFailed as error:
        note(str(error))
    except control.NoAnswer:
        note(f"`viva up` does not answer; nothing is done to {server}")
    else:
        return True
    return False
