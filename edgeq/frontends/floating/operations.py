"""Operators of model files as torch layers and functions, whichever file they come from.

Each takes tensors as the builder holds them and gives what it makes, with its shape along the file's axes. Feature maps
come with their torch axes as batch, channels, then one or two axes of space.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import fx, nn

from edgeq.errors import UnsupportedError
from edgeq.frontends.floating.module import Array, FloatBuilder, Held, natural, tensor
from edgeq.ir.coordinates import Line
from edgeq.quant.resampling import LinearResize, Picked

#: entries of a list of places
MOST_PLACES = 1 << 16
_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "maximum": torch.maximum,
    "minimum": torch.minimum,
}


@dataclass(frozen=True)
class Window:
    """Kernel, stride, dilation and (before, after) padding, one entry for each axis of space."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]

    @property
    def symmetric(self) -> bool:
        """Whether torch's one number for both ends says it."""
        return all(a == b for a, b in self.padding)

    def size(self, inputs: Sequence[int]) -> tuple[int, ...]:
        """Sizes of the output."""
        axes = zip(inputs, self.kernel, self.stride, self.dilation, self.padding, strict=True)
        return tuple((n + sum(p) - d * (k - 1) - 1) // s + 1 for n, k, s, d, p in axes)


def _torch_shape(x: Held) -> tuple[int, ...]:
    return tuple(x.shape[a] for a in x.order)


def _made(x: Held, node: fx.Node, torch_shape: Sequence[int]) -> Held:
    """A result in the order of `x`, of a shape that torch's axes have."""
    shape = tuple(torch_shape[x.order.index(a)] for a in range(len(x.order)))
    return Held(node, shape, x.order, x.merged)


def _positive(name: str, sizes: Sequence[int]) -> None:
    if min(sizes) < 1:
        raise UnsupportedError(f"{name}: an output of size {tuple(sizes)}; the window does not fit into the input")


def _fill(layer: Any, weight: Array, bias: Array | None) -> nn.Module:
    """A layer with the file's numbers."""
    with torch.no_grad():
        layer.weight.copy_(tensor(weight))
        if bias is not None:
            layer.bias.copy_(tensor(bias))
    module: nn.Module = layer
    return module


def convolution(
    b: FloatBuilder, name: str, x: Held, weight: Array, bias: Array | None, window: Window, groups: int
) -> Held:  # fmt: skip
    """Convolution; weights (O, C / groups, *kernel)."""
    rank = weight.ndim - 2
    if rank not in (1, 2):
        raise UnsupportedError(f"{name}: convolution over {rank} axes; one and two are read")
    sizes = window.size(_torch_shape(x)[2:])
    _positive(name, sizes)
    padding: tuple[int, ...] = tuple(p for p, _ in window.padding)
    into = x
    if not window.symmetric:
        amounts = [n for pair in reversed(window.padding) for n in pair]
        into = Held(b.graph.call_function(F.pad, (x.node, amounts)), x.shape, x.order)
        padding = (0,) * rank
    kind: Any = nn.Conv1d if rank == 1 else nn.Conv2d
    layer = kind(
        weight.shape[1] * groups, weight.shape[0], window.kernel, window.stride, padding, window.dilation, groups,
        bias is not None,
    )  # fmt: skip
    node = b.layer(name, _fill(layer, weight, bias), into)
    return _made(x, node, (1, weight.shape[0], *sizes))


def transposed(
    b: FloatBuilder, name: str, x: Held, weight: Array, bias: Array | None, stride: Sequence[int],
    before: Sequence[int], size: Sequence[int], groups: int = 1, dilation: Sequence[int] = (1, 1),
) -> Held:  # fmt: skip
    """Transposed convolution; weights (C, O / groups, *kernel).

    before: elements that go from the front of each axis; size: of the output, whatever that leaves at the back.
    """
    rank = weight.ndim - 2
    dilation = tuple(dilation)[:rank]
    if rank not in (1, 2):
        raise UnsupportedError(f"{name}: transposed convolution over {rank} axes; one and two are read")
    axes = zip(_torch_shape(x)[2:], weight.shape[2:], stride, dilation, before, strict=True)
    full = [(n - 1) * s - 2 * p + d * (k - 1) + 1 for n, k, s, d, p in axes]
    extra = [max(out - n, 0) for out, n in zip(size, full, strict=True)]
    if any(e >= max(s, d) for e, s, d in zip(extra, stride, dilation, strict=True)):
        raise UnsupportedError(f"{name}: an output of size {tuple(size)}, where the convolution makes {tuple(full)}")
    kind: Any = nn.ConvTranspose1d if rank == 1 else nn.ConvTranspose2d
    outputs = weight.shape[1] * groups
    layer = kind(
        weight.shape[0], outputs, weight.shape[2:], tuple(stride), tuple(before), tuple(extra), groups,
        bias is not None, dilation,
    )  # fmt: skip
    node = b.layer(name, _fill(layer, weight, bias), x)
    made = _made(x, node, (1, outputs, *(n + e for n, e in zip(full, extra, strict=True))))
    return sliced(b, made, {x.order[2 + i]: slice(0, n) for i, n in enumerate(size)})


def linear(b: FloatBuilder, name: str, x: Held, weight: Array, bias: Array | None) -> Held:
    """Matrix product of the last axis; weights (O, C)."""
    x = b.plain(x)
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias is not None)
    node = b.layer(name, _fill(layer, weight, bias), x)
    return Held(node, (*x.shape[:-1], weight.shape[0]), x.order, x.merged)


