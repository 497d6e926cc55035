"""A PostgreSQL for all, and a gateway for each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.edge.gateway.stage import Stage, stage
from tests.interview.databases import Postgres
from tests.interview.databases import postgres as running_postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as running:
        yield running


@pytest_asyncio.fixture
async def on(postgres: Postgres, tmp_path: Path) -> AsyncIterator[Stage]:
    async with stage(postgres, tmp_path) as made:
        yield made
