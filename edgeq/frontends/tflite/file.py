"""A .tflite file as plain data: every offset, length and index is checked before anything is believed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.errors import FileError, ToolError
from edgeq.frontends._model_file import DAMAGE, MAX_RANK, brief, printable, read_bytes
from edgeq.frontends._model_file import MAX_ELEMENTS as MAX_ELEMENTS
from edgeq.frontends._model_file import DamagedError as DamagedError

_IDENTIFIER = b"TFL3"

#: tensor types that carry numbers here, by the name in the schema
TYPES: dict[str, np.dtype[Any]] = {
    "INT8": np.dtype("<i1"),
    "UINT8": np.dtype("<u1"),
    "INT16": np.dtype("<i2"),
    "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"),
    "FLOAT16": np.dtype("<f2"),
    "FLOAT32": np.dtype("<f4"),
    "BOOL": np.dtype("?"),
}


@dataclass(frozen=True, eq=False)
class Tensor:
    """A tensor of the file.

    shape: with the batch, -1 read as 1; type: its name in the schema; data: codes of a constant, else None.
    scales, zeros: one entry, or one for each index of `axis`; empty where the tensor is not quantised.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    type: str
    data: npt.NDArray[Any] | None
    scales: tuple[float, ...]
    zeros: tuple[int, ...]
    axis: int
    variable: bool


@dataclass(frozen=True, eq=False)
class Operation:
    """An operator call: the schema's name, indices of tensors (-1: left out), and access to its options."""

    op: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    table: Any
    kind: int

    def options(self, name: str) -> Any:
        """The options table `name` ("Conv2DOptions"), or None where the file has none."""
        tflite = package()
        if self.table is None or self.kind == 0:
            return None
        if self.kind != getattr(tflite.BuiltinOptions, name):
            raise DamagedError(f"{self.op}: its options are not {name}")
        options = getattr(tflite, name)()
        options.Init(self.table.Bytes, self.table.Pos)
        return options


