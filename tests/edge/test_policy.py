"""The policy: a decision from the contracts' word and a verified caller, without I/O."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge.envoy.contracts import Access, Contract, contracts
from edge.gateway.authorization.policy import Caller, Policy, Verdict

[INTERVIEWS] = [c for c in contracts() if c.name == "viva.interview.v1.InterviewService"]
PATH = INTERVIEWS.methods[0].path
GUEST, MEMBER, ADMIN = (Caller("u", "s", kind) for kind in ("guest", "member", "admin"))


def policy(access: Access, *, public: bool = True) -> Policy:
    methods = tuple(replace(method, access=access) for method in INTERVIEWS.methods)
    contract: Contract = replace(INTERVIEWS, methods=methods, public=public)
    return Policy([contract])


@pytest.mark.parametrize(
    ("access", "caller", "live", "verdict"),
    [
        (Access.PUBLIC, None, False, Verdict.ALLOWED),
        (Access.PUBLIC, MEMBER, True, Verdict.ALLOWED),
        (Access.PUBLIC, MEMBER, False, Verdict.SESSION_ENDED),
        (Access.OWNER, None, False, Verdict.NO_CALLER),
        (Access.OWNER, GUEST, True, Verdict.ALLOWED),
        (Access.OWNER, MEMBER, True, Verdict.ALLOWED),
        (Access.OWNER, MEMBER, False, Verdict.SESSION_ENDED),
        (Access.ADMIN, None, False, Verdict.NO_CALLER),
        (Access.ADMIN, GUEST, True, Verdict.NOT_ADMIN),
        (Access.ADMIN, MEMBER, True, Verdict.NOT_ADMIN),
        (Access.ADMIN, ADMIN, True, Verdict.ALLOWED),
        (Access.ADMIN, ADMIN, False, Verdict.SESSION_ENDED),
        (Access.CLOSED, ADMIN, True, Verdict.CLOSED),
    ],
)
def test_who_may_call_what(
    access: Access, caller: Caller | None, live: bool, verdict: Verdict
) -> None:
    assert policy(access).decide(PATH, caller, live=live) is verdict


@pytest.mark.parametrize("method", ["", "/", PATH + "x", "/viva.asr.v1.AsrService/Recognize"])
def test_what_is_not_known_is_closed(method: str) -> None:
    assert policy(Access.OWNER).decide(method, ADMIN, live=True) is Verdict.CLOSED


def test_a_service_of_the_mesh_is_closed_whatever_its_methods_say() -> None:
    closed = policy(Access.PUBLIC, public=False)
    assert closed.decide(PATH, ADMIN, live=True) is Verdict.CLOSED


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"sub": "u", "sid": "s"},
        {"sub": "u", "sid": "s", "kind": "root"},
        {"sub": "", "sid": "s", "kind": "member"},
        {"sub": "u", "sid": 7, "kind": "member"},
        {"sub": ["u"], "sid": "s", "kind": "member"},
    ],
)
def test_claims_that_name_no_caller_whole_name_none(claims: dict[str, object]) -> None:
    assert Caller.of(claims) is None
