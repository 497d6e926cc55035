"""A field that a request has not is refused, not dropped as Envoy's transcoder would."""

from __future__ import annotations

import base64
import json

import httpx
import pytest

from edge.envoy.contracts import JsonForm, Method
from tests.security.conftest import shared, site
from tests.security.door import METHODS, Door

pytestmark = pytest.mark.asyncio(loop_scope="module")

__all__ = ["shared", "site"]

MIB = 2**20
FORMS = tuple((method, form) for method in METHODS for form in method.http if form.body)


def violations(answer: httpx.Response) -> list[dict[str, str]]:
    """What is told of a refusal, the same as by the servers."""
    assert answer.status_code == 400, answer.text
    status = answer.json()
    assert status["code"] == 3
    details = {each["@type"].rpartition(".")[2]: each for each in status["details"]}
    assert details["ErrorInfo"]["reason"] == "INVALID_FIELD"
    assert details["ErrorInfo"]["domain"] == "viva.dev"
    [violation] = details["BadRequest"]["fieldViolations"]
    assert status["message"] == f"{violation['field']}: {violation['description']}"
    return list(details["BadRequest"]["fieldViolations"])


@pytest.mark.parametrize(
    ("method", "form"), FORMS, ids=[f"{form.verb} {form.path}" for _, form in FORMS]
)
async def test_no_form_takes_a_field_that_its_request_has_not(
    site: Door, method: Method, form: JsonForm
) -> None:
    """Generated from the contracts: of every method, at both listeners."""
    path = form.path.replace("{interview_id}", "a").replace("{session_id}", "a")
    for base in (site.mesh.edge, f"http://{site.mesh.for_bridge}"):
        async with httpx.AsyncClient(base_url=base) as client:
            answer = await client.request(
                form.verb, path, json={"noSuchField": 1}, headers=site.gateway.bearer()
            )
        assert violations(answer) == [{"field": "noSuchField", "description": "is unknown"}]
    assert not site.arrived


async def test_a_field_within_is_named_with_its_path(site: Door) -> None:
    sent = {"settings": {"jobTitel": "Cook"}}
    answer = await site.client.post("/v1/interviews", json=sent, headers=site.gateway.bearer())
    assert violations(answer)[0]["field"] == "settings.jobTitel"
    assert not site.arrived


@pytest.mark.parametrize(
    ("name", "told"),
    [("\ud800", "\\ud800"), ("x\0y", "x\0y"), ("\u00e4\u8bed", "\u00e4\u8bed")],
)
async def test_any_name_can_be_told(site: Door, name: str, told: str) -> None:
    """Half of a surrogate pair too, which JSON can write and no message can hold."""
    body = json.dumps({"settings": {name: 1}})
    headers = {**site.gateway.bearer(), "content-type": "application/json"}
    answer = await site.client.post("/v1/interviews", content=body, headers=headers)
    assert violations(answer) == [{"field": f"settings.{told}", "description": "is unknown"}]
    assert not site.arrived


@pytest.mark.parametrize("name", ["jobTitle", "job_title"])
async def test_a_field_may_be_called_by_either_of_its_names(site: Door, name: str) -> None:
    sent = {"settings": {name: "Cook"}}
    answer = await site.client.post("/v1/interviews", json=sent, headers=site.gateway.bearer())
    assert answer.status_code == 200
    [call] = site.arrived
    assert getattr(call.requests[0], "settings").job_title == "Cook"  # noqa: B009 - any message


async def test_no_body_is_an_empty_request(site: Door) -> None:
    answer = await site.client.post("/v1/interviews/a:pause", headers=site.gateway.bearer())
    assert answer.status_code == 200
    assert len(site.arrived) == 1


async def test_who_may_not_call_is_told_that_and_no_more(site: Door) -> None:
    sent = {"noSuchField": 1}
    assert (await site.client.post("/v1/interviews", json=sent)).status_code == 401
    ended = site.gateway.bearer(sid="over")
    site.gateway.ended.add("over")
    answer = await site.client.post("/v1/interviews", json=sent, headers=ended)
    assert answer.status_code == 401


async def test_a_public_method_asks_nobody_about_a_session(site: Door) -> None:
    """Whoever's session is over must be able to log in."""
    site.gateway.ended.add("over")
    site.gateway.broken = True
    answer = await site.client.post(
        "/v1/account:logIn",
        json={"email": "ann@example.org", "password": "correct horse"},
        headers=site.gateway.bearer(sid="over"),
    )
    assert answer.status_code == 200
    assert site.gateway.asked == 0


async def test_the_largest_body_is_looked_at_like_any_other(site: Door) -> None:
    sound = base64.b64encode(bytes(15 * MIB // 4)).decode()

    def spoken(**more: object) -> bytes:
        audio = {"chunk": {"audio": sound, **more}}
        return json.dumps({"call": 1, "messages": [{"audio": audio}]}).encode()

    path, headers = "/v1/interviews/a:speak", site.gateway.bearer()
    assert 5 * MIB <= len(spoken()) < 8 * MIB
    taken = await site.client.post(path, content=spoken(), headers=headers)
    assert taken.status_code == 200, taken.text
    assert len(site.arrived) == 1
    refused = await site.client.post(path, content=spoken(loud=True), headers=headers)
    assert violations(refused)[0]["field"] == "messages[0].audio.chunk.loud"
