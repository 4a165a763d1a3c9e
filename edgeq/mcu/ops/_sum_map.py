"""Lowering of sums and differences of codes that stand for few numbers, minifloats among them: looked up."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edgeq.errors import FormatError
from edgeq.formats import Minifloat
from edgeq.ir.graph import Value
from edgeq.ir.operator import Exact, frac_of, output_stage
from edgeq.mcu.ops._names import identifier
from edgeq.mcu.select import PORTABLE, Call, Context, Foreign, Variant
from edgeq.mcu.step import Blob
from edgeq.mcu.storage import storage

#: entries of the output's table, which lies in flash
SUMS = 2048
Codes = npt.NDArray[np.int64]


def supports(ctx: Context) -> str | None:
    """Two operands of the output's size, one at least a minifloat; any output that has bytes of its own."""
    if not any(isinstance(v.format, Minifloat) for v in ctx.ins):
        return Foreign("no operand is a minifloat")
    if any(v.constant or v.shape != ctx.out.shape for v in ctx.ins):
        return "an operand is constant or repeats; it adds two of the output's size"
    if any(storage(v.format).bits != 8 for v in (*ctx.ins, ctx.out)):
        return "codes without a byte of their own; it reads and writes bytes"
    count = sum(_span(line) for line in _lines(ctx)) + 1
    return f"{count} sums; it looks up {SUMS}" if count > SUMS else None


def _lines(ctx: Context) -> list[Codes]:
    """Of each operand, by code: its integer on the finer grid of both, its sign turned where it is subtracted."""
    finest = max(frac_of(v) for v in ctx.ins)
    signs = (1, -1 if ctx.node.op == "sub" else 1)
    return [sign * (_grid(v) << (finest - frac_of(v))) for sign, v in zip(signs, ctx.ins, strict=True)]


def _grid(value: Value) -> Codes:
    """The integers of all codes of a value on its grid, by their bits in a byte; 0 where it is no number."""
    fmt = value.format
    if isinstance(fmt, Minifloat):
        found = [_number(fmt, code) for code in range(1 << fmt.bits)]
        return np.array(found, dtype=np.int64)
    codes = np.arange(256).astype(storage(fmt).dtype).astype(np.int64)
    lo, hi = fmt.code_range
    return fmt.to_grid(np.where((codes >= lo) & (codes <= hi), codes, 0))


def _number(fmt: Minifloat, code: int) -> int:
    try:
        return fmt.to_grid_scalar(code)
    except FormatError:  # a NaN or an infinity, which no operator makes
        return 0


def _span(line: Codes) -> int:
    return int(line.max() - line.min())


def call(ctx: Context) -> Call:
    """Parameters of `eq_add_map_t`."""
    a, b = _lines(ctx)
    sums = np.arange(a.min() + b.min(), a.max() + b.max() + 1)
    found = output_stage(ctx.node, Exact(sums[None], max(frac_of(v) for v in ctx.ins)), ctx.out.format)[0]
    name, note = identifier(ctx.node.name), f"of {ctx.node.source}, which is looked up"
    tables = {
        key: Blob(f"{name}_{key}", "uint16_t", (line - line.min()).astype(np.uint16), f"operand {key} {note}")
        for key, line in (("a", a), ("b", b))
    }
    codes = Blob(f"{name}_y", "uint8_t", found.astype(np.uint8), f"codes of all sums {note}")
    types = tuple(storage(v.format).eq_type for v in ctx.ins)
    return Call(types, {"n": ctx.out.size, **tables, "y": codes}, tuple(v.name for v in ctx.ins))


SUM = Variant(PORTABLE, "add_map", "codes looked up, and the code of their sum", supports, call)
