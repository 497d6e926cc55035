"""Messages and enums as JSON Schema, in protobuf's JSON mapping (protobuf.dev, ProtoJSON)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from viva.buf.validate import validate_pb2

Schema = dict[str, Any]

_F = FieldDescriptor
_NUMBERS: Mapping[int, Schema] = {
    _F.TYPE_DOUBLE: {"type": "number", "format": "double"},
    _F.TYPE_FLOAT: {"type": "number", "format": "float"},
    _F.TYPE_INT32: {"type": "integer", "format": "int32"},
    _F.TYPE_SINT32: {"type": "integer", "format": "int32"},
    _F.TYPE_SFIXED32: {"type": "integer", "format": "int32"},
    _F.TYPE_UINT32: {"type": "integer", "format": "uint32", "minimum": 0},
    _F.TYPE_FIXED32: {"type": "integer", "format": "uint32", "minimum": 0},
    # Numbers that JavaScript cannot hold are written as strings.
    _F.TYPE_INT64: {"type": "string", "format": "int64"},
    _F.TYPE_SINT64: {"type": "string", "format": "int64"},
    _F.TYPE_SFIXED64: {"type": "string", "format": "int64"},
    _F.TYPE_UINT64: {"type": "string", "format": "uint64"},
    _F.TYPE_FIXED64: {"type": "string", "format": "uint64"},
    _F.TYPE_BOOL: {"type": "boolean"},
    _F.TYPE_STRING: {"type": "string"},
    _F.TYPE_BYTES: {"type": "string", "contentEncoding": "base64"},
}
_WELL_KNOWN: Mapping[str, Schema] = {
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Duration": {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]{1,9})?s$"},
    "google.protobuf.FieldMask": {"type": "string"},
    "google.protobuf.Struct": {"type": "object"},
    "google.protobuf.Value": {},
    "google.protobuf.Any": {
        "type": "object",
        "properties": {"@type": {"type": "string"}},
        "required": ["@type"],
    },
}
_BOUNDS: Mapping[str, str] = {
    "gte": "minimum",
    "lte": "maximum",
    "gt": "exclusiveMinimum",
    "lt": "exclusiveMaximum",
}
_NUMERIC_RULES = frozenset({"double", "float", "int32", "uint32", "sint32", "fixed32", "sfixed32"})
_LENGTHS: Mapping[str, str] = {"min_len": "minLength", "max_len": "maxLength", "pattern": "pattern"}
_FORMATS: Mapping[str, str] = {"email": "email", "uuid": "uuid", "uri": "uri"}


class Schemas:
    """The schemas that were referred to, by full name."""

    def __init__(self, said: Mapping[str, str]) -> None:
        """Takes the contracts' comments."""
        self._said = said
        self.found: dict[str, Schema] = {}

    def reference(self, message: Descriptor) -> Schema:
        """A reference to the message's schema, which is made where there is none."""
        known = _WELL_KNOWN.get(message.full_name)
        if known is not None:
            return dict(known)
        if message.full_name not in self.found:
            self.found[message.full_name] = {}  # a message may hold itself
            self.found[message.full_name] = self.message(message)
        return {"$ref": f"#/components/schemas/{message.full_name}"}

    def message(self, message: Descriptor, without: frozenset[str] = frozenset()) -> Schema:
        """The schema of an object; `without` are fields that travel elsewhere."""
        fields = [field for field in message.fields if field.name not in without]
        schema: Schema = {
            "type": "object",
            "properties": {field.json_name: self.field(field) for field in fields},
        }
        required = [field.json_name for field in fields if _rules(field).required]
        if required:
            schema["required"] = required
        return self._described(schema, message.full_name)

    def field(self, field: FieldDescriptor) -> Schema:
        """The schema of a field, with its rules."""
        message = field.message_type
        rules = _rules(field)
        if message is not None and message.GetOptions().map_entry:
            values = self._single(message.fields_by_name["value"], rules.map.values)
            schema: Schema = {"type": "object", "additionalProperties": values}
        elif field.is_repeated:
            schema = {"type": "array", "items": self._single(field, rules.repeated.items)}
            for rule, word in (("min_items", "minItems"), ("max_items", "maxItems")):
                if rules.repeated.HasField(rule):
                    schema[word] = getattr(rules.repeated, rule)
        else:
            schema = self._single(field, rules)
        return self._described(schema, field.full_name)

    def _single(self, field: FieldDescriptor, rules: Any) -> Schema:
        if field.message_type is not None:
            return self.reference(field.message_type)
        if field.enum_type is not None:
            return self._enum(field.enum_type)
        return {**_NUMBERS[field.type], **_bounds(rules)}

    def _enum(self, enum: EnumDescriptor) -> Schema:
        if enum.full_name not in self.found:
            lines = [
                f"{value.name}: {self._said.get(f'{enum.full_name}.{value.name}', '')}"
                for value in enum.values
            ]
            self.found[enum.full_name] = self._described(
                {"type": "string", "enum": [value.name for value in enum.values]},
                enum.full_name,
                *lines,
            )
        return {"$ref": f"#/components/schemas/{enum.full_name}"}

    def _described(self, schema: Schema, name: str, *more: str) -> Schema:
        words = "\n".join(line for line in (self._said.get(name, ""), *more) if line)
        return {**schema, "description": words} if words else schema


def _rules(field: FieldDescriptor) -> Any:
    return field.GetOptions().Extensions[validate_pb2.field]


def _bounds(rules: Any) -> Schema:
    kind = rules.WhichOneof("type")
    if kind is None:
        return {}
    told = getattr(rules, kind)
    if kind == "string":
        bounds = {
            word: getattr(told, rule) for rule, word in _LENGTHS.items() if told.HasField(rule)
        }
        known = told.WhichOneof("well_known")
        return {**bounds, "format": _FORMATS[known]} if known in _FORMATS else bounds
    if kind in _NUMERIC_RULES:
        return {word: getattr(told, rule) for rule, word in _BOUNDS.items() if told.HasField(rule)}
    return {}
