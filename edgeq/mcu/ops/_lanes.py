"""Lowering of minifloats beyond a byte and of group scales: codes looked up as integers of 16 or 32 bits in scratch."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

import numpy as np
import numpy.typing as npt

from edgeq.formats import Format, Grouped, Minifloat
from edgeq.ir import operator
from edgeq.ir.ops._matrix import accumulator_frac
from edgeq.mcu.ops import _dsp, _groups, _scalar
from edgeq.mcu.ops._matrix import matrix_stage, not_depthwise
from edgeq.mcu.ops._names import identifier
from edgeq.mcu.ops._stage import Stage, stage
from edgeq.mcu.ops._window import geometry
from edgeq.mcu.select import Call, Context, Foreign, Variant
from edgeq.mcu.step import Blob, Param
from edgeq.mcu.storage import pack, packed_type, storage

Codes = npt.NDArray[np.int64]
#: written in C, with assembler for DSP
NAME = "lanes"
#: products of a layer at least: below, tables of a kilobyte gain next to nothing
LEAST_MACS = 256
#: bytes of scratch that expanded weights, and rows of the input, should not exceed
EXPANDED, ROWS = 20480, 4096
#: kind of the inner loop, as edgeq_lanes.h has it -> output channels of a block, elements of a unit
SHORT, LONG, WORD = "EQ_LANES_SHORT", "EQ_LANES_LONG", "EQ_LANES_WORD"
BLOCKS = {SHORT: (4, 2), LONG: (2, 2), WORD: (2, 1)}
#: with Helium so many words of each pixel and channel lie side by side
VECTOR, SPAN = " | EQ_LANES_VECTOR", 4
#: codes that are read together, and bytes that may be read behind the last one
TOGETHER, BEHIND = 8, 3
#: shifts with which edgeq_code.h makes a code from sums of 64 bits, and the most bits of its magnitude
CODE_SHIFTS, CODE_BITS = (3, 33), 28


def _element(fmt: Format) -> Format:
    """The format of a weight's codes."""
    return fmt.element if isinstance(fmt, Grouped) else fmt


def _most(ctx: Context) -> int:
    """Greatest magnitude of an input or a weight on its grid."""
    weight, seen = ctx.ins[1], ctx.interval(ctx.ins[0])
    assert weight.data is not None
    return max(-seen.lo, seen.hi, int(np.abs(weight.format.to_grid(weight.data)).max(initial=0)))


def _refused(ctx: Context) -> str | None:
    """A reason why a node with constant weights is not for these loops."""
    x, weight, out = ctx.ins[0].format, ctx.ins[1], ctx.out.format
    if not isinstance(weight.format, Grouped) and not any(isinstance(f, Minifloat) for f in (x, weight.format, out)):
        return Foreign("no minifloats and no group scales; it expands those")
    if storage(x).bits != 8:
        return f"input {x}; it looks up codes of 8 bits, unpacked"
    if weight.data is None or weight.format.bits > 8:
        return f"weights {weight.format}; it looks up codes of up to 8 bits"
    if storage(out).packed:
        return f"output {out}; it writes codes with a container of their own"
    if ctx.accumulator.wide:
        return f"the sum needs {ctx.accumulator.bits} bits; it has 63"
    if _most(ctx) >= 1 << 31:
        return "numbers beyond 32 bits on their grid; it multiplies 16 and 32 bits"
    macs = operator(ctx.node.op).macs(ctx.node, ctx.ins, [ctx.out])
    return f"{macs} products, too few for tables in RAM; it takes {LEAST_MACS}" if macs < LEAST_MACS else None


def _core(ctx: Context) -> str | None:
    """A reason why the board lacks the instructions, or the RAM."""
    suits = any(f in ctx.features for f in (_dsp.DSP, *_scalar.FOUR))
    return None if suits else Foreign("the core is none of those it is written for")


def _vectors(ctx: Context, wanted: bool) -> str | None:
    """A reason why this place in the order of preference is for other cores."""
    return None if ("mve" in ctx.features) == wanted else Foreign("with Helium it has another place in the order")


def supports_conv(ctx: Context) -> str | None:
    """Any kernel size, stride and padding; one group, taps side by side."""
    return _core(ctx) or _dsp.one_window(ctx) or _refused(ctx)


