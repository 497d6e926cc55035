"""Whether a JSON body has only fields that its method's request has.

Envoy's transcoder drops what it does not know: a misspelt field would be a setting that silently
does not hold. Only names are looked at; what a field's value may be is said where it is used.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf import descriptor_pool
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from edge.envoy.contracts import Contract

WHOLE = "*"
_MOST_PARTS = 20_000
"""Names, values and brackets of a body. What is long in ours are texts and sound, not lists; so
many take a few milliseconds and MiB to read."""
_PUNCTUATION = ",:[{"
# They have forms of their own in JSON.
_WELL_KNOWN = "google.protobuf."
_MOST_TOLD = 100


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a body is refused.

    Attributes:
        reason: In words.
        field: The path of the field that is none; None where it is no such fault.
    """

    reason: str
    field: str | None = None


class _Object(tuple[tuple[str, Any], ...]):
    """An object's names and values as they were written; a name may be there twice."""

    __slots__ = ()


class Bodies:
    """Knows the request of each method."""

    def __init__(self, services: Iterable[Contract]) -> None:
        """Takes the contracts; those that are public are called in JSON."""
        pool = descriptor_pool.Default()
        self._requests: Mapping[str, Descriptor] = {
            method.path: pool.FindServiceByName(contract.name)
            .methods_by_name[method.name]
            .input_type
            for contract in services
            if contract.public
            for method in contract.methods
            if method.http
        }
        self._names: dict[str, Mapping[str, FieldDescriptor]] = {}

    def fault(self, method: str, part: str, body: str) -> Fault | None:
        """What is wrong with a body; None for nothing.

        Args:
            method: `/package.Service/Method`, one that has a JSON form.
            part: What of its request the body is: WHOLE, or the name of a field.
            body: As it came. An empty one is an empty request.
        """
        if not body:
            return None
        if sum(map(body.count, _PUNCTUATION)) > _MOST_PARTS:
            return Fault(f"the body has more than {_MOST_PARTS} names, values and brackets")
        request = self._requests[method]
        try:
            # Numbers are not made any: that takes long for long ones.
            value = json.loads(body, object_pairs_hook=_Object, parse_int=str, parse_float=str)
            if part == WHOLE:
                unknown = self._unknown(request, value, "")
            else:
                unknown = self._in_field(request.fields_by_name[part], value, part)
        except (ValueError, RecursionError):
            return Fault("the body is not JSON (RFC 8259)")
        if unknown is None:
            return None
        # JSON can name half of a surrogate pair; no answer can.
        unknown = unknown[:_MOST_TOLD].encode(errors="backslashreplace").decode()
        return Fault(f"{unknown}: is unknown", unknown)

    def _unknown(self, message: Descriptor, value: object, path: str) -> str | None:
        """The path of the first field that the message has not."""
        if not isinstance(value, _Object) or message.full_name.startswith(_WELL_KNOWN):
            return None
        fields = self._fields(message)
        for name, inner in value:
            field = fields.get(name)
            if field is None:
                return f"{path}{name}"
            if (unknown := self._in_field(field, inner, f"{path}{name}")) is not None:
                return unknown
        return None

    def _in_field(self, field: FieldDescriptor, value: object, path: str) -> str | None:
        message = field.message_type
        if message is None:
            return None
        if message.GetOptions().map_entry:
            inner = message.fields_by_name["value"]
            values = value if isinstance(value, _Object) else ()
            found = (self._in_field(inner, each, f"{path}.{key}") for key, each in values)
        elif isinstance(value, list):
            found = (
                self._unknown(message, each, f"{path}[{index}].")
                for index, each in enumerate(value)
            )
        else:
            return self._unknown(message, value, f"{path}.")
        return next((unknown for unknown in found if unknown is not None), None)

    def _fields(self, message: Descriptor) -> Mapping[str, FieldDescriptor]:
        """A message's fields by both of the names that JSON may call them."""
        known = self._names.get(message.full_name)
        if known is None:
            known = {name: each for each in message.fields for name in (each.name, each.json_name)}
            self._names[message.full_name] = known
        return known
