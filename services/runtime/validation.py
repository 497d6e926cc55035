"""The rules written in the contracts, applied to every message from outside."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import protovalidate
from google.protobuf.message import Message

from services.runtime.errors import InvalidFields

_validator = protovalidate.Validator()


def validate(message: Message) -> None:
    """Checks a message against its contract.

    Raises:
        InvalidFields: Naming every field at fault, for example `messages[0].content`.
    """
    violations = _validator.collect_violations(message)
    if violations:
        raise InvalidFields([(_path(v.proto.field), v.proto.message) for v in violations])


def _path(field: Any) -> str:
    return "".join(_elements(field.elements if field is not None else [])).lstrip(".")


def _elements(elements: Iterable[Any]) -> Iterable[str]:
    for element in elements:
        yield f".{element.field_name}"
        if element.subscript is not None:
            yield f"[{element.subscript.value}]"
