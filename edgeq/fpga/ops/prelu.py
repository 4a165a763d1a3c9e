"""prelu: a table of all codes, one for each channel where the slope differs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgeq.fpga.dataflow import Param
from edgeq.fpga.lowering import TABLE_BITS, Lowering, fail, raw
from edgeq.fpga.ops._function import constant_operand, entries, function_table
from edgeq.ir import Node


def lower(ctx: Lowering, node: Node) -> None:
    """A function of one code, or of a code and its channel."""
    if constant_operand(ctx.graph, node):
        function_table(ctx, node)
        return
    (x, slope), out = ctx.graph.ins(node), ctx.graph.outs(node)[0]
    alone = slope.data is not None and slope.size == slope.shape[-1] == x.shape[-1] and x.shape == out.shape
    if not alone or x.format.bits > TABLE_BITS:
        raise fail(
            node,
            f"hardware takes constant slopes, one or one for each channel, and codes of up to {TABLE_BITS} bits: use "
            "such a leaky ReLU, or run it on a microcontroller",
        )
    assert slope.data is not None
    words: list[int] = []
    for code in slope.data.reshape(-1):
        single = replace(slope, shape=(1,), data=np.array([code], dtype=np.int64))
        graph = ctx.graph.replace(values={**ctx.graph.values, slope.name: single})
        words += [raw(int(v), out.format.bits) for v in entries(graph, node, x)]
    source = ctx.convert(ctx.of(x), 1)
    made = ctx.stream("slopes", out.format.bits, out.format.signed, 1, out.size)
    params: dict[str, Param] = {
        "IN_BITS": x.format.bits,
        "OUT_BITS": out.format.bits,
        "CHANNELS": slope.size,
        "FILE": ctx.rom("slopes", out.format.bits, words),
    }
    ctx.stage("eq_prelu", params, {"s": source.name}, {"m": made.name}, source.beats)
    ctx.bind(out, ctx.convert(made, ctx.lanes(out)))
