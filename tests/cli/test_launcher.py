"""`viva up`, `down`, `status`: with the real Envoy, and stand-ins where the models would be."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import psutil
import pytest
import pytest_asyncio
import soundfile
from typer.testing import CliRunner

from edge.envoy.settings import Endpoint
from services.cli.app import app
from services.cli.launcher import control, process
from services.cli.launcher.logfile import LogFile
from services.cli.launcher.process import StartFailed, Supervised
from services.cli.launcher.programs import Program
from services.cli.launcher.settings import LauncherSettings
from services.runtime.exit_statuses import EXIT_RESOURCE_MISSING
from tests.cli.running_mesh import (
    READY,
    Launcher,
    all_gone,
    environment,
    launched,
    until,
)
from tests.server_process import free_ports

PROGRAM = (str(Path(__file__).with_name("standin_mesh.py")),)
NAMES = {
    "asr", "bridge", "embed", "envoy", "gateway", "interview", "llm", "reflection", "tts",
}  # fmt: skip


pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def standing(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Launcher]:
    """A mesh for the tests that leave it standing."""
    async with launched(environment(tmp_path_factory.mktemp("mesh")), PROGRAM) as running:
        await running.read_until(READY)
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def launcher(tmp_path: Path) -> AsyncIterator[Launcher]:
    async with launched(environment(tmp_path), PROGRAM) as running:
        await running.read_until(READY)
        yield running


async def test_it_says_where_everything_is_and_status_agrees(standing: Launcher) -> None:
    address = f"localhost:{standing.variables['VIVA_ENVOY_MESH_PORT']}"
    await standing.read_until(address)
    code, output = await standing.viva("status", "--json")
    status = json.loads(output)
    assert code == 0
    assert status["running"] is True
    assert status["mesh"] == address
    servers = {server["name"]: server for server in status["servers"]}
    assert set(servers) == NAMES
    assert {server["health"] for server in servers.values()} == {"SERVING"}
    assert all(server["memory_bytes"] > 0 and server["pid"] for server in servers.values())
    code, table = await standing.viva("status")
    assert code == 0
    assert all(name in table for name in NAMES)


async def test_a_second_one_says_what_runs(standing: Launcher) -> None:
    code, output = await standing.viva("up")
    assert code != 0
    assert str(standing.process.pid) in output
    assert "viva down" in output


async def test_a_server_that_dies_is_started_again(standing: Launcher) -> None:
    before = await standing.pids("tts")
    assert before[0] is not None
    os.kill(before[0], signal.SIGKILL)
    await standing.until_replaced("tts", before)
    assert (await standing.servers())["tts"]["restarts"] == 1
    await standing.read_until("tts: ended")
    assert "SIGKILL" in standing.said


async def test_envoy_is_started_again_as_well(standing: Launcher) -> None:
    before = await standing.pids("envoy")
    assert before[0] is not None
    os.kill(before[0], signal.SIGKILL)
    await standing.until_replaced("envoy", before)


async def test_servers_can_be_made_to_fail_and_hang(standing: Launcher, tmp_path: Path) -> None:
    """As `viva interview --kill` and its like ask for."""
    data = Path(standing.variables["VIVA_DATA_DIR"])
    before = await standing.pids("llm")

    async def signalled(server: str, name: str) -> None:
        await asyncio.to_thread(control.signal_server, data, server, name)

    async def stopped() -> bool:
        return psutil.Process(before[0]).status() == psutil.STATUS_STOPPED

    async def going_on() -> bool:
        return not await stopped()

    await signalled("llm", "SIGSTOP")
    await until(stopped)
    await signalled("llm", "SIGCONT")
    await until(going_on)
    await signalled("llm", "SIGKILL")
    await standing.until_replaced("llm", before)
    with pytest.raises(control.SignalFailed, match=r"no oven runs here; these do: .*asr"):
        await signalled("oven", "SIGKILL")
    with pytest.raises(control.SignalFailed, match="no signal SIGUSR1"):
        await signalled("llm", "SIGUSR1")
    soundfile.write(tmp_path / "a.wav", np.full(1600, 0.5), 16_000)
    code, said = await standing.viva(
        "interview", "--answers", str(tmp_path / "a.wav"), "--kill", "oven@1"
    )
    assert code == 2
    assert "no oven runs here" in said


async def test_down_stops_callers_before_whom_they_call(launcher: Launcher) -> None:
    family = launcher.children()
    code, _ = await launcher.viva("down")
    assert code == 0
    assert await launcher.end() == 0
    assert await all_gone(family)
    stops = launcher.read_stops()
    assert stops[0] == "interview"
    assert set(stops) == {"interview", "gateway", "asr", "tts", "llm", "embed"}
    code, output = await launcher.viva("status", "--json")
    assert code == 3
    assert json.loads(output)["running"] is False


async def test_ctrl_c_stops_everything(launcher: Launcher) -> None:
    family = launcher.children()
    launcher.process.send_signal(signal.SIGINT)
    assert await launcher.end() == 0
    assert await all_gone(family)


async def test_a_second_ctrl_c_does_not_wait_for_a_server_that_hangs(launcher: Launcher) -> None:
    family = launcher.children()
    [hanging] = await launcher.pids("interview")
    assert hanging is not None
    os.kill(hanging, signal.SIGSTOP)
    launcher.process.send_signal(signal.SIGINT)
    await launcher.read_until("once more")
    launcher.process.send_signal(signal.SIGINT)
    await launcher.end()
    assert await all_gone(family)


async def test_nothing_outlives_a_killed_launcher_and_the_next_one_starts(
    launcher: Launcher,
) -> None:
    family = launcher.children()
    assert len(family) >= len(NAMES)
    launcher.process.kill()
    await launcher.end()

    async def gone() -> bool:
        return await all_gone(family)

    await until(gone)
    code, _ = await launcher.viva("status")
    assert code == 3
    async with launched(launcher.variables, PROGRAM) as second:
        await second.read_until(READY)


async def test_a_server_that_cannot_start_ends_it_with_the_servers_own_words(
    tmp_path: Path,
) -> None:
    variables = environment(tmp_path)
    (tmp_path / "tts.broken").touch()
    async with launched(variables, PROGRAM) as launcher:
        assert await launcher.end() == 1
    assert "viva tts: the model is not there; run make setup" in launcher.said
    # Told before the others are stopped, and again at the end.
    log = tmp_path / "logs" / "tts.log"
    last = "viva tts: the model is not there; run make setup"
    assert f"tts: does not start; it said last: {last}; see {log}" in launcher.said
    code, _ = await launcher.viva("status")
    assert code == 3


async def test_a_start_that_fails_is_told_with_the_servers_last_line(tmp_path: Path) -> None:
    program = Program(
        "tts",
        "tts",
        ("sh", "-c", "echo loading; echo '[/odd] out of luck'; exit 1"),
        {},
        Endpoint("127.0.0.1", free_ports(1)[0]),
    )
    log = LogFile(tmp_path / "tts.log")
    events: list[str] = []
    supervised = Supervised(program, log, lambda _, event: events.append(event), LauncherSettings())
    with pytest.raises(StartFailed, match="tts does not start"):
        await supervised.run()
    log.close()
    last = f"; it said last: [/odd] out of luck; see {log.path}"
    assert events == [
        "starting",
        f"ended (exit status 1), again in 0.5 s{last}",
        "starting",
        f"ended (exit status 1), again in 1 s{last}",
        "starting",
        f"does not start{last}",
    ]


async def test_of_a_log_line_its_event_is_told(tmp_path: Path) -> None:
    line = '{"time": "…", "level": "INFO", "service": "tts", "event": "preparing kokoro, once"}'
    program = Program("tts", "tts", ("sh", "-c", f"echo '{line}'; exit 6"), {}, Endpoint("h", 1))
    log = LogFile(tmp_path / "tts.log")
    events: list[str] = []
    supervised = Supervised(program, log, lambda _, event: events.append(event), LauncherSettings())
    with pytest.raises(StartFailed):
        await supervised.run()
    log.close()
    said = f"; it said last: preparing kokoro, once; see {log.path}"
    assert events[1] == f"ended (exit status 6), again in 0.5 s{said}"


@pytest.mark.parametrize("status", [1, EXIT_RESOURCE_MISSING])
async def test_what_was_ready_once_is_tried_until_it_starts_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    broken = tmp_path / "broken"
    command = f"if [ -e {broken} ]; then echo out of luck; exit {status}; fi; exec sleep 600"
    program = Program("tts", "tts", ("sh", "-c", command), {}, Endpoint("127.0.0.1", 1))
    events: list[str] = []
    log = LogFile(tmp_path / "tts.log")

    def changed(_: str, event: str) -> None:
        events.append(event)
        if len(events) == 12:
            broken.unlink()

    async def ready(_: Program) -> None:
        if broken.exists():
            await asyncio.Event().wait()

    async def hung(_: Program, __: float) -> None:
        if broken.exists() or events.count("ready") > 1:
            await asyncio.Event().wait()
        broken.touch()

    monkeypatch.setattr(process, "FIRST_BACKOFF_SECONDS", 0.01)
    monkeypatch.setattr(process, "LONGEST_BACKOFF_SECONDS", 0.04)
    monkeypatch.setattr(process, "ready", ready)
    monkeypatch.setattr(process, "hung", hung)
    patience = LauncherSettings(liveness_seconds=1)
    supervised = Supervised(program, log, changed, patience)
    running = asyncio.create_task(supervised.run())
    try:

        async def back() -> bool:
            assert not running.done()
            return events.count("ready") == 2

        await until(back)
    finally:
        supervised.kill()
        await running
        log.close()
    said = f"; it said last: out of luck; see {log.path}"

    def ended(seconds: float) -> str:
        return f"ended (exit status {status}), again in {seconds:g} s{said}"

    assert events == [
        *("starting", "ready", "no answer for 1 s, killed"),
        "ended (killed by SIGKILL), again in 0.01 s",
        *("starting", ended(0.02), "starting", ended(0.04), "starting", ended(0.04)),
        *("starting", ended(0.04), "starting", "ready"),
    ]


async def test_a_server_that_cannot_be_watched_is_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = Program("tts", "tts", ("sleep", "600"), {}, Endpoint("127.0.0.1", 1))
    events: list[str] = []
    log = LogFile(tmp_path / "tts.log")

    async def ready(_: Program) -> None:
        if events.count("starting") == 1:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(process, "FIRST_BACKOFF_SECONDS", 0.01)
    monkeypatch.setattr(process, "ready", ready)
    supervised = Supervised(program, log, lambda _, event: events.append(event), LauncherSettings())
    running = asyncio.create_task(supervised.run())
    await supervised.ready.wait()
    supervised.kill()
    await running
    log.close()
    assert events[:3] == [
        "starting",
        "cannot be watched ([Errno 24] Too many open files), killed",
        f"ended (killed by SIGKILL), again in 0.01 s; see {log.path}",
    ]


async def test_a_launcher_out_of_files_starts_a_server_again_when_there_are_some(
    standing: Launcher,
) -> None:
    before = await standing.pids("tts")
    assert before[0] is not None
    launcher = psutil.Process(standing.process.pid)
    before_that, most = launcher.rlimit(psutil.RLIMIT_NOFILE)
    launcher.rlimit(psutil.RLIMIT_NOFILE, (3, most))
    os.kill(before[0], signal.SIGKILL)
    await standing.read_until("tts: not started (Too many open files), again in")
    launcher.rlimit(psutil.RLIMIT_NOFILE, (before_that, most))
    await standing.until_replaced("tts", before)


async def test_a_taken_port_is_named_with_its_owner(tmp_path: Path) -> None:
    variables = environment(tmp_path)
    port = int(variables["VIVA_ASR_PORT"])
    with socket.create_server(("127.0.0.1", port)):
        async with launched(variables, PROGRAM) as launcher:
            assert await launcher.end() != 0
    assert f"port {port} (asr)" in launcher.said
    assert str(os.getpid()) in launcher.said


async def test_what_cannot_be_run_is_told_in_a_line(tmp_path: Path) -> None:
    variables = environment(tmp_path)
    (tmp_path / "file").touch()
    for setting, said in (
        ({"VIVA_DATA_DIR": str(tmp_path / "file" / "data")}, "VIVA_DATA_DIR"),
        ({"VIVA_TTS_PORT": "many"}, "VIVA_TTS_PORT: 'many' is no port"),
        ({"VIVA_ENVOY_EDGE_PORT": "many"}, "VIVA_ENVOY_EDGE_PORT"),
    ):
        async with launched({**variables, **setting}, PROGRAM) as launcher:
            assert await launcher.end() == 2
        assert said in launcher.said
        assert "Traceback" not in launcher.said


async def test_another_users_mesh_is_told_in_a_line(
    standing: Launcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIVA_DATA_DIR", standing.variables["VIVA_DATA_DIR"])

    def refuse(pid: int, _: int) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    with monkeypatch.context() as patched:
        patched.setattr(os, "kill", refuse)
        result = CliRunner().invoke(app, ["down"])
    assert result.exit_code == 1
    assert "another user's" in result.output
    assert len(result.output.splitlines()) == 1
    assert "Traceback" not in result.output
    assert standing.process.returncode is None


async def test_a_refused_second_one_leaves_the_firsts_configuration_alone(
    standing: Launcher,
) -> None:
    file = Path(standing.variables["VIVA_DATA_DIR"]) / "run" / "envoy" / "envoy.json"
    before = file.read_text()
    code, _ = await standing.viva("up", "--offset", "1000")
    assert code == 2
    assert file.read_text() == before


async def test_a_program_asked_to_stop_while_it_is_being_started_ends(tmp_path: Path) -> None:
    endpoint = Endpoint("127.0.0.1", free_ports(1)[0])
    program = Program("sleeper", "sleeper", ("sleep", "600"), {}, endpoint)
    log = LogFile(tmp_path / "sleeper.log")
    supervised = Supervised(program, log, lambda _name, _event: None, LauncherSettings())
    running = asyncio.create_task(supervised.run())
    await asyncio.sleep(0)
    await supervised.stop()
    async with asyncio.timeout(20):
        await running
    log.close()


async def test_logs_are_kept_for_each_process(standing: Launcher) -> None:
    logs = Path(standing.variables["VIVA_DATA_DIR"]) / "logs"
    assert {path.stem for path in logs.glob("*.log")} == NAMES
