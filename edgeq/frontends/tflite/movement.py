"""Operators of .tflite files that move codes: transposes, slices, splits, packs, gathers, pads."""

from __future__ import annotations

import numpy as np

from edgeq.errors import UnsupportedError
from edgeq.frontends.tflite.build import Building, unsupported
from edgeq.frontends.tflite.file import DamagedError, Operation, Tensor
from edgeq.frontends.tflite.parts import Parts, SliceError, axis_of, chosen, slice_parts, strided_parts

#: entries of a list of places
MOST_PLACES = 1 << 16


def whole(b: Building, tensor: Tensor) -> str:
    """The value of a tensor under all its axes, a batch of one included."""
    name, shape = b.value(tensor), tensor.shape
    if b.builder.values[name].shape == shape:
        return name
    return b.builder.node("reshape", f"{tensor.name}.whole", [name], b.format(tensor), tensor.name, shape=shape)


def dropped(b: Building, tensor: Tensor) -> int:
    """Leading axes of a tensor that its value does not have: 1 for a batch of one, else 0."""
    return len(tensor.shape) - len(b.shape(tensor))


def listed(out: Tensor, count: int) -> None:
    """Refuse lists of places that no microcontroller has the flash for."""
    if count > MOST_PLACES:
        raise UnsupportedError(f"tensor {out.name}: picks {count} places; up to {MOST_PLACES} are supported")


def _pick(b: Building, x: Tensor, out: Tensor, parts: Parts) -> str:
    """The elements at `parts`, a range for each axis of the tensor."""
    name, own = b.value(x), parts[dropped(b, x) :]
    if all(r == range(n) for r, n in zip(own, b.shape(x), strict=True)):
        return name
    if any(r.step < 0 for r in own):
        listed(out, sum(len(r) for r, n in zip(own, b.shape(x), strict=True) if r != range(n)))
    op, attrs = chosen(b.shape(x), own)
    return b.node(op, out, [name], b.builder.values[name].format, **attrs)


def _place(b: Building, call: Operation, error: SliceError) -> DamagedError:
    return DamagedError(f"{call.op} {b.output(call).name}: {error}")


def transpose(b: Building, call: Operation) -> None:
    """TRANSPOSE."""
    x, out = b.tensor(call, 0), b.output(call)
    order = tuple(int(a) for a in b.fixed(call, 1).reshape(-1))
    rank = len(x.shape)
    if sorted(a % rank if -rank <= a < rank else -1 for a in order) != list(range(rank)):
        raise DamagedError(f"{call.op} {out.name}: {order} does not name each axis of {x.shape} once")
    order = tuple(a % rank for a in order)
    name = b.value(x)
    if dropped(b, x) and order[0] == 0:
        order = tuple(a - 1 for a in order[1:])
    elif dropped(b, x):
        name = whole(b, x)
    b.finish(out, b.node("transpose", out, [name], b.format(x), permutation=order))


def slice_(b: Building, call: Operation) -> None:
    """SLICE with constant bounds."""
    x, out = b.tensor(call, 0), b.output(call)
    try:
        parts = slice_parts(x.shape, b.fixed(call, 1), b.fixed(call, 2))
    except SliceError as error:
        raise _place(b, call, error) from None
    b.finish(out, _pick(b, x, out, parts))


def strided_slice(b: Building, call: Operation) -> None:
    """STRIDED_SLICE with constant bounds, every mask, strides of either sign."""
    x, out = b.tensor(call, 0), b.output(call)
    try:
        parts = strided_parts(call, x.shape, b.fixed(call, 1), b.fixed(call, 2), b.fixed(call, 3))
    except SliceError as error:
        raise _place(b, call, error) from None
    b.finish(out, _pick(b, x, out, parts))