def matmul(b: FloatBuilder, name: str, left: Held | Array, right: Held | Array) -> Held:
    """Matrix product of two tensors, at least one of them computed."""
    if isinstance(left, Held) and not isinstance(right, Held) and right.ndim == 2:
        return linear(b, name, left, right.T, None)
    if not isinstance(left, Held) or not isinstance(right, Held):
        raise UnsupportedError(f"{name}: a matrix product with a constant on the left, or of more than two axes")
    left, right = b.plain(left), b.plain(right)
    if len(left.shape) != len(right.shape) or len(left.shape) < 3 - left.merged:
        raise UnsupportedError(f"{name}: matrix product of {left.shape} and {right.shape}")
    shape = (*np.broadcast_shapes(left.shape[:-2], right.shape[:-2]), left.shape[-2], right.shape[-1])
    node = b.call(name, "matmul", torch.matmul, left, right)
    return Held(node, shape, natural(len(shape)), left.merged)


def binary(b: FloatBuilder, name: str, op: str, left: Held | Array, right: Held | Array) -> Held:
    """add, sub, mul, div, maximum or minimum with broadcasting; a divisor has to be constant."""
    if op == "div":
        if isinstance(right, Held):
            raise UnsupportedError(f"{name}: division by a computed tensor; multiply by its reciprocal instead")
        if not np.all(right):
            raise UnsupportedError(f"{name}: division by zero")
        op, right = "mul", 1.0 / np.asarray(right, np.float64)
    if not isinstance(left, Held) and not isinstance(right, Held):
        raise UnsupportedError(f"{name}: both operands are constant; compute it before the network")
    numbers = [o for o in (left, right) if not isinstance(o, Held) and np.size(o) == 1]
    function = _ARITHMETIC[op]
    if numbers:
        number = float(np.reshape(numbers[0], ()))
        x = left if isinstance(left, Held) else right
        assert isinstance(x, Held)
        if x is left:
            return _made(x, b.call(name, op, lambda t: function(t, number), x), _torch_shape(x))
        return _made(x, b.call(name, op, lambda t: function(number, t), x), _torch_shape(x))
    operands, lead = b.aligned([left, right])
    shapes = [tuple(o.shape[a] for a in o.order) if isinstance(o, Held) else tuple(o.shape) for o in operands]
    return _made(lead, b.call(name, op, function, *operands), np.broadcast_shapes(*shapes))


