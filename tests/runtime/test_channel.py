"""What a call to another server carries."""

from __future__ import annotations

import asyncio

from services.runtime.channel import outgoing
from services.runtime.request import Request, set_current_request


async def test_the_nearer_deadline_travels_down_the_chain() -> None:
    now = asyncio.get_running_loop().time()
    set_current_request(Request(id="r", deadline=now + 2))
    assert 1.5 < outgoing(60)["timeout"] <= 2
    assert outgoing(0.5)["timeout"] == 0.5


async def test_a_deadline_that_has_passed_leaves_no_time() -> None:
    now = asyncio.get_running_loop().time()
    set_current_request(Request(id="r", deadline=now - 1))
    assert outgoing(60)["timeout"] == 0


async def test_the_request_id_the_caller_and_the_user_travel_along() -> None:
    set_current_request(Request(id="r7"))
    metadata = dict(outgoing(1, caller="session", user="u")["metadata"])
    assert metadata["x-request-id"] == "r7"
    assert metadata["x-viva-caller"] == "session"
    assert metadata["x-viva-user"] == "u"


async def test_the_running_requests_caller_is_passed_on() -> None:
    set_current_request(Request(id="r8", caller="interview-1"))
    assert dict(outgoing(1)["metadata"])["x-viva-caller"] == "interview-1"


async def test_without_a_request_there_is_a_fresh_id_and_the_whole_timeout() -> None:
    options = outgoing(3)
    assert options["timeout"] == 3
    assert len(dict(options["metadata"])["x-request-id"]) == 32
