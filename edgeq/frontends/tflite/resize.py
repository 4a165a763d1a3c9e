"""Resizing in .tflite files: places and weights as the reference kernels find them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.formats import CODE_RULE
from edgeq.frontends.tflite.build import Building
from edgeq.frontends.tflite.file import DamagedError, Operation, Tensor
from edgeq.frontends.tflite.movement import dropped, listed

Places = npt.NDArray[np.int64]
#: places of the reference kernel's weights behind the point
_BITS = 10


def nearest(size: int, count: int, corners: bool, centers: bool) -> Places:
    """The element of an axis of `size` for each of `count` positions; float32 throughout, as the kernel has it."""
    f32 = np.float32
    span = f32(size - 1) / f32(count - 1) if corners and count > 1 else f32(size) / f32(count)
    at = (np.arange(count).astype(f32) + f32(0.5 if centers else 0)) * span
    places: Places = np.floor(at + f32(0.5) if corners else at).astype(np.int64)
    return np.clip(places, 0, size - 1)


def neighbours(size: int, count: int, corners: bool, centers: bool) -> tuple[Places, Places, Places]:
    """Lower and upper element and the upper one's weight in 1/1024, for each position."""
    one = 1 << _BITS
    span = (one * size + count // 2) // count
    if corners and count > 1:
        span = (one * (size - 1) + (count - 1) // 2) // (count - 1)
    at = np.arange(count, dtype=np.int64) * span
    if centers:
        at += span // 2 - one // 2
    # C divides towards zero. What is left of the first element or right of the last is that element.
    low = np.clip(np.where(at < 0, 0, at // one), 0, size - 1)
    high = np.clip((at + one - 1) // one, 0, size - 1)
    return low, high, np.where(low == high, 0, at - low * one)


def _sizes(b: Building, call: Operation) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Height and width before and after."""
    x, out = b.tensor(call, 0), b.output(call)
    size = tuple(int(n) for n in b.fixed(call, 1).reshape(-1))
    if len(x.shape) != 4 or (x.shape[0], *size, x.shape[3]) != out.shape or min(size) < 1:
        raise DamagedError(f"{call.op} {out.name}: {x.shape} to size {size}, declared {out.shape}")
    listed(out, sum(size))
    return x.shape[1:3], size


def _options(call: Operation, name: str) -> tuple[bool, bool]:
    """align_corners and half_pixel_centers."""
    found: Any = call.options(name)
    return (False, False) if found is None else (bool(found.AlignCorners()), bool(found.HalfPixelCenters()))


def resize_nearest_neighbor(b: Building, call: Operation) -> None:
    """RESIZE_NEAREST_NEIGHBOR."""
    x, out = b.tensor(call, 0), b.output(call)
    before, after = _sizes(b, call)
    corners, centers = _options(call, "ResizeNearestNeighborOptions")
    places = [nearest(n, m, corners, centers) for n, m in zip(before, after, strict=True)]
    name, fmt, axis = b.value(x), b.format(x), 1 - dropped(b, x)
    plain = all(np.array_equal(p, np.arange(m) * n // m) for p, n, m in zip(places, before, after, strict=True))
    if plain and axis == 0:
        b.finish(out, b.node("resize_nearest", out, [name], fmt, size=after))
        return
    indices = tuple(int(i) for line in places for i in line)
    b.finish(out, b.node("gather", out, [name], fmt, axes=(axis, axis + 1), sizes=after, indices=indices))


def resize_bilinear(b: Building, call: Operation) -> None:
    """RESIZE_BILINEAR: weights of ten bits, the code rounded half away from zero."""
    x, out = b.tensor(call, 0), b.output(call)
    before, after = _sizes(b, call)
    corners, centers = _options(call, "ResizeBilinearOptions")
    found = [neighbours(n, m, corners, centers) for n, m in zip(before, after, strict=True)]
    low, high, weight = (tuple(int(i) for line in column for i in line) for column in zip(*found, strict=True))
    places = {"size": after, "low": low, "high": high, "weight": weight}
    fmt = b.format(x)
    name = b.value(x) if dropped(b, x) else _pictures_as_channels(b, x, out)
    name = b.node("resize_bilinear", out, [name], fmt, bits=_BITS, rounding=CODE_RULE, **places)
    if not dropped(b, x):
        count, channels = x.shape[0], x.shape[3]
        name = b.node("reshape", out, [name], fmt, shape=(*after, count, channels))
        name = b.node("transpose", out, [name], fmt, permutation=(2, 0, 1, 3))
    b.finish(out, name)


def _pictures_as_channels(b: Building, x: Tensor, out: Tensor) -> str:
    """Several pictures as one that has the channels of all, (H, W, N * C)."""
    count, height, width, channels = x.shape
    name = b.node("transpose", out, [b.value(x)], b.format(x), permutation=(1, 2, 0, 3))
    return b.node("reshape", out, [name], b.format(x), shape=(height, width, count * channels))