def _pieces(b: Building, call: Operation, x: Tensor, axis: int, sizes: list[int]) -> None:
    """One output for each size along an axis."""
    if any(n < 1 for n in sizes) or sum(sizes) != x.shape[axis] or len(sizes) != len(call.outputs):
        raise DamagedError(f"{call.op}: pieces of {sizes[:16]} for {len(call.outputs)} outputs from {x.shape}")
    first = 0
    for position, size in enumerate(sizes):
        out = b.output(call, position)
        parts = [range(first, first + size) if i == axis else range(n) for i, n in enumerate(x.shape)]
        first += size
        b.finish(out, _pick(b, x, out, parts))


def _axis(b: Building, call: Operation, number: int, rank: int) -> int:
    try:
        return axis_of(number, rank)
    except SliceError as error:
        raise _place(b, call, error) from None


def _number(b: Building, call: Operation, position: int) -> int:
    found = b.fixed(call, position).reshape(-1)
    if found.size != 1:
        raise DamagedError(f"{call.op}: input {position} has {found.size} elements, one is needed")
    return int(found[0])


def split(b: Building, call: Operation) -> None:
    """SPLIT: equal parts along an axis."""
    x, count = b.tensor(call, 1), len(call.outputs)
    axis = _axis(b, call, _number(b, call, 0), len(x.shape))
    if count < 1 or x.shape[axis] % count:
        raise DamagedError(f"{call.op}: {x.shape} along axis {axis} in {count} parts")
    _pieces(b, call, x, axis, [x.shape[axis] // count] * count)


def split_v(b: Building, call: Operation) -> None:
    """SPLIT_V: parts of given sizes along an axis; one size of -1 takes the rest."""
    x = b.tensor(call, 0)
    sizes = [int(n) for n in b.fixed(call, 1).reshape(-1)]
    axis = _axis(b, call, _number(b, call, 2), len(x.shape))
    if sizes.count(-1) == 1:
        sizes[sizes.index(-1)] = x.shape[axis] - sum(n for n in sizes if n != -1)
    _pieces(b, call, x, axis, sizes)


def unpack(b: Building, call: Operation) -> None:
    """UNPACK: each element along an axis is an output without that axis."""
    x, options = b.tensor(call, 0), call.options("UnpackOptions")
    axis = _axis(b, call, 0 if options is None else options.Axis(), len(x.shape))
    if x.shape[axis] != len(call.outputs):
        raise DamagedError(f"{call.op}: {len(call.outputs)} outputs for axis {axis} of {x.shape}")
    _pieces(b, call, x, axis, [1] * len(call.outputs))


def pack(b: Building, call: Operation) -> None:
    """PACK: tensors of one shape along a new axis; codes are copied, whatever the scales say."""
    out, options = b.output(call), call.options("PackOptions")
    rank, made = len(out.shape), b.format(out)
    axis = _axis(b, call, 0 if options is None else options.Axis(), rank)
    if out.shape[axis] != len(call.inputs):
        raise DamagedError(f"{call.op} {out.name}: {len(call.inputs)} tensors for {out.shape} along axis {axis}")
    gone = 1 if axis > 0 and out.shape[0] == 1 and rank > 1 else 0
    shape = tuple(1 if i == axis else n for i, n in enumerate(out.shape))[gone:]
    names = []
    for position in range(len(call.inputs)):
        tensor = b.tensor(call, position)
        if tensor.shape != (*out.shape[:axis], *out.shape[axis + 1 :]):
            raise DamagedError(f"{call.op} {out.name}: {tensor.name} is {tensor.shape} for {out.shape}")
        name = b.coded(out, b.value(tensor), made)
        names.append(b.node("reshape", out, [name], made, shape=shape))
    b.finish(out, b.node("concat", out, names, made, axis=axis - gone) if len(names) > 1 else names[0])


def gather(b: Building, call: Operation) -> None:
    """GATHER of constant places along one axis."""
    x, out, options = b.tensor(call, 0), b.output(call), call.options("GatherOptions")
    places = b.fixed(call, 1).reshape(-1)
    axis = _axis(b, call, 0 if options is None else options.Axis(), len(x.shape))
    if options is not None and options.BatchDims() != 0:
        raise unsupported(call, out, "batch_dims; 0 is read")
    if places.size == 0 or int(places.min()) < 0 or int(places.max()) >= x.shape[axis]:
        raise DamagedError(f"{call.op} {out.name}: places outside the {x.shape[axis]} of axis {axis}")
    listed(out, places.size)
    gone = dropped(b, x) if axis > 0 else 0
    name = b.value(x) if gone == dropped(b, x) else whole(b, x)
    indices = tuple(int(i) for i in places)
    attrs = {"axes": (axis - gone,), "sizes": (len(indices),), "indices": indices}
    b.finish(out, b.node("gather", out, [name], b.format(x), **attrs))


def _amounts(b: Building, call: Operation, x: Tensor, out: Tensor) -> tuple[str, list[tuple[int, int]]]:
    """The value to pad and (before, after) for each of its axes."""
    amounts = b.fixed(call, 1)
    if amounts.shape != (len(x.shape), 2) or int(amounts.min(initial=0)) < 0:
        raise DamagedError(f"{call.op} {out.name}: paddings {amounts.tolist()} for {x.shape}")
    if b.format(x) != b.format(out):
        raise unsupported(call, out, f"input {b.format(x)}, output {b.format(out)}; one scale is supported")
    pairs = [(int(low), int(high)) for low, high in amounts]
    for axis, (pair, n, made) in enumerate(zip(pairs, x.shape, out.shape, strict=False)):
        if n + sum(pair) != made:
            raise DamagedError(f"{call.op} {out.name}: axis {axis} of {x.shape} padded by {pair} is not {made}")
    if dropped(b, x) and pairs[0] == (0, 0):
        return b.value(x), pairs[1:]
    return whole(b, x), pairs


def pad(b: Building, call: Operation) -> None:
    """PAD and PADV2: the number zero, or a given code, around a tensor."""
    x, out = b.tensor(call, 0), b.output(call)
    name, pairs = _amounts(b, call, x, out)
    fmt, value = b.format(x), 0
    if b.optional(call, 2) is not None:
        code, (lo, hi) = _number(b, call, 2), fmt.code_range
        if not lo <= code <= hi:
            raise DamagedError(f"{call.op} {out.name}: fill code {code} of {fmt}")
        value = code - fmt.zero_point
    flat = tuple(n for pair in pairs for n in pair)
    b.finish(out, b.node("pad", out, [name], fmt, padding=flat, mode="constant", value=value))


def mirror_pad(b: Building, call: Operation) -> None:
    """MIRROR_PAD: reflected about the border elements, or with them (SYMMETRIC)."""
    x, out, options = b.tensor(call, 0), b.output(call), call.options("MirrorPadOptions")
    name, pairs = _amounts(b, call, x, out)
    symmetric = options is not None and options.Mode() == 1
    shape = b.builder.values[name].shape
    if any(max(pair) > n - (not symmetric) for pair, n in zip(pairs, shape, strict=True)):
        raise DamagedError(f"{call.op} {out.name}: padded by more than {shape} has")
    if not symmetric:
        flat = tuple(n for pair in pairs for n in pair)
        b.finish(out, b.node("pad", out, [name], b.format(x), padding=flat, mode="reflect", value=0))
        return
    axes = [i for i, pair in enumerate(pairs) if any(pair)]
    listed(out, sum(shape[i] + sum(pairs[i]) for i in axes))
    picked = [np.pad(np.arange(shape[i]), pairs[i], mode="symmetric") for i in axes]
    if axes:
        indices = tuple(int(i) for line in picked for i in line)
        sizes = tuple(len(line) for line in picked)
        name = b.node("gather", out, [name], b.format(x), axes=tuple(axes), sizes=sizes, indices=indices)
    b.finish(out, name)
