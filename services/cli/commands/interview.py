"""`viva interview`."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table
from viva.interview.v1 import conversation_pb2, interview_pb2, turn_pb2

from services.cli.calls import (
    DEFAULT_ADDRESS,
    Address,
    AsJson,
    as_called,
    err,
    out,
    print_json,
    refuse,
    run,
    tell,
)
from services.cli.demo import INTERVIEW, rehearse
from services.cli.disturbances import Disturbance, Disturbances, Fault, fault
from services.cli.held import Held
from services.cli.interview_files import make_folder, timings, write
from services.cli.launcher import control
from services.cli.launcher.control import NoAnswer
from services.cli.launcher.data_folder import data_dir
from services.cli.live_interview import LiveInterview, hold
from services.cli.sound_card import BadRecording, NoSoundDevice
from services.client import InterviewFailed
from services.runtime.stats import seconds

_STEPS = {
    "end_of_turn": "turn over",
    "asr_final": "final text",
    "llm_first_token": "first token",
    "first_phrase": "first phrase",
    "first_audio": "first audio",
}
_ACTIONS = {
    conversation_pb2.PlaybackControl.ACTION_PAUSE: "the interviewer pauses",
    conversation_pb2.PlaybackControl.ACTION_RESUME: "the interviewer goes on",
    conversation_pb2.PlaybackControl.ACTION_STOP: "the interviewer stops",
}
TUTOR = "english-tutor"
"""The persona to practise speaking with."""
_LONGEST_NAME = 26
"""Leaves the figures their room in 80 columns."""


def interview(
    answers: Annotated[
        list[Path] | None,
        typer.Option(help="The candidate's recordings: --answers first.wav second.wav third.wav"),
    ] = None,
    more_answers: Annotated[
        list[Path] | None, typer.Argument(hidden=True, metavar="MORE ANSWERS")
    ] = None,
    microphone: Annotated[
        bool, typer.Option("--microphone", help="Be the candidate yourself; use headphones.")
    ] = False,
    demo: Annotated[
        bool, typer.Option("--demo", help="Listen to a candidate that comes with the program.")
    ] = False,
    output: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for what comes of it.")
    ] = Path("interview"),
    address: Address = DEFAULT_ADDRESS,
    rounds: Annotated[
        int | None, typer.Option(min=1, max=10, help="Questions; else one a recording.")
    ] = None,
    follow_ups: Annotated[int, typer.Option(min=0, max=3, help="After each answer.")] = 1,
    topic: Annotated[list[str] | None, typer.Option(help="What to ask about; repeatable.")] = None,
    job_title: Annotated[str | None, typer.Option(help="The position.")] = None,
    name: Annotated[str | None, typer.Option(help="The candidate's name.")] = None,
    voice: Annotated[str | None, typer.Option(help="The interviewer's; see `viva voices`.")] = None,
    persona: Annotated[
        str | None, typer.Option(help="The interviewer: professional-man, professional-woman, …")
    ] = None,
    language: Annotated[
        str | None, typer.Option(help="The interview's: en or zh. Absent, English.")
    ] = None,
    practice: Annotated[
        bool,
        typer.Option("--practice", help="Speak English with a tutor instead of an interviewer."),
    ] = False,
    interrupt_at: Annotated[
        list[float] | None,
        typer.Option(min=0, help="Speak over the interviewer then, with the next recording."),
    ] = None,
    drop_connection_at: Annotated[
        list[float] | None,
        typer.Option(min=0, help="Cut the connection then, and join again."),
    ] = None,
    kill: Annotated[
        list[str] | None,
        typer.Option(metavar="SERVER@SECONDS", help="Have `viva up` kill a server then."),
    ] = None,
    stop: Annotated[
        list[str] | None,
        typer.Option(metavar="SERVER@SECONDS", help="Have it told to stop (SIGTERM)."),
    ] = None,
    hang: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SERVER@SECONDS[+LENGTH]", help="Have it hang, for 10 s or as long as said."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Hold a spoken interview in real time: with recordings, by --demo, or yourself.

    Writes transcript.json, timings.json, report.json, the interviewer's audio (interviewer-NN.wav)
    and both sides together (interview.wav). Times of what is done to it (--interrupt-at,
    --drop-connection-at, --kill, --stop, --hang; each may come several times) are seconds from its
    beginning; servers are those of the `viva up` that runs here.
    """
    recordings = [*(answers or ()), *(more_answers or ())]
    if [bool(recordings), microphone, demo].count(True) != 1:
        refuse("who is the candidate? Give one of --answers RECORDING …, --microphone and --demo")
    for recording in recordings:
        if not recording.is_file():
            refuse(f"{recording}: no such file")
    if demo:
        _refuse_with_demo(rounds is not None or topic, practice or language not in {None, "en"})
    if microphone and interrupt_at:
        refuse("--interrupt-at is for recordings: with --microphone, interrupt it yourself")
    if practice and persona not in {None, TUTOR}:
        refuse(f"--practice is with {TUTOR}: leave --persona out")
    faults = _faults({Disturbance.KILL: kill, Disturbance.STOP: stop, Disturbance.HANG: hang})
    # Before the interview, not after it.
    try:
        make_folder(output)
    except OSError as error:
        refuse(f"--out {output}: {error.strerror}")
    options = LiveInterview(
        address=address,
        answers=recordings,
        rounds=rounds,
        follow_ups=follow_ups,
        topics=topic or (),
        job_title=job_title,
        candidate_name=name,
        voice=voice,
        persona=TUTOR if practice else persona,
        language=language,
        disturbances=Disturbances(
            tuple(interrupt_at or ()), tuple(drop_connection_at or ()), faults, data_dir()
        ),
    )
    if demo:
        options = run(_with_demo(options, output))
    try:
        held = run(hold(options, _say, _note))
    except (BadRecording, NoSoundDevice) as bad:
        refuse(str(bad))
    except InterviewFailed as failed:
        tell(f"{failed}; the servers' logs say more")
        raise typer.Exit(1) from None
    write(held, output)
    if as_json:
        print_json({"folder": str(output), **timings(held)})
    else:
        _show(held, output)


