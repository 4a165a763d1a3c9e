"""An .onnx file as plain data: sizes, names and the order of its nodes are checked before anything is believed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.errors import FileError, ToolError
from edgeq.frontends._model_file import DAMAGE, MAX_ELEMENTS, MAX_FILE, MAX_RANK, DamagedError, printable, read_bytes

Array = npt.NDArray[Any]
#: operator sets that stand for the standard one
_STANDARD = ("", "ai.onnx")
#: domains whose operators are told from the standard ones by name alone
KNOWN_DOMAINS = (*_STANDARD, "com.microsoft", "qonnx.custom_op.general", "onnx.brevitas")
#: element types that carry numbers here, and the numpy type that holds each
TYPES: dict[str, np.dtype[Any]] = {
    "FLOAT": np.dtype(np.float32),
    "DOUBLE": np.dtype(np.float64),
    "FLOAT16": np.dtype(np.float32),
    "BFLOAT16": np.dtype(np.float32),
    "INT2": np.dtype(np.int8),
    "UINT2": np.dtype(np.uint8),
    "INT4": np.dtype(np.int8),
    "UINT4": np.dtype(np.uint8),
    "INT8": np.dtype(np.int8),
    "UINT8": np.dtype(np.uint8),
    "INT16": np.dtype(np.int16),
    "UINT16": np.dtype(np.uint16),
    "INT32": np.dtype(np.int32),
    "UINT32": np.dtype(np.uint32),
    "INT64": np.dtype(np.int64),
    "UINT64": np.dtype(np.uint64),
    "BOOL": np.dtype(np.bool_),
}


@dataclass(frozen=True)
class Border:
    """An input or output: element type as ONNX names it, sizes with the batch, None where the file leaves one open."""

    name: str
    type: str
    shape: tuple[int | None, ...]


@dataclass(frozen=True, eq=False)
class Operation:
    """A node: `inputs` has "" where one is left out; attributes are Python values, tensors among them arrays.

    name: that of the node, or of its first output; proto: the node itself, for the reference evaluator.
    """

    op: str
    domain: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attrs: Mapping[str, Any]
    proto: Any

    def ints(self, key: str, default: tuple[int, ...] = ()) -> tuple[int, ...]:
        """An attribute that is a list of ints."""
        found = self.attrs.get(key, default)
        if not isinstance(found, tuple) or not all(isinstance(v, int) for v in found):
            raise DamagedError(f"{self.op} {self.name}: attribute {key} is not a list of integers")
        return found

    def integer(self, key: str, default: int) -> int:
        """An attribute that is an int."""
        found = self.attrs.get(key, default)
        if not isinstance(found, int):
            raise DamagedError(f"{self.op} {self.name}: attribute {key} is not an integer")
        return found

    def real(self, key: str, default: float) -> float:
        """An attribute that is a float."""
        found = self.attrs.get(key, default)
        if not isinstance(found, float) or not np.isfinite(found):
            raise DamagedError(f"{self.op} {self.name}: attribute {key} is not a finite number")
        return found

    def text(self, key: str, default: str) -> str:
        """An attribute that is a word."""
        found = self.attrs.get(key, default)
        if not isinstance(found, str):
            raise DamagedError(f"{self.op} {self.name}: attribute {key} is not text")
        return found


@dataclass(frozen=True, eq=False)
class Model:
    """The graph of a file. Constant nodes are gone: what they hold is in `constants`, as initializers are.

    constants: arrays by tensor name; types: the element type, as ONNX names it, of inputs and constants.
    opset: version of the standard operators; opsets: of each domain.
    """

    name: str
    operations: tuple[Operation, ...]
    inputs: tuple[Border, ...]
    outputs: tuple[Border, ...]
    constants: Mapping[str, Array]
    types: Mapping[str, str]
    opset: int
    opsets: Mapping[str, int]


def package() -> Any:
    """The `onnx` package; ToolError says how to install it."""
    try:
        import onnx
        import onnx.numpy_helper
    except ImportError:
        raise ToolError("reading .onnx files needs the package onnx: pip install 'edgeq[onnx]'") from None
    return onnx


def read(path: Path) -> Model:
    """Read a file; FileError, naming the file and the fact, for anything that is not a whole and valid one."""
    try:
        return parse(read_bytes(path), path.stem, path.parent)
    except DamagedError as error:
        raise FileError(f"{path}: {error}") from None


def parse(data: bytes, name: str, folder: Path | None = None) -> Model:
    """The model in the bytes of a file, external tensors in `folder`; DamagedError for anything unsound."""
    onnx = package()
    from google.protobuf.message import DecodeError

    try:
        proto = onnx.ModelProto.FromString(data)
    except DecodeError:
        raise DamagedError("is not an ONNX model, or is cut off (the protobuf does not parse)") from None
    try:
        return _model(proto, name, folder)
    except DAMAGE as error:
        raise DamagedError(f"is damaged: {type(error).__name__}: {' '.join(str(error).split())[:200]}") from None


def _model(proto: Any, name: str, folder: Path | None) -> Model:
    graph = proto.graph
    if not graph.node and not graph.output:
        raise DamagedError("is not an ONNX model (its graph is empty)")
    if proto.functions:
        listed = ", ".join(printable(f.name) for f in proto.functions[:3])
        raise DamagedError(f"has functions of its own ({listed}), which are not read; export it with dynamo=False")
    opsets = {("" if o.domain in _STANDARD else o.domain): o.version for o in proto.opset_import}
    reader = _Tensors(folder)
    constants: dict[str, Array] = {}
    types: dict[str, str] = {}
    if graph.sparse_initializer:
        raise DamagedError("has sparse initializers, which are not read")
    for tensor in graph.initializer:
        constants[tensor.name], types[tensor.name] = reader.array(tensor, tensor.name)
    operations = []
    for node in graph.node:
        found = _operation(node, reader)
        if found.op == "Constant" and found.domain in _STANDARD:
            if len(found.outputs) != 1:
                raise DamagedError(f"Constant {found.name} has {len(found.outputs)} outputs")
            constants[found.outputs[0]], types[found.outputs[0]] = _constant(found, reader)
        else:
            operations.append(found)
    inputs = tuple(_border(i) for i in graph.input if i.name not in constants)
    types.update({i.name: i.type for i in inputs})
    _check_order(inputs, constants, operations)
    outputs = tuple(_border(o) for o in graph.output)
    return Model(
        printable(graph.name) or name, tuple(operations), inputs, outputs, constants, types, opsets.get("", 1), opsets
    )


def _check_order(inputs: tuple[Border, ...], constants: Mapping[str, Array], operations: list[Operation]) -> None:
    """Every tensor is made once and before it is read, so there is no cycle."""
    known = {i.name for i in inputs} | constants.keys()
    for call in operations:
        for name in call.inputs:
            if name and name not in known:
                raise DamagedError(
                    f"{call.op} {call.name} reads {printable(name)!r}, which nothing before it makes (a cycle, or "
                    "nodes in the wrong order)"
                )
        for name in call.outputs:
            if name and name in known:
                raise DamagedError(f"{call.op} {call.name} makes {printable(name)!r}, which exists already")
            known.add(name)


def _border(info: Any) -> Border:
    if not info.type.HasField("tensor_type"):
        raise DamagedError(f"{printable(info.name)!r} is not a tensor")
    kind = info.type.tensor_type
    shape = tuple(d.dim_value if d.HasField("dim_value") and d.dim_value > 0 else None for d in kind.shape.dim)
    if len(shape) > MAX_RANK or prod(n or 1 for n in shape) > MAX_ELEMENTS:
        raise DamagedError(f"{printable(info.name)!r}: shape {shape} is not one that a network can have")
    return Border(info.name, type_name(kind.elem_type), shape)


def type_name(number: int) -> str:
    """The element type's name in the schema."""
    kinds = package().TensorProto.DataType
    return str(kinds.Name(number)) if number in kinds.values() else f"type {number}"


