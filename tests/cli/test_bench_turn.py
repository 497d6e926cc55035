"""What `viva bench turn`, `sessions` and `bargein` measure with, in virtual time."""

from __future__ import annotations

import math
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from xml.etree import ElementTree as ET

import grpc
import numpy as np
import pytest
from viva.embed.v1 import embed_pb2, embed_pb2_grpc

from services.cli.bench.bargein.bench import figures as bargein_figures
from services.cli.bench.bargein.sounds import Kind, Sound, echo, levelled, noises
from services.cli.bench.bargein.trials import Trial, trials
from services.cli.bench.candidates import REACTION_SECONDS
from services.cli.bench.frame import Figure
from services.cli.bench.sessions import held
from services.cli.bench.simulated.work import Work
from services.cli.bench.spoken import Spoken, cuts, joined, tones
from services.cli.bench.turn.bench import figures as turn_figures
from services.cli.bench.turn.heard import Heard
from services.cli.bench.turn.in_process import InProcessChannel
from services.cli.bench.turn.interviews import Interviews
from services.cli.bench.turn.pipecat import heard as pipecat_heard
from services.cli.bench.turn.plot import svg
from services.runtime.errors import DeadlineExpired
from services.runtime.server import Service
from tests.cli.simulated_mesh import simulated_mesh
from tests.runtime import virtual_time

RATE = 16_000
ResultT = TypeVar("ResultT")


@pytest.fixture(autouse=True)
def _in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIVA_INTERVIEW_STORE", "memory")


def on_mesh(
    folder: Path, do: Callable[[grpc.aio.Channel, Work], Coroutine[Any, Any, ResultT]]
) -> ResultT:
    async def play() -> ResultT:
        work = Work()
        async with simulated_mesh(folder, work) as channel:
            return await do(channel, work)

    return virtual_time.run(play())


def tone(seconds: float) -> np.ndarray[Any, np.dtype[np.float32]]:
    return (0.3 * np.sin(np.arange(round(seconds * RATE)) / 10)).astype(np.float32)


def silence(seconds: float) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.zeros(round(seconds * RATE), dtype=np.float32)


PAUSED = Spoken(
    "two pauses",
    np.concatenate(
        [
            *[silence(0.5), tone(1.0), silence(0.1), tone(0.5), silence(0.4)],
            *[tone(1.0), silence(0.9), tone(1.0), silence(0.3)],
        ]
    ),
)


def named(figures: list[Figure]) -> dict[str, Figure]:
    return {figure.name: figure for figure in figures}


def test_the_pauses_inside_a_recording_are_found_and_short_silences_are_none() -> None:
    begins = [start for start, _ in PAUSED.pauses]
    assert begins == pytest.approx([2.1, 3.5], abs=0.03)
    assert PAUSED.speech_end == pytest.approx(5.4, abs=0.03)


def test_a_reply_cuts_the_pause_it_begins_in_once() -> None:
    assert cuts(PAUSED, [2.4, 2.6, 5.5]) == 1
    assert cuts(PAUSED, [2.4, 3.9]) == 2
    assert cuts(PAUSED, [5.41, 6.0]) == 0


def test_recordings_are_joined_with_the_pauses_asked_for() -> None:
    one = Spoken("one", np.concatenate([silence(1.0), tone(1.0), silence(1.0)]))
    both = joined("both", [one, one, one], (0.5, 1.5))
    assert [end - start for start, end in both.pauses] == pytest.approx([0.5, 1.5], abs=0.03)


def test_interviews_tell_of_every_answer_how_soon_it_was_answered(tmp_path: Path) -> None:
    async def do(channel: grpc.aio.Channel, _: Work) -> list[Heard]:
        return [one async for one in Interviews("mesh", channel)(tones())]

    found = on_mesh(tmp_path, do)
    assert [one.spoken.name for one in found] == [one.name for one in tones()]
    for one in found:
        assert one.cuts == 0
        assert one.sound is not None
        assert one.content is not None
        assert 0.1 < one.sound <= one.content < 4.5
        assert one.stages["end of turn"] <= one.stages["first audio sent"] <= one.content + 0.1


def test_sessions_are_counted_with_what_the_server_adds(tmp_path: Path) -> None:
    async def do(channel: grpc.aio.Channel, _: Work) -> Any:
        return await held(channel, tones(), 3, 60.0)

    level = on_mesh(tmp_path, do)
    assert level.failed == level.unanswered == 0
    assert max(level.latencies) < 4.5
    assert len(level.latencies) >= 6
    assert max(level.lateness) == 0.0


def test_a_session_that_fails_is_no_session_in_time(tmp_path: Path) -> None:
    async def do(_: grpc.aio.Channel, __: Work) -> Any:
        nobody = InProcessChannel().typed()
        return await held(nobody, tones(), 1, 1.0)

    level = on_mesh(tmp_path, do)
    assert level.failed == 1
    assert not level.in_time


class _Late(embed_pb2_grpc.EmbedServiceServicer):
    async def Embed(self, request: object, context: object) -> embed_pb2.EmbedResponse:
        raise ExceptionGroup("tasks", [DeadlineExpired("too late")])


async def test_calls_within_the_process_end_as_a_servers_do() -> None:
    channel = InProcessChannel()
    add = partial(embed_pb2_grpc.add_EmbedServiceServicer_to_server, _Late())
    channel.offer([Service("viva.embed.v1.EmbedService", add)])
    stub = embed_pb2_grpc.EmbedServiceStub(channel.typed())
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await stub.Embed(embed_pb2.EmbedRequest(), timeout=1)
    assert failed.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


