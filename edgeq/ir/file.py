"""net.edgeq: a graph as one file, with a version, a checksum and no code; reads back equal or says what is wrong.

Layout, integers little-endian::

    8 bytes   magic "\\x89edgeq\\r\\n"
    u32       version of the layout (1)
    u32       bytes of the header
    u64       bytes of the file
    32 bytes  SHA-256 of the whole file, taken with these 32 bytes zero
    header    JSON (UTF-8): graph, inputs, outputs, layouts, values, nodes
    data      the codes of each constant, in the order of the header, each filled up with zeros to 8 bytes

Equal graphs make equal bytes. Reading trusts nothing: every size is checked against the length of the file before
memory is asked for, and what was read has to pass `edgeq.ir.check`.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import struct
from collections.abc import Iterable, Iterator
from math import prod
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from edgeq.errors import EdgeqError, FileError, FormatError
from edgeq.folders import write_whole
from edgeq.formats import Format, from_json
from edgeq.ir.check import MAX_ELEMENTS, MAX_RANK, check
from edgeq.ir.graph import Attr, Graph, Node, Value

MAGIC = b"\x89edgeq\r\n"
VERSION = 1
#: no network for a microcontroller or FPGA comes near these; damaged files ask for more
MAX_FILE = 1 << 30
MAX_HEADER = 1 << 23
#: rows of constants that all nodes together may read: shared constants must not make a small file slow to check
MAX_ROWS = 1 << 22

_PREFIX = struct.Struct("<8sIIQ32s")
_DIGEST = slice(24, 56)
_ALIGN = 8
#: integer types of constants, smallest first
_TYPES = {name: np.dtype(name).newbyteorder("<") for name in ("int8", "uint8", "int16", "uint16", "int32", "uint32")}


class _DamagedError(Exception):
    """What is wrong with a file; `load` adds which file."""


def save(graph: Graph, path: str | os.PathLike[str]) -> None:
    """Write `graph` to `path`, complete or not at all.

    Raises GraphError for a graph that `check` refuses, FileError where the disk does.
    """
    check(graph)
    write_whole(Path(path), to_bytes(graph))


def load(path: str | os.PathLike[str]) -> Graph:
    """Read a `net.edgeq`; FileError, naming the file and the fact, for anything that is not a whole and valid one."""
    path = Path(path)
    data = _read(path)
    try:
        return from_bytes(data)
    except (_DamagedError, EdgeqError) as error:
        raise FileError(f"{path}: {' '.join(str(error).split())[:600]}") from None


def to_bytes(graph: Graph) -> bytes:
    """The bytes of a checked graph; the same for equal graphs."""
    values = list(_in_order(graph))
    described, blobs, offset = [], [], 0
    for value in values:
        entry: dict[str, Any] = {"name": value.name, "shape": list(value.shape), "source": value.source}
        entry["format"] = value.format.to_json()
        if value.data is not None:
            kind = _smallest_type(value.data)
            blob = value.data.astype(_TYPES[kind]).tobytes()
            entry |= {"type": kind, "offset": offset}
            blobs.append(blob + bytes(-len(blob) % _ALIGN))
            offset += len(blobs[-1])
        described.append(entry)
    header = _json_bytes(graph, described)
    size = _PREFIX.size + len(header) + offset
    if len(header) > MAX_HEADER or size > MAX_FILE:
        raise FileError(f"graph {graph.name!r} is too large for a file: header {len(header)}, in all {size} bytes")
    prefix = _PREFIX.pack(MAGIC, VERSION, len(header), size, bytes(32))
    rest = b"".join((header, *blobs))
    return prefix[: _DIGEST.start] + _digest(prefix, rest) + rest


def from_bytes(data: bytes) -> Graph:
    """The graph of a file's bytes, checked."""
    header, constants = _open(data)
    parsed = _parse(header)
    top = _fields(parsed, "header", ("graph", "inputs", "outputs", "layouts", "values", "nodes"))
    graph = Graph(
        _text(top["graph"], "graph name"),
        tuple(_node(entry, i) for i, entry in enumerate(_list(top["nodes"], "nodes"))),
        _values(_list(top["values"], "values"), constants),
        _texts(top["inputs"], "inputs"),
        _texts(top["outputs"], "outputs"),
        _layouts(top["layouts"]),
    )
    _limit_work(graph)
    check(graph)
    return graph


def _in_order(graph: Graph) -> Iterator[Value]:
    """Every value once: inputs, then each node's constants and outputs, then what is left."""
    names = [*graph.inputs]
    for node in graph.nodes:
        names += [name for name in node.inputs if graph.values[name].constant]
        names += node.outputs
    return (graph.values[name] for name in dict.fromkeys((*names, *sorted(graph.values))))


def _smallest_type(codes: npt.NDArray[np.int64]) -> str:
    least, most = (int(codes.min()), int(codes.max())) if codes.size else (0, 0)
    for name, dtype in _TYPES.items():
        info = np.iinfo(dtype)
        if info.min <= least and most <= info.max:
            return name
    raise FileError(f"codes {least}..{most} are wider than 32 bits")


