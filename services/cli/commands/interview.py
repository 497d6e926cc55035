"""`viva interview`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from viva.interview.v1 import interview_pb2 as pb

from services.cli import interview_files
from services.cli.calls import DEFAULT_ADDRESS, Address, AsJson, err, out, print_json, refuse, run
from services.cli.live_interview import Held, InterviewFailed, LiveInterview, hold
from services.cli.sound_card import BadRecording


def interview(
    answers: Annotated[
        list[Path], typer.Option("--answers", help="Recording of an answer; repeatable.")
    ],
    more: Annotated[list[Path] | None, typer.Argument(help="More recordings.")] = None,
    folder: Annotated[Path, typer.Option("--out", help="Where the files go.")] = Path("interview"),
    address: Address = DEFAULT_ADDRESS,
    rounds: Annotated[int, typer.Option(help="Questions, 1 to 10.", min=1, max=10)] = 3,
    follow_ups: Annotated[int, typer.Option(help="After each answer.", min=0, max=3)] = 1,
    topic: Annotated[list[str] | None, typer.Option(help="Topic; repeatable.")] = None,
    job: Annotated[str | None, typer.Option(help="The position.")] = None,
    name: Annotated[str | None, typer.Option(help="The candidate's name.")] = None,
    voice: Annotated[str | None, typer.Option(help="Voice; see `viva voices`.")] = None,
    as_json: AsJson = False,
) -> None:
    """Hold a spoken interview in real time, with recordings as the candidate.

    `viva interview --answers A.wav B.wav C.wav --out DIR` writes transcript.json, timings.json,
    report.json and the audio of both sides to DIR. The recordings answer in turn, and again from
    the first when there are more questions.
    """
    recordings = [*answers, *(more or ())]
    options = LiveInterview(
        address=address,
        answers=recordings,
        rounds=rounds,
        follow_ups=follow_ups,
        topics=topic or (),
        job_title=job,
        candidate_name=name,
        voice=voice,
    )
    try:
        held = run(_hold(options, quiet=as_json))
    except BadRecording as error:
        refuse(str(error))
    except InterviewFailed as error:
        err.print(f"[red]error:[/] {error}")
        raise typer.Exit(1) from None
    interview_files.write(held, folder)
    if as_json:
        print_json({"folder": str(folder), **interview_files.timings(held)})
    else:
        _show(held, folder)


async def _hold(options: LiveInterview, *, quiet: bool) -> Held:
    said: dict[str, str] = {}

    def tell(event: pb.InterviewEvent) -> None:
        match event.WhichOneof("event"):
            case "text":
                said[event.text.utterance_id] = (
                    said.get(event.text.utterance_id, "") + event.text.text
                )
            case "utterance_ended":
                text = event.utterance_ended.turn.text or said.get(
                    event.utterance_ended.utterance_id, ""
                )
                out.print(f"[bold]interviewer[/]  {text}")
            case "candidate_turn":
                out.print(f"[bold cyan]candidate[/]    {event.candidate_turn.turn.text}")
            case "degraded":
                err.print(f"[yellow]{event.degraded.service}: {event.degraded.message}[/]")

    return await hold(options, (lambda _: None) if quiet else tell)


def _show(held: Held, folder: Path) -> None:
    latencies = [a.latency for a in held.answers if a.latency is not None]
    if latencies:
        times = interview_files.distribution(latencies)
        table = Table(box=None, show_header=False, pad_edge=False)
        for name, value in times.items():
            shown = str(value) if isinstance(value, int) else f"{value:.2f} s"
            table.add_row(f"[dim]speech end → first audio, {name}[/]", shown)
        out.print(table)
    report = held.report
    if report is not None:
        if report.HasField("overall_score"):
            out.print(f"overall {report.overall_score:.0f} of 100")
        out.print(report.summary)
    err.print(f"[dim]{folder}/: transcript.json, timings.json, report.json, audio[/]")
