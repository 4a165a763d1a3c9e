"""ONNX operators that only move numbers: shapes, permutations, slices, pads, nearest resizing, max pools."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from edgeq.errors import UnsupportedError
from edgeq.formats import Affine, Format
from edgeq.frontends._model_file import DamagedError
from edgeq.frontends._tensors import identity
from edgeq.frontends.onnx.build import (
    Array,
    Building,
    Constant,
    Held,
    Known,
    Pending,
    Shape,
    Stage,
    Tensor,
    inner,
    lead,
    moved,
    size,
    unsupported,
)
from edgeq.frontends.onnx.file import Operation, type_name
from edgeq.frontends.onnx.numbers import encode_real, step
from edgeq.frontends.onnx.resizing import resizing
from edgeq.ir import Attr
from edgeq.ir.coordinates import Line, attributes, share_bits
from edgeq.ir.ops.pad import MODES

_PAD_MODES = {"constant": "constant", "reflect": "reflect", "edge": "replicate", "wrap": "circular"}
#: indices that mean "to the end" in slices
_FAR = 1 << 62


def _move(
    b: Building, call: Operation, shape: Shape, apply: Callable[[Held], Held], array: Callable[[Array], Array]
) -> None:
    """A movement of input 0: of a constant by `array` on its elements, else by `apply`, which gives `shape`."""
    x = b.tensor(call, 0)
    if isinstance(x, (Known, Constant)):
        b.put(call, _of_constant(call, x, array))
    else:
        b.put(call, moved(x, shape, apply, b, call.name))


def _of_constant(call: Operation, x: Known | Constant, array: Callable[[Array], Array]) -> Tensor:
    if isinstance(x, Known):
        return Known(call.outputs[0], array(x.data), x.type, x.limits)
    scale, zero = (array(np.broadcast_to(a, x.codes.shape)) for a in (x.numbers.scale, x.numbers.zero))
    numbers = replace(x.numbers, scale=scale, zero=zero)
    return Constant(call.outputs[0], array(x.codes), numbers, x.minifloat)


def identity_(b: Building, call: Operation) -> None:
    """Identity and Dropout."""
    if any(call.outputs[1:]):
        raise unsupported(call, "its mask is used")
    if b.has(call, 2) and b.known(call, 2).any() and (not b.has(call, 1) or float(b.known(call, 1).reshape(-1)[0]) > 0):
        raise unsupported(call, "in training")
    b.put(call, b.tensor(call, 0))


def cast(b: Building, call: Operation) -> None:
    """Cast to floats: of floats, and of integers that are computed, whose codes are their numbers."""
    x, kind = b.tensor(call, 0), type_name(call.integer("to", 1))
    if kind not in ("FLOAT", "DOUBLE"):
        raise unsupported(call, f"to {kind}; casts to FLOAT are read")
    if isinstance(x, Held) and x.integer:
        x = replace(x, integer=False) if _counts(b, x) else x
    if isinstance(x, Held) and x.integer:
        raise unsupported(call, "casts codes that have a scale; use DequantizeLinear")
    b.put(call, x)


def _counts(b: Building, x: Held) -> bool:
    fmt = b.format(x)
    return fmt.frac == 0 and getattr(fmt, "scale", 1.0) == 1.0 and getattr(fmt, "zero_point", 0) == 0


# -- shapes -----------------------------------------------------------------------------------------------------------


def _as(b: Building, x: Held, full: Shape, place: str) -> Held:
    """A tensor under another shape; where only ones come and go, its layout stays."""
    ones_out = [i for i, n in enumerate(x.shape) if n != 1]
    ones_in = [i for i, n in enumerate(full) if n != 1]
    if [x.shape[i] for i in ones_out] == [full[i] for i in ones_in]:
        renamed = dict(zip(ones_out, ones_in, strict=True))
        value = b.builder.values[x.name]
        order = [renamed[a] for a in b.order(x) if x.shape[a] != 1] if x.shape else []
        kept = tuple(full[a] for a in order)
        skip = lead(full)
        want = [*(a for a in range(skip, len(full)) if a not in order), *order]
        if len(want) == len(order) or len(full) == 0 or value.shape == kept:
            return b.hold(x.name, full, order, place=place)
        # New axes of one go where they stand in the source, so that a later layout needs no transpose.
        best = _insert(want, order, full, skip)
        shape = tuple(full[a] for a in best)
        name = x.name
        if value.shape != shape:
            name = b.builder.node("reshape", place, [name], value.format, place, shape=shape)
        return Held(name, full, tuple(a - skip for a in best))
    flat = b.layouts.flat(x.placed)
    value = b.builder.values[flat.name]
    shape = inner(full)
    name = flat.name
    if value.shape != shape:
        name = b.builder.node("reshape", place, [name], value.format, place, shape=shape)
    return Held(name, full, identity(len(shape)))


def _insert(want: Sequence[int], order: Sequence[int], full: Shape, skip: int) -> list[int]:
    """Axes of `want`: those of `order` in that order, each new one before the first longer axis behind it."""
    best = list(order)
    for axis in sorted(set(want) - set(order), reverse=True):
        behind = [i for i, a in enumerate(best) if a > axis]
        best.insert(behind[0] if behind else len(best), axis)
    return best


def _reshaped(b: Building, call: Operation, full: Shape) -> None:
    x = b.tensor(call, 0)
    if 0 in full or 0 in x.shape:
        raise unsupported(call, f"makes {full} of {x.shape}; tensors without elements are not supported")
    if size(full) != size(x.shape) or any(n < 1 for n in full):
        raise DamagedError(f"{call.op} {call.name}: {x.shape} does not become {full}")
    _move(b, call, full, lambda t: _as(b, t, full, call.name), lambda a: a.reshape(full))


def reshape(b: Building, call: Operation) -> None:
    """Reshape: -1 is what is left, 0 the size that was there."""
    x = b.tensor(call, 0)
    raw = b.known(call, 1) if len(call.inputs) > 1 else np.asarray(call.ints("shape"), dtype=np.int64)
    wanted = [int(n) for n in raw.reshape(-1)]
    if not call.integer("allowzero", 0):
        if any(n == 0 and i >= len(x.shape) for i, n in enumerate(wanted)):
            raise DamagedError(f"Reshape {call.name}: shape {wanted} keeps an axis that {x.shape} lacks")
        wanted = [x.shape[i] if n == 0 else n for i, n in enumerate(wanted)]
    if wanted.count(-1) > 1 or len(wanted) > 8:
        raise DamagedError(f"Reshape {call.name}: shape {wanted}")
    rest = size(tuple(n for n in wanted if n != -1))
    if -1 in wanted:
        if rest < 1 or size(x.shape) % rest:
            raise DamagedError(f"Reshape {call.name}: {x.shape} does not become {wanted}")
        wanted = [size(x.shape) // rest if n == -1 else n for n in wanted]
    _reshaped(b, call, tuple(wanted))


def flatten(b: Building, call: Operation) -> None:
    """Flatten to two axes."""
    shape = b.tensor(call, 0).shape
    axis = call.integer("axis", 1)
    axis += len(shape) if axis < 0 else 0
    if not 0 <= axis <= len(shape):
        raise DamagedError(f"Flatten {call.name}: axis {axis} of {shape}")
    _reshaped(b, call, (size(shape[:axis]), size(shape[axis:])))


def axes_of(b: Building, call: Operation, rank: int, position: int = 1) -> list[int] | None:
    """The axes that a node names by attribute or input, from 0 up; None where it names none."""
    if b.has(call, position):
        raw = [int(a) for a in b.known(call, position).reshape(-1)]
    elif "axes" in call.attrs:
        raw = list(call.ints("axes"))
    else:
        return None
    if any(not -rank <= a < rank for a in raw) or len({a % rank for a in raw}) != len(raw):
        raise DamagedError(f"{call.op} {call.name}: axes {raw} of {rank}")
    return [a % rank for a in raw]


def squeeze(b: Building, call: Operation) -> None:
    """Squeeze."""
    shape = b.tensor(call, 0).shape
    axes = axes_of(b, call, len(shape))
    gone = [i for i, n in enumerate(shape) if n == 1] if axes is None else axes
    if any(shape[a] != 1 for a in gone):
        raise DamagedError(f"Squeeze {call.name}: axes {gone} of {shape} are not all one")
    _reshaped(b, call, tuple(n for i, n in enumerate(shape) if i not in gone))


def unsqueeze(b: Building, call: Operation) -> None:
    """Unsqueeze."""
    shape = b.tensor(call, 0).shape
    count = b.known(call, 1).size if b.has(call, 1) else len(call.ints("axes"))
    axes = axes_of(b, call, len(shape) + count) or []
    rest = iter(shape)
    _reshaped(b, call, tuple(1 if i in axes else next(rest) for i in range(len(shape) + count)))


def transpose(b: Building, call: Operation) -> None:
    """Transpose: costs nothing until somebody asks for an order."""
    x = b.tensor(call, 0)
    rank = len(x.shape)
    perm = call.ints("perm", tuple(reversed(range(rank))))
    if sorted(perm) != list(range(rank)):
        raise DamagedError(f"Transpose {call.name}: perm {perm} of {x.shape}")
    full = tuple(x.shape[p] for p in perm)

    def apply(t: Held) -> Held:
        return b.hold(t.name, full, [perm.index(a) for a in b.order(t)], place=call.name)

    _move(b, call, full, apply, lambda a: a.transpose(perm))


def expand(b: Building, call: Operation) -> None:
    """Expand to the shape that is there."""
    x = b.tensor(call, 0)
    full = tuple(np.broadcast_shapes(x.shape, tuple(int(n) for n in b.known(call, 1).reshape(-1))))
    if size(full) != size(x.shape):
        raise unsupported(call, f"repeats {x.shape} to {full}; let the operator that reads it broadcast")
    _reshaped(b, call, full)


def space_to_depth(b: Building, call: Operation) -> None:
    """SpaceToDepth and DepthToSpace: two shapes and a permutation between them."""
    x, n = b.tensor(call, 0), call.integer("blocksize", 0)
    if len(x.shape) != 4 or n < 1:
        raise DamagedError(f"{call.op} {call.name}: blocks of {n} in {x.shape}")
    batch, c, h, w = x.shape
    if call.op == "SpaceToDepth":
        split: Shape = (batch, c, h // n, n, w // n, n)
        perm, full = (0, 3, 5, 1, 2, 4), (batch, c * n * n, h // n, w // n)
    elif call.text("mode", "DCR") == "DCR":
        split, perm = (batch, n, n, c // (n * n), h, w), (0, 3, 4, 1, 5, 2)
        full = (batch, c // (n * n), h * n, w * n)
    else:
        split, perm = (batch, c // (n * n), n, n, h, w), (0, 1, 4, 2, 5, 3)
        full = (batch, c // (n * n), h * n, w * n)
    if size(split) != size(x.shape):
        raise DamagedError(f"{call.op} {call.name}: blocks of {n} do not fit {x.shape}")

    def apply(t: Held) -> Held:
        parts = _as(b, t, split, call.name)
        turned = b.hold(parts.name, tuple(split[p] for p in perm), [perm.index(a) for a in b.order(parts)])
        return _as(b, turned, full, call.name)

    _move(b, call, full, apply, lambda a: a.reshape(split).transpose(perm).reshape(full))


# -- parts ------------------------------------------------------------------------------------------------------------


def _sliced(b: Building, name: str, t: Held, begin: list[int], end: list[int], by: list[int]) -> Held:
    """Elements begin, begin + by, … below end along each axis of ONNX's shape."""
    full = tuple((e - s + n - 1) // n for s, e, n in zip(begin, end, by, strict=True))
    if full == t.shape:
        return t
    order = b.order(t)
    attrs: dict[str, Attr] = {
        "begin": tuple(begin[a] for a in order),
        "end": tuple(end[a] for a in order),
        "step": tuple(by[a] for a in order),
    }
    made = b.builder.node("slice", name, [t.name], b.format(t), name, **attrs)
    # A batch axis that ONNX sees has one element before and after; a first axis cut to one is the batch from now on.
    return b.hold(made, full, order, place=name)


def slice_(b: Building, call: Operation) -> None:
    """Slice with positive steps."""
    x = b.tensor(call, 0)
    rank = len(x.shape)
    if "starts" in call.attrs:
        starts, ends = list(call.ints("starts")), list(call.ints("ends"))
        axes, steps = list(call.ints("axes", tuple(range(len(starts))))), [1] * len(starts)
    else:
        starts, ends = ([int(v) for v in b.known(call, i).reshape(-1)] for i in (1, 2))
        axes = [int(v) for v in b.known(call, 3).reshape(-1)] if b.has(call, 3) else list(range(len(starts)))
        steps = [int(v) for v in b.known(call, 4).reshape(-1)] if b.has(call, 4) else [1] * len(starts)
    if not len(starts) == len(ends) == len(axes) == len(steps) or any(not -rank <= a < rank for a in axes):
        raise DamagedError(f"Slice {call.name}: starts {starts}, ends {ends}, axes {axes}, steps {steps} of {x.shape}")
    begin, end, by = [0] * rank, list(x.shape), [1] * rank
    for s, e, a, n in zip(starts, ends, axes, steps, strict=True):
        if n == 0:
            raise DamagedError(f"Slice {call.name}: a step of 0")
        begin[a], end[a], _ = slice(max(min(s, _FAR), -_FAR), max(min(e, _FAR), -_FAR), n).indices(x.shape[a])
        by[a] = n
    lists = {i: list(range(*ends)) for i, ends in enumerate(zip(begin, end, by, strict=True))}
    full = tuple(len(index) for index in lists.values())
    if 0 in full and not isinstance(x, (Known, Constant)):
        raise unsupported(call, f"leaves nothing of {x.shape}")
    _move(b, call, full, lambda t: _picked(b, call.name, t, lists), lambda a: a[np.ix_(*lists.values())])


def split(b: Building, call: Operation) -> None:
    """Split: a slice for each output."""
    x = b.tensor(call, 0)
    rank, axis = len(x.shape), call.integer("axis", 0)
    if not -rank <= axis < rank:
        raise DamagedError(f"Split {call.name}: axis {axis} of {x.shape}")
    axis %= rank
    count = len(call.outputs)
    if b.has(call, 1):
        sizes = [int(n) for n in b.known(call, 1).reshape(-1)]
    elif "split" in call.attrs:
        sizes = list(call.ints("split"))
    else:
        each = -(-x.shape[axis] // count)
        sizes = [min(each, x.shape[axis] - i * each) for i in range(count)]
    if min(sizes) == 0:
        raise unsupported(call, f"sizes {sizes}; tensors without elements are not supported")
    if len(sizes) != count or sum(sizes) != x.shape[axis] or min(sizes) < 1:
        raise DamagedError(f"Split {call.name}: {sizes} of axis {axis} of {x.shape}")
    at = 0
    for i, n in enumerate(sizes):
        begin, end, by = [0] * rank, list(x.shape), [1] * rank
        begin[axis], end[axis] = at, at + n
        full = tuple(e - s for s, e in zip(begin, end, strict=True))
        name = f"{call.name}.{i}"
        b.tensors[call.outputs[i]] = moved(x, full, _part(b, name, begin, end, by), b, name)
        at += n


def _part(b: Building, name: str, begin: list[int], end: list[int], by: list[int]) -> Callable[[Held], Held]:
    return lambda t: _sliced(b, name, t, begin, end, by)


def gather(b: Building, call: Operation) -> None:
    """Gather of constant indices along one axis; a scalar index drops it."""
    x, raw = b.tensor(call, 0), b.known(call, 1)
    rank, axis = len(x.shape), call.integer("axis", 0)
    if not -rank <= axis < rank or raw.size < 1 or raw.size > 1 << 16:
        raise unsupported(call, f"indices of shape {raw.shape} along axis {axis} of {x.shape}")
    axis %= rank
    n = x.shape[axis]
    index = [int(i) + (n if i < 0 else 0) for i in raw.reshape(-1)]
    if not all(0 <= i < n for i in index):
        raise DamagedError(f"Gather {call.name}: indices {index[:8]} along axis {axis} of {x.shape}")
    shape = (*x.shape[:axis], *raw.shape, *x.shape[axis + 1 :])

    def apply(t: Held) -> Held:
        part = _picked(b, call.name, t, {axis: index})
        return part if raw.ndim == 1 else _as(b, part, shape, call.name)

    _move(b, call, shape, apply, lambda a: a.take(raw, axis=axis))


def _picked(b: Building, name: str, t: Held, along: Mapping[int, list[int]]) -> Held:
    """The listed elements along some axes of ONNX's shape: a slice where they stand in even steps, else a gather."""
    begin, end, by = [0] * len(t.shape), list(t.shape), [1] * len(t.shape)
    rest: dict[int, list[int]] = {}
    for axis, index in along.items():
        step = index[1] - index[0] if len(index) > 1 else 1
        if step > 0 and index == list(range(index[0], index[-1] + 1, step)):
            begin[axis], end[axis], by[axis] = index[0], index[-1] + 1, step
        else:
            rest[axis] = index
    if not rest:
        return _sliced(b, name, t, begin, end, by)
    if any(axis < lead(t.shape) for axis in rest):
        raise UnsupportedError(f"Gather {name}: repeats the batch")
    if (begin, end, by) != ([0] * len(t.shape), list(t.shape), [1] * len(t.shape)):
        t = _sliced(b, f"{name}.part", t, begin, end, by)
    order = b.order(t)
    axes = tuple(sorted(order.index(a) for a in rest))
    lists = [rest[order[a]] for a in axes]
    attrs: dict[str, Attr] = {
        "axes": axes,
        "sizes": tuple(map(len, lists)),
        "indices": tuple(i for n in lists for i in n),
    }
    made = b.builder.node("gather", name, [t.name], b.format(t), name, **attrs)
    full = tuple(len(rest[a]) if a in rest else n for a, n in enumerate(t.shape))
    return b.hold(made, full, order, place=name)


# -- pads, resizes, max pools -----------------------------------------------------------------------------------------


def pad(b: Building, call: Operation) -> None:
    """Pad: the four modes; negative amounts cut."""
    x = b.tensor(call, 0)
    rank = len(x.shape)
    if b.has(call, 1):
        raw = [int(n) for n in b.known(call, 1).reshape(-1)]
    else:
        raw = list(call.ints("pads", call.ints("paddings")))
    axes = list(range(rank))
    if b.has(call, 3):
        axes = [int(a) % rank for a in b.known(call, 3).reshape(-1)]
    mode = call.text("mode", "constant")
    if len(raw) != 2 * len(axes) or len(set(axes)) != len(axes) or mode not in _PAD_MODES:
        raise DamagedError(f"Pad {call.name}: pads {raw} of axes {axes}, mode {mode}")
    begin, end = [0] * rank, [0] * rank
    for i, a in enumerate(axes):
        begin[a], end[a] = raw[i], raw[i + len(axes)]
    full = tuple(n + s + e for n, s, e in zip(x.shape, begin, end, strict=True))
    fill = float(b.known(call, 2).reshape(-1)[0]) if b.has(call, 2) else call.real("value", 0.0)
    assert _PAD_MODES[mode] in MODES
    _move(b, call, full, lambda t: _padded(b, call, t, begin, end, fill), _no_constant(call))


def _no_constant(call: Operation) -> Callable[[Array], Array]:
    def refuse(a: Array) -> Array:
        raise unsupported(call, "of a constant; compute it before the export")

    return refuse


def _padded(b: Building, call: Operation, t: Held, begin: list[int], end: list[int], fill: float) -> Held:
    cut = [max(-n, 0) for n in begin]
    below = [n - max(-e, 0) for n, e in zip(t.shape, end, strict=True)]
    if any(below[i] <= cut[i] for i in range(len(cut))):
        raise unsupported(call, f"leaves nothing of {t.shape}")
    t = _sliced(b, f"{call.name}.cut", t, cut, below, [1] * len(cut))
    before, after = [max(n, 0) for n in begin], [max(n, 0) for n in end]
    full = tuple(n + s + e for n, s, e in zip(t.shape, before, after, strict=True))
    if lead(t.shape) and (before[0] or after[0]):
        raise unsupported(call, "pads the batch")
    order, fmt = b.order(t), b.format(t)
    padding = tuple(p for a in order for p in (before[a], after[a]))
    if not any(padding):
        return t
    if t.integer:
        value = int(fill) - getattr(fmt, "zero_point", 0)
    else:
        value = int(fmt.to_grid(encode_real(np.asarray([fill]), fmt, "half_even"))[0])
    mode = _PAD_MODES[call.text("mode", "constant")]
    made = b.builder.node("pad", call.name, [t.name], fmt, call.name, padding=padding, mode=mode, value=value)
    return b.hold(made, full, order, place=call.name)


def feature_map(b: Building, call: Operation, x: Tensor) -> Shape:
    """The spatial sizes of a batch of one of channels and one or two axes."""
    if len(x.shape) not in (3, 4):
        raise unsupported(call, f"input {x.shape}; a batch of one of channels and one or two axes is supported")
    if x.shape[0] != 1:
        raise unsupported(call, f"a batch of {x.shape[0]}; export the model with a batch of one, or an open one")
    return x.shape[2:]


def spatial(b: Building, t: Held) -> Held:
    """A feature map with its channels last."""
    return b.laid(t, (*range(1, len(t.permutation)), 0))


def resize(b: Building, call: Operation) -> None:
    """Resize and Upsample, to the nearest element or between two."""
    x = b.tensor(call, 0)
    sizes = feature_map(b, call, x)
    try:
        found = resizing(call, b.model.opset, x.shape, lambda i: b.known(call, i) if b.has(call, i) else None)
    except UnsupportedError as error:
        raise unsupported(call, str(error)) from None
    full = found.size
    if found.lines:
        _linear(b, call, x, found.lines, full)
        return

    def apply(t: Held) -> Held:
        t = spatial(b, t)
        plain = ([i * n // size for i in range(size)] for size, n in zip(full[2:], sizes, strict=True))
        if found.places != list(plain):
            return _picked(b, call.name, t, {2 + i: index for i, index in enumerate(found.places)})
        made = b.builder.node("resize_nearest", call.name, [t.name], b.format(t), call.name, size=full[2:])
        return Held(made, full, t.permutation)

    _move(b, call, full, apply, _no_constant(call))


def _linear(b: Building, call: Operation, x: Tensor, lines: list[Line], full: Shape) -> None:
    """Linear interpolation, with shares of 2^-bits."""
    t = spatial(b, b.settle(x, call))
    attrs = attributes(lines, share_bits(lines))
    source, out = b.format(t), Held("", full, t.permutation)
    waiting = b.pending(call.name, "resize_bilinear", [t.name], out, (step(source),), attrs)

    def make(fmt: Format, stage: Stage) -> Held:
        affine = isinstance(source, Affine), isinstance(fmt, Affine)
        if not any(affine) or (all(affine) and step(fmt) == step(source)):
            return waiting.rounded(fmt, stage)
        return b.rounded(waiting.rounded(source, Stage(stage.rule)), fmt, stage, f"{call.name}.scaled")

    b.put(call, Pending(call.name, full, make, lambda: None))


def window(b: Building, call: Operation, sizes: Shape, kernel: Shape) -> tuple[dict[str, Attr], Shape, bool]:
    """stride, padding and dilation of a convolution or pool; output sizes; whether ceil_mode added padding."""
    rank = len(sizes)
    stride, dilation = (call.ints(k, (1,) * rank) for k in ("strides", "dilations"))
    pads = call.ints("pads", (0,) * (2 * rank))
    if not len(stride) == len(dilation) == len(kernel) == rank or len(pads) != 2 * rank:
        raise DamagedError(f"{call.op} {call.name}: strides {stride}, dilations {dilation}, pads {pads}, {kernel}")
    if min(*stride, *dilation, *kernel) < 1 or max(*stride, *dilation, *kernel, *pads, 0) >= 1 << 16:
        raise DamagedError(f"{call.op} {call.name}: strides {stride}, dilations {dilation}, kernel {kernel}")
    if min(pads) < 0:
        raise unsupported(call, f"negative pads {pads}")
    auto = call.text("auto_pad", "NOTSET")
    padding, out, grown = [], [], False
    for i, n in enumerate(sizes):
        reach = (kernel[i] - 1) * dilation[i] + 1
        begin, end = pads[i], pads[i + rank]
        if auto == "VALID":
            begin = end = 0
        elif auto in ("SAME_UPPER", "SAME_LOWER"):
            total = max((-(-n // stride[i]) - 1) * stride[i] + reach - n, 0)
            begin = total // 2 if auto == "SAME_UPPER" else total - total // 2
            end = total - begin
        count = n + begin + end - reach
        if count < 0:
            raise DamagedError(f"{call.op} {call.name}: window of {reach} on {n} elements and pads {begin}, {end}")
        found = count // stride[i] + 1
        if call.integer("ceil_mode", 0) and count % stride[i] and found * stride[i] < n + begin:
            found += 1
            more = (found - 1) * stride[i] + reach - n - begin
            grown, end = grown or more > end, max(end, more)
        padding += [begin, end]
        out.append(found)
    attrs: dict[str, Attr] = {"stride": tuple(stride), "padding": tuple(padding), "dilation": tuple(dilation)}
    return attrs, tuple(out), grown


def max_pool(b: Building, call: Operation) -> None:
    """MaxPool."""
    x = b.tensor(call, 0)
    sizes, kernel = feature_map(b, call, x), call.ints("kernel_shape")
    attrs, out, _ = window(b, call, sizes, kernel)
    _max_pool(b, call, x, {**attrs, "kernel": kernel}, out)


def global_max_pool(b: Building, call: Operation) -> None:
    """GlobalMaxPool."""
    x = b.tensor(call, 0)
    sizes = feature_map(b, call, x)
    ones = (1,) * len(sizes)
    attrs: dict[str, Attr] = {"stride": ones, "padding": (0, 0) * len(sizes), "dilation": ones, "kernel": sizes}
    _max_pool(b, call, x, attrs, ones)


def _max_pool(b: Building, call: Operation, x: Tensor, attrs: dict[str, Attr], out: Shape) -> None:
    full = (*x.shape[:2], *out)

    def apply(t: Held) -> Held:
        t = spatial(b, t)
        made = b.builder.node("max_pool", call.name, [t.name], b.format(t), call.name, **attrs)
        return Held(made, full, t.permutation)

    if any(call.outputs[1:]):
        raise unsupported(call, "its indices are used")
    _move(b, call, full, apply, _no_constant(call))
