"""Lowering for Cortex-M cores with Helium (MVE) of layers with constant weights: multipliers, or powers of two."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
import numpy.typing as npt

from edgeq.formats import DEFAULT_RULE, FixedPoint, Format
from edgeq.ir.ops._matrix import aligned_bias
from edgeq.mcu.costs import FIRST_CHANNELS
from edgeq.mcu.ops import _mve, _scale
from edgeq.mcu.ops._dsp import plain_stage
from edgeq.mcu.ops._matrix import matrix_stage, not_depthwise
from edgeq.mcu.ops._names import identifier
from edgeq.mcu.ops._stage import INT32
from edgeq.mcu.ops._window import geometry
from edgeq.mcu.select import Call, Context, Foreign, Variant
from edgeq.mcu.step import Blob, Param
from edgeq.mcu.storage import storage

Codes = npt.NDArray[np.int64]
#: bytes of scratch that a strip of windows should not exceed
SCRATCH = 4096
#: elements that one VMLADAVA multiplies
LANES = 16
#: bits of the first of the two steps of a scaling
FIRST = 31
_SIGNED, _UNSIGNED = "EQ_S(8)", "EQ_U(8)"


def is_byte(fmt: Format) -> bool:
    """Whether codes are integers in a byte."""
    return storage(fmt).eq_type in (_SIGNED, _UNSIGNED)


def _bytes(ctx: Context) -> str | None:
    """A reason why codes are not bytes or the core or the stage does not suit."""
    if (reason := _mve.has_mve(ctx) or _scale.needs_multiplier(ctx)) is not None:
        return reason
    for value in (ctx.ins[0], ctx.out):
        if not is_byte(value.format):
            return f"{value.name} is {value.format}; it reads and writes bytes"
    return None


def stage_rule(ctx: Context) -> str | None:
    """The rule of edgeq_mve_stage.h that rounds as the node does; None where none does."""
    rests = [s - FIRST for s in ctx.node.ints("shift")]
    if min(rests) < 0:
        return None
    rule = ctx.node.text("rounding", DEFAULT_RULE)
    if rule == "half_up" and min(rests) > 0:
        return "EQ_MVE_ONCE"
    if rule not in ("half_up", "tflite"):
        return None
    # Negative numbers below a bound of zero or more need no rounding of their own, and whole ones none at all.
    cut = _scale.code_bounds(ctx)[0] >= _scale.zero_of(ctx.out.format)
    if max(rests) == 0 or (rule == "tflite" and cut):
        return "EQ_MVE_UP"
    return "EQ_MVE_AWAY" if rule == "tflite" and min(rests) > 0 else None


@dataclass(frozen=True)
class Scaling:
    """How the sums of a node with constant weights become codes, for each channel.

    rule: of edgeq_mve_stage.h; rest: of the shift after the first step, negated; start: what is added to each sum.
    """

    rule: str
    multiplier: Codes
    rest: Codes
    start: Codes
    alike: bool


def _multiplied(ctx: Context, channels: int) -> Scaling | str:
    """The scaling of a node with multipliers, or a reason why there is none."""
    if (reason := _bytes(ctx)) is not None:
        return reason
    if (rule := stage_rule(ctx)) is None:
        return f"rounds {ctx.node.text('rounding', DEFAULT_RULE)} by shifts {sorted(set(ctx.node.ints('shift')))}"
    shape, node = (channels,), ctx.node
    multiplier = np.broadcast_to(np.asarray(node.ints("multiplier"), dtype=np.int64), shape)
    shift = np.broadcast_to(np.asarray(node.ints("shift"), dtype=np.int64), shape)
    alike = len(node.ints("multiplier")) == 1
    return Scaling(rule, multiplier, FIRST - shift, np.zeros(shape, dtype=np.int64), alike)


def _shifted(ctx: Context, channels: int) -> Scaling | str:
    """The scaling of a node whose scales are powers of two, or a reason why there is none.

    The stage rounds half up twice: floor((x + 1) / 2), and then by the rest. What that adds is taken off the start.
    """
    x, weight = ctx.ins[0].format, ctx.ins[1].format
    if not (isinstance(x, FixedPoint) and is_byte(x)):
        return f"input {x}; it reads fixed point of up to 8 bits, unpacked"
    if not (isinstance(weight, FixedPoint) and weight.width == 8 and weight.signed):
        return f"weights {weight}; it reads 8 bits, signed"
    made = matrix_stage(ctx)
    if (reason := plain_stage(ctx, made)) is not None:
        return reason
    shift = np.broadcast_to(np.asarray(made.shifts, dtype=np.int64), (channels,))
    if shift.max(initial=0) > FIRST or ctx.accumulator.lo <= INT32[0]:
        return f"shifts by {int(shift.max())} sums of {ctx.accumulator.bits} bits; it has {FIRST}, and one to spare"
    added = np.where(shift > 1, (1 << np.maximum(shift, 1)) // 2, 0) + (shift > 0)
    multiplier = np.where(shift > 0, 1 << 30, (1 << 31) - 1)
    rest = -np.maximum(shift - 1, 0)
    start = np.broadcast_to(np.asarray(made.starts, dtype=np.int64), (channels,)) - added
    return Scaling("EQ_MVE_UP", multiplier, rest, start, len(set(made.shifts)) == 1)


def scaling(ctx: Context) -> Scaling | str:
    """The scaling of a node with constant weights, or a reason why there is none."""
    channels = ctx.ins[1].shape[0]
    return _multiplied(ctx, channels) if ctx.scaled else _shifted(ctx, channels)


def _scaling(ctx: Context) -> Scaling:
    found = scaling(ctx)
    assert isinstance(found, Scaling), ctx.node.name
    return found


def _matrix(ctx: Context) -> str | None:
    """A reason why a node with constant weights is not bytes times signed bytes in 32 bits."""
    if (reason := _mve.has_mve(ctx)) is not None:
        return reason
    found = scaling(ctx)
    if isinstance(found, str):
        return found
    grid = _scale.weight_grid(ctx)
    if grid.size and (grid.min() < -128 or grid.max() > 127):
        return f"weights of {int(grid.min())}..{int(grid.max())} without their zero point; it reads signed bytes"
    if ctx.accumulator.lo < INT32[0] or ctx.accumulator.hi > INT32[1]:
        return f"the sum needs {ctx.accumulator.bits} bits; it has 32"
    return None


def _flip(ctx: Context) -> bool:
    return storage(ctx.ins[0].format).eq_type == _UNSIGNED


def _zero(ctx: Context) -> int:
    """Code of the number zero of x as the multiplier reads it."""
    return _scale.zero_of(ctx.ins[0].format) - (128 if _flip(ctx) else 0)


def _starts(ctx: Context, grid: Codes) -> Codes:
    """Start value of each sum: bias, zero point of x, and what its scaling adds. grid: (channels, elements)."""
    start = _scaling(ctx).start - _zero(ctx) * grid.sum(axis=1)
    if len(ctx.ins) > 2:
        start = start + aligned_bias(ctx.ins[0], ctx.ins[1], ctx.ins[2])
    found: Codes = start
    return found


def stream(codes: Codes, stage: list[Codes], size: int) -> npt.NDArray[np.uint32]:
    """The words of all blocks of `size` channels, as edgeq_mve_scaled.h says.

    codes: (channels, elements); stage: rows of int32 (the last one of int8 where there are three) for each channel.
    """
    pad = -len(codes) % size
    whole = np.pad(codes, ((0, pad), (0, -codes.shape[1] % LANES))).astype(np.int8)
    blocks = whole.reshape(-1, size, whole.shape[1] // LANES, LANES).swapaxes(1, 2).reshape(len(whole) // size, -1)
    order = [*range(0, size, 2), *range(1, size, 2)] if size == 8 else list(range(size))
    parts = [blocks.view(np.uint8)]
    for i, row in enumerate(stage):
        kind = "<i1" if i == 2 else "<i4"
        numbers = np.pad(row, (0, pad)).reshape(-1, size)[:, order]
        parts.append(np.ascontiguousarray((numbers + (1 << 31)) % (1 << 32) - (1 << 31)).astype(kind).view(np.uint8))
    found: npt.NDArray[np.uint32] = np.concatenate(parts, axis=1).reshape(-1).view("<u4").astype(np.uint32)
    return found


def _blob(ctx: Context, words: npt.NDArray[np.uint32]) -> Blob:
    note = f"weights, start values, multipliers and shifts of {ctx.node.source} in the order of the kernel"
    return Blob(f"{identifier(ctx.node.name)}_stream", "uint32_t", words, note)


def _ends(ctx: Context, prefix: str = "") -> dict[str, Param]:
    lo, hi = _scale.code_bounds(ctx)
    return {f"{prefix}zero": _scale.zero_of(ctx.out.format), f"{prefix}lo": lo, f"{prefix}hi": hi}


def _layer(ctx: Context, grid: Codes) -> dict[str, Param]:
    """The fields of `eq_mve_layer_t`. grid: (channels, elements of a window in the order of the kernel)."""
    made = _scaling(ctx)
    words = stream(grid, [_starts(ctx, grid), made.multiplier, made.rest], 4)
    sizes: dict[str, Param] = {"layer.out_c": len(grid), "layer.groups": -(-grid.shape[1] // LANES)}
    return {**sizes, **_ends(ctx, "layer."), "layer.stream": _blob(ctx, words)}


def _windows(ctx: Context) -> dict[str, int]:
    """Geometry; an image of one column is one of one row."""
    found = {key: value for key, value in geometry(ctx, ctx.ins[1].shape[1:-1]).items() if isinstance(value, int)}
    if found["in_w"] == found["kernel_w"] == found["out_w"] == 1:
        found = {key[:-1] + ("w" if key.endswith("h") else "h"): value for key, value in found.items()}
    return found


def _image(ctx: Context, sizes: dict[str, int]) -> dict[str, Param]:
    return {
        "image.in_h": sizes["in_h"],
        "image.in_w": sizes["in_w"],
        "image.pixel": ctx.ins[0].shape[-1],
        "image.code": _zero(ctx),
    }


def _is_conv(ctx: Context) -> str | None:
    """Any kernel size, stride and padding; one group, columns side by side."""
    if (reason := _matrix(ctx)) is not None:
        return reason
    if ctx.node.integer("groups") != 1:
        return f"{ctx.node.integer('groups')} groups; it has one"
    sizes = _windows(ctx)
    if sizes["dilation_w"] != 1 and sizes["kernel_w"] != 1:
        return f"dilation {ctx.node.ints('dilation')}; its columns lie side by side"
    return None


def _by_columns(ctx: Context, sizes: dict[str, int]) -> Codes:
    """Weights, each filter column by column."""
    grid = _scale.weight_grid(ctx)
    shaped = grid.reshape(len(grid), sizes["kernel_h"], sizes["kernel_w"], -1)
    return shaped.swapaxes(1, 2).reshape(len(grid), -1)


def _conv(ctx: Context) -> Call:
    """Parameters of `eq_conv_scaled_mve_t`."""
    return _strips(ctx, _windows(ctx))


def _strips(ctx: Context, sizes: dict[str, int]) -> Call:
    column = sizes["kernel_h"] * ctx.ins[0].shape[-1]
    most = (ctx.strip(SCRATCH) // column - sizes["kernel_w"]) // sizes["stride_w"] + 1
    chunk = min(max(most - most % 2, 2), sizes["out_w"])
    scratch = ((chunk - 1) * sizes["stride_w"] + sizes["kernel_w"]) * column + LANES
    keys = ("out_h", "out_w", "kernel_h", "kernel_w", "dilation_h", "stride_h", "stride_w", "pad_h", "pad_w")
    params: dict[str, Param] = {
        **_image(ctx, sizes),
        **{key: sizes[key] for key in keys},
        "chunk": chunk,
        **_layer(ctx, _by_columns(ctx, sizes)),
    }
    return Call((str(_flip(ctx)).lower(), _scaling(ctx).rule), params, (ctx.ins[0].name,), scratch)


def _is_first(ctx: Context) -> str | None:
    """One to three channels, and columns over which 16 bytes scatter to places that a byte counts."""
    channels = ctx.ins[0].shape[-1]
    if channels > FIRST_CHANNELS:
        return Foreign(f"{channels} channels; it takes up to {FIRST_CHANNELS}")
    if (reason := _is_conv(ctx)) is not None:
        return reason
    column = _windows(ctx)["kernel_h"] * channels
    last = (LANES - 1) // channels * column + (LANES - 1) % channels
    return f"columns of {column} codes; {LANES} codes reach {last} bytes, and it has 255" if last > 255 else None


def _first(ctx: Context) -> Call:
    """Parameters of `eq_conv_first_mve_t`."""
    sizes, channels = _windows(ctx), ctx.ins[0].shape[-1]
    column = sizes["kernel_h"] * channels
    most = (ctx.strip(SCRATCH) // (2 * column) - sizes["kernel_w"]) // sizes["stride_w"] + 1
    chunk = min(max(most - most % 2, 2), sizes["out_w"])
    scratch = ((chunk - 1) * sizes["stride_w"] + sizes["kernel_w"]) * (2 * column + channels) + LANES
    layer = _layer(ctx, _by_columns(ctx, sizes))
    params: dict[str, Param] = {key: size for key, size in sizes.items() if key != "dilation_w"}
    params |= {"pixel": channels, "x_zero": _scale.zero_of(ctx.ins[0].format), "chunk": chunk, **layer}
    ends = {(-128, 127): "EQ_MVE_S8", (0, 255): "EQ_MVE_U8"}
    codes = ends.get(_scale.code_bounds(ctx), "EQ_MVE_CLAMP")
    fixed = (str(_flip(ctx)).lower(), _scaling(ctx).rule, str(layer["layer.groups"]), codes)
    return Call(fixed, params, (ctx.ins[0].name,), scratch)


def _is_direct(ctx: Context) -> str | None:
    """Windows of one row in whole groups of 16 bytes, without padding."""
    if (reason := _is_conv(ctx)) is not None:
        return reason
    sizes = _windows(ctx)
    if sizes["kernel_h"] != 1 or any(ctx.node.ints("padding")):
        return "windows of several rows, or padding"
    if _flip(ctx) or prod(ctx.ins[1].shape[1:]) % LANES:
        return f"unsigned, or windows of {prod(ctx.ins[1].shape[1:])} bytes; it takes multiples of {LANES}"
    return None


def _direct(ctx: Context) -> Call:
    """Parameters of `eq_conv_pointwise_scaled_mve_t`."""
    sizes, pixel = _windows(ctx), ctx.ins[0].shape[-1]
    rows, count = sizes["out_h"], sizes["out_w"]
    row, step = sizes["stride_h"] * sizes["in_w"] * pixel, sizes["stride_w"] * pixel
    if row == count * step:
        rows, count = 1, rows * count
    params: dict[str, Param] = {"rows": rows, "count": count, "row": row, "step": step}
    return Call((_scaling(ctx).rule,), {**params, **_layer(ctx, _by_columns(ctx, sizes))}, (ctx.ins[0].name,))


def _taps(sizes: dict[str, int], rows: int) -> tuple[int, Codes]:
    """Rows of a strip for so many rows of y, and place of each tap (row by row) among its 16."""
    reach = (sizes["kernel_h"] - 1) * sizes["dilation_h"] + 1
    height = (rows - 1) * sizes["stride_h"] + reach
    down = np.arange(sizes["kernel_h"]) * sizes["dilation_h"]
    across = np.arange(sizes["kernel_w"]) * sizes["dilation_w"] * height
    return height, (down[:, None] + across).reshape(-1)


def _strip(sizes: dict[str, int], rows: int) -> tuple[int, int]:
    """Bytes of a strip of four channels; bytes of scratch."""
    columns = (sizes["out_w"] - 1) * sizes["stride_w"] + (sizes["kernel_w"] - 1) * sizes["dilation_w"] + 1
    apart = 4 * columns * _taps(sizes, rows)[0]
    return apart, 4 * apart + 4 * LANES


def _rows(sizes: dict[str, int]) -> int:
    """Rows of y to compute from one strip; 0 where 16 taps do not hold a window."""
    fit = [n for n in (4, 2, 1) if int(_taps(sizes, n)[1].max()) < LANES and (n == 1 or sizes["out_h"] > 1)]
    small = [n for n in fit if _strip(sizes, n)[1] <= SCRATCH]
    return (small or fit[-1:] or [0])[0]


def _is_depthwise(ctx: Context) -> str | None:
    """One filter for each of four channels or more, up to 16 taps with what lies between them."""
    channels, groups = ctx.ins[0].shape[-1], ctx.node.integer("groups")
    if (reason := _mve.has_mve(ctx)) is not None:
        return reason
    if groups != channels or ctx.ins[1].shape[0] != groups:
        reason = f"{groups} groups, {ctx.ins[1].shape[0]} filters for {channels} channels; it takes one for each"
        return not_depthwise(ctx, reason)
    if (reason := _matrix(ctx)) is not None:
        return reason
    if channels < 4:
        return f"{channels} channels; it takes 4 or more"
    return None if _rows(_windows(ctx)) else f"kernel {ctx.ins[1].shape[1:-1]}; it has 16 taps"


def _depthwise(ctx: Context) -> Call:
    """Parameters of `eq_conv_depthwise_scaled_mve_t`."""
    sizes, channels = _windows(ctx), ctx.ins[0].shape[-1]
    rows = _rows(sizes)
    height, places = _taps(sizes, rows)
    apart, scratch = _strip(sizes, rows)
    grid = _scale.weight_grid(ctx).reshape(channels, -1)
    index = (np.minimum(np.arange(0, channels, 4), channels - 4)[:, None] + np.arange(4)).reshape(-1)
    spread = np.zeros((channels, LANES), dtype=np.int64)
    spread[:, places] = grid
    made = _scaling(ctx)
    words = stream(spread[index], [_starts(ctx, grid)[index], made.multiplier[index], made.rest[index]], 4)
    params: dict[str, Param] = {
        **_image(ctx, sizes),
        **{key: sizes[key] for key in ("out_h", "out_w", "stride_h", "stride_w", "pad_h", "pad_w")},
        "reach_h": (sizes["kernel_h"] - 1) * sizes["dilation_h"] + 1,
        "reach_w": (sizes["kernel_w"] - 1) * sizes["dilation_w"] + 1,
        "rows": rows,
        "height": height,
        "apart": apart,
        **_ends(ctx),
        "stream": _blob(ctx, words),
    }
    return Call((str(_flip(ctx)).lower(), _scaling(ctx).rule), params, (ctx.ins[0].name,), scratch)


def _is_vector(ctx: Context) -> str | None:
    rows = ctx.ins[0].size // ctx.ins[1].shape[1]
    return _matrix(ctx) or (f"{rows} rows; it takes one" if rows != 1 else None)


def _linear(ctx: Context) -> Call:
    """Parameters of `eq_linear_scaled_mve_t`."""
    grid = _scale.weight_grid(ctx)
    outputs, inputs = grid.shape
    made, groups = _scaling(ctx), -(-inputs // LANES)
    each = not made.alike
    words = stream(grid, [_starts(ctx, grid), *((made.multiplier, made.rest) if each else ())], 8)
    copy = _flip(ctx) or inputs % LANES != 0
    params: dict[str, Param] = {
        "inputs": inputs,
        "outputs": outputs,
        "groups": groups,
        "bytes": 8 * LANES * groups + (72 if each else 32),
        "multiplier": 0 if each else int(made.multiplier[0]),
        "shift": 0 if each else int(made.rest[0]),
        **_ends(ctx),
        "stream": _blob(ctx, words),
    }
    fixed = tuple(str(flag).lower() for flag in (each, copy, _flip(ctx)))
    return Call((*fixed, made.rule), params, (ctx.ins[0].name,), LANES * groups if copy else 4)


def _is_rows(ctx: Context) -> str | None:
    inputs = ctx.ins[1].shape[1]
    short = _flip(ctx) or inputs % LANES != 0
    return _matrix(ctx) or (f"unsigned, or {inputs} inputs; it takes multiples of {LANES}" if short else None)


def _linear_rows(ctx: Context) -> Call:
    """Parameters of `eq_conv_pointwise_scaled_mve_t` that make rows times weights of pixels."""
    inputs = ctx.ins[1].shape[1]
    params: dict[str, Param] = {"rows": 1, "count": ctx.ins[0].size // inputs, "row": 0, "step": inputs}
    return Call((_scaling(ctx).rule,), {**params, **_layer(ctx, _scale.weight_grid(ctx))}, (ctx.ins[0].name,))


def _any_rows(ctx: Context) -> Call:
    """Parameters of `eq_conv_scaled_mve_t` that make rows times weights of pixels times a filter of one tap."""
    ones = ("in_h", "out_h", "kernel_h", "kernel_w", "dilation_h", "stride_h", "stride_w")
    count = ctx.ins[0].size // ctx.ins[1].shape[1]
    return _strips(ctx, {**dict.fromkeys(ones, 1), "pad_h": 0, "pad_w": 0, "in_w": count, "out_w": count})


_PAIRS = "two pixels by four channels, VMLADAVA"
DEPTHWISE = Variant(
    _mve.MVE, "conv_depthwise_scaled_mve", "four channels, up to 16 taps in one VMLADAV", _is_depthwise, _depthwise
)
DIRECT = Variant(_mve.MVE, "conv_pointwise_scaled_mve", _PAIRS, _is_direct, _direct)
FIRST_LAYER = Variant(
    _mve.MVE, "conv_first_mve", "columns of two rows laid by scattering stores, two pixels by four channels",
    _is_first, _first,
)  # fmt: skip
CONV = Variant(_mve.MVE, "conv_scaled_mve", _PAIRS, _is_conv, _conv)
LINEAR = Variant(_mve.MVE, "linear_scaled_mve", "eight outputs, VMLADAVA", _is_vector, _linear)
ROWS = Variant(_mve.MVE, "conv_pointwise_scaled_mve", _PAIRS, _is_rows, _linear_rows)
ANY_ROWS = Variant(_mve.MVE, "conv_scaled_mve", _PAIRS, _matrix, _any_rows)