def _operation(node: Any, reader: _Tensors) -> Operation:
    outputs = tuple(node.output)
    name = printable(node.name or next((o for o in outputs if o), "") or node.op_type)
    domain = "" if node.domain in _STANDARD else printable(node.domain)
    op = printable(node.op_type)
    attrs = {a.name: _attribute(a, f"{op} {name}", reader) for a in node.attribute}
    return Operation(op, domain, name, tuple(node.input), outputs, attrs, node)


def _attribute(attr: Any, place: str, reader: _Tensors) -> Any:
    kinds = package().AttributeProto
    plain = {kinds.INT: "i", kinds.FLOAT: "f"}
    many = {kinds.INTS: "ints", kinds.FLOATS: "floats"}
    if attr.type in plain:
        return getattr(attr, plain[attr.type])
    if attr.type in many:
        return tuple(getattr(attr, many[attr.type]))
    if attr.type == kinds.STRING:
        return attr.s.decode("utf-8", "replace")
    if attr.type == kinds.STRINGS:
        return tuple(s.decode("utf-8", "replace") for s in attr.strings)
    if attr.type == kinds.TENSOR:
        return reader.array(attr.t, f"{place}: {attr.name}")[0]
    return None  # graphs and their like: no operator that is read has one


def _constant(call: Operation, reader: _Tensors) -> tuple[Array, str]:
    """What a Constant node holds, and its element type."""
    for attr in call.proto.attribute:
        if attr.name == "value":
            return reader.array(attr.t, call.name)
        if attr.name in ("value_int", "value_ints"):
            return np.asarray(call.attrs[attr.name], dtype=np.int64), "INT64"
        if attr.name in ("value_float", "value_floats"):
            return np.asarray(call.attrs[attr.name], dtype=np.float32), "FLOAT"
    raise DamagedError(f"Constant {call.name} holds neither a tensor nor numbers")