def _refuse_with_demo(questions: object, other: object) -> None:
    if questions:
        refuse("--demo brings its questions along: leave --rounds and --topic out")
    if other:
        refuse("--demo is an English interview: leave --practice and --language out")


async def _with_demo(options: LiveInterview, folder: Path) -> LiveInterview:
    """The interview with the candidate that comes with the program; the answers lie in `folder`."""
    with err.status("the candidate prepares …") as status:
        recordings = await rehearse(
            options.address,
            folder,
            lambda done, all_: status.update(f"the candidate prepares … {done} of {all_} answers"),
        )
    questions = [prepared.question_id for prepared in INTERVIEW]
    return replace(
        options, answers=recordings, rounds=len(questions), follow_ups=1, question_ids=questions
    )


def _faults(asked: Mapping[Disturbance, list[str] | None]) -> tuple[Fault, ...]:
    """Reads what is to be done to servers; they run here, or it is refused."""
    try:
        faults = tuple(fault(what, one) for what, all_of in asked.items() for one in all_of or ())
    except ValueError as error:
        refuse(str(error))
    if faults:
        try:
            here = {entry.server for entry in control.read(data_dir()).entries if entry.status}
        except (NoAnswer, OSError):
            tell("no mesh runs on this machine to be made to fail; `viva up` starts one")
            raise typer.Exit(3) from None
        if unknown := sorted({one.server for one in faults} - here):
            refuse(f"no {unknown[0]} runs here; these do: {', '.join(sorted(here))}")
    return faults


def _say(event: conversation_pb2.InterviewEvent) -> None:
    """Prints the conversation as it goes."""
    match event.WhichOneof("event"):
        case "utterance_ended":
            _print_turn("interviewer", event.utterance_ended.turn)
        case "candidate_turn":
            _print_turn("candidate", event.candidate_turn.turn)
        case "degraded":
            _print(event.degraded.service, event.degraded.message, style="yellow")
        case "playback_control":
            if action := _ACTIONS.get(event.playback_control.action):
                _note(f"{seconds(event.at):.1f} s: {action}.")
        case "turn_reopened":
            _note(f"{seconds(event.at):.1f} s: the candidate goes on with the last answer.")
        case "state_changed":
            if event.state_changed.state == interview_pb2.INTERVIEW_STATE_PAUSED:
                _note(f"{seconds(event.at):.1f} s: the interview is paused.")


def _note(sentence: str) -> None:
    _print("viva", sentence, style="yellow")


def _print_turn(speaker: str, turn: turn_pb2.Turn) -> None:
    _print(speaker, turn.text)


def _print(speaker: str, text: str, style: str = "") -> None:
    """Prints who says what, further lines below the first."""
    line = Table.grid(padding=(0, 2))
    line.add_column(width=len("interviewer"), justify="right", style="bold")
    line.add_column(overflow="fold", style=style)
    line.add_row(speaker, escape(text))
    err.print(line)


def _show(held: Held, output: Path) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("seconds from the\nend of speech in", no_wrap=True, max_width=_LONGEST_NAME)
    for heading in (*_STEPS.values(), "heard"):
        words = heading.split()
        table.add_column(
            "\n".join(words), justify="right", no_wrap=True, min_width=max(map(len, words))
        )
    found = timings(held)
    for turn in found["turns"]:
        server = turn.get("server", {})
        heard = turn["client"]["speech_end_to_first_audio"]
        table.add_row(
            escape(_shortened(turn["recording"])),
            *(_seconds(server.get(step)) for step in _STEPS),
            _seconds(heard),
        )
    out.print(table)
    latency = found["speech_end_to_first_audio"]
    if latency["count"]:
        out.print(f"speech end to first audio: median {latency['p50']} s, p95 {latency['p95']} s")
    if held.report is not None and held.report.HasField("overall_score"):
        out.print(f"score: {held.report.overall_score:.0f} of 100")
    out.print(f"[dim]{escape(str(output))}[/]", soft_wrap=True)
    if held.report is not None:
        shown = shlex.quote(str(output))
        out.print(f"[dim]{escape(as_called(f'`viva report {shown}` shows the report'))}[/]")


def _shortened(name: str) -> str:
    """The end of a long name: recordings of a set differ there."""
    return name if len(name) <= _LONGEST_NAME else "…" + name[1 - _LONGEST_NAME :]


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
