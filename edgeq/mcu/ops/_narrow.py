"""Weights below 8 bits and minifloats on kernels for bytes: packed codes, the same node in bytes on the same grid."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from edgeq.formats import DEFAULT_RULE, FixedPoint, Format, Minifloat
from edgeq.ir import Node, Value
from edgeq.mcu.ops._matrix import matrix_stage
from edgeq.mcu.ops._names import identifier
from edgeq.mcu.select import Call, Context, Foreign
from edgeq.mcu.step import Blob, Param
from edgeq.mcu.storage import Packed, packed_type, storage, value_bytes

Codes = npt.NDArray[np.int64]
#: words behind expanded weights that the expansion may write
BEHIND = 7
#: bytes that hold a sum in halves of the output's grid
HALVES = (-128, 127)


def on_bytes(fmt: Format) -> bool:
    """Whether every code is an integer of a signed or unsigned byte, on its grid."""
    if isinstance(fmt, Minifloat):
        return fmt.max_magnitude <= HALVES[1]
    return isinstance(fmt, FixedPoint) and fmt.width <= 8 and not isinstance(fmt, Packed)


def refused(ctx: Context) -> str | None:
    """A reason why a node with constant weights is not bytes times narrow weights, or its output no table."""
    x, weight = ctx.ins[0].format, ctx.ins[1]
    if not on_bytes(x):
        return f"input {x}; it reads integers that fit a byte"
    if weight.format.bits >= 8 and not isinstance(weight.format, Minifloat) and isinstance(x, FixedPoint):
        return Foreign("weights of 8 bits; it expands narrower ones")
    if not on_bytes(weight.format) or weight.data is None or weight.format.grid_range[1] > HALVES[1]:
        return f"weights {weight.format}; it reads integers that fit a signed byte"
    return _float_stage(ctx) if isinstance(ctx.out.format, Minifloat) else None


def _float_stage(ctx: Context) -> str | None:
    """A reason why a minifloat output is not a table of sums in halves of its grid."""
    made, rule = matrix_stage(ctx), ctx.node.text("rounding", DEFAULT_RULE)
    if made.wide:
        return f"the sum needs {ctx.accumulator.bits} bits; it has 32"
    if rule not in ("half_up", "half_even", "floor"):
        return f"rounds {rule}; it has half_up, half_even and floor"
    if min(made.shifts) < 1:
        return "the sum is no finer than the output; it shifts by one and more"
    fmt, table = ctx.out.format, half_exact if is_exact(ctx) else half_steps
    assert isinstance(fmt, Minifloat)
    if table(fmt, made.lo, made.hi, rule) is None:
        return f"output {ctx.out.format}; it writes minifloats of up to 63 steps of their grid"
    return None


def is_exact(ctx: Context) -> bool:
    """Whether a minifloat output has to know of exact halves of its grid."""
    return ctx.node.text("rounding", DEFAULT_RULE) == "half_even"


def _bounded(fmt: Minifloat, places: Iterable[Fraction], lo: int, hi: int, rule: str) -> Codes | None:
    """Codes of these numbers on the grid, between bounds; None where the ends do not lie beyond all others."""
    found = [min(max(fmt.round_scalar(x, rule), lo), hi) for x in places]
    return fmt.from_grid(np.array(found, dtype=np.int64)) if found[0] == lo and found[-1] == hi else None


def half_steps(fmt: Minifloat, lo: int, hi: int, rule: str) -> Codes | None:
    """Code of a sum by its floor in halves of the grid, for -128 to 127; None where the ends are not all beyond them.

    Everything between two halves rounds alike by half_up and floor: what changes does so at a half, upwards.
    """
    return _bounded(fmt, (Fraction(2 * i + 1, 4) for i in range(HALVES[0], HALVES[1] + 1)), lo, hi, rule)


def half_exact(fmt: Minifloat, lo: int, hi: int, rule: str) -> Codes | None:
    """Code of a sum by twice its floor in halves of the grid, less one where it is a half, for -256 to 255.

    For any rule: odd places are exact halves, even ones all that lies between two.
    """
    return _bounded(fmt, (Fraction(i + 1, 4) for i in range(2 * HALVES[0], 2 * HALVES[1] + 2)), lo, hi, rule)


def output_codes(ctx: Context) -> Codes:
    """`half_exact` or `half_steps` of a node with a minifloat output."""
    assert isinstance(ctx.out.format, Minifloat)
    made = matrix_stage(ctx)
    make = half_exact if is_exact(ctx) else half_steps
    found = make(ctx.out.format, made.lo, made.hi, ctx.node.text("rounding", DEFAULT_RULE))
    assert found is not None
    return found


def exact_map(ctx: Context) -> Blob:
    """`half_exact` of a node with a minifloat output, for any rule."""
    fmt, made = ctx.out.format, matrix_stage(ctx)
    assert isinstance(fmt, Minifloat)
    found = half_exact(fmt, made.lo, made.hi, ctx.node.text("rounding", DEFAULT_RULE))
    assert found is not None
    note = f"codes of {fmt} for twice the sums in halves of its grid, from -256 on, less one if exact"
    return Blob(f"{identifier(ctx.node.name)}_map", "uint8_t", found.astype(np.uint8), note)


def _byte_value(value: Value) -> Value:
    """The same numbers as fixed point of 8 bits."""
    fmt = value.format
    axis = fmt.channel_axis
    made = FixedPoint(8, fmt.frac, True, axis) if axis is not None else FixedPoint(8, fmt.frac)
    return replace(value, format=made, data=None if value.data is None else fmt.to_grid(value.data))


def in_bytes(ctx: Context) -> Context:
    """The same node with its weights, and minifloats, as bytes on their grids; a minifloat output in halves of its own.

    For nodes that are not `refused`. What it says of kernels for bytes holds for packed weights expanded before them.
    """
    x, weight, out, node = ctx.ins[0], ctx.ins[1], ctx.out, ctx.node
    values = {**ctx.graph.values, weight.name: _byte_value(weight)}
    if isinstance(x.format, Minifloat):
        values[x.name] = _byte_value(x)
    if isinstance(out.format, Minifloat):
        frac = out.format.frac
        assert isinstance(frac, int)
        values[out.name] = replace(out, format=FixedPoint(8, frac + 1))
        attrs = {key: value for key, value in node.attrs.items() if key not in ("lo", "hi")}
        node = Node(node.op, node.name, node.inputs, node.outputs, {**attrs, "rounding": "floor"}, node.source)
    return replace(ctx, graph=replace(ctx.graph, values=values), node=node)


def codes_of(grid: Codes, fmt: Format) -> Codes:
    """Integers on the grid of weights as codes that lie packed: 0 and up, signed fixed point plus half its range."""
    if isinstance(fmt, Minifloat):
        return fmt.from_grid(grid)
    assert isinstance(fmt, FixedPoint)
    return grid + (1 << (fmt.width - 1)) if fmt.signed else grid


def pack_words(words: Codes, bits: int) -> Codes:
    """Words of codes, as edgeq_narrow.h says. words: (blocks, words of the stream, 4 codes), each 0..2^bits - 1."""
    blocks, count = words.shape[:2]
    if 8 % bits == 0:
        each = 8 // bits
        shared = np.pad(words, ((0, 0), (0, -count % each), (0, 0))).reshape(blocks, -1, each, 4)
        place = np.arange(each)[:, None] * bits + np.arange(4) * 8
        found: Codes = (shared << place).sum(axis=(2, 3))
        return found
    single = ((words.reshape(blocks, -1, 1) >> np.arange(bits)) & 1).reshape(blocks, -1)
    whole = np.pad(single, ((0, 0), (0, -single.shape[1] % 32))).reshape(blocks, -1, 32)
    chained: Codes = (whole << np.arange(32)).sum(axis=2)
    return chained


def pack_bytes(data: npt.NDArray[np.uint8], fmt: Format) -> Codes:
    """The packed words of signed bytes on the grid of weights. data: (blocks, bytes)."""
    grid = data.view(np.int8).astype(np.int64)
    padded = np.pad(grid, ((0, 0), (0, -grid.shape[1] % 4)))
    return pack_words(codes_of(padded, fmt).reshape(len(grid), -1, 4), fmt.bits)


def packed_blob(ctx: Context, words: Codes) -> Blob:
    """The constant of packed weights; a word more is there to be read beyond the last code."""
    flat = np.append(words.reshape(-1), 0).astype(np.uint32)
    note = f"weights of {ctx.node.source}, {ctx.ins[1].format}, packed in the order of the kernel"
    return Blob(f"{identifier(ctx.node.name)}_packed", "uint32_t", flat, note)


def expanded(
    ctx: Context, inner: Call, stream: str, packed: Codes, words: int, sizes: Mapping[str, Param] | None = None
) -> Call:
    """The call of a kernel that expands all weights, decodes all of x and calls the one for bytes with them.

    inner: what that one takes; stream: its parameter with the weights; words: of them, expanded; sizes: more fields.
    """
    x = ctx.ins[0]
    room = value_bytes(x) + -value_bytes(x) % 4 if isinstance(x.format, Minifloat) else 0
    params: dict[str, Param] = {f"conv.{key}": value for key, value in inner.params.items() if key != stream}
    params |= {**(sizes or {}), "packed": packed_blob(ctx, packed), "room": room}
    fixed = (storage(x.format).eq_type, packed_type(ctx.ins[1].format), *inner.fixed)
    return Call(fixed, params, inner.inputs, inner.scratch + room + 4 * (words + BEHIND))
