"""Means and sums over windows and axes: a buffer, a sum of each channel, an exact division."""

from __future__ import annotations

from math import prod

import numpy as np

from edgeq.formats import Minifloat
from edgeq.fpga.dataflow import Param, Stream
from edgeq.fpga.folding import Fold, lanes_for
from edgeq.fpga.lowering import Lowering, bounds_bits, zero_of
from edgeq.fpga.ops._engine import Window, buffer, channel_sums
from edgeq.fpga.ops._stage import (
    PLAIN_RULES,
    RULES,
    output_stage,
    quotient_bits,
    quotient_codes,
    quotient_of,
    within,
)
from edgeq.ir import Node
from edgeq.ir.operator import frac_of

#: cycles of a division beyond the bits of its quotient (hls/rtl/eq_divide.v)
_DIVISION = 7


def mean_engine(ctx: Lowering, node: Node, source: Stream, window: Window, *, count_pad: bool) -> None:
    """The mean of each window and channel."""
    x, out = ctx.graph.ins(node)[0], ctx.graph.outs(node)[0]
    shifts = count_pad and window.taps & (window.taps - 1) == 0
    if isinstance(out.format, Minifloat) and shifts:
        sum_engine(ctx, node, source, window, window.taps.bit_length() - 1)
        return
    quotient = quotient_of(node, out, (*PLAIN_RULES, "code_half_away"))
    zero, lanes = (
        zero_of(x.format),
        lanes_for(window.positions * window.taps * window.channels, window.channels, ctx.target),
    )
    words = buffer(ctx, source, window, lanes, zero, repeat=1, by_channel=True, inside=True)
    made = ctx.stream("mean", quotient.bits, quotient.signed, lanes, out.size // lanes)
    terms = window.taps.bit_length()
    params: dict[str, Param] = {
        "BITS": source.bits,
        "SIGNED": int(source.signed),
        "LANES": lanes,
        "TAPS": window.taps,
        "ZERO": zero,
        "COUNT_PAD": int(count_pad),
        "OUT_BITS": quotient.bits,
        "SHIFT": within(quotient.frac - frac_of(x), source.bits + terms, quotient.bits + terms),
        "RULE": quotient.rule,
        "LO": quotient.lo,
        "HI": quotient.hi,
        "ZERO_OUT": quotient.zero,
    }
    # A sum whose divisor is no power of two is divided a bit a cycle while the next one comes in.
    added = quotient.zero if quotient.rule == RULES["code_half_away"] else 0
    division = 0 if shifts else quotient_bits(quotient.lo + added, quotient.hi + added) + _DIVISION
    ctx.stage("eq_average_pool", params, {"s": words.name}, {"m": made.name}, max(words.beats, made.beats * division))
    ctx.bind(out, quotient_codes(ctx, node, made, out))


def sum_engine(ctx: Lowering, node: Node, source: Stream, window: Window, halvings: int = 0) -> None:
    """The sum of each window and channel, halved so often by the output stage: a depthwise engine of ones."""
    x, out = ctx.graph.ins(node)[0], ctx.graph.outs(node)[0]
    channels, ones = window.channels, np.ones((window.channels, window.taps), dtype=np.int64)
    lanes = lanes_for(window.positions * window.taps * channels, channels, ctx.target)
    cycles = window.positions * channels // lanes * window.taps
    bias = np.full(channels, -zero_of(x.format) * window.taps, dtype=np.int64)
    bits = bounds_bits(ctx.bounds(node))
    acc = channel_sums(ctx, node, source, window, ones, bias, Fold(1, lanes, lanes, cycles, 0), "lut", bits)
    output_stage(ctx, node, acc, (frac_of(x) + halvings,), out)


def over_axes(ctx: Lowering, node: Node) -> tuple[Stream, Window]:
    """A window that covers the axes of a mean or sum; axes that are not neighbours are moved together first."""
    x, axes = ctx.graph.ins(node)[0], node.ints("axes")
    shape, source = x.shape, ctx.operand(x)
    if axes != tuple(range(axes[0], axes[-1] + 1)):
        kept = tuple(i for i in range(len(shape)) if i not in axes)
        order = (*kept, *axes)
        source = ctx.move(source, np.arange(x.size).reshape(shape).transpose(order), name="together")
        shape, axes = tuple(shape[i] for i in order), tuple(range(len(kept), len(shape)))
    outer, inner = prod(shape[: axes[0]]), prod(shape[axes[-1] + 1 :])
    terms = prod(shape[a] for a in axes)
    return source, Window(outer * terms, 1, inner, kernel=(terms, 1), stride=(terms, 1), out=(outer, 1))