class _Tensors:
    """Reads tensors; what lies outside the file must lie beside it, and all of it together is bounded."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.left = MAX_FILE

    def array(self, tensor: Any, place: str) -> tuple[Array, str]:
        """Elements and element type; types that numpy lacks are widened."""
        onnx, place = package(), printable(place)
        shape, kind = tuple(tensor.dims), type_name(tensor.data_type)
        if len(shape) > MAX_RANK or any(n < 0 for n in shape) or prod(shape) > MAX_ELEMENTS:
            raise DamagedError(f"tensor {place}: shape {shape} is not one that a network can have")
        if kind not in TYPES and not kind.startswith(("FLOAT8", "FLOAT4")):
            raise DamagedError(f"tensor {place}: element type {kind} is not read")
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            inner = onnx.TensorProto(data_type=tensor.data_type, dims=shape)
            inner.raw_data = self._outside(tensor, place)
            tensor = inner
        try:
            found = onnx.numpy_helper.to_array(tensor)
        except DAMAGE as error:
            raise DamagedError(f"tensor {place}: its data do not fit {kind} {shape}: {str(error)[:100]}") from None
        found = np.ascontiguousarray(found.astype(TYPES.get(kind, np.dtype(np.float32)), copy=False)).reshape(shape)
        found.setflags(write=False)
        return found, kind

    def _outside(self, tensor: Any, place: str) -> bytes:
        entries = {e.key: e.value for e in tensor.external_data}
        location = entries.get("location", "")
        if self.folder is None:
            raise DamagedError(f"tensor {place}: lies in another file")
        root = self.folder.resolve()
        path = (root / location).resolve()
        if not location or Path(location).is_absolute() or not path.is_relative_to(root) or path == root:
            raise DamagedError(
                f"tensor {place}: external data at {printable(location)!r} are outside the model's folder"
            )
        offset, length = int(entries.get("offset", 0)), int(entries.get("length", -1))
        if not path.is_file():
            raise DamagedError(f"tensor {place}: external data {printable(location)!r} are missing")
        size = path.stat().st_size
        length = size - offset if length < 0 else length
        if offset < 0 or length < 0 or offset + length > size:
            raise DamagedError(
                f"tensor {place}: bytes {offset} to {offset + length} of {printable(location)!r}, which has {size}"
            )
        self.left -= length
        if self.left < 0:
            raise DamagedError(f"external data are more than the {MAX_FILE} bytes that a model may have")
        with path.open("rb") as file:
            file.seek(offset)
            return bytes(file.read(length))
