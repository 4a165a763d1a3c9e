"""Lowering for Cortex-M cores with DSP of codes and weights of up to 4 bits: two channels' weights in a 16-bit lane."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgeq.formats import FixedPoint
from edgeq.mcu.ops._dsp import DSP, Codes, has_dsp, one_window, starts
from edgeq.mcu.ops._inplace import hold, rolling
from edgeq.mcu.ops._matrix import matrix_stage
from edgeq.mcu.ops._names import identifier
from edgeq.mcu.ops._stage import Stage
from edgeq.mcu.ops._window import geometry
from edgeq.mcu.select import Call, Context, Foreign, Variant
from edgeq.mcu.step import Blob, Param
from edgeq.mcu.storage import storage, value_bytes

#: units of a block of the kernel's loop (EQ_FIELDS_BLOCK); each is a pair of elements
BLOCK = 8
#: bits of the even channel's sum
EVEN_BITS = 16
#: bits of a code of x and of a weight at most
MOST_BITS = 4


@dataclass(frozen=True)
class _Fields:
    """Weights as the lanes of edgeq_dsp_fields.h.

    codes:  (channels, 2 * units) in the order in which lanes take the elements, zero where a block is filled up.
    bits:   of a weight, 2 or 4; least: what is taken off the weights of even channels; most: greatest lane of x.
    chunk:  blocks from one drain to the next, 0 where the low field cannot even hold one.
    """

    codes: Codes
    bits: int
    least: int
    most: int
    chunk: int

    @property
    def field(self) -> int:
        """Greatest number of the low field."""
        return (1 << (16 - self.bits)) - 1

    @property
    def blocks(self) -> int:
        """Blocks of a window."""
        return int(self.codes.shape[1]) // (2 * BLOCK)

    @property
    def first(self) -> int:
        """Blocks until the first drain; the others are `chunk` apart."""
        return self.blocks % self.chunk or self.chunk


def _offset(ctx: Context) -> int:
    """What is added to a code of x in its lane."""
    place = storage(ctx.ins[0].format)
    return 1 << (min(place.bits, MOST_BITS) - 1) if place.signed else 0


def _order(elements: int, bits: int) -> npt.NDArray[np.int64]:
    """The elements of a window in the order of the lanes, two a unit; -1 where a block is filled up."""
    each = 32 // bits
    words = np.arange(elements).reshape(-1, 2, each // 2)
    order = words.swapaxes(1, 2).reshape(-1)
    return np.pad(order, (0, -len(order) % (2 * BLOCK)), constant_values=-1)


def _fields(ctx: Context) -> _Fields:
    weight, x = ctx.ins[1], ctx.ins[0].format
    assert weight.data is not None
    bits = 2 if weight.format.bits <= 2 else MOST_BITS
    rows = weight.data.reshape(weight.shape[0], -1).astype(np.int64)
    # Behind the last element stands a zero, for lanes that are filled up.
    codes = np.pad(rows, ((0, 0), (0, 1)))[:, _order(rows.shape[1], storage(x).bits)]
    least = min(int(codes[::2].min()), 0)
    most = max(ctx.interval(ctx.ins[0]).hi, 0) + _offset(ctx)
    made = _Fields(codes, bits, least, most, 0)
    # What each block brings to the low field at most; elements that fill up are zero in x.
    sums = (codes[::2] - least).reshape(len(codes[::2]), -1, 2 * BLOCK).sum(axis=2) * most
    chunk = next((c for c in range(made.blocks, 0, -1) if _greatest(sums, c) <= made.field), 0)
    return _Fields(codes, bits, least, most, chunk)


def _greatest(sums: Codes, chunk: int) -> int:
    """The most that the low field holds if it is drained every `chunk` blocks, counted from the end."""
    padded = np.pad(sums, ((0, 0), (-sums.shape[1] % chunk, 0)))
    return int(padded.reshape(len(sums), -1, chunk).sum(axis=2).max())


#: by bits of a code's place and bounds
_SATURATIONS = {
    (4, -8, 7): "EQ_FIELDS_S4",
    (4, 0, 15): "EQ_FIELDS_U4",
    (4, 0, 7): "EQ_FIELDS_U3",
    (2, -2, 1): "EQ_FIELDS_S2",
    (2, 0, 3): "EQ_FIELDS_U2",
    (2, 0, 1): "EQ_FIELDS_U1",
    (8, -128, 127): "EQ_FIELDS_S8",
    (8, 0, 255): "EQ_FIELDS_U8",
    (8, 0, 127): "EQ_FIELDS_U7",
    (8, -8, 7): "EQ_FIELDS_S4_8",
    (8, 0, 15): "EQ_FIELDS_U4_8",
    (8, 0, 7): "EQ_FIELDS_U3_8",
    (8, -2, 1): "EQ_FIELDS_S2_8",
    (8, 0, 3): "EQ_FIELDS_U2_8",
    (8, 0, 1): "EQ_FIELDS_U1_8",
}


def _formats_reason(ctx: Context) -> str | None:
    """A reason why operands are no codes of up to 4 bits in whole words, or the output none in whole bytes."""
    x, weight, out = ctx.ins[0], ctx.ins[1], ctx.out
    if not isinstance(x.format, FixedPoint) or x.format.bits > MOST_BITS:
        return Foreign(f"input {x.format}; it reads fixed point of up to 4 bits")
    if not isinstance(weight.format, FixedPoint) or weight.format.bits > MOST_BITS or not weight.format.signed:
        return f"weights {weight.format}; it reads up to 4 bits, signed"
    if x.shape[-1] * storage(x.format).bits % 32:
        return f"{x.shape[-1]} channels of {x.format}; it takes whole words of 32 bits"
    if not isinstance(out.format, FixedPoint) or storage(out.format).bits > 8:
        return f"output {out.format}; it writes fixed point of up to 8 bits"
    channels, bits = weight.shape[0], storage(out.format).bits
    return (
        f"{channels} output channels of {out.format}; it takes whole bytes of pairs"
        if (channels % 2 or channels * bits % 8)
        else None
    )


def _stage_reason(ctx: Context, made: Stage) -> str | None:
    """A reason why the output stage is not a shift to the right and a saturation."""
    if made.wide:
        return f"the sum needs {ctx.accumulator.bits} bits; it has 32"
    if made.rule != "EQ_FLOOR":
        return f"rounds {ctx.node.text('rounding', 'half_up')}, or to the left; it has half_up and floor, to the right"
    if (storage(ctx.out.format).bits, made.lo, made.hi) not in _SATURATIONS:
        return f"bounds {made.lo}..{made.hi}; it has those of saturation"
    return None


def _sums_reason(made: _Fields) -> str | None:
    """A reason why the two sums of a lane could run over."""
    if made.chunk == 0:
        return f"{2 * BLOCK} products of the even channel pass {made.field}"
    if made.most * (made.codes.shape[1] // 2) >= 1 << EVEN_BITS:
        return f"windows of {made.codes.shape[1]} codes; the sum of a lane of them has {EVEN_BITS} bits"
    for name, rows, bits in (("even", made.codes[::2], EVEN_BITS), ("odd", made.codes[1::2], 16 + made.bits)):
        high = int(np.maximum(rows, 0).sum(axis=1).max()) * made.most
        low = int(np.minimum(rows, 0).sum(axis=1).min()) * made.most
        if low < -(1 << (bits - 1)) or high >= 1 << (bits - 1):
            return f"the sum of an {name} channel lies in {low}..{high}; it has {bits} bits"
    return None


def _reason(ctx: Context) -> str | None:
    return has_dsp(ctx) or _formats_reason(ctx) or _stage_reason(ctx, matrix_stage(ctx)) or _sums_reason(_fields(ctx))


def _supports_conv(ctx: Context) -> str | None:
    """Any kernel size, stride and padding; one group, taps side by side."""
    return has_dsp(ctx) or one_window(ctx) or _reason(ctx)


def _stream(made: _Fields, start: Codes, shifts: Codes) -> Codes:
    """The words of all pairs, as edgeq_dsp_fields.h says."""
    slots, mask = 32 // made.bits, (1 << made.bits) - 1
    even, odd = (rows.reshape(len(rows), -1, 2) & mask for rows in (made.codes[::2] - made.least, made.codes[1::2]))
    words = np.zeros((len(even), even.shape[1] // (slots // 4)), dtype=np.int64)
    for j in range(slots // 4):
        places = ((even, 0, 0), (odd, 0, slots // 2 - 1), (even, 1, slots // 2), (odd, 1, slots - 1))
        for rows, lane, slot in places:
            words |= rows[:, j :: slots // 4, lane] << ((slot + 2 * j) % slots * made.bits)
    shift = shifts[::2] | shifts[1::2] << 8
    ends = [start[::2, None] & 0xFFFFFFFF, start[1::2, None] & 0xFFFFFFFF, shift[:, None]]
    found: Codes = np.concatenate([words, *ends], axis=1).reshape(-1)
    return found


def _call(ctx: Context, sizes: dict[str, Param], waits: int | None) -> Call:
    """waits: see `hold`."""
    stage, made = matrix_stage(ctx), _fields(ctx)
    x, weight, place = ctx.ins[0], ctx.ins[1], storage(ctx.out.format)
    # Lanes hold codes of x without their sign; what that adds to the sums is taken off the start values.
    start = starts(ctx, stage) - _offset(ctx) * made.codes.sum(axis=1)
    shifts = np.broadcast_to(np.asarray(stage.shifts, dtype=np.int64), (weight.shape[0],))
    words = _stream(made, start, shifts)
    note = f"weights, start values and shifts of {ctx.node.source}, {weight.format}, in the order of the kernel"
    params: dict[str, Param] = {
        **sizes,
        "out_c": weight.shape[0],
        "words": x.shape[-1] * storage(x.format).bits // 32,
        "units": BLOCK * made.blocks,
        "first": BLOCK * made.first,
        "chunk": BLOCK * made.chunk,
        "above": -made.least,
        "stream": Blob(f"{identifier(ctx.node.name)}_stream", "uint32_t", words.astype(np.uint32), note),
    }
    fixed = (storage(x.format).eq_type, str(made.bits), _SATURATIONS[place.bits, stage.lo, stage.hi])
    halves = 2 * weight.shape[0] if place.bits == 2 else 0
    pixel = weight.shape[0] * place.bits // 8
    call = Call(fixed, params, (x.name,), 16 * BLOCK * made.blocks + halves + (0 if waits else 4 * pixel))
    return rolling(call, waits, pixel, "hold")


def _conv(ctx: Context) -> Call:
    """Parameters of `eq_conv_fields_dsp_t`."""
    sizes = geometry(ctx, ctx.ins[1].shape[1:-1])
    del sizes["dilation_h"], sizes["dilation_w"]
    return _call(ctx, sizes, hold(ctx, ahead=4))


def _rows(ctx: Context) -> Call:
    """Parameters of `eq_conv_fields_dsp_t` that make rows times weights of pixels times a filter of one tap."""
    count = ctx.ins[0].size // ctx.ins[1].shape[1]
    ones = ("kernel_h", "kernel_w", "stride_h", "stride_w", "in_h", "out_h")
    sizes: dict[str, Param] = {**dict.fromkeys(ones, 1), "pad_h": 0, "pad_w": 0, "in_w": count, "out_w": count}
    return _call(ctx, sizes, 0 if value_bytes(ctx.out) <= value_bytes(ctx.ins[0]) else None)


_GAIN = "four pixels by two channels, four products in one SMLAD"
CONV = Variant(DSP, "conv_fields_dsp", _GAIN, _supports_conv, _conv)
ROWS = Variant(DSP, "conv_fields_dsp", "four rows by two outputs, four products in one SMLAD", _reason, _rows)
