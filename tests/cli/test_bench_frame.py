"""A benchmark's figures know their targets and are kept with where they were taken."""

from __future__ import annotations

import json
import math
from pathlib import Path

from services.cli.bench.frame import BenchResult, Figure, as_json, percentile, show, write


def test_a_figure_meets_an_upper_or_a_lower_target_or_has_none() -> None:
    assert Figure("a", 2.0, "x", most=2.2).met is True
    assert Figure("a", 2.3, "x", most=2.2).met is False
    assert Figure("a", 1.4, "x", least=1.5).met is False
    assert Figure("a", 1.5, "x", least=1.5).met is True
    assert Figure("a", 1.0, "ms").met is None


def test_a_figure_that_could_not_be_measured_meets_no_target() -> None:
    assert Figure("a", math.nan, "ms", most=10).met is False
    assert math.isnan(percentile([], 50))


def test_what_could_not_be_measured_is_null_in_the_record(tmp_path: Path) -> None:
    record = as_json(BenchResult("mesh", [Figure("p50", math.nan, "ms", most=2)]), 0.0)
    figure = json.loads(write(record, tmp_path).read_text())["figures"][0]
    assert figure["value"] is None
    assert figure["met"] is False


def test_a_record_says_what_where_and_with_which_models(tmp_path: Path) -> None:
    result = BenchResult(
        "mesh", [Figure("p50", 1.5, "ms", most=2)], models={"tts": "piper"}, notes=["paired"]
    )
    record = json.loads(write(as_json(result, 1.25), tmp_path / "results").read_text())
    assert record["what"] == "mesh"
    assert record["figures"][0] == {
        "name": "p50",
        "value": 1.5,
        "unit": "ms",
        "most": 2,
        "least": None,
        "met": True,
    }
    assert record["models"] == {"tts": "piper"}
    assert record["machine"]["cores"] >= 1
    assert record["commit"]
    show(result, record)