def pool(b: FloatBuilder, name: str, kind: str, x: Held, window: Window, include_pad: bool = False) -> Held:
    """Average or max pool. Averages leave padding out unless `include_pad`."""
    rank = len(window.kernel)
    if rank not in (1, 2):
        raise UnsupportedError(f"{name}: pool over {rank} axes; one and two are read")
    inputs = _torch_shape(x)[2:]
    sizes = window.size(inputs)
    _positive(name, sizes)
    padding = tuple(p for p, _ in window.padding)
    ceil = _ceil(window, inputs, sizes)
    if ceil is None or (ceil and include_pad):
        raise UnsupportedError(f"{name}: {kind} pool with padding {window.padding}; pad alike on both sides")
    if kind == "max":
        most: Any = nn.MaxPool1d if rank == 1 else nn.MaxPool2d
        layer = most(window.kernel, window.stride, padding, window.dilation, ceil_mode=ceil)
    else:
        average: Any = nn.AvgPool1d if rank == 1 else nn.AvgPool2d
        include = include_pad and any(padding)
        layer = average(window.kernel, window.stride, padding, ceil_mode=ceil, count_include_pad=include)
        if any(d != 1 for d in window.dilation):
            raise UnsupportedError(f"{name}: average pool with dilation {window.dilation}")
    return _made(x, b.layer(name, layer, x), (*_torch_shape(x)[:2], *sizes))


