"""Two operands element by element: eq_add on aligned grids, or tables where each operand has a multiplier."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import numpy as np

from edgeq.errors import FormatError
from edgeq.formats import DEFAULT_RULE, FixedPoint, Minifloat, scale
from edgeq.fpga.dataflow import Param, Stream
from edgeq.fpga.lowering import Codes, Lowering, bounds_bits, fail, operand_bits, zero_of
from edgeq.fpga.ops._function import constant_operand, function_table
from edgeq.fpga.ops._stage import output_stage
from edgeq.ir import Node, Value
from edgeq.ir.operator import frac_of
from edgeq.ir.ops._elementwise import align_shifts, rescales
from edgeq.ir.ranges import signed_bits

OPERATIONS = {"add": 0, "sub": 1, "mul": 2, "maximum": 3, "minimum": 4}
#: operands with multipliers go through a table of all their codes
RESCALED_BITS = 12


def lower_join(ctx: Lowering, node: Node) -> None:
    """Both operands with the output's lanes, joined, then the output stage."""
    ins, out = ctx.graph.ins(node), ctx.graph.outs(node)[0]
    if constant_operand(ctx.graph, node):
        function_table(ctx, node)
        return
    lanes = ctx.lanes(out)
    sides = [_operand(ctx, value, out.shape, lanes, as_codes=rescales(node)) for value in ins]
    if rescales(node):
        sides = [_rescaled(ctx, node, value, s, o) for value, s, o in zip(ins, sides, "ab", strict=True)]
    acc = ctx.stream("acc", bounds_bits(ctx.bounds(node)), True, lanes, out.size // lanes)
    params: dict[str, Param] = {"LANES": lanes, "OUT_BITS": acc.bits, "OP": OPERATIONS[node.op]}
    lefts, point = _alignment(node, ins)
    for side, value, stream, left in zip("AB", ins, sides, lefts, strict=True):
        params[f"BITS_{side}"] = stream.bits
        params[f"SIGNED_{side}"] = int(stream.signed)
        params[f"ZERO_{side}"] = 0 if rescales(node) else zero_of(value.format)
        # What is shifted by more than the accumulator holds is zero; the range analysis proved it.
        params[f"LEFT_{side}"] = min(left, acc.bits)
    ctx.stage("eq_add", params, {"a": sides[0].name, "b": sides[1].name}, {"m": acc.name}, acc.beats)
    output_stage(ctx, node, acc, (point,), out)


def _alignment(node: Node, ins: list[Value]) -> tuple[list[int], int]:
    """How far left each operand goes, and the binary point of the result."""
    if rescales(node):
        return [0, 0], 0
    if node.op == "mul":
        return [0, 0], frac_of(ins[0]) + frac_of(ins[1])
    point, lefts = align_shifts(ins)
    return lefts, point


def _operand(ctx: Lowering, value: Value, shape: tuple[int, ...], lanes: int, *, as_codes: bool) -> Stream:
    """The stream of an operand, broadcast to the output's shape; as_codes: of a minifloat its codes, not its grid."""
    if value.constant:
        return ctx.constant(value if as_codes else on_grid(value), shape, lanes)
    source = ctx.of(value) if as_codes else ctx.operand(value)
    if np.prod(shape) == value.size:
        return ctx.convert(source, lanes)
    index = np.arange(value.size).reshape((1,) * (len(shape) - len(value.shape)) + value.shape)
    return ctx.convert(ctx.move(source, np.broadcast_to(index, shape), name="broadcast"), lanes)


def on_grid(value: Value) -> Value:
    """A constant whose codes arithmetic can take: one of minifloats on their grid, in fixed point."""
    if not isinstance(value.format, Minifloat):
        return value
    assert value.data is not None
    fmt = FixedPoint(operand_bits(value.format), frac_of(value))
    return replace(value, format=fmt, data=value.format.to_grid(value.data))


def _rescaled(ctx: Lowering, node: Node, value: Value, source: Stream, operand: str) -> Stream:
    """An operand times 2^left and its multiplier, rounded: a table of all its codes."""
    bits = value.format.bits
    if bits > RESCALED_BITS:
        raise fail(
            node,
            f"rescales {value.name} of {bits} bits by a table, which takes up to {RESCALED_BITS}: use narrower codes",
        )
    reach = ctx.interval(value)  # numbers beyond it do not come, and need not fit
    grid = grid_by_address(value).clip(reach.lo, reach.hi)
    multiplier, shift = (node.integer(f"{operand}_{key}") for key in ("multiplier", "shift"))
    entries = scale(grid << node.integer("left"), multiplier, shift, node.text("rounding", DEFAULT_RULE))
    width = max(2, signed_bits(int(entries.min()), int(entries.max())))
    return ctx.table(source, width, True, entries, f"rescale_{operand}")


def grid_by_address(value: Value) -> Codes:
    """The grid integer of the code that each address of a table stands for; 0 for codes that are no number."""
    fmt, count = value.format, 1 << value.format.bits
    address = np.arange(count, dtype=np.int64)
    codes = address - count * (address > fmt.code_range[1])
    if not isinstance(fmt, Minifloat):
        return fmt.to_grid(codes)
    found = np.zeros(count, dtype=np.int64)
    for code in codes:
        with suppress(FormatError):
            found[code] = fmt.to_grid_scalar(int(code))
    return found
