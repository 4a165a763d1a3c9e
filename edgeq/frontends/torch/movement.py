"""torch operations that only move numbers: views, permutations, slices, pads, max pools, nearest resizing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from edgeq.errors import UnsupportedError
from edgeq.frontends._tensors import Layouts, Origin, Placed, channels_last, identity
from edgeq.ir import Attr
from edgeq.quant.resampling import Picked

#: a part of a tensor that chunk or split made: (tensor, axis, first, last)
Part = tuple[Placed, int, int, int]


@dataclass(frozen=True)
class Call:
    """One call in the source: its node, canonical name, module (or None), arguments as they were, and result."""

    node: fx.Node
    name: str
    place: str
    module: nn.Module | None
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    result: Any
    x: Any

    def get(self, position: int, key: str, default: Any = None) -> Any:
        """An argument, or the attribute of the module that has that name."""
        if self.module is not None:
            return getattr(self.module, key, default)
        return self.kwargs.get(key, self.args[position] if position < len(self.args) else default)

    def rest(self, key: str) -> tuple[int, ...]:
        """Sizes or dims that may be given as one sequence or one by one."""
        if key in self.kwargs:
            return tuple(self.kwargs[key])
        rest = self.args[1:]
        return tuple(rest[0]) if len(rest) == 1 and isinstance(rest[0], (tuple, list, torch.Size)) else tuple(rest)

    def fail(self, fact: str) -> UnsupportedError:
        """An error that names the layer."""
        return UnsupportedError(f"{self.place}: {fact}")


def convert(call: Call, layouts: Layouts, batch: int) -> Any:
    """Where the result of a movement is, with the nodes that it takes added to the graph."""
    if isinstance(call.result, Tensor) and (call.result.ndim < 2 or call.result.shape[0] != batch):
        raise call.fail(f"gives shape {tuple(call.result.shape)}, where the batch is no longer the first axis")
    made = _CONVERT[call.name](call, layouts)
    if isinstance(made, Placed):
        layouts.origins.setdefault(made.name, Origin(call.node.name, made.permutation))
    return made


def _shape(call: Call) -> tuple[int, ...]:
    return tuple(call.result.shape[1:])


def _move(call: Call, layouts: Layouts, op: str, x: Placed, **attrs: Attr) -> str:
    fmt = layouts.builder.values[x.name].format
    return layouts.builder.node(op, call.place, [x.name], fmt, call.place, **attrs)


def _reshape(call: Call, layouts: Layouts) -> Placed:
    """view, reshape, flatten, unflatten: the elements in the source's order under another shape."""
    shape = _shape(call)
    if shape == call.x.shape:
        return call.x  # type: ignore[no-any-return]
    x = layouts.flat(call.x)
    return Placed(_move(call, layouts, "reshape", x, shape=shape), shape, identity(len(shape)))


def _permuted(call: Call, dims: Sequence[int]) -> Placed:
    """Another order of the axes costs nothing until somebody needs one."""
    rank = len(call.x.shape) + 1
    dims = [d % rank for d in dims]
    if dims[0] != 0:
        raise call.fail("moves the batch from the first axis")
    new_axis = {old - 1: new for new, old in enumerate(dims[1:])}
    return Placed(call.x.name, _shape(call), tuple(new_axis[p] for p in call.x.permutation))


def _permute(call: Call, layouts: Layouts) -> Placed:
    return _permuted(call, call.rest("dims"))


def _transpose(call: Call, layouts: Layouts) -> Placed:
    dims = list(range(len(call.x.shape) + 1))
    a, b = call.get(1, "dim0", call.kwargs.get("axis0")), call.get(2, "dim1", call.kwargs.get("axis1"))
    dims[a], dims[b] = dims[b], dims[a]
    return _permuted(call, dims)


def _unsqueeze(call: Call, layouts: Layouts) -> Placed:
    shape = _shape(call)
    axis = call.get(1, "dim") % (len(shape) + 1) - 1
    return _with_axis(call, layouts, call.x, axis, shape)


def _with_axis(call: Call, layouts: Layouts, x: Placed, axis: int, shape: tuple[int, ...]) -> Placed:
    permutation = (axis, *(p + (p >= axis) for p in x.permutation))
    laid_out = tuple(shape[p] for p in permutation)
    return Placed(_move(call, layouts, "reshape", x, shape=laid_out), shape, permutation)