def supports_linear(ctx: Context) -> str | None:
    """One row and more."""
    return _core(ctx) or _refused(ctx)


def _kind(ctx: Context) -> str:
    """The loop for the numbers and the sums of a node."""
    if _most(ctx) >= 1 << 15:
        return WORD
    return LONG if matrix_stage(ctx).wide else SHORT


def _stage(ctx: Context, kind: str) -> Stage:
    return stage(ctx, accumulator_frac(ctx.ins[0], ctx.ins[1]), wide=kind != SHORT)


def _quick(ctx: Context, made: Stage) -> bool:
    """Whether edgeq_code.h makes the codes of the output from sums of 64 bits."""
    out = ctx.out.format
    small = isinstance(out, Minifloat) and out.max_magnitude.bit_length() <= CODE_BITS
    return bool(made.wide) and small and CODE_SHIFTS[0] <= min(made.shifts) and max(made.shifts) <= CODE_SHIFTS[1]


def _span(ctx: Context) -> int:
    """Words of a pixel, and of a channel, that lie side by side."""
    return SPAN if "mve" in ctx.features else 1


def _window(rows: int, run: int, channels: int, lanes: int) -> Codes:
    """The elements of the units of a window: (units, lanes); -1 where there is none. channels: of a block."""
    one = np.pad(np.arange(rows * run).reshape(rows, run), ((0, 0), (0, -run % lanes)), constant_values=-1)
    found = one.reshape(-1, lanes)
    return np.pad(found, ((0, -len(found) % -(-TOGETHER // (channels * lanes))), (0, 0)), constant_values=-1)


def _weights(ctx: Context, order: Codes, kind: str) -> Blob:
    """The codes of all blocks in the order of the loop; a missing lane, and a missing channel, is a weight of zero."""
    weight, fmt = ctx.ins[1], _element(ctx.ins[1].format)
    assert weight.data is not None
    channels, _ = BLOCKS[kind]
    codes = weight.data.reshape(len(weight.data), -1)
    padded = np.pad(codes, ((0, -len(codes) % channels), (0, 1)))[:, order]  # (channels, units, lanes)
    blocks = padded.reshape(-1, channels, *order.shape).swapaxes(1, 2)
    return _stream(ctx, blocks.reshape(-1), fmt)


def _stream(ctx: Context, codes: Codes, fmt: Format) -> Blob:
    """Codes of weights as a bit stream."""
    _, data = pack(codes, fmt)
    note = f"weights of {ctx.node.source}, {ctx.ins[1].format}, packed in the order of the kernel"
    behind = np.zeros(BEHIND, dtype=np.uint8)
    return Blob(f"{identifier(ctx.node.name)}_packed", "uint8_t", np.append(data.view(np.uint8), behind), note)


def _starts(ctx: Context, made: Stage, kind: str) -> Blob:
    """Start values of all blocks as words, low ones first."""
    start = _dsp.starts(ctx, made)
    padded = np.pad(start, (0, -len(start) % BLOCKS[kind][0])).astype("<i8" if made.wide else "<i4")
    note = f"start values of the sums of {ctx.node.source}: bias and rounding constant"
    return Blob(f"{identifier(ctx.node.name)}_start", "uint32_t", padded.view("<u4"), note)


def _chunk(ctx: Context, channels: int, block: int, size: int) -> int:
    """Channels to expand at a time, in whole blocks of `size` bytes and as equal parts as can be."""
    blocks = -(-channels // block)
    parts = -(-blocks // max(ctx.strip(EXPANDED) // size, 1))
    return block * -(-blocks // parts)


def _ring(sizes: dict[str, int], rows: int, columns: int) -> dict[str, Param]:
    """The ring of so many rows of x, for windows of so many columns, and the sizes that lie in it."""
    seen = (sizes["out_w"] - 1) * sizes["stride_w"] + columns
    pitch = max(sizes["pad_w"] + sizes["in_w"], seen) * sizes["pixel"]
    inside = {key: sizes.pop(key) for key in ("in_h", "in_w", "pixel", "pad_h", "pad_w")}
    return {f"ring.{key}": value for key, value in {**inside, "rows": rows, "pitch": pitch}.items()}


def _stage_params(ctx: Context, made: Stage) -> dict[str, Param]:
    """Parameters of `eq_code_stage`."""
    shared = len(set(made.shifts)) == 1
    note = f"shift of each channel of {ctx.node.source}"
    shifts = Blob(f"{identifier(ctx.node.name)}_shift", "int8_t", np.asarray(made.shifts, dtype=np.int8), note)
    found: dict[str, Param] = {"shift": made.shifts[0], "lo": made.lo, "hi": made.hi, "shifts": 0 if shared else shifts}
    return {f"stage.{key}": value for key, value in found.items()}


def _table_bytes(fmt: Format, element: int) -> int:
    """Bytes of the grid integers of all codes of an input."""
    return element << (fmt.bits if isinstance(fmt, Minifloat) else 8)


def _groups_of(ctx: Context) -> tuple[str, dict[str, Param]]:
    """The type of the shifts of groups, and the parameters that say where they are."""
    weight = ctx.ins[1]
    if not isinstance(weight.format, Grouped):
        return "0", {"group": 0, "scales": 0, "scale": 0}
    channels = weight.shape[-1]
    kind, scale = _groups.scales(ctx)
    return kind, {
        "group": min(weight.format.group, channels),
        "scales": -(-channels // weight.format.group),
        "scale": scale,
    }


def _call(ctx: Context, sizes: dict[str, int]) -> Call:
    """Parameters of `eq_conv_lanes_t`."""
    kind, x, weight = _kind(ctx), ctx.ins[0], ctx.ins[1]
    made, (block, lanes), span = _stage(ctx, kind), BLOCKS[kind], _span(ctx)
    order = _window(sizes["kernel_h"], sizes["kernel_w"] * sizes["pixel"], block, lanes * span)
    element, channels = (4 if kind == WORD else 2), weight.shape[0]
    units = len(order) * span
    size = element * lanes * block * units
    chunk = _chunk(ctx, channels, block, size)
    # A second pixel may lie on the next row of y.
    rows = sizes["kernel_h"] + (sizes["stride_h"] if sizes["out_w"] % 2 and sizes["out_h"] > 1 else 0)
    ring, (shared, groups) = _ring(sizes, rows, sizes["kernel_w"]), _groups_of(ctx)
    params: dict[str, Param] = {**ring, **sizes, "out_c": channels, "units": units, "chunk": chunk}
    params |= {**_stage_params(ctx, made), **groups, "weight": _weights(ctx, order, kind)}
    params["start"] = _starts(ctx, made, kind)
    scratch = _table_bytes(x.format, element) + 8 * units + chunk // block * (32 + size)
    kinds = (
        storage(x.format).eq_type,
        packed_type(_element(weight.format)),
        shared,
        kind + (VECTOR if span > 1 else ""),
    )
    fixed = (*kinds, made.out_type, made.rule, str(_quick(ctx, made)).lower())
    return Call(fixed, params, (x.name,), scratch + _ring_bytes(ring, weight.format, element))


def _ring_bytes(ring: Mapping[str, Param], weight: Format, element: int) -> int:
    """Room of the ring and what is read behind it, or of the table of the weights that lies there before."""
    rows, pitch = ring["ring.rows"], ring["ring.pitch"]
    assert isinstance(rows, int)
    assert isinstance(pitch, int)
    found = max(rows * pitch * element + 4 * SPAN, element << weight.bits)
    return found + -found % 4


def conv(ctx: Context) -> Call:
    """A convolution; of one tap, over rows that scratch holds."""
    weight = ctx.ins[1]
    found = {key: value for key, value in geometry(ctx, weight.shape[1:-1]).items() if isinstance(value, int)}
    sizes = {key: value for key, value in found.items() if not key.startswith("dilation")}
    sizes["pixel"] = ctx.ins[0].shape[-1]
    tap = all(sizes[key] == 1 for key in ("kernel_h", "kernel_w", "stride_h", "stride_w"))
    if tap and (sizes["in_h"], sizes["in_w"]) == (sizes["out_h"], sizes["out_w"]):
        sizes |= _rows(sizes["in_h"] * sizes["in_w"], sizes["pixel"], 4 if _kind(ctx) == WORD else 2)
    return _call(ctx, sizes)


def _rows(pixels: int, channels: int, element: int) -> dict[str, int]:
    """Pixels that lie side by side as rows of as many as scratch should hold, an even number if that can be."""
    most = max(ROWS // (channels * element), 1)
    fits = [n for n in range(1, min(pixels, most) + 1) if pixels % n == 0]
    width = max(fits, key=lambda n: (n % 2 == 0, n))
    return {"in_h": pixels // width, "in_w": width, "out_h": pixels // width, "out_w": width}


def linear(ctx: Context) -> Call:
    """Rows times weights, as pixels times a filter of one tap."""
    inputs = ctx.ins[1].shape[1]
    sizes = dict.fromkeys(("kernel_h", "kernel_w", "stride_h", "stride_w"), 1) | {"pad_h": 0, "pad_w": 0}
    rows = _rows(prod(ctx.ins[0].shape) // inputs, inputs, 4 if _kind(ctx) == WORD else 2)
    return _call(ctx, {**sizes, **rows, "pixel": inputs})


def supports_depthwise(ctx: Context) -> str | None:
    """One filter for each channel; any kernel, stride, padding and dilation."""
    if (reason := _core(ctx) or _groups.one_scale(ctx)) is not None:
        return reason
    groups, filters = ctx.node.integer("groups"), ctx.ins[1].shape[0]
    if groups != ctx.ins[0].shape[-1] or filters != groups:
        reason = f"{groups} groups, {ctx.ins[0].shape[-1]} channels, {filters} filters; it takes as many of each"
        return not_depthwise(ctx, reason)
    return _refused(ctx)


def depthwise(ctx: Context) -> Call:
    """Parameters of `eq_conv_depthwise_lanes_t`."""
    x, weight, word = ctx.ins[0], ctx.ins[1], _kind(ctx) == WORD
    assert weight.data is not None
    made = _stage(ctx, _kind(ctx))
    found = geometry(ctx, weight.shape[1:-1])
    sizes = {key: value for key, value in found.items() if isinstance(value, int)} | {"pixel": x.shape[-1]}
    rows, columns = ((sizes[f"kernel_{a}"] - 1) * sizes[f"dilation_{a}"] + 1 for a in "hw")
    ring, element = _ring(sizes, rows, columns), 4 if word else 2
    across = np.moveaxis(weight.data[..., 0], 0, -1).reshape(-1)
    codes = np.pad(across, (0, -across.size % TOGETHER))
    dtype = np.dtype("<i8" if made.wide else "<i4")
    name, start = identifier(ctx.node.name), _dsp.starts(ctx, made).astype(dtype)
    note = f"start values of the sums of {ctx.node.source}: bias and rounding constant"
    params: dict[str, Param] = {**ring, **sizes, **_stage_params(ctx, made), "codes": codes.size}
    params["weight"] = _stream(ctx, codes, weight.format)
    params["start"] = Blob(f"{name}_start", f"int{8 * dtype.itemsize}_t", start, note)
    scratch = 8 * x.shape[-1] + _table_bytes(x.format, element) + element * codes.size
    fixed = (storage(x.format).eq_type, packed_type(weight.format), str(word).lower(), *made.fixed)
    quick = str(_quick(ctx, made)).lower()
    return Call((*fixed, quick), params, (x.name,), scratch + _ring_bytes(ring, weight.format, element))


_GAIN = "packed weights expanded to 16 or 32 bits for all pixels, then two pixels at a time"
_DEPTHWISE = "packed weights expanded to 16 or 32 bits for all pixels, then four channels at a time"
CONV = Variant(NAME, "conv_lanes", _GAIN, lambda ctx: _vectors(ctx, False) or supports_conv(ctx), conv)
LINEAR = Variant(NAME, "conv_lanes", _GAIN, lambda ctx: _vectors(ctx, False) or supports_linear(ctx), linear)
#: the same with Helium, where it is preferred to loops for bytes with DSP
VECTOR_CONV = Variant(NAME, "conv_lanes", _GAIN, lambda ctx: _vectors(ctx, True) or supports_conv(ctx), conv)
VECTOR_LINEAR = Variant(NAME, "conv_lanes", _GAIN, lambda ctx: _vectors(ctx, True) or supports_linear(ctx), linear)
DEPTHWISE = Variant(NAME, "conv_depthwise_lanes", _DEPTHWISE, supports_depthwise, depthwise)
