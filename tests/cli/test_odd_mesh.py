"""A mesh in odd circumstances: servers left out or elsewhere, open hosts, a full disk."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
import pytest_asyncio

from services.runtime.channel import open_channel
from tests.cli.callers import END, RECOGNIZE, echoed
from tests.cli.running_mesh import READY, Launcher, environment, launched, until
from tests.llm.model_server import Reply, answer, model_server
from tests.server_process import free_ports

PROGRAM = (str(Path(__file__).with_name("standin_mesh.py")),)
LEFT_OUT = ("tts", "llm", "interview", "gateway", "reflection", "bridge")
OPTIONS = [f"--without={name}" for name in LEFT_OUT]

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def odd(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Launcher]:
    data = tmp_path_factory.mktemp("mesh")
    (data / "logs").mkdir()
    (data / "logs" / "asr.log").symlink_to("/dev/full")
    elsewhere = {"embed": [f"127.0.0.1:{free_ports(1)[0]}"]}
    variables = {
        **environment(data),
        "VIVA_ENVOY_ENDPOINTS": json.dumps(elsewhere),
        "VIVA_ASR_HOST": "0.0.0.0",
        "VIVA_DRAIN_SECONDS": "1",
    }
    async with launched(variables, PROGRAM, OPTIONS) as running:
        # Although nobody answers for embed: what is elsewhere is not waited for.
        await running.read_until(READY)
        yield running


async def test_only_what_belongs_here_runs_here(odd: Launcher) -> None:
    code, output = await odd.viva("status", "--json")
    servers = {server["name"]: server for server in json.loads(output)["servers"]}
    assert set(servers) == {"asr", "envoy", "embed"}
    assert servers["asr"]["health"] == servers["envoy"]["health"] == "SERVING"
    assert servers["embed"]["pid"] is None
    assert servers["embed"]["health"] == "UNREACHABLE"
    assert code == 1


async def test_a_full_disk_stops_neither_launcher_nor_server(odd: Launcher) -> None:
    await odd.read_until("its log cannot be written (No space left on device); it runs on")
    assert [entry.health for entry in await odd.replicas("asr")] == ["SERVING"]
    before = await odd.pids("asr")
    scratch = Path(odd.variables["VIVA_DATA_DIR"]) / "run" / "envoy" / "endpoints" / "asr.new"
    scratch.symlink_to("/dev/full")
    code, said = await odd.viva("restart", "asr")
    scratch.unlink()
    assert code == 1
    assert "No space left on device" in said
    assert await odd.pids("asr") == before


async def test_a_stream_that_does_not_end_is_cut_when_the_time_to_drain_is_over(
    odd: Launcher,
) -> None:
    before = await odd.pids("asr")
    async with open_channel(f"localhost:{odd.variables['VIVA_ENVOY_MESH_PORT']}") as channel:
        call = channel.stream_stream(RECOGNIZE)()  # type: ignore[call-arg]
        await echoed(call, b"before")
        code, said = await odd.viva("restart", "asr")
        assert code == 0, said
        with pytest.raises(grpc.aio.AioRpcError):
            assert await call.read() != END
    await odd.until_replaced("asr", before)


async def test_down_lets_running_streams_end_and_nothing_new_begin(odd: Launcher) -> None:
    port = int(odd.variables["VIVA_ENVOY_MESH_PORT"])
    async with open_channel(f"localhost:{port}") as channel:
        call = channel.stream_stream(RECOGNIZE)()  # type: ignore[call-arg]
        await echoed(call, b"before")
        stopping = asyncio.create_task(odd.viva("down"))

        async def closed() -> bool:
            try:
                _, writer = await asyncio.open_connection("localhost", port)
            except OSError:
                return True
            writer.close()
            return False

        await until(closed)
        await call.done_writing()
        assert await call.read() == END
        assert await stopping == (0, "stopped\n")
    assert await odd.end() == 0


async def test_sigterm_stops_it_in_order_although_its_run_folder_is_gone(tmp_path: Path) -> None:
    async with launched(environment(tmp_path), PROGRAM, OPTIONS) as launcher:
        await launcher.read_until(READY)
        shutil.rmtree(tmp_path / "run")
        launcher.process.send_signal(signal.SIGTERM)
        assert await launcher.end() == 0
    assert sorted(launcher.read_stops()) == ["asr", "embed"]
    assert "error" not in launcher.said


async def test_nothing_is_started_in_a_folder_that_took_the_place_of_its_own(
    tmp_path: Path,
) -> None:
    """As when its disk is unmounted: the mount point is an empty folder."""
    data, away = tmp_path / "data", tmp_path / "away"
    data.mkdir()
    async with launched(environment(data), PROGRAM, [*OPTIONS, "--without=embed"]) as launcher:
        await launcher.read_until(READY)
        [before] = await launcher.pids("asr")
        assert before is not None
        data.rename(away)
        data.mkdir()
        await launcher.read_until(f"data folder: {data} is gone, or another lies in its place")
        stops = f"`kill {launcher.process.pid}` stops"
        assert stops in launcher.said
        code, said = await launcher.viva("status")
        assert code == 1
        assert stops in said
        os.kill(before, signal.SIGKILL)
        await launcher.read_until("asr: ended (killed by SIGKILL)")
        data.rmdir()
        away.rename(data)
        await launcher.read_until("data folder: is there again")
        await launcher.until_replaced("asr", [before])
        gone, back = (launcher.said.index(f"data folder: {what}") for what in (data, "is there"))
        assert "starting" not in launcher.said[gone:back]


async def test_a_launcher_whose_folder_is_gone_is_named_so_that_it_can_be_stopped(
    tmp_path: Path,
) -> None:
    async with launched(environment(tmp_path), PROGRAM, [*OPTIONS, "--without=embed"]) as launcher:
        await launcher.read_until(READY)
        shutil.rmtree(tmp_path / "run")
        for command in ("status", "down", "restart", "up"):
            code, said = await launcher.viva(command)
            assert code == (2 if command == "up" else 1)
            assert f"`kill {launcher.process.pid}` stops" in said
            assert str(tmp_path) in said


async def test_a_server_that_never_gets_ready_is_named_with_its_last_line(tmp_path: Path) -> None:
    (tmp_path / "asr.slow").touch()
    variables = {**environment(tmp_path), "VIVA_UP_READY_SECONDS": "5"}
    async with launched(variables, PROGRAM, ["--without", "embed", *OPTIONS]) as launcher:
        assert await launcher.end() == 1
    assert "asr does not start (not ready after 5 s; it said last: loading" in launcher.said
    assert str(tmp_path / "logs" / "asr.log") in launcher.said


async def test_a_service_that_nobody_offers_is_named(tmp_path: Path) -> None:
    (tmp_path / "viva.interview.v1.QuestionService.missing").touch()
    variables = {**environment(tmp_path), "VIVA_UP_READY_SECONDS": "8"}
    left_out = ("embed", "asr", "tts", "llm", "gateway", "reflection", "bridge")
    options = [f"--without={name}" for name in left_out]
    async with launched(variables, PROGRAM, options) as launcher:
        assert await launcher.end() == 1
    assert "nobody healthy for viva.interview.v1.QuestionService after 8 s" in launcher.said


def alone(*names: str) -> list[str]:
    """Options of a mesh with these servers and no others."""
    others = {"embed", "asr", "tts", "llm", "interview", "gateway", "reflection", "bridge"}
    return [f"--without={name}" for name in sorted(others - {*names})]


async def test_the_doctor_asks_no_database_that_the_mesh_does_not_need(tmp_path: Path) -> None:
    async with launched(environment(tmp_path), PROGRAM, alone("reflection")) as launcher:
        await launcher.read_until(READY)
        _, output = await launcher.viva("doctor", "--json")
    found = {finding["what"]: finding for finding in json.loads(output)}
    assert found["mesh"]["found"] == f"runs as process {launcher.process.pid}"
    assert found["PostgreSQL"]["remedy"] == ""


async def test_nobody_waits_for_a_server_elsewhere(tmp_path: Path) -> None:
    variables = {
        **environment(tmp_path),
        "VIVA_ENVOY_ENDPOINTS": json.dumps({"llm": [f"127.0.0.1:{free_ports(1)[0]}"]}),
        "VIVA_UP_READY_SECONDS": "15",
    }
    async with launched(variables, PROGRAM, alone("reflection")) as launcher:
        await launcher.read_until(READY)
        health = {name: server["health"] for name, server in (await launcher.servers()).items()}
    assert health["reflection"] == "SERVING"
    assert health["llm"] == "UNREACHABLE"


async def test_a_model_that_is_elsewhere_and_does_not_answer_holds_nobody_up(
    tmp_path: Path,
) -> None:
    """The real language model server, whose model's server comes later."""
    [port] = free_ports(1)
    variables = {
        **environment(tmp_path),
        "VIVA_LLM_ENGINE": "openai",
        "VIVA_LLM_MODEL": "any",
        "VIVA_LLM_OPENAI_BASE_URL": f"http://ann:hunter2@127.0.0.1:{port}/v1",
        # Half of it is for models elsewhere.
        "VIVA_UP_READY_SECONDS": "20",
    }
    missed = f"…@127.0.0.1:{port}/v1 cannot be reached (VIVA_LLM_OPENAI_BASE_URL)"
    async with launched(variables, options=alone("llm", "reflection")) as launcher:
        await launcher.read_until(READY)
        [line] = [line for line in launcher.said.splitlines() if READY in line]
        assert f"{READY}, without llm: {missed}; interviews go on without it" in line
        assert f"llm: does not serve: {missed}" in launcher.said
        code, said = await launcher.viva("status")
        assert code == 1
        assert f"llm: {missed}" in said
        assert "hunter2" not in said
        before = {name: await launcher.pids(name) for name in ("llm", "reflection")}
        code, said = await launcher.viva("restart")
        assert code == 0, said
        await launcher.until_replaced("reflection", before["reflection"])
        assert not {*before["llm"]} & {*await launcher.pids("llm")}
        launcher.said = ""
        async with model_server(Reply(answer("Hello")), port=port):
            await launcher.read_until("llm: ready")

            async def well() -> bool:
                return (await launcher.viva("status"))[0] == 0

            await until(well)
        launcher.process.send_signal(signal.SIGTERM)
        assert await launcher.end() == 0
    logs = "".join(path.read_text() for path in (tmp_path / "logs").iterdir())
    assert "hunter2" not in launcher.said + said + logs


async def test_a_server_that_ends_for_want_of_its_triton_is_tried_until_that_comes(
    tmp_path: Path,
) -> None:
    triton = f"127.0.0.1:{free_ports(1)[0]}"
    (tmp_path / "asr.broken").touch()
    variables = {
        **environment(tmp_path),
        "VIVA_ASR_ENGINE": "triton",
        "VIVA_ASR_TRITON_ADDRESS": triton,
    }
    async with launched(variables, PROGRAM, alone("asr", "embed")) as launcher:
        await launcher.read_until(READY)
        missed = f"Triton at {triton} cannot be reached (VIVA_ASR_TRITON_ADDRESS)"
        assert f"{READY}, without asr: {missed}" in launcher.said
        (tmp_path / "asr.broken").unlink()
        await launcher.read_until("asr: ready")