def _squeeze(call: Call, layouts: Layouts) -> Placed:
    dims = call.get(1, "dim")
    rank = len(call.x.shape) + 1
    if dims is None:
        axes = [i for i, n in enumerate(call.x.shape) if n == 1]
    else:
        each = dims if isinstance(dims, (tuple, list)) else (dims,)
        axes = [d % rank - 1 for d in each if call.x.shape[d % rank - 1] == 1]
    return _without_axes(call, layouts, call.x, axes)


def _without_axes(call: Call, layouts: Layouts, x: Placed, axes: Sequence[int]) -> Placed:
    if not axes:
        return x
    permutation = tuple(p - sum(a < p for a in axes) for p in x.permutation if p not in axes)
    shape = tuple(n for i, n in enumerate(x.shape) if i not in axes)
    laid_out = tuple(shape[p] for p in permutation)
    return Placed(_move(call, layouts, "reshape", x, shape=laid_out), shape, permutation)


def _slice(
    call: Call, layouts: Layouts, x: Placed, begin: list[int], end: list[int], step: list[int]
) -> Placed:  # fmt: skip
    """A regular part, given along the source's axes."""
    shape = tuple((e - b + s - 1) // s for b, e, s in zip(begin, end, step, strict=True))
    if any(n < 1 for n in shape):
        raise call.fail("slices to nothing")
    if shape == x.shape:
        return x
    order = x.permutation
    attrs: dict[str, Attr] = {
        "begin": tuple(begin[p] for p in order),
        "end": tuple(end[p] for p in order),
        "step": tuple(step[p] for p in order),
    }
    return Placed(_move(call, layouts, "slice", x, **attrs), shape, x.permutation)


def _getitem(call: Call, layouts: Layouts) -> Placed:
    if isinstance(call.x, tuple):
        tensor, axis, first, last = call.x[call.args[1]]
        begin, end = [0] * len(tensor.shape), list(tensor.shape)
        begin[axis], end[axis] = first, last
        return _slice(call, layouts, tensor, begin, end, [1] * len(begin))
    return _index(call, layouts, call.args[1] if isinstance(call.args[1], tuple) else (call.args[1],))


def _index(call: Call, layouts: Layouts, index: tuple[Any, ...]) -> Placed:
    """x[:, …]: slices, integers, None and one Ellipsis."""
    sizes = (call.result.shape[0], *call.x.shape)
    taken = sum(i is not None and i is not Ellipsis for i in index)
    fill = (slice(None),) * (len(sizes) - taken)
    at = next((k for k, i in enumerate(index) if i is Ellipsis), len(index))
    index = (*index[:at], *fill, *index[at + 1 :])
    begin: list[int] = []
    end: list[int] = []
    step: list[int] = []
    gone: list[int] = []
    new: list[int] = []
    axis = 0
    for item in index:
        if item is None:
            new.append(axis - len(gone) + len(new))
            continue
        if isinstance(item, int):
            item = slice(item % sizes[axis], item % sizes[axis] + 1)
            gone.append(axis)
        if not isinstance(item, slice) or (item.step or 1) < 1:
            raise call.fail(f"index {item!r}; only slices, integers and None are regular")
        b, e, s = item.indices(sizes[axis])
        begin.append(b)
        end.append(max(b, e))
        step.append(s)
        axis += 1
    if (begin[0], end[0], step[0]) != (0, sizes[0], 1) or 0 in gone or 0 in new:
        raise call.fail("indexes the batch")
    x = _slice(call, layouts, call.x, begin[1:], end[1:], step[1:])
    if gone:
        part = x
        x = _without_axes(call, layouts, part, [g - 1 for g in gone])
        if not new:
            layouts.origins.setdefault(part.name, Origin(call.node.name, x.permutation))
    for position in new:
        grown = (*x.shape[: position - 1], 1, *x.shape[position - 1 :])
        x = _with_axis(call, layouts, x, position - 1, grown)
    return x


def _split(call: Call, layouts: Layouts) -> tuple[Part, ...]:
    """chunk and split: parts are cut out when they are taken."""
    dim = call.get(2, "dim", 0) % (len(call.x.shape) + 1)
    if dim == 0:
        raise call.fail("splits the batch")
    edges = np.cumsum([0, *(part.shape[dim] for part in call.result)])
    return tuple((call.x, dim - 1, int(a), int(b)) for a, b in pairwise(edges))


def _narrow(call: Call, layouts: Layouts) -> Placed:
    axis = call.get(1, "dim") % (len(call.x.shape) + 1) - 1
    start, length = call.get(2, "start"), call.get(3, "length")
    begin, end = [0] * len(call.x.shape), list(call.x.shape)
    begin[axis], end[axis] = start % call.x.shape[axis], start % call.x.shape[axis] + length
    return _slice(call, layouts, call.x, begin, end, [1] * len(begin))


def _select(call: Call, layouts: Layouts) -> Placed:
    axis = call.get(1, "dim") % (len(call.x.shape) + 1)
    index: list[Any] = [slice(None)] * (len(call.x.shape) + 1)
    index[axis] = call.get(2, "index")
    return _index(call, layouts, tuple(index))


def _each(value: Any, rank: int) -> tuple[int, ...]:
    return tuple(value) if isinstance(value, (tuple, list)) else (value,) * rank


def _max_pool(call: Call, layouts: Layouts) -> Placed:
    rank = 1 if call.name.endswith("1d") else 2
    x = layouts.to(call.x, channels_last(rank + 1))
    kernel = _each(call.get(1, "kernel_size"), rank)
    stride = _each(call.get(2, "stride") or kernel, rank)
    padding = _each(call.get(3, "padding", 0), rank)
    dilation = _each(call.get(4, "dilation", 1), rank)
    shape, both = _shape(call), []
    for i in range(rank):
        # With ceil_mode the last window may reach beyond the end: the same as more padding there.
        needed = (shape[1 + i] - 1) * stride[i] + dilation[i] * (kernel[i] - 1) + 1
        both += [padding[i], max(padding[i], needed - x.shape[1 + i] - padding[i])]
    attrs: dict[str, Attr] = {"kernel": kernel, "stride": stride, "padding": tuple(both), "dilation": dilation}
    return Placed(_move(call, layouts, "max_pool", x, **attrs), shape, x.permutation)


def _adaptive_max_pool(call: Call, layouts: Layouts) -> Placed:
    x = layouts.to(call.x, channels_last(len(call.x.shape)))
    shape = _shape(call)
    if any(n % m for n, m in zip(x.shape[1:], shape[1:], strict=True)):
        raise call.fail(f"adaptive max pool from {x.shape[1:]} to {shape[1:]}; choose an output size that divides")
    kernel = tuple(n // m for n, m in zip(x.shape[1:], shape[1:], strict=True))
    attrs: dict[str, Attr] = {"kernel": kernel, "stride": kernel}
    attrs |= {"padding": (0,) * (2 * len(kernel)), "dilation": (1,) * len(kernel)}
    return Placed(_move(call, layouts, "max_pool", x, **attrs), shape, x.permutation)


def _pad(call: Call, layouts: Layouts) -> Placed:
    """F.pad and the padding modules; amounts are given from the last axis backwards."""
    mode = call.get(2, "mode", "constant")
    value = call.get(3, "value", 0.0) or 0.0
    amounts: Any = call.get(1, "pad") if call.module is None else call.module.padding
    if call.module is not None:
        kind = type(call.module).__name__.lower()
        mode = next((m for m in ("reflect", "circular") if kind.startswith(m)), "constant")
        mode = "replicate" if kind.startswith("replication") else mode
    amounts = list(_each(amounts, 2))
    x, rank = call.x, len(call.x.shape)
    if len(amounts) > 2 * rank or any(a < 0 for a in amounts):
        raise call.fail(f"padding {tuple(amounts)}: negative amounts or the batch; slice instead")
    by_axis = [(0, 0)] * rank
    for i in range(len(amounts) // 2):
        by_axis[rank - 1 - i] = (amounts[2 * i], amounts[2 * i + 1])
    attrs: dict[str, Attr] = {"padding": tuple(a for p in x.permutation for a in by_axis[p]), "mode": str(mode)}
    if mode == "constant" and value:
        fmt = layouts.builder.values[x.name].format
        grid = float(value) * 2.0 ** float(fmt.frac)  # type: ignore[arg-type]
        if grid != round(grid) or fmt.decode(fmt.quantize(np.array([value])))[0] != value:
            raise call.fail(f"pads with {value}, which {fmt} does not hold; pad with zero")
        attrs["value"] = int(grid)
    return Placed(_move(call, layouts, "pad", x, **attrs), _shape(call), x.permutation)


def _interpolate(call: Call, layouts: Layouts) -> Placed:
    """Nearest resizing: a plain one where element i is floor(i * old / new), else the elements are listed."""
    rank = len(call.x.shape)
    x = layouts.to(call.x, channels_last(rank))
    size = _shape(call)[1:]
    places = _places(call, call.x.shape[1:], size)
    if all(p == tuple(i * n // len(p) for i in range(len(p))) for p, n in zip(places, x.shape[1:], strict=True)):
        return Placed(_move(call, layouts, "resize_nearest", x, size=size), _shape(call), x.permutation)
    return _gather(call, layouts, x, dict(enumerate(places, start=1)))


def _picked(call: Call, layouts: Layouts) -> Placed:
    """Listed elements: a plain nearest resize where they are that, along the axes of space."""
    assert isinstance(call.module, Picked)
    places, shape = call.module.places, call.x.shape
    spatial = tuple(range(2, len(shape) + 1))
    plain = all(p == tuple(i * shape[d - 1] // len(p) for i in range(len(p))) for d, p in places.items())
    if plain and tuple(places) == spatial and len(spatial) in (1, 2):
        x = layouts.to(call.x, channels_last(len(shape)))
        made = _move(call, layouts, "resize_nearest", x, size=_shape(call)[1:])
        return Placed(made, _shape(call), x.permutation)
    return _gather(call, layouts, call.x, {dim - 1: line for dim, line in places.items()})


def _gather(call: Call, layouts: Layouts, x: Placed, places: dict[int, tuple[int, ...]]) -> Placed:
    """The elements of some of the source's axes, the batch not counted."""
    lines = sorted((x.permutation.index(axis), line) for axis, line in places.items())
    made = _move(
        call, layouts, "gather", x,
        axes=tuple(axis for axis, _ in lines),
        sizes=tuple(len(line) for _, line in lines),
        indices=tuple(i for _, line in lines for i in line),
    )  # fmt: skip
    return Placed(made, _shape(call), x.permutation)


def _places(call: Call, spatial: Sequence[int], size: Sequence[int]) -> list[tuple[int, ...]]:
    """The element that each position of each axis takes."""
    found = []
    for i, (old, new) in enumerate(zip(spatial, size, strict=True)):
        scale = call.get(2, "scale_factor")
        scale = scale[i] if isinstance(scale, (tuple, list)) else scale
        given: dict[str, Any] = {"size": new} if scale is None else {"scale_factor": float(scale)}
        if scale is not None and call.get(5, "recompute_scale_factor"):
            given["recompute_scale_factor"] = True
        line = torch.arange(old, dtype=torch.float32).reshape(1, 1, old)
        taken = F.interpolate(line, mode=str(call.get(3, "mode", "nearest")), **given)
        found.append(tuple(int(k) for k in taken.reshape(-1)))
    return found


_CONVERT: dict[str, Callable[[Call, Layouts], Any]] = {
    "view": _reshape,
    "reshape": _reshape,
    "flatten": _reshape,
    "unflatten": _reshape,
    "permute": _permute,
    "transpose": _transpose,
    "unsqueeze": _unsqueeze,
    "squeeze": _squeeze,
    "getitem": _getitem,
    "chunk": _split,
    "split": _split,
    "narrow": _narrow,
    "select": _select,
    "max_pool1d": _max_pool,
    "max_pool2d": _max_pool,
    "adaptive_max_pool1d": _adaptive_max_pool,
    "adaptive_max_pool2d": _adaptive_max_pool,
    "pad": _pad,
    "interpolate": _interpolate,
    "picked": _picked,
}

__all__ = ["Call", "convert"]