def test_words_stop_a_line_and_silence_does_not(tmp_path: Path) -> None:
    words = Sound("words", Kind.WORDS, lambda _: tone(2.0))
    nothing = Sound("nothing", Kind.NOISE, lambda _: silence(0.5))

    async def do(channel: grpc.aio.Channel, _: Work) -> list[Trial]:
        return await trials(channel, [nothing, words], tones())

    quiet, loud = on_mesh(tmp_path, do)
    assert quiet.stopped is None
    assert quiet.whole is True
    assert loud.stopped is not None
    assert loud.paused is not None
    # On a busy machine the pause can be told in the turn of the event loop that begins the sound.
    assert 0 <= loud.paused <= loud.stopped < 2.5


def test_work_within_a_stretch_counts_overlaps_once() -> None:
    work = Work()
    work.spans["a"] = [(1.0, 3.0), (2.0, 4.0), (6.0, 9.0)]
    assert work.within("a", 2.5, 7.0) == pytest.approx(1.5 + 1.0)
    assert work.within("b", 0.0, 9.0) == 0.0


def heard(content: float | None, cut: int = 0) -> Heard:
    return Heard(PAUSED, content, content, cut, {"end of turn": 0.3})


def test_turns_are_compared_with_the_floor_and_with_others() -> None:
    found = named(
        turn_figures(
            {
                "mesh": [heard(1.0), heard(1.0), heard(1.0)],
                "in process": [heard(0.9), heard(0.9), heard(0.9)],
                "Pipecat": [heard(2.0), heard(2.0, cut=1), heard(None)],
            }
        )
    )
    assert found["content p50, mesh / Pipecat"].value == pytest.approx(0.5)
    assert found["content p50, mesh / Pipecat"].met is False
    assert found["content p95, mesh / Pipecat"].met is True
    assert found["mesh tax, p50 of the turn"].value == pytest.approx(10.0)
    assert found["inner pauses cut, Pipecat"].value == pytest.approx(100 / 6)
    assert found["inner pauses cut, mesh"].met is True
    assert found["Pipecat: unanswered"].value == 1
    assert found["mesh: speech end to end of turn, p50"].value == pytest.approx(300.0)


def test_the_mesh_must_not_cut_more_than_the_peer() -> None:
    found = named(turn_figures({"mesh": [heard(1.0, cut=1)], "Pipecat": [heard(2.0)]}))
    assert found["inner pauses cut, mesh"].most == 0.0
    assert found["inner pauses cut, mesh"].met is False


def test_a_pipelines_line_is_read() -> None:
    line = {"sounds": [2.3, 7.4], "stages": {"vad_stop": 5.7, "transcript": 6.9}}
    found = pipecat_heard(PAUSED, line)
    assert found.cuts == 1
    assert found.content == pytest.approx(7.4 - PAUSED.speech_end)
    assert found.stages["silence seen"] == pytest.approx(5.7 - PAUSED.speech_end)
    assert pipecat_heard(PAUSED, {"sounds": [], "stages": {}}).content is None


def test_the_plot_is_an_svg_with_a_curve_a_system() -> None:
    root = ET.fromstring(svg("a <title>", {"mesh": [0.5, 1.0], "Pipecat": [2.0, 9.0]}))
    curves = [e for e in root.iter("{http://www.w3.org/2000/svg}path") if e.get("fill") == "none"]
    assert len(curves) == 2
    assert "a <title>" in [element.text for element in root.iter()]


def trial(kind: Kind, *, decided: float | None, stopped: float | None, whole: bool) -> Trial:
    sound = Sound("s", kind, lambda line: line)
    resumed = None if stopped else 1.5
    return Trial(sound, 0.2, resumed, decided, stopped, whole)


def test_trials_are_summed_up() -> None:
    found = named(
        bargein_figures(
            [
                trial(Kind.WORDS, decided=0.9, stopped=1.0, whole=False),
                trial(Kind.WORDS, decided=None, stopped=1.2, whole=False),
                trial(Kind.WORDS, decided=None, stopped=None, whole=True),
                trial(Kind.NOISE, decided=None, stopped=None, whole=True),
                trial(Kind.ECHO, decided=0.5, stopped=0.6, whole=False),
            ]
        )
    )
    assert found["decision to stop, p95"].value == pytest.approx(95.0)
    assert found["interruptions that stop"].value == pytest.approx(200 / 3)
    assert found["other sounds rejected"].value == pytest.approx(50.0)
    assert found["echo rejected"].value == 0.0
    assert math.isnan(found["back-channels rejected"].value)
    assert found["pause until it went on, p50"].value == pytest.approx(1.3)
    assert found["lines said to their end after that"].met is True


def test_noises_are_as_loud_as_somebody_near_and_never_clip() -> None:
    for sound in noises():
        samples = sound.make(silence(1.0))
        assert 0.3 < samples.size / RATE < 4
        assert np.abs(samples).max() <= 0.96
        assert np.sqrt(np.mean(samples**2)) > 0.005
    assert np.abs(levelled(tone(1.0) * 100)).max() <= 0.96


def test_an_echo_is_the_line_later_weaker_and_longer() -> None:
    line = tone(1.0)
    loud, faint = echo(-12)(line), echo(-24)(line)
    assert loud.size > line.size
    assert not loud[: round(0.055 * RATE)].any()
    energy = float(np.sum(loud**2) / np.sum(faint**2))
    assert 10 * math.log10(energy) == pytest.approx(12.0, abs=0.1)


def test_people_answer_after_a_moment() -> None:
    assert 0.2 <= REACTION_SECONDS <= 0.5
