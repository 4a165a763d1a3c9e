"""What Resize and Upsample of .onnx files say: the new sizes, and what stands at each position of the axes of space."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgeq.errors import UnsupportedError
from edgeq.frontends._model_file import DamagedError
from edgeq.frontends.onnx.file import Operation
from edgeq.ir.coordinates import MAX_SIZE, Line, nearest_places, resize_line

Array = npt.NDArray[np.generic]


@dataclass(frozen=True)
class Resizing:
    """size: of the output, all axes. For each axis of space: places, the elements that its positions take, or lines,
    the two between which they stand; the other is empty."""

    size: tuple[int, ...]
    places: list[list[int]]
    lines: list[Line]


def resizing(call: Operation, opset: int, shape: tuple[int, ...], known: Callable[[int], Array | None]) -> Resizing:
    """Of a feature map, channels behind the batch.

    known: a constant input, None where it is not given. Raises UnsupportedError, without the name of the node, for what
    is not read, DamagedError for numbers that are no sizes.
    """
    plain = call.op == "Upsample" or opset < 11
    mode, policy = call.text("mode", "nearest"), call.text("keep_aspect_ratio_policy", "stretch")
    if mode not in ("nearest", "linear", "bilinear") or policy != "stretch":
        raise UnsupportedError(f"{mode}, {policy}; nearest and linear are read, with sizes as they are")
    for flag in ("antialias", "exclude_outside"):
        if call.integer(flag, 0) and mode != "nearest":
            raise UnsupportedError(f"{mode} with {flag}; export it with {flag} 0")
    sizes = None if plain else known(3)
    size, factors = _sizes(call, shape, known(1 if plain else 2) if sizes is None else None, sizes)
    if size[:2] != shape[:2] or min(size) < 1 or max(size) > MAX_SIZE:
        raise UnsupportedError(f"sizes, {shape} to {size}; axes of space up to {MAX_SIZE} are read")
    place = call.text("coordinate_transformation_mode", "asymmetric" if plain else "half_pixel")
    rounding = call.text("nearest_mode", "floor" if plain else "round_prefer_floor")
    axes = list(zip(shape[2:], size[2:], factors[2:], strict=True))
    if mode == "nearest":
        return Resizing(size, [list(nearest_places(place, rounding, *axis)) for axis in axes], [])
    return Resizing(size, [], [resize_line(place, *axis) for axis in axes])


def _sizes(
    call: Operation, shape: tuple[int, ...], scales: Array | None, sizes: Array | None
) -> tuple[tuple[int, ...], list[float | None]]:
    """Sizes, and the factor of each axis; None where it is that of the sizes."""
    given = np.asarray(call.attrs.get("scales", ()) if scales is None else scales)
    numbers = (given if sizes is None else sizes).reshape(-1).astype(np.float64)
    axes = [a % len(shape) for a in call.ints("axes", tuple(range(len(shape))))]
    if len(numbers) != len(axes) or not np.isfinite(numbers).all() or not ((numbers > 0) & (numbers <= MAX_SIZE)).all():
        raise DamagedError(f"{call.op} {call.name}: {numbers.tolist()[:8]} for axes {axes}")
    size = list(shape)
    factors: list[float | None] = [None] * len(shape)
    for axis, number in zip(axes, numbers.tolist(), strict=True):
        size[axis] = int(np.floor(shape[axis] * number)) if sizes is None else int(number)
        factors[axis] = number if sizes is None else None
    return tuple(size), factors
