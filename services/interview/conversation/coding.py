"""Frozen dataclasses as JSON and back, by their annotations."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, TypeVar, Union

ValueT = TypeVar("ValueT")

_KIND = "="
"""Names the class, for annotations that allow several."""
_PLAIN = frozenset({str, int, float, bool, type(None)})


def encoded(value: Any) -> Any:
    """What `json.dumps` can write of dataclasses, tuples, enums and plain values."""
    kind: Any = type(value)
    if kind in _PLAIN:
        return value
    if kind is tuple:
        return [encoded(item) for item in value]
    if isinstance(value, Enum):
        return value.value
    if kind is bytes:
        return value.hex()
    named = {name: encoded(getattr(value, name)) for name in _hints(kind)}
    return {_KIND: kind.__name__, **named}


def decoded(kind: type[ValueT], value: Any) -> ValueT:
    """The value that `encoded` has written, of the annotated kind.

    Raises:
        ValueError, TypeError, KeyError: It is of another kind.
    """
    return typing.cast("ValueT", _decode(kind, value))


def _decode(kind: Any, value: Any) -> Any:
    origin = typing.get_origin(kind)
    if origin in {Union, types.UnionType}:
        return _decode_union(typing.get_args(kind), value)
    if origin is tuple:
        return _decode_tuple(typing.get_args(kind), value)
    if is_dataclass(kind):
        hints = _hints(typing.cast("type", kind))
        named = {name: _decode(hints[name], value[name]) for name in hints if name in value}
        return typing.cast("Any", kind)(**named)
    return _decode_plain(kind, value)


def _decode_plain(kind: Any, value: Any) -> Any:
    if issubclass(kind, Enum):
        return kind(value)
    if kind is bytes:
        return bytes.fromhex(value)
    if kind is float and isinstance(value, int):
        return float(value)
    if not isinstance(value, kind):
        raise TypeError(f"{kind.__name__} expected")
    return value


def _decode_union(kinds: tuple[Any, ...], value: Any) -> Any:
    if value is None:
        return None
    others = [kind for kind in kinds if kind is not type(None)]
    if len(others) > 1:
        return _decode(next(kind for kind in others if kind.__name__ == value[_KIND]), value)
    return _decode(others[0], value)


def _decode_tuple(kinds: tuple[Any, ...], value: Any) -> Any:
    if kinds[-1] is Ellipsis:
        return tuple(_decode(kinds[0], item) for item in value)
    return tuple(_decode(kind, item) for kind, item in zip(kinds, value, strict=True))


@cache
def _hints(kind: type) -> Mapping[str, Any]:
    hints = typing.get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind) if field.init}
