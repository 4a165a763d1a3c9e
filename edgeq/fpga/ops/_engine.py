"""Engines: a window (or vector) buffer, a folded matrix product behind it, and the output stage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from edgeq.fpga.dataflow import Param, Stream
from edgeq.fpga.digits import count_digits, packed_digits, rows_of_digits
from edgeq.fpga.folding import MOST_WORD, Fold, Work
from edgeq.fpga.khot import MOST_DIGITS, coded, find_places, packed_places
from edgeq.fpga.khot import weight_bits as digits_bits
from edgeq.fpga.lowering import (
    Lowering,
    bounds_bits,
    fail,
    operand_bits,
    operand_signed,
    packed,
    raw,
    rom_style,
    zero_of,
)
from edgeq.fpga.ops._stage import interval_of, output_stage
from edgeq.ir import Node, Value
from edgeq.ir.ops._matrix import accumulator_frac, bias_terms
from edgeq.ir.ranges import signed_bits

Codes = npt.NDArray[np.int64]
#: widest factor that the engines multiply: E5M2 on its grid
WEIGHT_BITS = 34
#: widest operand of one DSP block
DSP_BITS = 18
#: a layer of more weights does not get adders of its own for each of them
CONSTANT_WEIGHTS = 512
#: cycles that a line buffer takes to hand over a row
_HANDOVER = 12


@dataclass(frozen=True)
class Window:
    """A sliding window over (height, width, channels); 1-D has width 1, since line buffers wait for whole rows.

    kernel, stride, dilation: rows and columns; before: padding above and to the left; out: places of the window.
    """

    height: int
    width: int
    channels: int
    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    before: tuple[int, int] = (0, 0)
    out: tuple[int, int] = (1, 1)

    @property
    def positions(self) -> int:
        """Places of the window."""
        return self.out[0] * self.out[1]

    @property
    def taps(self) -> int:
        """Pixels of the window."""
        return self.kernel[0] * self.kernel[1]

    @property
    def padded(self) -> bool:
        """Whether a window reaches over the border."""
        sides = zip(
            (self.height, self.width), self.kernel, self.stride, self.dilation, self.before, self.out, strict=True
        )
        return any(p > 0 or (o - 1) * s - p + (k - 1) * d >= n for n, k, s, d, p, o in sides)

    def rows(self, words: int) -> int:
        """Rows of a line buffer that gives out `words` for each row of windows: those of the window, and those that
        come in while it stays and while rows are handed over."""
        reach = (self.kernel[0] - 1) * self.dilation[0] + 1
        return reach + min(self.stride[0], self.height) * (1 + -(-_HANDOVER // words))


def window_of(node: Node, shape: tuple[int, ...], kernel: tuple[int, ...], out: tuple[int, ...]) -> Window:
    """The window of a convolution or pool; `shape` (*spatial, C), `out` (*places, …)."""
    rank = len(shape) - 1
    ones = (1,) * rank

    def pair(values: tuple[int, ...], fill: int) -> tuple[int, int]:
        return (values[0], values[1]) if rank == 2 else (values[0], fill)

    stride = node.ints("stride")
    dilation = node.ints("dilation") if "dilation" in node.attrs else ones
    padding = node.ints("padding")
    height, width = pair(shape[:-1], 1)
    return Window(
        height,
        width,
        shape[-1],
        pair(kernel, 1),
        pair(stride, 1),
        pair(dilation, 1),
        pair(tuple(padding[::2]), 0),
        pair(out[:rank], 1),
    )


def buffer(
    ctx: Lowering, source: Stream, window: Window, lanes: int, pad: int, *, repeat: int, by_channel: bool, inside: bool
) -> Stream:
    """Words of the window: `lanes` elements each, in the order that an engine wants them."""
    x = ctx.convert(source, lanes)
    words = window.positions * repeat * window.taps * window.channels // lanes
    made = ctx.stream("window", x.bits, x.signed, lanes, words, inside)
    params: dict[str, Param] = {
        "BITS": x.bits,
        "LANES": lanes,
        "H": window.height,
        "W": window.width,
        "C": window.channels,
        "KH": window.kernel[0],
        "KW": window.kernel[1],
        "SH": window.stride[0],
        "SW": window.stride[1],
        "DH": window.dilation[0],
        "DW": window.dilation[1],
        "PT": window.before[0],
        "PL": window.before[1],
        "OH": window.out[0],
        "OW": window.out[1],
        "PAD": raw(pad, x.bits),
        "REPEAT": repeat,
        "ORDER": int(by_channel),
        "ROWS": window.rows(words // window.out[0]),
    }
    ctx.stage("eq_window", params, {"s": x.name}, {"m": made.name}, max(words, x.beats))
    return made


def product_cost(node: Node, x: Value, weight: Codes, style: str) -> int:
    """Hardware multipliers of one product (0 in logic)."""
    if style != "dsp":
        return 0
    bits = (operand_bits(x.format) + (not operand_signed(x.format)), weight_bits(node, weight))
    return prod(-(-b // DSP_BITS) for b in bits)


def weight_bits(node: Node, weight: Codes) -> int:
    """Width of the weights as signed integers."""
    bits = max(2, signed_bits(int(weight.min()), int(weight.max())))
    if bits > WEIGHT_BITS:
        raise fail(
            node, f"its weights need {bits} bits; the engines multiply up to {WEIGHT_BITS}: use a narrower format"
        )
    return bits


class Stored(NamedTuple):
    """Weights as an engine's memory has them.

    codes: of `bits`, in the shape of the weights; lacks: what the sum of each row lacks; params: of the engine.
    """

    codes: Codes
    bits: int
    lacks: Codes
    params: Mapping[str, Param]


def stored_weights(node: Node, weight: Codes, x_bits: int, style: str) -> Stored:
    """Weights in two's complement, or in style khot as their digits."""
    if style != "khot":
        return Stored(weight, weight_bits(node, weight), np.zeros(len(weight), dtype=np.int64), {})
    places = find_places(weight, x_bits)
    codes, lacks = coded(weight, places)
    params: dict[str, Param] = {"TERMS": len(places), "PLACES": packed_places(places)}
    return Stored(codes, digits_bits(places), lacks.reshape(len(weight), -1).sum(axis=1), params)


