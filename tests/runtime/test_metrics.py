"""The page of metrics lists what the servers register, and the buckets hold the targets."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from prometheus_client import Histogram

from services.runtime import metrics
from tests.server_process import ROOT

TARGETS = {0.15, 0.3, 0.7, 1.2, 3.0}
KINDS = {"Counter": "counter", "Gauge": "gauge", "Histogram": "histogram"}


@dataclass(frozen=True, order=True)
class Metric:
    name: str
    kind: str
    labels: tuple[str, ...]


def registered() -> Iterator[Metric]:
    for part in ("services", "edge"):
        for file in (ROOT / part).rglob("*.py"):
            source = file.read_text("utf-8")
            if not any(f"{kind}(" in source for kind in KINDS):
                continue
            for node in ast.walk(ast.parse(source)):
                match node:
                    case ast.Call(
                        func=ast.Name(id=kind), args=[ast.Constant(value=str(name)), _, *rest]
                    ) if kind in KINDS:
                        labels = tuple(ast.literal_eval(rest[0])) if rest else ()
                        if kind == "Counter":
                            name = name.removesuffix("_total") + "_total"
                        yield Metric(name, KINDS[kind], labels)


def listed() -> Iterator[Metric]:
    page = (ROOT / "docs" / "metrics.md").read_text("utf-8")
    for name, kind, labels in re.findall(r"^\| `(\w+)` \| (\w+) \|([^|]*)\|", page, re.MULTILINE):
        yield Metric(name, kind, tuple(re.findall(r"\w+", labels)))


def test_the_page_lists_what_is_registered() -> None:
    assert sorted(listed()) == sorted(registered())


@pytest.mark.parametrize(
    "histogram",
    [
        metrics.CALL_SECONDS,
        metrics.QUEUE_SECONDS,
        metrics.COMPUTE_SECONDS,
        metrics.FINAL_TEXT_SECONDS,
        metrics.FIRST_AUDIO_SECONDS,
        metrics.FIRST_TOKEN_SECONDS,
    ],
    ids=lambda histogram: histogram.describe()[0].name,
)
def test_buckets_have_edges_at_the_targets(histogram: Histogram) -> None:
    child = histogram.labels(*["x" for _ in histogram._labelnames])
    edges = {
        float(sample.labels["le"])
        for family in histogram.collect()
        for sample in family.samples
        if sample.name.endswith("_bucket")
    }
    assert child is not None
    assert edges >= TARGETS
