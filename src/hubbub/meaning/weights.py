"""Reading the weights out of the model's file.

The file is an ONNX graph. Of it only the named tensors are wanted, and of the format (protocol
buffers) only as much as leads to them, so that no runtime for such graphs has to be installed.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Tensor = NDArray[np.float32] | NDArray[np.int8]

# Fields of the format: ModelProto.graph, GraphProto.initializer, and of TensorProto dims,
# data_type, name, raw_data.
_GRAPH, _INITIALIZER = 7, 5
_DIMS, _TYPE, _NAME, _RAW = 1, 2, 8, 9
_FLOAT, _INT8 = 1, 3


def read_tensors(path: str) -> dict[str, Tensor]:
    """The tensors of floats and of signed bytes in the file at ``path``, in its order.

    They are views of the file: what is not used is not read.

    Raises:
        ValueError: it is not such a file.
        OSError: it can't be read.
    """
    with open(path, "rb") as file:
        held = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    tensors: dict[str, Tensor] = {}
    try:
        for field, graph in _fields(held):
            if field == _GRAPH and isinstance(graph, memoryview):
                for inner, tensor in _fields(graph):
                    if inner == _INITIALIZER and isinstance(tensor, memoryview):
                        _add(tensors, tensor)
    except IndexError:
        raise ValueError(f"{os.path.basename(path)} is cut off") from None
    return tensors


def _add(tensors: dict[str, Tensor], tensor: memoryview) -> None:
    shape: list[int] = []
    kind, name, raw = 0, "", memoryview(b"")
    for field, value in _fields(tensor):
        if field == _DIMS:
            shape.extend(_numbers(value))
        elif field == _TYPE and isinstance(value, int):
            kind = value
        elif field == _NAME and isinstance(value, memoryview):
            name = bytes(value).decode()
        elif field == _RAW and isinstance(value, memoryview):
            raw = value
    if kind == _FLOAT:
        tensors[name] = np.frombuffer(raw, dtype="<f4").reshape(shape)
    elif kind == _INT8:
        tensors[name] = np.frombuffer(raw, dtype=np.int8).reshape(shape)


def _numbers(value: int | memoryview) -> Iterator[int]:
    """A repeated number: one, or several packed together."""
    if isinstance(value, int):
        yield value
        return
    at = 0
    while at < len(value):
        number, at = _varint(value, at)
        yield number


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """The fields of one record: their numbers and values."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        kind = tag & 7
        if kind == 0:
            value, at = _varint(data, at)
            yield tag >> 3, value
        elif kind == 2:
            length, at = _varint(data, at)
            if at + length > len(data):
                raise IndexError
            yield tag >> 3, data[at : at + length]
            at += length
        elif kind in (1, 5):
            at += 8 if kind == 1 else 4
        else:
            raise ValueError(f"a field of the unknown kind {kind}")


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
        shift += 7
