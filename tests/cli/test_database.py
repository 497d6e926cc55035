"""`viva up` with a database that is named: what is wrong with it is told before anything starts."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from services.cli.launcher.database import until_let_in
from services.cli.launcher.logfile import LogFile
from services.cli.launcher.plan import POSTGRES, make_plan
from services.cli.launcher.process import StartFailed, Supervised
from services.cli.launcher.settings import LauncherSettings
from tests.cli.running_mesh import all_gone, environment, launched
from tests.interview.databases import GUARD_SECONDS, Postgres
from tests.interview.databases import postgres as running_postgres
from tests.server_process import free_ports

PROGRAM = (str(Path(__file__).with_name("standin_mesh.py")),)
VARIABLE = "VIVA_INTERVIEW_DATABASE_URL"
# Of what may come up yet: long enough to try more than once.
SECONDS = 0.5


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as running:
        yield running


async def refused(monkeypatch: pytest.MonkeyPatch, url: str) -> tuple[str, list[str]]:
    """What is said at the end, and what meanwhile."""
    monkeypatch.setenv(VARIABLE, url)
    meanwhile: list[str] = []
    with pytest.raises(StartFailed) as failed:
        async with asyncio.timeout(GUARD_SECONDS):
            await until_let_in(SECONDS, meanwhile.append)
    assert VARIABLE in str(failed.value)
    assert "\n" not in str(failed.value)
    return str(failed.value), meanwhile


@pytest.mark.parametrize(
    ("place", "why"),
    [("no-such-host.invalid:5432", "has no address"), ("127.0.0.1:{port}", "cannot be reached")],
)
async def test_a_database_that_may_come_up_yet_is_named_while_it_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, place: str, why: str
) -> None:
    place = place.format(port=free_ports(1)[0])
    said, meanwhile = await refused(monkeypatch, f"postgresql://ann:hunter2@{place}/viva")
    for line in (said, *meanwhile):
        assert f"PostgreSQL at {place}/viva: " in line
        assert why in line
        assert "hunter2" not in line
    assert len(meanwhile) == 1


async def test_a_host_that_never_answers_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hold(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await released.wait()
        writer.close()

    released = asyncio.Event()
    async with await asyncio.start_server(hold, "127.0.0.1", 0) as silent:
        port = silent.sockets[0].getsockname()[1]
        said, _ = await refused(monkeypatch, f"postgresql://ann@127.0.0.1:{port}/viva")
        released.set()
    assert "it did not answer in time" in said


@pytest.mark.parametrize(
    ("who", "why"),
    [("nobody@/viva", "refuses the user or password"), ("postgres@/none", "no such database")],
)
async def test_a_database_that_will_never_let_it_in_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, postgres: Postgres, who: str, why: str
) -> None:
    said, meanwhile = await refused(monkeypatch, f"postgresql://{who}?host={postgres.folder}")
    assert why in said
    assert meanwhile == []


async def test_a_database_that_lets_it_in_holds_nothing_up(
    monkeypatch: pytest.MonkeyPatch, postgres: Postgres
) -> None:
    monkeypatch.setenv(VARIABLE, str(postgres.server().url))
    meanwhile: list[str] = []
    await until_let_in(GUARD_SECONDS, meanwhile.append)
    assert meanwhile == []


@pytest.mark.slow
async def test_viva_up_ends_with_a_line_and_has_started_nothing(tmp_path: Path) -> None:
    variables = {
        **environment(tmp_path),
        VARIABLE: "postgresql://ann@no-such-host.invalid/viva",
        "VIVA_UP_DATABASE_SECONDS": str(SECONDS),
    }
    async with launched(variables, PROGRAM) as launcher:
        assert await launcher.end() == 1
    assert "no-such-host.invalid:5432/viva: " in launcher.said
    assert "interview: PostgreSQL" in launcher.said
    assert ": starting" not in launcher.said
    assert "Traceback" not in launcher.said


@pytest.mark.slow
async def test_ctrl_c_ends_the_wait_for_a_database(tmp_path: Path) -> None:
    variables = {
        **environment(tmp_path),
        VARIABLE: f"postgresql://ann@127.0.0.1:{free_ports(1)[0]}/viva",
        "VIVA_UP_DATABASE_SECONDS": "3600",
    }
    async with asyncio.timeout(GUARD_SECONDS), launched(variables, PROGRAM) as launcher:
        await launcher.read_until("it is waited for 3600 s")
        launcher.process.send_signal(signal.SIGINT)
        assert await launcher.end() == 0
    assert ": starting" not in launcher.said


@asynccontextmanager
async def supervision(
    folder: Path, settings: LauncherSettings
) -> AsyncIterator[tuple[Supervised, Callable[[str], Awaitable[None]]]]:
    """The PostgreSQL of the data folder as the launcher runs it, and who waits for its events."""
    [program] = [one for one in make_plan().programs if one.server == POSTGRES]
    events: asyncio.Queue[str] = asyncio.Queue()
    log = LogFile(folder / "postgres.log")
    supervised = Supervised(program, log, lambda _, event: events.put_nowait(event), settings)

    async def happened(what: str) -> None:
        while what not in await events.get():
            pass

    async with asyncio.timeout(GUARD_SECONDS), asyncio.TaskGroup() as tasks:
        tasks.create_task(supervised.run())
        yield supervised, happened
        await supervised.stop()
    log.close()


@pytest.mark.slow
async def test_no_empty_database_takes_the_place_of_one_that_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIVA_DATA_DIR", str(tmp_path))
    folder, away = tmp_path / "postgres", tmp_path / "away"
    async with supervision(tmp_path, LauncherSettings()) as (supervised, happened):
        await happened("ready")
        folder.rename(away)
        assert supervised.signal(signal.SIGKILL)
        await happened(f"the database in {folder} is gone; mount its disk again")
        assert not folder.exists()
        away.rename(folder)
        await happened("ready")


@pytest.mark.slow
async def test_a_postgresql_whose_processes_all_hang_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIVA_DATA_DIR", str(tmp_path))
    settings = LauncherSettings(liveness_seconds=1)
    async with supervision(tmp_path, settings) as (supervised, happened):
        await happened("ready")
        assert supervised.status.pid is not None
        server = psutil.Process(supervised.status.pid)
        family = [server, *server.children(recursive=True)]
        for process in family:
            process.suspend()
        await happened("no answer for 1 s, killed")
        await happened("ready")
        assert await all_gone(family)
        # A stranger kills the one process, and the others hang.
        server = psutil.Process(supervised.status.pid)
        family = [server, *server.children(recursive=True)]
        for process in family:
            process.suspend()
        os.kill(server.pid, signal.SIGKILL)
        await happened("ended (killed by SIGKILL)")
        await happened("ready")
        assert await all_gone(family)