def _ceil(window: Window, inputs: Sequence[int], sizes: tuple[int, ...]) -> bool | None:
    """Whether torch needs ceil_mode for these sizes; None where neither gives them."""
    found: dict[bool, list[int]] = {False: [], True: []}
    axes = zip(inputs, window.kernel, window.stride, window.dilation, window.padding, strict=True)
    for n, k, s, d, (p, _) in axes:
        if 2 * p > k:
            return None
        room = n + 2 * p - d * (k - 1) - 1
        up = -(-room // s) + 1
        found[False].append(room // s + 1)
        found[True].append(up - 1 if (up - 1) * s >= n + p else up)
    return next((c for c in (False, True) if tuple(found[c]) == sizes), None)


def mean(b: FloatBuilder, name: str, x: Held, axes: Sequence[int], keep: bool, total: bool = False) -> Held:
    """Mean, or sum, over axes of the shape."""
    axes = sorted(set(axes))
    if 0 in axes:
        raise UnsupportedError(f"{name}: mean over the batch")
    dims = tuple(x.place(a) for a in axes)
    over: Callable[[torch.Tensor], torch.Tensor] = (
        (lambda t: t.sum(dims, keep)) if total else (lambda t: t.mean(dims, keep))
    )
    node = b.call(name, "sum" if total else "mean", over, x)
    if keep:
        return Held(node, tuple(1 if i in axes else n for i, n in enumerate(x.shape)), x.order, x.merged)
    return without(Held(node, x.shape, x.order, x.merged), axes)


def without(x: Held, axes: Sequence[int]) -> Held:
    """The tensor after axes of its shape have vanished from it."""
    shape = tuple(n for i, n in enumerate(x.shape) if i not in axes)
    order = tuple(o - sum(a < o for a in axes) for o in x.order if o not in axes)
    return Held(x.node, shape, order, x.merged)


def softmax(b: FloatBuilder, name: str, x: Held, axis: int, beta: float = 1.0) -> Held:
    """Softmax along an axis of the shape."""
    if axis == 0:
        raise UnsupportedError(f"{name}: softmax over the batch")
    if beta != 1.0:
        x = binary(b, f"{name}_beta", "mul", x, np.array(beta))
    dim = x.place(axis)
    return _made(x, b.call(name, "softmax", lambda t: torch.softmax(t, dim), x), _torch_shape(x))


def function(b: FloatBuilder, name: str, label: str, compute: Callable[..., torch.Tensor], x: Held) -> Held:
    """An element-wise function."""
    return _made(x, b.call(name, label, compute, x), _torch_shape(x))


def prelu(b: FloatBuilder, name: str, x: Held, slope: Array) -> Held:
    """x where it is positive, else x times the slope of its channel."""
    if np.unique(slope).size == 1:
        one = float(slope.reshape(-1)[0])
        return function(b, name, "leaky_relu", lambda t: F.leaky_relu(t, one), x)
    rank = len(x.shape)
    axes = [rank - slope.ndim + i for i, n in enumerate(slope.shape) if n > 1]
    if len(axes) == 1 and axes[0] > 0 and slope.size == x.shape[axes[0]]:
        # One for each channel: torch's layer takes them along its second axis.
        if x.place(axes[0]) != 1:
            x = b.to(x, (0, axes[0], *(a for a in x.order if a not in (0, axes[0]))))
        layer = nn.PReLU(slope.size)
        with torch.no_grad():
            layer.weight.copy_(tensor(slope.reshape(-1)))
        return _made(x, b.layer(name, layer, x), _torch_shape(x))
    operands, lead = b.aligned([x, slope])
    node = b.call(name, "prelu", lambda t, s: torch.relu(t) + torch.clamp(t, max=0.0) * s, *operands)
    return _made(lead, node, _torch_shape(lead))


def transposed_axes(b: FloatBuilder, x: Held, axes: Sequence[int]) -> Held:
    """Axis i of the result is axis axes[i]; nothing moves until somebody needs it."""
    if axes[0] != 0:
        raise UnsupportedError("transpose: moves the batch from the first axis")
    shape = tuple(x.shape[a] for a in axes)
    return Held(x.node, shape, tuple(list(axes).index(o) for o in x.order), x.merged)


def pad(
    b: FloatBuilder, name: str, x: Held, both: Sequence[tuple[int, int]], mode: str = "constant", value: float = 0.0
) -> Held:  # fmt: skip
    """Padding, (before, after) for each axis of the shape."""
    if any(both[0]):
        raise UnsupportedError(f"{name}: pads the batch")
    if mode not in ("constant", "reflect", "symmetric", "replicate", "circular"):
        raise UnsupportedError(f"{name}: {mode} padding; zeros, reflect, symmetric, replicate and circular are read")
    laid = [both[a] for a in x.order]
    last = max((i for i, p in enumerate(laid) if any(p)), default=-1)
    if last < 0:
        return x
    first = min(i for i, p in enumerate(laid) if any(p))
    if mode == "symmetric" or (mode != "constant" and (len(laid) - first > 2 or len(laid) not in (3, 4))):
        axes = {a: _bordered(name, mode, x.shape[a], p) for a, p in enumerate(both) if any(p)}
        return picked(b, name, x, axes)
    # torch pads by a mode all axes of space or none; from the last axis backwards.
    first = first if mode == "constant" else 2
    amounts = [n for pair in reversed(laid[first:]) for n in pair]
    node = b.call(name, "pad", _pad(amounts, mode, value), x)
    shape = tuple(n + sum(p) for n, p in zip(x.shape, both, strict=True))
    return Held(node, shape, x.order, x.merged)


def _bordered(name: str, mode: str, size: int, amounts: tuple[int, int]) -> list[int]:
    """The element that stands at each position of a padded axis."""
    if max(amounts) > MOST_PLACES:
        raise UnsupportedError(f"{name}: {mode} padding of {amounts}; up to {MOST_PLACES} are supported")
    if mode in ("reflect", "symmetric", "circular") and max(amounts) > size - (mode == "reflect"):
        raise UnsupportedError(f"{name}: {mode} padding of {amounts} around {size} elements; pad by fewer")
    modes: dict[str, Any] = {"replicate": "edge", "circular": "wrap"}
    return [int(i) for i in np.pad(np.arange(size), amounts, modes.get(mode, mode))]


def _pad(amounts: list[int], mode: str, value: float) -> Callable[[torch.Tensor], torch.Tensor]:
    if mode == "constant":
        return lambda t: F.pad(t, amounts, "constant", value)
    return lambda t: F.pad(t, amounts, mode)


def concat(b: FloatBuilder, name: str, operands: Sequence[Held | Array], axis: int) -> Held:
    """Tensors one after another along an axis of the shape."""
    held = [o for o in operands if isinstance(o, Held)]
    if axis == 0 or len(held) != len(operands):
        raise UnsupportedError(f"{name}: joins {'the batch' if axis == 0 else 'constants'}")
    if len({len(o.shape) for o in held}) > 1:
        raise UnsupportedError(f"{name}: joins tensors of different numbers of axes")
    parts = [b.to(o, held[0].order) for o in held]
    if len(parts) == 1:
        return parts[0]
    dim = held[0].place(axis)
    node = b.call(name, "cat", lambda *t: torch.cat(t, dim), *parts)
    total = sum(o.shape[axis] for o in held)
    shape = tuple(total if i == axis else n for i, n in enumerate(held[0].shape))
    return Held(node, shape, held[0].order, held[0].merged)


def sliced(b: FloatBuilder, x: Held, taken: Mapping[int, slice]) -> Held:
    """A regular part: slices by axis of the shape."""
    index, shape = [slice(None)] * len(x.shape), list(x.shape)
    backwards = {}
    for axis, part in taken.items():
        found = range(*part.indices(x.shape[axis]))
        if len(found) == x.shape[axis] and found.step == 1:
            continue
        if axis == 0 or not found:
            raise UnsupportedError(f"slice {part} of axis {axis} of {x.shape}: the batch or nothing")
        if found.step < 1:
            backwards[axis] = found
            continue
        index[x.place(axis)] = slice(found.start, found.stop, found.step)
        shape[axis] = len(found)
    if tuple(shape) != x.shape:
        node = b.graph.call_function(operator.getitem, (x.node, tuple(index)))
        x = Held(node, tuple(shape), x.order, x.merged)
    return picked(b, "backwards", x, backwards) if backwards else x


def resize(b: FloatBuilder, name: str, x: Held, lines: Sequence[Line]) -> Held:
    """Linear resizing of the axes of space."""
    node = b.layer(name, LinearResize(lines), x)
    return _made(x, node, (*_torch_shape(x)[:2], *(len(line.low) for line in lines)))


def pick(b: FloatBuilder, name: str, x: Held, places: Sequence[Sequence[int]]) -> Held:
    """Nearest resizing: which element of each axis of space every position takes."""
    return picked(b, name, x, {x.order[2 + i]: line for i, line in enumerate(places)})


def picked(b: FloatBuilder, name: str, x: Held, places: Mapping[int, Sequence[int]]) -> Held:
    """Listed elements of some axes of the shape."""
    if 0 in places:
        raise UnsupportedError(f"{name}: picks samples of the batch")
    count = sum(len(line) for line in places.values())
    if count > MOST_PLACES or not all(places.values()):
        raise UnsupportedError(f"{name}: picks {count} elements; 1 to {MOST_PLACES} are supported")
    shape = tuple(len(places[a]) if a in places else n for a, n in enumerate(x.shape))
    node = b.layer(name, Picked({x.place(axis): line for axis, line in places.items()}), x)
    return Held(node, shape, x.order, x.merged)


def gathered(b: FloatBuilder, name: str, x: Held, axis: int, places: Array) -> Held:
    """The elements of an axis at constant places; a single place takes the axis away."""
    n = x.shape[axis]
    if places.size and not -n <= int(places.min()) <= int(places.max()) < n:
        raise UnsupportedError(f"{name}: picks {int(places.min())} to {int(places.max())} of {n} elements")
    part = picked(b, name, x, {axis: [int(i) % n for i in places.reshape(-1)]})
    return part if places.ndim else b.reshaped(part, part.shape[:axis] + part.shape[axis + 1 :], x.merged)


def argmax(b: FloatBuilder, name: str, x: Held, axis: int, keep: bool = False) -> Held:
    """Index of the greatest element; a vector's stays an axis of one."""
    if axis == 0:
        raise UnsupportedError(f"{name}: argmax over the batch")
    keep = keep or len(x.shape) == 2
    dim = x.place(axis)
    node = b.call(name, "argmax", lambda t: torch.argmax(t, dim, keep), x)
    if not keep:
        return without(Held(node, x.shape, x.order, x.merged), [axis])
    return Held(node, tuple(1 if i == axis else n for i, n in enumerate(x.shape)), x.order, x.merged)


__all__ = [
    "Window", "argmax", "binary", "concat", "convolution", "function", "gathered", "linear", "matmul", "mean", "pad",
    "pick", "picked", "pool", "prelu", "resize", "sliced", "softmax", "transposed", "transposed_axes",
]  # fmt: skip
