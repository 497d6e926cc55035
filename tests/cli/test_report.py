"""`viva report` as a person sees it."""

from __future__ import annotations

from pathlib import Path

import pytest
from google.protobuf import json_format
from rich.cells import cell_len
from typer.testing import CliRunner
from viva.interview.v1 import report_pb2

from services.cli.app import app
from services.runtime.stats import duration

REPORT = report_pb2.Report(
    interview_id="one",
    overall_score=58.2,
    summary="You answered 1 of 1 questions and reached 58 of 100.",
    basis=report_pb2.SCORING_BASIS_LANGUAGE_MODEL,
    progress=report_pb2.Progress(statements=["Last time 40, this time 58 of 100."]),
    dimensions=[report_pb2.DimensionScore(name="depth", score=54, level=3)],
    questions=[
        report_pb2.QuestionResult(
            round=1,
            question="Why [not]?",
            score=58.2,
            key_points=[
                report_pb2.KeyPointResult(
                    key_point="says why", covered=True, evidence=report_pb2.Evidence(quote="so")
                ),
                report_pb2.KeyPointResult(key_point="says who", denied=True),
                report_pb2.KeyPointResult(key_point="says when", certain=True),
                report_pb2.KeyPointResult(key_point="says how"),
            ],
            story=report_pb2.StoryShares(situation=0.5, action=0.25, result=0.25),
            corrections=[
                report_pb2.Correction(
                    said="he go",
                    better="he goes",
                    reason="The verb takes an s.",
                    evidence=report_pb2.Evidence(start=duration(75.2)),
                )
            ],
        )
    ],
    weaknesses=["Question 1: not mentioned: says when"],
)


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner(env={"COLUMNS": "100"}).invoke(app, ["report", *arguments])
    return result.exit_code, result.output


def test_a_kept_report_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text(json_format.MessageToJson(REPORT))
    status, shown = run(str(path))
    assert status == 0
    for part in (
        "58 of 100",
        "a language model on top of the rubric",
        "Last time 40",
        "Why [not]?",
        "0:00 “so”",
        "situation 50%",
        "1:15 “he go” → “he goes”  The verb takes an s.",
        "• Question 1: not mentioned: says when",
    ):
        assert part in shown
    for mark, point in (
        ("made", "why"),
        ("denied", "who"),
        ("not said", "when"),
        ("not recognised", "how"),
    ):
        line = next(line for line in shown.splitlines() if f"says {point}" in line)
        assert line.strip().startswith(mark)


def test_practice_is_not_said_to_be_judged_by_a_rubric(tmp_path: Path) -> None:
    practice = report_pb2.Report()
    practice.CopyFrom(REPORT)
    practice.basis = report_pb2.SCORING_BASIS_SPEECH
    path = tmp_path / "report.json"
    path.write_text(json_format.MessageToJson(practice))
    shown = " ".join(run(str(path))[1].split())
    assert "judged by how you spoke, and the mistakes I am sure of" in shown
    assert "rubric" not in shown


def test_the_folder_of_an_interview_is_enough(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text(json_format.MessageToJson(REPORT))
    assert "58 of 100" in run(str(tmp_path))[1]


@pytest.mark.parametrize("content", ["nothing", '{"overallScore": "much"}', "{}", '{"turns": []}'])
def test_a_file_that_holds_no_report_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "report.json"
    path.write_text(content)
    status, shown = run(str(path))
    assert status == 2
    assert "no report" in shown


QUOTE = "我们先看慢查询日志，找出最慢的语句，然后加上合适的索引，" * 3


def test_chinese_quotes_are_shown_as_wide_as_others_and_cut_behind_a_clause(tmp_path: Path) -> None:
    told = report_pb2.Report()
    told.CopyFrom(REPORT)
    told.questions[0].key_points[0].evidence.quote = QUOTE
    path = tmp_path / "report.json"
    path.write_text(json_format.MessageToJson(told))
    _, shown = run(str(path))
    assert max(cell_len(line) for line in shown.splitlines()) <= 100
    whole = "".join(shown.split())
    quoted = whole[whole.index("“我们") + 1 :].partition("”")[0]
    assert quoted.endswith("，…")
    assert QUOTE.startswith(quoted.removesuffix("…"))
    assert 50 <= cell_len(quoted) <= 100