def _json_bytes(graph: Graph, values: list[dict[str, Any]]) -> bytes:
    nodes = [
        {
            "op": n.op,
            "name": n.name,
            "inputs": list(n.inputs),
            "outputs": list(n.outputs),
            "attrs": {k: list(v) if isinstance(v, tuple) else v for k, v in n.attrs.items()},
            "source": n.source,
        }
        for n in graph.nodes
    ]
    layouts = {name: list(axes) for name, axes in graph.layouts.items()}
    whole: dict[str, Any] = {
        "graph": graph.name,
        "inputs": list(graph.inputs),
        "outputs": list(graph.outputs),
        "layouts": layouts,
    }
    whole |= {"values": values, "nodes": nodes}
    return json.dumps(whole, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def _digest(prefix: bytes, rest: bytes | memoryview) -> bytes:
    digest = hashlib.sha256(prefix[: _DIGEST.start] + bytes(32))
    digest.update(rest)
    return digest.digest()


def _read(path: Path) -> bytes:
    """The bytes of a regular file of sensible size."""
    try:
        info = path.stat()
        if not stat.S_ISREG(info.st_mode):
            raise FileError(f"{path}: is not a regular file")
        if info.st_size > MAX_FILE:
            raise FileError(f"{path}: {info.st_size} bytes are more than the {MAX_FILE} that a network may have")
        with path.open("rb") as file:
            return file.read(info.st_size)
    except (OSError, ValueError) as error:
        raise FileError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _open(data: bytes) -> tuple[memoryview, memoryview]:
    """Header and data section of a file whose lengths and checksum hold."""
    from edgeq import __version__

    if data[: len(MAGIC)] != MAGIC:
        raise _DamagedError("is not a net.edgeq (its first bytes are others)")
    if len(data) < _PREFIX.size:
        raise _DamagedError(
            f"is cut off: {len(data)} bytes do not hold the {_PREFIX.size} that every net.edgeq begins with"
        )
    _, version, header, size, digest = _PREFIX.unpack_from(data)
    if version != VERSION:
        raise _DamagedError(
            f"has layout version {version}; edgeq {__version__} reads version {VERSION}. Export the network again, or "
            f"rewrite the file with an edgeq that reads both (edgeq convert OLD.edgeq -o NEW.edgeq)"
        )
    if size != len(data):
        raise _DamagedError(f"is {'cut off' if size > len(data) else 'too long'}: {len(data)} bytes, it says {size}")
    if header > min(MAX_HEADER, size - _PREFIX.size):
        raise _DamagedError(f"header of {header} bytes does not fit (file {size}, limit {MAX_HEADER})")
    rest = memoryview(data)[_PREFIX.size :]
    if _digest(data[: _PREFIX.size], rest) != digest:
        raise _DamagedError("is damaged: its checksum differs from its content; copy or export it again")
    return rest[:header], rest[header:]


def _parse(header: memoryview) -> Any:
    """JSON without floats, huge integers, repeated keys or deep nesting."""

    def refuse(word: str) -> NoReturn:
        raise _DamagedError(f"header: {word[:40]} is not a whole number")

    def whole(digits: str) -> int:
        if len(digits) > 20:
            raise _DamagedError(f"header: number {digits[:20]}… is too large")
        return int(digits)

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise _DamagedError(f"header: a key stands twice in one object ({', '.join(found)[:80]})")
        return found

    try:
        text = bytes(header).decode("utf-8")
        return json.loads(text, parse_float=refuse, parse_constant=refuse, parse_int=whole, object_pairs_hook=once)
    except RecursionError:
        raise _DamagedError("header: is nested too deeply") from None
    except ValueError as error:
        raise _DamagedError(f"header: is not JSON ({error})") from None


def _values(entries: list[Any], data: memoryview) -> dict[str, Value]:
    values: dict[str, Value] = {}
    end = 0
    for i, entry in enumerate(entries):
        keys = ("name", "shape", "format", "source")
        constant = isinstance(entry, dict) and "offset" in entry
        fields = _fields(entry, f"value {i}", (*keys, "type", "offset") if constant else keys)
        name = _text(fields["name"], f"name of value {i}")
        if name in values:
            raise _DamagedError(f"value {name[:80]!r} stands twice")
        shape = _ints(fields["shape"], f"shape of {name[:80]!r}")
        if len(shape) > MAX_RANK or not all(0 < n <= MAX_ELEMENTS for n in shape) or prod(shape) > MAX_ELEMENTS:
            raise _DamagedError(f"value {name[:80]!r}: shape {str(shape)[:80]} is not one that a network can have")
        codes = None
        if constant:
            codes, end = _codes(fields, name, shape, data, end)
        fmt = _format(fields["format"], name)
        values[name] = Value(name, shape, fmt, codes, _text(fields["source"], f"source of {name[:80]!r}"))
    if end != len(data):
        raise _DamagedError(f"has {len(data)} bytes of constants, its header names {end}")
    return values


def _codes(
    fields: dict[str, Any], name: str, shape: tuple[int, ...], data: memoryview, begin: int
) -> tuple[npt.NDArray[np.int64], int]:
    """The codes of one constant, which has to lie at `begin`; and where the next one lies."""
    kind = _text(fields["type"], f"type of {name[:80]!r}")
    if kind not in _TYPES:
        raise _DamagedError(f"constant {name[:80]!r}: type {kind[:40]!r} is not one of {', '.join(_TYPES)}")
    if _integer(fields["offset"], f"offset of {name[:80]!r}") != begin:
        raise _DamagedError(f"constant {name[:80]!r}: begins at {fields['offset']}, must begin at {begin}")
    size = prod(shape) * _TYPES[kind].itemsize
    end = begin + size + -size % _ALIGN
    if end > len(data):
        raise _DamagedError(f"constant {name[:80]!r}: needs bytes {begin}..{end} of {len(data)}")
    if any(data[begin + size : end]):
        raise _DamagedError(f"constant {name[:80]!r}: the bytes that fill it up are not zero")
    codes = np.frombuffer(data[begin : begin + size], dtype=_TYPES[kind]).astype(np.int64).reshape(shape)
    codes.setflags(write=False)
    return codes, end


def _format(obj: Any, name: str) -> Format:
    if not isinstance(obj, dict):
        raise _DamagedError(f"format of {name[:80]!r} is not an object")
    try:
        fmt = from_json(obj)
    except FormatError as error:
        raise _DamagedError(f"value {name[:80]!r}: {str(error)[:300]}") from None
    if fmt.to_json() != obj:
        raise _DamagedError(f"value {name[:80]!r}: its format is not written as {fmt} is")
    return fmt


def _node(entry: Any, index: int) -> Node:
    fields = _fields(entry, f"node {index}", ("op", "name", "inputs", "outputs", "attrs", "source"))
    name = _text(fields["name"], f"name of node {index}")
    place = f"node {name[:80]!r}"
    if not isinstance(fields["attrs"], dict):
        raise _DamagedError(f"{place}: its attributes are not an object")
    attrs: dict[str, Attr] = {}
    for key, value in fields["attrs"].items():
        attrs[key] = _attribute(value, f"attribute {key[:40]!r} of {place}")
    inputs, outputs = _texts(fields["inputs"], f"inputs of {place}"), _texts(fields["outputs"], f"outputs of {place}")
    op, source = _text(fields["op"], f"operator of {place}"), _text(fields["source"], f"source of {place}")
    if len(op) > 40:
        raise _DamagedError(f"{place}: operator {op[:40]!r}… is not one of edgeq's")
    return Node(op, name, inputs, outputs, attrs, source)


def _attribute(value: Any, place: str) -> Attr:
    if isinstance(value, str):
        return value
    return _ints(value, place) if isinstance(value, list) else _integer(value, place)


def _layouts(obj: Any) -> dict[str, tuple[int, ...]]:
    if not isinstance(obj, dict):
        raise _DamagedError("layouts are not an object")
    return {name: _ints(axes, f"layout of {name[:80]!r}") for name, axes in obj.items()}


def _limit_work(graph: Graph) -> None:
    """Refuse a file whose nodes share constants so often that checking it would take hours."""
    rows = 0
    for node in graph.nodes:
        found = [graph.values[name] for name in node.inputs if name in graph.values]
        rows += sum(v.shape[0] for v in found if v.constant and v.shape)
    if rows > MAX_ROWS:
        raise _DamagedError(
            f"its nodes read {rows} rows of constants, more than the {MAX_ROWS} that a network may read"
        )


def _fields(obj: Any, place: str, keys: Iterable[str]) -> dict[str, Any]:
    if not isinstance(obj, dict) or obj.keys() != set(keys):
        raise _DamagedError(f"{place} must be an object with {', '.join(keys)}")
    return obj


def _list(obj: Any, place: str) -> list[Any]:
    if not isinstance(obj, list):
        raise _DamagedError(f"{place} must be a list")
    return obj


def _text(obj: Any, place: str) -> str:
    if not isinstance(obj, str):
        raise _DamagedError(f"{place} must be text")
    return obj


def _texts(obj: Any, place: str) -> tuple[str, ...]:
    return tuple(_text(item, place) for item in _list(obj, place))


def _integer(obj: Any, place: str) -> int:
    if not isinstance(obj, int) or isinstance(obj, bool) or abs(obj) >= 1 << 63:
        raise _DamagedError(f"{place} must be a whole number of 64 bits")
    return obj


def _ints(obj: Any, place: str) -> tuple[int, ...]:
    return tuple(_integer(item, place) for item in _list(obj, place))