@dataclass(frozen=True, eq=False)
class Model:
    """The one subgraph of a file."""

    name: str
    tensors: tuple[Tensor, ...]
    operations: tuple[Operation, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def package() -> Any:
    """The `tflite` package; ToolError says how to install it."""
    try:
        import tflite
    except ImportError:
        raise ToolError("reading .tflite files needs the package tflite: pip install 'edgeq[tflite]'") from None
    return tflite


def read(path: Path) -> Model:
    """Read a file; FileError, naming the file and the fact, for anything that is not a whole and valid one."""
    try:
        return parse(read_bytes(path), path.stem)
    except DamagedError as error:
        raise FileError(f"{path}: {brief(error)}") from None


def parse(data: bytes, name: str) -> Model:
    """The model in the bytes of a file; DamagedError for anything unsound."""
    if data[4:8] != _IDENTIFIER:
        raise DamagedError("is not a TensorFlow Lite model (bytes 4 to 8 are not TFL3)")
    try:
        return _model(data, name)
    except DAMAGE as error:
        raise DamagedError(f"is damaged: {type(error).__name__}: {' '.join(str(error).split())[:200]}") from None


def _model(data: bytes, name: str) -> Model:
    tflite = package()
    model = tflite.Model.GetRootAs(data, 0)
    if model.Version() != 3:
        raise DamagedError(f"has schema version {model.Version()}; version 3 is read")
    if model.SubgraphsLength() != 1:
        raise DamagedError(f"has {model.SubgraphsLength()} subgraphs; control flow is not supported, one is read")
    graph = model.Subgraphs(0)
    names = _Names(tflite)
    tensors = tuple(
        _tensor(model, graph.Tensors(i), i, names, data) for i in range(_length(graph.TensorsLength(), data))
    )
    codes = [_code(model.OperatorCodes(i), names) for i in range(_length(model.OperatorCodesLength(), data))]
    operations = []
    for i in range(_length(graph.OperatorsLength(), data)):
        found = graph.Operators(i)
        if not 0 <= found.OpcodeIndex() < len(codes):
            raise DamagedError(f"operator {i} has opcode {found.OpcodeIndex()} of {len(codes)}")
        ins = _indices(found.InputsAsNumpy(), len(tensors), f"inputs of operator {i}", -1)
        outs = _indices(found.OutputsAsNumpy(), len(tensors), f"outputs of operator {i}", 0)
        kind = found.BuiltinOptionsType()
        operations.append(Operation(codes[found.OpcodeIndex()], ins, outs, found.BuiltinOptions(), kind))
    inputs = _indices(graph.InputsAsNumpy(), len(tensors), "inputs", 0)
    outputs = _indices(graph.OutputsAsNumpy(), len(tensors), "outputs", 0)
    return Model(name, tensors, tuple(operations), inputs, outputs)


class _Names:
    """Numbers of the schema's enumerations to words."""

    def __init__(self, tflite: Any) -> None:
        self.operators = _words(tflite.BuiltinOperator)
        self.types = _words(tflite.TensorType)


def _words(enumeration: Any) -> dict[int, str]:
    return {number: word for word, number in vars(enumeration).items() if isinstance(number, int)}


def _length(count: int, data: bytes) -> int:
    """A count of tables: each takes at least four bytes."""
    if not 0 <= count <= len(data) // 4:
        raise DamagedError(f"names {count} tables, which {len(data)} bytes do not hold")
    return count


def _code(code: Any, names: _Names) -> str:
    number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    word = names.operators.get(number, f"operator {number}")
    if word == "CUSTOM":
        custom = (code.CustomCode() or b"").decode("utf-8", "replace")[:80]
        return f"CUSTOM {printable(custom)}"
    return word


def _ints(array: Any) -> tuple[int, ...]:
    """A vector of the file; absent ones come as the int 0."""
    return () if isinstance(array, int) else tuple(int(v) for v in array)


def _indices(array: Any, count: int, what: str, least: int) -> tuple[int, ...]:
    found = _ints(array)
    for i in found:
        if not least <= i < count:
            raise DamagedError(f"{what}: tensor {i} is not one of {count}")
    return found


def _shown(shape: tuple[int, ...]) -> str:
    """A shape of a damaged file, which may have any number of axes."""
    return str(shape) if len(shape) <= MAX_RANK else f"of {len(shape)} axes"


def _tensor(model: Any, tensor: Any, index: int, names: _Names, data: bytes) -> Tensor:
    name = printable((tensor.Name() or b"").decode("utf-8", "replace")) or f"tensor_{index}"
    place = f"tensor {index} ({name[:60]})"
    kind = names.types.get(tensor.Type(), f"type {tensor.Type()}")
    shape = tuple(1 if n == -1 else n for n in _ints(tensor.ShapeAsNumpy()))
    if len(shape) > MAX_RANK or any(n < 0 for n in shape) or prod(shape) > MAX_ELEMENTS:
        raise DamagedError(f"{place}: shape {_shown(shape)} is not one that a network can have")
    if tensor.Sparsity() is not None:
        raise DamagedError(f"{place}: is stored sparse, which is not supported; convert the model without sparsity")
    scales, zeros, axis = _quantisation(tensor.Quantization(), shape, place)
    codes = _data(model, tensor.Buffer(), kind, shape, place)
    return Tensor(index, name, shape, kind, codes, scales, zeros, axis, bool(tensor.IsVariable()))


def _quantisation(found: Any, shape: tuple[int, ...], place: str) -> tuple[tuple[float, ...], tuple[int, ...], int]:
    if found is None or found.ScaleLength() == 0:
        return (), (), 0
    scales = tuple(float(s) for s in found.ScaleAsNumpy())
    zeros = _ints(found.ZeroPointAsNumpy()) or (0,) * len(scales)
    axis = found.QuantizedDimension() if len(scales) > 1 else 0
    if len(zeros) == 1:
        zeros *= len(scales)
    if len(zeros) != len(scales):
        raise DamagedError(f"{place}: {len(scales)} scales and {len(zeros)} zero points")
    if not all(np.isfinite(s) and s > 0 for s in scales):
        raise DamagedError(f"{place}: a scale is not a positive number")
    if len(scales) > 1 and (not 0 <= axis < len(shape) or shape[axis] != len(scales)):
        raise DamagedError(f"{place}: {len(scales)} scales do not fit axis {axis} of {shape}")
    return scales, zeros, axis


def _data(model: Any, buffer: int, kind: str, shape: tuple[int, ...], place: str) -> npt.NDArray[Any] | None:
    if not 0 <= buffer < model.BuffersLength():
        raise DamagedError(f"{place}: buffer {buffer} is not one of {model.BuffersLength()}")
    found = model.Buffers(buffer)
    if found is None or found.DataLength() == 0:
        return None
    raw = found.DataAsNumpy()
    if kind not in TYPES:
        return None
    want = prod(shape) * TYPES[kind].itemsize
    if raw.size != want:
        raise DamagedError(f"{place}: {raw.size} bytes of data, shape {shape} of {kind} needs {want}")
    codes = np.frombuffer(raw.tobytes(), dtype=TYPES[kind]).reshape(shape)
    codes.setflags(write=False)
    return codes


#: reads one operation into the graph under construction
Reader = Callable[[Any, Operation], None]
