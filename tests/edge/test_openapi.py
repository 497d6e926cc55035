"""The OpenAPI document says what the JSON edge does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from edge.envoy.contracts import Access, contracts


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    loaded = json.loads((files("viva") / "openapi.json").read_text(encoding="utf-8"))
    assert isinstance(loaded, dict)
    return loaded


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for value in part.values():
            yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)


def test_every_json_form_of_a_public_method_is_described(document: dict[str, Any]) -> None:
    forms = {
        (template, verb.lower()): method
        for contract in contracts()
        if contract.public
        for method in contract.methods
        for verb, template, _ in method.http
    }
    described = {(path, verb) for path, verbs in document["paths"].items() for verb in verbs}
    assert described == forms.keys()
    for (path, verb), method in forms.items():
        operation = document["paths"][path][verb]
        assert (operation["security"] == []) == (method.access is Access.PUBLIC)
        assert operation["summary"].endswith(".")


def test_every_reference_leads_somewhere_and_every_schema_is_one(document: dict[str, Any]) -> None:
    for reference in references(document):
        found = document
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]
        assert found
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def _validator(document: dict[str, Any], name: str) -> Draft202012Validator:
    return Draft202012Validator(
        {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
    )


def test_rules_of_fields_are_rules_of_schemas(document: dict[str, Any]) -> None:
    settings = _validator(document, "viva.interview.v1.InterviewSettings")
    assert settings.is_valid({"language": "en", "rounds": 3, "jobTitle": "Cook"})
    assert not settings.is_valid({"rounds": 11})
    assert not settings.is_valid({"language": "not a tag"})
    assert not settings.is_valid({"rounds": "three"})


def test_an_error_is_a_status(document: dict[str, Any]) -> None:
    operation = document["paths"]["/v1/interviews/{interview_id}"]["get"]
    assert {"400", "401", "403", "404", "413", "429", "503"} <= operation["responses"].keys()
    status = _validator(document, "google.rpc.Status")
    assert status.is_valid({"code": 5, "message": "no", "details": [{"@type": "x", "reason": "R"}]})
    assert not status.is_valid({"code": "NOT_FOUND"})
