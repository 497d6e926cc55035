"""`viva report`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer
from google.protobuf import json_format
from rich.cells import cell_len, chop_cells
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from viva.interview.v1 import interview_service_pb2 as pb
from viva.interview.v1 import interview_service_pb2_grpc, report_pb2

from services.cli.calls import (
    DEFAULT_ADDRESS,
    Address,
    AsJson,
    Timeout,
    out,
    print_json,
    refuse,
    run,
)
from services.runtime.channel import open_channel, outgoing
from services.runtime.stats import seconds

_BASIS = {
    report_pb2.SCORING_BASIS_RUBRIC_EMBEDDING: "the rubric, by meaning",
    report_pb2.SCORING_BASIS_RUBRIC_LEXICAL: "the rubric, by words",
    report_pb2.SCORING_BASIS_LANGUAGE_MODEL: "a language model on top of the rubric",
    report_pb2.SCORING_BASIS_SPEECH: "how you spoke, and the mistakes I am sure of",
}
QUOTE_CELLS = 100
"""Columns of a quote that are shown beside its point, wrapped: a Chinese character takes two."""


def report(
    interview: Annotated[
        str | None,
        typer.Argument(
            help="The interview's id, or the folder or report.json that `viva interview` wrote.",
            show_default="the last interview",
        ),
    ] = None,
    address: Address = DEFAULT_ADDRESS,
    timeout: Timeout = 10,
    as_json: AsJson = False,
) -> None:
    """Show what an interview showed: scores, what was said, what was missing, what to do."""
    found = None
    if interview and Path(interview).exists():
        found = _read(Path(interview))
    elif interview and ("/" in interview or "." in interview):  # no id has these
        refuse(f"{interview}: no such file")
    if found is None:
        found = run(_fetch(address, interview, timeout))
    if as_json:
        print_json(found)
    else:
        show(found)


def _read(path: Path) -> report_pb2.Report:
    file = path / "report.json" if path.is_dir() else path
    try:
        text = file.read_text(encoding="utf-8")
        found = json_format.Parse(text, report_pb2.Report(), ignore_unknown_fields=True)
    except (json_format.ParseError, UnicodeDecodeError):
        refuse(f"{file}: no report")
    except OSError as error:
        refuse(f"{file}: {error.strerror}")
    if not found.interview_id:
        refuse(f"{file}: no report")
    return found


async def _fetch(address: str, interview: str | None, timeout: float) -> report_pb2.Report:
    async with open_channel(address) as channel:
        stub = interview_service_pb2_grpc.InterviewServiceStub(channel)
        if interview is None:
            listed = await stub.ListInterviews(
                pb.ListInterviewsRequest(page_size=20), **outgoing(timeout)
            )
            scored = (each.id for each in listed.interviews if each.HasField("overall_score"))
            interview = next(scored, None)
            if interview is None:
                refuse("no interview has a report yet; `viva interview` holds one")
        request = pb.GetReportRequest(interview_id=interview)
        answer = await stub.GetReport(request, **outgoing(timeout))
        found: report_pb2.Report = answer.report
        return found


def show(found: report_pb2.Report) -> None:
    """Prints a report for a person."""
    if found.HasField("overall_score"):
        basis = _BASIS.get(found.basis, "")
        out.print(f"[bold]{found.overall_score:.0f} of 100[/]  [dim]judged by {basis}[/]")
    out.print(escape(found.summary))
    for statement in found.progress.statements:
        out.print(escape(statement))
    if found.dimensions:
        out.print(_dimensions(found.dimensions))
    for question in found.questions:
        _question(question)
    for heading, statements in (
        ("Strengths", found.strengths),
        ("Weaknesses", found.weaknesses),
        ("What to do", found.suggestions),
    ):
        if statements:
            out.print(f"\n[bold]{heading}[/]")
            for statement in statements:
                out.print(Padding(escape(f"• {statement}"), (0, 0, 0, 2)))


def _question(question: report_pb2.QuestionResult) -> None:
    score = f"{question.score:.0f}" if question.HasField("score") else "–"
    out.print(f"\n[bold]{question.round}. {escape(question.question)}[/]  {score}")
    points = Table.grid(padding=(0, 1))
    points.add_column(no_wrap=True)
    # Folded: Chinese has no spaces to wrap at, and would be cut to one line.
    points.add_column(ratio=3, overflow="fold")
    points.add_column(ratio=4, style="dim", overflow="fold")
    for point in question.key_points:
        where = ""
        if point.HasField("evidence"):
            quote = _shortened(point.evidence.quote)
            where = f"{_clock(seconds(point.evidence.start))} “{quote}”"
        points.add_row(_mark(point), escape(point.key_point), escape(where))
    out.print(Padding(points, (0, 0, 0, 2)))
    out.print(Padding(_dimensions(question.dimensions), (0, 0, 0, 2)))
    for correction in question.corrections:
        where = _clock(seconds(correction.evidence.start))
        told = f"{where} “{correction.said}” → “{correction.better}”"
        out.print(f"  {escape(told)}  [dim]{escape(correction.reason)}[/]")
    if question.HasField("story"):
        story = question.story
        out.print(
            f"  [dim]situation {story.situation:.0%}, task {story.task:.0%},"
            f" action {story.action:.0%}, result {story.result:.0%}[/]"
        )


def _shortened(quote: str) -> str:
    """A quote that is no wider than `QUOTE_CELLS`, cut behind a clause or word if it can be."""
    if cell_len(quote) <= QUOTE_CELLS:
        return quote
    kept = chop_cells(quote, QUOTE_CELLS - 1)[0]
    if not quote[len(kept)].isspace():
        ends = [found.end() for found in _END.finditer(kept)]
        if ends and cell_len(kept[: ends[-1]]) >= QUOTE_CELLS // 2:
            kept = kept[: ends[-1]]
    return f"{kept.rstrip()}…"


_END = re.compile(r"[，。；、！？]|\s")


def _mark(point: report_pb2.KeyPointResult) -> str:
    if point.covered:
        return "[green]made[/]"
    if point.denied:
        return "[red]denied[/]"
    return "[yellow]not said[/]" if point.certain else "[yellow]not recognised[/]"


def _dimensions(dimensions: Iterable[report_pb2.DimensionScore]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True, style="dim")
    table.add_column(style="dim", overflow="fold")
    for each in dimensions:
        level = f"level {each.level}" if each.level else ""
        table.add_row(each.name, f"{each.score:.0f}", level, escape(each.rationale))
    return table


def _clock(moment: float) -> str:
    minutes, rest = divmod(int(moment), 60)
    return f"{minutes}:{rest:02}"
