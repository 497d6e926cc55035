"""What there is in an ONNX model, and an inner tensor made an output, without the onnx package.

A protobuf message written twice is read as one with its repeated fields joined
(https://protobuf.dev/programming-guides/encoding/#last-one-wins), so a graph with nothing but one
more output, appended to the file, adds that output. Both packaged models hold their phonemes'
durations in such a tensor.
"""

from __future__ import annotations

_LENGTH_DELIMITED = 2
# Field numbers of onnx.proto.
_MODEL_GRAPH = 7
_NODE_OPERATOR = 4
_GRAPH_OUTPUT = 12
_VALUE_NAME = 1
_VALUE_TYPE = 2
_TYPE_TENSOR = 1
_TENSOR_FLOAT = b"\x08\x01"


def with_output(model: bytes, tensor: str) -> bytes:
    """The model with a float32 tensor of its graph as a further, last, output."""
    value = _field(_VALUE_NAME, tensor.encode()) + _field(
        _VALUE_TYPE, _field(_TYPE_TENSOR, _TENSOR_FLOAT)
    )
    return model + _field(_MODEL_GRAPH, _field(_GRAPH_OUTPUT, value))


def has_tensor(model: bytes, tensor: str) -> bool:
    """Whether the model's file names a tensor so."""
    name = tensor.encode()
    return _varint(len(name)) + name in model


def has_operator(model: bytes, operator: str) -> bool:
    """Whether a node of the model is of an operator's type."""
    return _field(_NODE_OPERATOR, operator.encode()) in model


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | _LENGTH_DELIMITED) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
