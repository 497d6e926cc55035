"""Which names of a JSON body its request has not."""

from __future__ import annotations

import pytest

from edge.envoy.contracts import contracts
from edge.gateway.authorization.bodies import WHOLE, Bodies

CREATE = "/viva.interview.v1.InterviewService/CreateInterview"
SPEAK = "/viva.interview.v1.InterviewService/Speak"
MIB = 2**20
BODIES = Bodies(contracts())


def unknown(body: str, method: str = CREATE) -> str | None:
    fault = BODIES.fault(method, WHOLE, body)
    if fault is None:
        return None
    return fault.reason if fault.field is None else fault.field


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ('{"a": {}, "settings": {}}', "a"),
        # The last of two is what counts elsewhere; the first is looked at as well.
        ('{"settings": {"x": 1}, "settings": {}}', "settings.x"),
        ('{"settings": {"__proto__": 1}}', "settings.__proto__"),
        ('{"": 1}', ""),
        # Half of a surrogate pair, which no message can hold.
        ('{"\\ud800": 1}', "\\ud800"),
        ('{"settings": {"\\udfff": 1}}', "settings.\\udfff"),
        ('{"settings": {"topics": [{"x": 1}]}}', None),  # a wrong type: the transcoder's affair
        ('{"settings": 7}', None),
        ("[]", None),
        ("null", None),
        ('{"settings": null}', None),
        ('{"settings": {"rounds": 1e3}}', None),
    ],
)
def test_names_are_looked_at_and_nothing_else(body: str, field: str | None) -> None:
    assert unknown(body) == field


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ('{"messages": [{}, {"audio": {"x": 1}}]}', "messages[1].audio.x"),
        ('{"messages": {"x": 1}}', "messages.x"),
    ],
)
def test_an_element_of_a_list_is_named_by_its_place(body: str, field: str) -> None:
    assert unknown(body, SPEAK) == field


def test_what_has_a_form_of_its_own_in_json_is_left_alone() -> None:
    path = "/viva.account.v1.AccountService/UpdateSettings"
    assert unknown('{"settings": {"retention": "3600s"}, "updateMask": "retention"}', path) is None
    assert unknown('{"settings": {"retention": {"seconds": 1}}}', path) is None


@pytest.mark.parametrize(
    "body",
    [
        "{",
        "{'settings': {}}",  # the transcoder would take these two
        "{settings: {}}",
        '{"settings": {}} {"x": 1}',
        "\ufeff{}",
        "\x00",
        '{"settings":' * 5000 + "1" + "}" * 5000,
        "[" * 15_000,
    ],
)
def test_what_another_reader_would_read_otherwise_is_refused(body: str) -> None:
    assert unknown(body) == "the body is not JSON (RFC 8259)"


@pytest.mark.parametrize("body", ['{"":0,' * MIB, "[[]," * MIB, '{"a":[' + "0," * MIB])
def test_what_would_take_long_to_read_is_not_read(body: str) -> None:
    assert unknown(body) == "the body has more than 20000 names, values and brackets"


def test_a_long_number_and_a_long_name_cost_nothing() -> None:
    assert unknown('{"settings": {"rounds": ' + "9" * 5 * MIB + "}}") is None
    assert unknown('{"' + "a" * MIB + '": 1}') == "a" * 100


def test_a_field_may_be_the_whole_body() -> None:
    fault = BODIES.fault(CREATE, "settings", '{"jobTitle": "Cook", "x": 1}')
    assert fault is not None
    assert fault.field == "settings.x"
