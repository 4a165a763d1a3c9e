"""matmul: both operands through buffers that repeat their rows and columns, products summed, then the output stage."""

from __future__ import annotations

from dataclasses import replace
from math import prod

from edgeq.fpga.dataflow import Param, Stream
from edgeq.fpga.folding import Fold, Work
from edgeq.fpga.lowering import Lowering, bounds_bits, fail, operand_bits, operand_signed, zero_of
from edgeq.fpga.ops._engine import DSP_BITS, WEIGHT_BITS, Window, buffer
from edgeq.fpga.ops._join import on_grid
from edgeq.fpga.ops._stage import output_stage
from edgeq.ir import Graph, Node, Value
from edgeq.ir.operator import frac_of


def _grid_bits(value: Value) -> int:
    """Width of a code less its zero point (hls/rtl/eq_matmul.v)."""
    return operand_bits(value.format) + (not operand_signed(value.format) or zero_of(value.format) != 0)


def work(graph: Graph, node: Node, style: str) -> Work:
    """The folding is that of a depthwise engine: every row of a with some columns of b at once, term by term."""
    a, b = graph.ins(node)
    columns, terms = b.shape[-1], a.shape[-1]
    if style in ("khot", "constant"):
        raise fail(node, f"has no weights, which style {style} is about; use style dsp or lut")
    cost = 0 if style == "lut" else prod(-(-_grid_bits(v) // DSP_BITS) for v in (a, b))
    label = f"{node.op} {node.name} (layer {node.source})"
    bits = (_grid_bits(a), _grid_bits(b))
    return Work(label, a.size // terms, columns, columns, terms, depthwise=True, cost=cost, bits=bits)


def lower(ctx: Lowering, node: Node) -> None:
    """Rows of a go by for each block of columns of b; b is kept while all rows of a go by."""
    (a, b), out, fold = ctx.graph.ins(node), ctx.graph.outs(node)[0], ctx.folds[node.name]
    if _grid_bits(b) > WEIGHT_BITS:
        raise fail(
            node, f"{b.name} needs {_grid_bits(b)} bits; the engine multiplies by up to {WEIGHT_BITS}: use fewer"
        )
    rows, columns = _rows(ctx, a, b, fold), _columns(ctx, a, b, fold)
    lanes, terms = fold.simd, a.shape[-1]
    acc = ctx.stream("acc", bounds_bits(ctx.bounds(node)), True, lanes, out.size // lanes)
    params: dict[str, Param] = {"LANES": lanes, "TERMS": terms, "OUT_BITS": acc.bits, "STYLE": ctx.style(node)}
    for side, value in zip("AB", (a, b), strict=True):
        params[f"BITS_{side}"] = operand_bits(value.format)
        params[f"SIGNED_{side}"] = int(operand_signed(value.format))
        params[f"ZERO_{side}"] = zero_of(value.format)
    ctx.stage("eq_matmul", params, {"a": rows.name, "b": columns.name}, {"m": acc.name}, fold.cycles)
    output_stage(ctx, node, acc, (frac_of(a) + frac_of(b),), out)


def _rows(ctx: Lowering, a: Value, b: Value, fold: Fold) -> Stream:
    """Each row of a as often as b has blocks of columns, an element a beat."""
    terms, blocks = a.shape[-1], b.shape[-1] // fold.simd
    if a.constant:
        assert a.data is not None
        shaped = replace(a, shape=(a.size // terms, 1, terms), data=a.data.reshape(-1, 1, terms))
        return ctx.constant(on_grid(shaped), (a.size // terms, blocks, terms), 1)
    window = Window(a.size // terms, 1, terms, out=(a.size // terms, 1))
    return buffer(ctx, ctx.operand(a), window, 1, 0, repeat=blocks, by_channel=False, inside=False)


def _columns(ctx: Lowering, a: Value, b: Value, fold: Fold) -> Stream:
    """Blocks of columns of b, term by term, as often as a has rows."""
    (terms, columns), rows, batch = b.shape[-2:], a.shape[-2], prod(b.shape[:-2])
    blocks, lanes = columns // fold.simd, fold.simd
    if b.constant:
        assert b.data is not None
        data = b.data.reshape(batch, terms, blocks, lanes).transpose(0, 2, 1, 3).reshape(batch, 1, -1)
        return ctx.constant(on_grid(replace(b, shape=data.shape, data=data)), (batch, rows, terms * columns), lanes)
    window = Window(batch * terms, 1, columns, kernel=(terms, 1), stride=(terms, 1), out=(batch, 1))
    return buffer(ctx, ctx.operand(b), window, lanes, 0, repeat=rows, by_channel=True, inside=False)
