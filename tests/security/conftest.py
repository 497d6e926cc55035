"""The door that the tests of a file share, as each of them finds it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.security.door import Door, door


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Door]:
    """A file that wants other settings has its own."""
    async with door(tmp_path_factory.mktemp("door")) as found:
        yield found


@pytest.fixture
def site(shared: Door) -> Door:
    shared.forget()
    return shared
