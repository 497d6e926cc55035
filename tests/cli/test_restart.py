"""`viva restart` and replicas: the real launcher and Envoy, stand-ins where the models would be."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from edge.envoy.endpoints import file_of, publish, read
from edge.envoy.settings import Endpoint, Replicas
from services.cli.launcher.health import clusters
from services.runtime.channel import open_channel
from tests.cli.callers import END, RECOGNIZE, calling, echoed
from tests.cli.running_mesh import READY, Launcher, environment, launched, until

PROGRAM = (str(Path(__file__).with_name("standin_mesh.py")),)

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def standing(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Launcher]:
    """A mesh with two recognisers and impatient limits, for all tests here."""
    variables = {
        **environment(tmp_path_factory.mktemp("mesh")),
        "VIVA_UP_LIVENESS_SECONDS": "1.5",
        "VIVA_UP_READY_SECONDS": "20",
        "VIVA_DRAIN_SECONDS": "20",
    }
    async with launched(variables, PROGRAM, ["--replicas", "asr=2"]) as running:
        await running.read_until(READY)
        yield running


def mesh(launcher: Launcher) -> str:
    return f"localhost:{launcher.variables['VIVA_ENVOY_MESH_PORT']}"


async def test_replicas_are_shown_and_share_the_calls(standing: Launcher) -> None:
    servers = await standing.servers()
    assert {"asr", "asr-2"} <= set(servers)
    assert servers["asr"]["address"] != servers["asr-2"]["address"]
    code, table = await standing.viva("status")
    assert code == 0
    # In a pipe, no line is broken and no word cut, whatever COLUMNS says.
    lines = [line.split() for line in table.splitlines()]
    assert {("asr", "serving"), ("asr-2", "serving")} <= {tuple(line[:2]) for line in lines}
    assert len(lines) == 1 + 10 + 1


async def test_a_restart_of_every_server_under_load_loses_no_call(standing: Launcher) -> None:
    names = ("embed", "asr", "tts", "llm", "interview", "gateway", "reflection")
    before = {name: await standing.pids(name) for name in (*names, "envoy")}
    async with calling(mesh(standing), each=2) as tally:

        async def flowing() -> bool:
            return len(tally.answered) == 3

        await until(flowing)
        code, said = await standing.viva("restart")
        assert code == 0, said
    assert tally.lost == []
    for name in names:
        await standing.until_replaced(name, before[name])
    assert await standing.pids("envoy") == before["envoy"]
    # Old and new have answered.
    pids = [*before["embed"], *await standing.pids("embed")]
    assert {str(pid).encode() for pid in pids} <= tally.by


async def test_an_old_replica_stays_until_its_streams_have_ended(standing: Launcher) -> None:
    async with open_channel(mesh(standing)) as channel:
        call = channel.stream_stream(RECOGNIZE)()  # type: ignore[call-arg]
        await echoed(call, b"before")
        restarting = asyncio.create_task(standing.viva("restart", "asr"))

        async def one_drains() -> bool:
            return any(entry.health == "NOT_SERVING" for entry in await standing.replicas("asr"))

        await until(one_drains)
        await echoed(call, b"meanwhile")
        await call.done_writing()
        assert await call.read() == END
        code, said = await restarting
    assert code == 0, said
    assert said.count("the old one has ended") == 2


async def test_a_replacement_that_cannot_start_leaves_the_old_one(standing: Launcher) -> None:
    before = await standing.pids("llm")
    broken = Path(standing.variables["VIVA_DATA_DIR"]) / "llm.broken"
    broken.touch()
    code, said = await standing.viva("restart", "llm")
    broken.unlink()
    assert code == 1
    assert "viva llm: the model is not there" in said
    [after] = await standing.replicas("llm")
    assert after.status
    assert ([after.status.pid], after.health) == (before, "SERVING")


async def test_a_replaced_server_that_fails_its_starts_is_tried_until_it_starts(
    standing: Launcher,
) -> None:
    code, said = await standing.viva("restart", "llm")
    assert code == 0, said
    before = await standing.pids("llm")
    assert before[0] is not None
    broken = Path(standing.variables["VIVA_DATA_DIR"]) / "llm.broken"
    broken.touch()
    os.kill(before[0], signal.SIGKILL)
    await standing.read_until("llm: ended (exit status 2), again in 1 s; it said last: viva llm")
    broken.unlink()
    await standing.until_replaced("llm", before)


async def test_a_restart_that_fails_as_nobody_foresaw_leaves_the_mesh_as_it_was(
    standing: Launcher,
) -> None:
    before = await standing.pids("embed")
    at_odds = Path(standing.variables["VIVA_DATA_DIR"]) / "at-odds"
    at_odds.touch()
    code, said = await standing.viva("restart", "embed")
    at_odds.unlink()
    assert code == 1
    assert "nobody has foreseen this" in said
    await standing.read_until("RuntimeError")
    assert await standing.pids("embed") == before
    code, said = await standing.viva("restart", "embed")
    assert code == 0, said
    await standing.until_replaced("embed", before)


@pytest.mark.parametrize("body", ["upstream connect error", "", "[]"])
async def test_what_envoy_says_that_is_no_answer_is_none(body: str) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, text=body))
    async with httpx.AsyncClient(transport=transport) as client:
        assert await clusters(client, Endpoint("127.0.0.1", 1)) == {}


async def test_what_cannot_be_written_is_named_and_leaves_the_old_one(standing: Launcher) -> None:
    before = await standing.pids("llm")
    endpoints = Path(standing.variables["VIVA_DATA_DIR"]) / "run/envoy/endpoints"
    blocked = endpoints / "llm.new"
    blocked.mkdir()
    code, said = await standing.viva("restart", "llm")
    blocked.rmdir()
    assert code == 1
    # A terminal wraps it.
    assert f"cannot write {endpoints / 'llm.json'}: Is a directory; the old llm stays" in " ".join(
        said.split()
    )
    assert await standing.pids("llm") == before


async def test_who_is_unknown_cannot_be_restarted(standing: Launcher) -> None:
    code, said = await standing.viva("restart", "ears")
    assert code == 2
    assert "no ears runs here; these do: embed, asr" in said


async def test_a_restart_goes_on_when_who_asked_for_it_goes(standing: Launcher) -> None:
    before = await standing.pids("embed")
    asking = await asyncio.create_subprocess_exec(
        sys.executable,
        *PROGRAM,
        "restart",
        "embed",
        env=standing.variables,
        stderr=asyncio.subprocess.PIPE,
    )
    assert asking.stderr is not None
    assert b"embed: starting" in await asking.stderr.readline()
    asking.kill()
    await asking.communicate()
    await standing.until_replaced("embed", before)


async def test_a_hung_server_is_killed_and_started_again(standing: Launcher) -> None:
    before = await standing.pids("tts")
    assert before[0] is not None
    os.kill(before[0], signal.SIGSTOP)
    await standing.read_until("tts: no answer for 1.5 s, killed")
    await standing.until_replaced("tts", before)


async def test_a_server_that_lost_its_device_is_started_again_at_once(standing: Launcher) -> None:
    [_, before] = await standing.pids("asr")
    assert before is not None
    os.kill(before, signal.SIGUSR1)
    await standing.read_until("ended (exit status 3), again at once")


async def test_what_is_known_of_the_mesh_is_its_owners(standing: Launcher) -> None:
    run = Path(standing.variables["VIVA_DATA_DIR"]) / "run"
    assert run.stat().st_mode & 0o777 == 0o700
    assert (run / "control.sock").is_socket()


async def test_a_server_that_envoy_has_nobody_to_call_for_is_not_well(standing: Launcher) -> None:
    endpoints = Path(standing.variables["VIVA_DATA_DIR"]) / "run/envoy/endpoints"
    before = read(file_of("llm", endpoints))
    publish("llm", Replicas(()), endpoints)

    async def told() -> bool:
        [envoy] = await standing.replicas("envoy")
        return envoy.health != "SERVING"

    await until(told)
    code, table = await standing.viva("status")
    assert code == 1
    assert "envoy not" in " ".join(table.split())
    publish("llm", before, endpoints)

    async def well() -> bool:
        # Envoy may still try whom it has just been told of: that is asked for at each look.
        return (await standing.viva("status"))[0] == 0

    await until(well)


async def test_who_waits_for_an_answer_when_the_mesh_stops_is_told(tmp_path: Path) -> None:
    """A restart is given up, and one who has not asked yet is left: both without a traceback."""
    left_out = [f"--without={name}" for name in ("asr", "tts", "llm", "interview", "gateway")]
    variables = environment(tmp_path)
    async with launched(variables, PROGRAM, left_out) as launcher:
        await launcher.read_until(READY)
        (tmp_path / "embed.slow").touch()
        launcher.said = ""
        restarting = asyncio.create_task(launcher.viva("restart", "embed"))
        await launcher.read_until("embed: starting")
        folder = os.open(tmp_path / "run", os.O_PATH)
        _, silent = await asyncio.open_unix_connection(f"/proc/self/fd/{folder}/control.sock")
        os.close(folder)
        assert await launcher.viva("down") == (0, "stopped\n")
        code, said = await restarting
        silent.close()
        assert await launcher.end() == 0
    assert code == 1, said
    assert "the mesh is stopping; nothing more is replaced" in said
    assert "Traceback" not in launcher.said