def folded_bias(ctx: Lowering, node: Node, weight: Codes) -> Codes:
    """What accumulators start from: the bias, and what the input's zero point adds to every product."""
    ins = ctx.graph.ins(node)
    bias = np.asarray([int(b) for b in bias_terms(ins)], dtype=object)
    sums = weight.reshape(len(weight), -1).sum(axis=1)
    found: Codes = bias - zero_of(ins[0].format) * sums.astype(object)
    return found


def matrix_engine(ctx: Lowering, node: Node, source: Stream, window: Window, weight: Codes) -> None:
    """x through a window and a matrix of weights (rows, kernel rows, kernel columns, channels) to the node's output."""
    ins, out, fold = ctx.graph.ins(node), ctx.graph.outs(node)[0], ctx.folds[node.name]
    if ctx.style(node) == "constant":
        constant_engine(ctx, node, source, window, weight)
        return
    rows, depth = len(weight), window.taps * window.channels // fold.simd
    folds = -(-rows // fold.pe)
    words = buffer(ctx, source, window, fold.simd, zero_of(ins[0].format), repeat=folds, by_channel=False, inside=False)
    stored, acc_bits = stored_weights(node, weight, source.bits, ctx.style(node)), bounds_bits(ctx.bounds(node))
    acc = ctx.stream("acc", acc_bits, True, fold.out_lanes, window.positions * rows // fold.out_lanes)
    bias, bits = folded_bias(ctx, node, weight) + stored.lacks, stored.bits
    params: dict[str, Param] = {
        "SIMD": fold.simd,
        "PE": fold.pe,
        "DEPTH": depth,
        "FOLDS": folds,
        "MH": rows,
        "X_BITS": source.bits,
        "X_SIGNED": int(source.signed),
        "W_BITS": bits,
        "ACC_BITS": acc_bits,
        "OUT_LANES": fold.out_lanes,
        "STYLE": ctx.style(node),
        **stored.params,
        "WEIGHTS": ctx.rom("weights", bits * fold.pe * fold.simd, _mvu_words(stored.codes, fold, folds, depth, bits)),
        "WEIGHT_ROM": rom_style(folds * depth),
        "BIAS": ctx.rom("bias", acc_bits * fold.out_lanes, packed_wide(bias.reshape(-1, fold.out_lanes), acc_bits)),
    }
    # Results of a fold come out one after another while the next fold runs: that long each of them may take.
    batch, steps = fold.pe // fold.out_lanes, window.positions * folds
    interval = interval_of(ctx.target // (steps * batch)) if "multiplier" in node.attrs else 1
    cycles = steps * max(depth, batch * interval)
    ctx.stage("eq_mvu", params, {"s": words.name}, {"m": acc.name}, cycles)
    output_stage(ctx, node, acc, accumulator_frac(ins[0], ins[1]), out, interval)


def constant_engine(ctx: Lowering, node: Node, source: Stream, window: Window, weight: Codes) -> None:
    """As `matrix_engine`, with adders of their own for all weights: a whole window at once, no products, no memory."""
    ins, out, fold = ctx.graph.ins(node), ctx.graph.outs(node)[0], ctx.folds[node.name]
    rows, columns = len(weight), window.taps * window.channels
    words = buffer(ctx, source, window, fold.simd, zero_of(ins[0].format), repeat=1, by_channel=False, inside=False)
    whole = ctx.convert(words, columns)
    digits, acc_bits = rows_of_digits(weight), bounds_bits(ctx.bounds(node))
    terms, fields = packed_digits(digits)
    corrections = np.asarray([sum(d.correction for d in row) for row in digits], dtype=object)
    bias = folded_bias(ctx, node, weight) + corrections
    acc = ctx.stream("acc", acc_bits, True, fold.out_lanes, window.positions * rows // fold.out_lanes)
    params: dict[str, Param] = {
        "COLUMNS": columns,
        "MH": rows,
        "X_BITS": source.bits,
        "X_SIGNED": int(source.signed),
        "ACC_BITS": acc_bits,
        "OUT_LANES": fold.out_lanes,
        "TERMS": terms,
        "DIGITS": fields,
        "BIAS": ctx.rom("bias", acc_bits * fold.out_lanes, packed_wide(bias.reshape(-1, fold.out_lanes), acc_bits)),
    }
    batch = rows // fold.out_lanes
    interval = interval_of(ctx.target // (window.positions * batch)) if "multiplier" in node.attrs else 1
    ctx.stage("eq_mvc", params, {"s": whole.name}, {"m": acc.name}, window.positions * batch * interval)
    output_stage(ctx, node, acc, accumulator_frac(ins[0], ins[1]), out, interval)


def _mvu_words(weight: Codes, fold: Fold, folds: int, depth: int, bits: int) -> tuple[int, ...]:
    """Word fold * depth + d holds w[fold * PE + pe][d * SIMD + s] at place pe * SIMD + s; missing rows are zero."""
    flat = weight.reshape(len(weight), -1)
    full = np.zeros((folds * fold.pe, flat.shape[1]), dtype=np.int64)
    full[: len(flat)] = flat
    table = full.reshape(folds, fold.pe, depth, fold.simd).transpose(0, 2, 1, 3)
    return packed(table.reshape(folds * depth, -1), bits)


def channel_engine(ctx: Lowering, node: Node, source: Stream, window: Window, weight: Codes) -> None:
    """x through a window and weights (channels, taps), each channel for itself, to the node's output."""
    ins, out, fold = ctx.graph.ins(node), ctx.graph.outs(node)[0], ctx.folds[node.name]
    fracs = accumulator_frac(ins[0], ins[1])
    acc = channel_sums(
        ctx,
        node,
        source,
        window,
        weight,
        folded_bias(ctx, node, weight),
        fold,
        ctx.style(node),
        bounds_bits(ctx.bounds(node)),
    )
    output_stage(ctx, node, acc, fracs, out)


def channel_sums(
    ctx: Lowering,
    node: Node,
    source: Stream,
    window: Window,
    weight: Codes,
    bias: Codes,
    fold: Fold,
    style: str,
    acc_bits: int,
) -> Stream:
    """Accumulators of a depthwise engine."""
    x = ctx.graph.ins(node)[0]
    lanes = fold.simd
    words = buffer(ctx, source, window, lanes, zero_of(x.format), repeat=1, by_channel=True, inside=False)
    stored, blocks = stored_weights(node, weight, source.bits, style), window.channels // lanes
    bits, bias = stored.bits, bias + stored.lacks
    acc = ctx.stream("acc", acc_bits, True, lanes, window.positions * blocks)
    per_block = stored.codes.reshape(blocks, lanes, window.taps)
    params: dict[str, Param] = {
        "LANES": lanes,
        "TAPS": window.taps,
        "BLOCKS": blocks,
        "X_BITS": source.bits,
        "X_SIGNED": int(source.signed),
        "W_BITS": bits,
        "ACC_BITS": acc_bits,
        "STYLE": style,
        **stored.params,
        "WEIGHTS": ctx.rom("weights", bits * lanes, packed(per_block.transpose(0, 2, 1).reshape(-1, lanes), bits)),
        "WEIGHT_ROM": rom_style(blocks * window.taps),
        "BIAS": ctx.rom("bias", acc_bits * lanes, packed_wide(bias.reshape(blocks, lanes), acc_bits)),
    }
    ctx.stage("eq_depthwise", params, {"s": words.name}, {"m": acc.name}, fold.cycles)
    return acc


def packed_wide(table: Codes, bits: int) -> tuple[int, ...]:
    """As `packed`, of integers of any size."""
    return tuple(sum(raw(int(v), bits) << (i * bits) for i, v in enumerate(row)) for row in table)


def matrix_work(ctx_style: str, node: Node, x: Value, weight: Codes, window: Window) -> Work:
    """The work of a matrix engine."""
    cost = product_cost(node, x, weight, ctx_style)
    label = f"{node.op} {node.name} (layer {node.source})"
    bits = (operand_bits(x.format), weight_bits(node, weight))
    digits, places = constant_digits(weight, bits), find_places(weight, operand_bits(x.format))
    if ctx_style == "khot" and not places:
        raise fail(node, f"has weights of more than {MOST_DIGITS} digits; use style dsp or lut, or train it K-hot")
    if ctx_style == "constant" and not digits:
        raise fail(node, f"has too many weights for adders of their own, {weight.size:,}; use style dsp or lut")
    return Work(
        label,
        window.positions,
        len(weight),
        window.channels,
        window.taps,
        cost=cost,
        bits=bits,
        stored=digits_bits(places) if ctx_style == "khot" else 0,
        places=places,
        digits=digits,
        constant=ctx_style == "constant",
    )


def constant_digits(weight: Codes, bits: tuple[int, int]) -> int:
    """Signed digits of all weights; 0 where they are too many for adders of their own. bits: of element and weight."""
    rows, columns = len(weight), weight.size // len(weight)
    word = max(columns * bits[0], rows * (sum(bits) + signed_bits(0, columns)))
    return 0 if weight.size > CONSTANT_WEIGHTS or word > MOST_WORD else max(1, count_digits(weight))
