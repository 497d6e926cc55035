"""Log lines: JSON with fields, and never what somebody said."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from tests.server_process import ROOT

SECRET = "what the candidate said"
FAIL = f"""
def fail():
    raise ValueError({SECRET!r})
"""


def lines(code: str) -> list[dict[str, Any]]:
    """What a process that runs this code logs."""
    script = (
        "import asyncio, gc, logging\n"
        "from services.runtime.logs import configure, log\n"
        "from services.runtime.request import Request, set_current_request\n"
        "configure('demo', 'INFO')\n"
        "logger = logging.getLogger('x')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script + code],
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'gen'}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert SECRET not in done.stderr
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_an_event_carries_its_fields_and_its_call() -> None:
    (line,) = lines("""
set_current_request(Request(id="r1", method="/viva.Demo/Call"))
log(logger, logging.INFO, "loaded", model="small", seconds=1.5)
log(logger, logging.DEBUG, "not worth a line")
""")
    assert (line["event"], line["service"], line["level"]) == ("loaded", "demo", "INFO")
    assert (line["model"], line["seconds"]) == ("small", 1.5)
    assert (line["request_id"], line["method"]) == ("r1", "/viva.Demo/Call")


def test_an_error_is_logged_with_the_way_it_came_and_without_its_words() -> None:
    (line,) = lines(f"""
{FAIL}
try:
    try:
        fail()
    except ValueError as error:
        said = str(error)
        raise ExceptionGroup(said, [KeyError(said)]) from error
except ExceptionGroup as group:
    log(logger, logging.ERROR, "handler failed", cause=group)
""")
    names = ["ValueError", "in fail", "ExceptionGroup", "KeyError"]
    places = [line["stack"].index(name) for name in names]
    assert places == sorted(places)


def test_an_error_nobody_waited_for_is_logged_without_its_words() -> None:
    (line,) = lines(f"""
{FAIL}
async def failing():
    fail()

async def main():
    task = asyncio.create_task(failing())
    await asyncio.wait([task])
    del task
    gc.collect()

asyncio.run(main())
""")
    assert line["event"] == "Task exception was never retrieved"
    assert "in fail" in line["stack"]
