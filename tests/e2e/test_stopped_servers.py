"""Servers that hang in mid-interview: the candidate is told within seconds, and it goes on."""

from __future__ import annotations

import asyncio
import os
import signal

from viva.interview.v1 import conversation_pb2 as pb

from services.cli.live_interview import LiveInterview, hold
from tests.e2e.test_killed_servers import LONGEST_SECONDS, PICKED, answering, assert_understood
from tests.real_mesh import RealMesh
from tests.recordings import librivox

HANG_SECONDS = 12.0


def test_a_recogniser_and_a_synthesiser_may_hang_while_the_candidate_speaks(
    mesh: RealMesh,
) -> None:
    pids = {server["name"]: server["pid"] for server in mesh.json("status")["servers"]}
    stops = {"asr": answering(1), "tts": answering(2)}
    stopped: set[str] = set()
    told: list[str] = []

    def notice(event: pb.InterviewEvent) -> None:
        if event.HasField("degraded") and not event.degraded.recovered:
            told.append(event.degraded.service)
        for name in [name for name in stops if name not in stopped and stops[name](event)]:
            stopped.add(name)
            os.kill(pids[name], signal.SIGSTOP)
            asyncio.get_running_loop().call_later(HANG_SECONDS, os.kill, pids[name], signal.SIGCONT)

    async def held() -> None:
        options = LiveInterview(
            address=mesh.address,
            answers=[librivox()[number].path for number in PICKED],
            rounds=1,
            follow_ups=1,
        )
        async with asyncio.timeout(LONGEST_SECONDS):
            left = await hold(options, notice)
        assert_understood(left, 2)
        assert left.report is not None

    try:
        asyncio.run(held())
    finally:
        for name in stops:
            os.kill(pids[name], signal.SIGCONT)
        mesh.wait_until_healthy()
    assert set(stopped) == set(stops)
    # A synthesiser is missed only when a line is wanted of it that was not made ahead.
    assert told[0] == "asr"
