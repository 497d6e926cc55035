"""What is watched while calls go wrong."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from tests.faults.serving import Spans


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[Spans]:
    """Spans of this process, as a collector would get them."""
    watched = Spans()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(watched)
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    yield watched
    provider.shutdown()
