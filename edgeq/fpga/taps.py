"""Streams in files: beats that a simulation is fed, and what its taps recorded, one beat a line in hexadecimal."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.errors import ToolError
from edgeq.fpga.dataflow import Dataflow, Stream
from edgeq.fpga.lowering import packed

Codes = npt.NDArray[np.int64]


def beats_text(stream: Stream, codes: npt.NDArray[Any]) -> str:
    """The lines that feed a stream with codes."""
    rows = codes.astype(np.int64).reshape(-1, stream.lanes)
    return "".join(f"{word:x}\n" for word in packed(rows, stream.bits))


def read_taps(flow: Dataflow, folder: Path) -> dict[str, Codes]:
    """Stream -> the elements in its file `<stream>.tap`, for every stream that carries a value."""
    return {name: read_tap(folder / f"{name}.tap", flow.streams[name]) for name in dict.fromkeys(flow.values.values())}


def trace_of(flow: Dataflow, taps: Mapping[str, Codes], count: int) -> dict[str, Codes]:
    """Value -> codes of `count` inferences, batch first."""
    found = {}
    for value, name in flow.values.items():
        fact = flow.graph.values[value]
        found[value] = taps[name][: count * fact.size].reshape(count, *fact.shape)
    return found


def first_missing(flow: Dataflow, taps: Mapping[str, Codes], count: int) -> str | None:
    """The first layer that gave too few elements, in words; None where all is there."""
    for value, name in flow.values.items():
        want, have = count * flow.graph.values[value].size, taps[name].size
        if have < want:
            source = flow.graph.values[value].source or value
            return f"layer {source} gave {have} of {want} elements"
    return None


def read_tap(path: Path, stream: Stream) -> Codes:
    """Elements of a tap file, as codes."""
    data = np.frombuffer(path.read_bytes(), dtype=np.uint8)
    digits = -(-stream.width // 4)
    data = data[: data.size // (digits + 1) * (digits + 1)].reshape(-1, digits + 1)[:, :digits]
    if not data.size:
        return np.zeros(0, dtype=np.int64)
    low = data | 0x20
    nibbles = np.where(low >= ord("a"), low - ord("a") + 10, low - ord("0")).astype(np.uint8)
    if int(nibbles.max()) > 15:
        raise ToolError(f"stream {stream.name}: undefined bits (x or z) in simulation; its memories may be missing")
    bits = np.unpackbits(nibbles[:, ::-1, None], axis=2, bitorder="little")[:, :, :4].reshape(len(nibbles), -1)
    lanes = bits[:, : stream.width].reshape(-1, stream.bits).astype(np.int64)
    weights = np.left_shift(np.int64(1), np.arange(stream.bits, dtype=np.int64))
    if stream.signed:
        weights[-1] = -weights[-1]
    found: Codes = lanes @ weights
    return found
