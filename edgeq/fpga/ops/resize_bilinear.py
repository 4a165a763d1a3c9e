"""resize_bilinear: a frame buffer read between rows and columns, exact sums, then the output stage."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

import numpy as np
import numpy.typing as npt

from edgeq.formats import CODE_RULE
from edgeq.fpga.dataflow import Param, Rom
from edgeq.fpga.lowering import Lowering, zero_of
from edgeq.fpga.ops._stage import output_stage
from edgeq.ir import Graph, Node
from edgeq.ir.operator import frac_of
from edgeq.ir.ops.resize_bilinear import positions
from edgeq.ir.ranges import signed_bits


@dataclass(frozen=True)
class _Axis:
    """An axis of the output. low, high: elements of the input that each position lies between.

    weight: of the second one, in units of 2^-frac, with as few places as all of them need; none: one tap a position.
    """

    low: npt.NDArray[np.int64]
    high: npt.NDArray[np.int64]
    weight: npt.NDArray[np.int64]
    frac: int

    @property
    def taps(self) -> int:
        """Elements of the input that a position needs."""
        return 2 if self.frac else 1

    def words(self, step: int, address_bits: int) -> list[int]:
        """{weight, address of the element}, the taps of a position side by side; step: from element to element."""
        taps = [(self.low, (1 << self.frac) - self.weight), (self.high, self.weight)][: self.taps]
        pairs = [pair for at in range(len(self.low)) for pair in ((int(e[at]), int(w[at])) for e, w in taps)]
        return [w << address_bits | e * step for e, w in pairs]


def _axis(low: npt.NDArray[np.int64], high: npt.NDArray[np.int64], weight: npt.NDArray[np.int64], bits: int) -> _Axis:
    spare = gcd(1 << bits, *(int(w) for w in weight)).bit_length() - 1
    if spare == bits:  # every position is one element
        return _Axis(np.where(weight > 0, high, low), high, np.zeros_like(weight), 0)
    return _Axis(low, high, weight >> spare, bits - spare)


def _axes(node: Node) -> tuple[_Axis, _Axis]:
    """Rows and columns; a 1-D tensor has rows of one pixel."""
    found = [_axis(low, high, weight, node.integer("bits")) for low, high, weight in positions(node)]
    zero = np.zeros(1, dtype=np.int64)
    return (found[0], found[1]) if len(found) == 2 else (found[0], _Axis(zero, zero, zero, 0))


def products(graph: Graph, node: Node) -> int:
    """One for columns, one for rows."""
    return sum(axis.taps == 2 for axis in _axes(node))


def lower(ctx: Lowering, node: Node) -> None:
    """One tap a cycle; an axis that only repeats elements has one tap, and weights only the places that they need."""
    x, out = ctx.graph.ins(node)[0], ctx.graph.outs(node)[0]
    rows, columns = _axes(node)
    channels, frac = x.shape[-1], frac_of(x) + rows.frac + columns.frac
    shift = frac - frac_of(out)
    # code_half_away rounds codes: the zero point is added before.
    biased = node.text("rounding", "") == CODE_RULE and shift >= 0
    bias = zero_of(out.format) << shift if biased else 0
    interval = ctx.interval(x)
    least, most = (v << (rows.frac + columns.frac) for v in (min(interval.lo, 0), max(interval.hi, 0)))
    bits = max(4, signed_bits(min(least + bias, least), max(most + bias, most)))
    source = ctx.convert(ctx.operand(x), 1)
    acc = ctx.stream("sums", bits, True, 1, out.size)
    address_bits = max(1, (x.size - 1).bit_length())
    pixels = x.shape[-2] if len(x.shape) == 3 else 1

    def rom(name: str, axis: _Axis, step: int) -> Rom:
        return ctx.rom(name, axis.frac + 1 + address_bits, axis.words(step, address_bits))

    params: dict[str, Param] = {
        "BITS": source.bits,
        "SIGNED": int(source.signed),
        "ZERO": zero_of(x.format),
        "IN_BEATS": x.size,
        "C": channels,
        "OH": len(rows.low),
        "OW": len(columns.low),
        "ROW_TAPS": rows.taps,
        "ROW_FRAC": rows.frac,
        "ROWS": rom("rows", rows, pixels * channels),
        "COLUMN_TAPS": columns.taps,
        "COLUMN_FRAC": columns.frac,
        "COLUMNS": rom("columns", columns, channels),
        "BIAS": bias,
        "OUT_BITS": bits,
    }
    cycles = max(x.size, out.size * rows.taps * columns.taps + 3)
    ctx.stage("eq_resize_bilinear", params, {"s": source.name}, {"m": acc.name}, cycles)
    output_stage(ctx, node, acc, (frac,), out, biased=biased)
