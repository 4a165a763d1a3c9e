"""Which elements SLICE, STRIDED_SLICE and SPLIT pick: a range of indices for each axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy.typing as npt

from edgeq.frontends.tflite.file import DamagedError, Operation

Parts = list[range]
Numbers = npt.NDArray[Any]


class SliceError(ValueError):
    """Bounds that pick nothing or lie outside; the caller adds whose they are."""


def axis_of(axis: int, rank: int) -> int:
    """An axis of a tensor of `rank` axes; negative ones count from the end."""
    if not -rank <= axis < rank:
        raise SliceError(f"axis {axis} of {rank} axes")
    return axis % rank


def slice_parts(shape: Sequence[int], begin: Numbers, size: Numbers) -> Parts:
    """Ranges of SLICE; a size of -1 takes the rest."""
    begins, sizes = (tuple(int(v) for v in a.reshape(-1)) for a in (begin, size))
    if not len(begins) == len(sizes) == len(shape):
        raise SliceError(f"begin {begins} and size {sizes} for {tuple(shape)}")
    parts = []
    for first, count, n in zip(begins, sizes, shape, strict=True):
        end = n if count == -1 else first + count
        if not 0 <= first < end <= n:
            raise SliceError(f"begin {begins} and size {sizes} for {tuple(shape)}")
        parts.append(range(first, end))
    return parts


def strided_parts(call: Operation, shape: Sequence[int], begin: Numbers, end: Numbers, stride: Numbers) -> Parts:
    """Ranges of STRIDED_SLICE, all masks understood; axes that it adds or takes away have one element."""
    options = call.options("StridedSliceOptions")
    first, last, step = (tuple(int(v) for v in a.reshape(-1)) for a in (begin, end, stride))
    if options is None or not len(first) == len(last) == len(step) or 0 in step:
        raise DamagedError(f"{call.op}: begin {first}, end {last}, strides {step}")
    masks = {
        name: int(getattr(options, f"{name}Mask")()) for name in ("Begin", "End", "Ellipsis", "NewAxis", "ShrinkAxis")
    }

    def masked(name: str, i: int) -> bool:
        return bool(masks[name] >> i & 1)

    new = [masked("NewAxis", i) and not masked("Ellipsis", i) for i in range(len(first))]
    ellipses = [masked("Ellipsis", i) for i in range(len(first))]
    named = len(first) - sum(new) - sum(ellipses)
    if named > len(shape) or sum(ellipses) > 1:
        raise DamagedError(f"{call.op}: {len(first)} ranges for {tuple(shape)}")
    parts: Parts = []
    for i in range(len(first)):
        if new[i]:
            continue
        if ellipses[i]:
            parts += [range(n) for n in shape[len(parts) : len(parts) + len(shape) - named]]
            continue
        n = shape[len(parts)]
        ends = (None if masked("Begin", i) else first[i], None if masked("End", i) else last[i])
        parts.append(_range(n, ends, step[i], masked("ShrinkAxis", i), bool(options.Offset())))
    parts += [range(n) for n in shape[len(parts) :]]
    if any(len(r) == 0 for r in parts):
        raise SliceError(f"begin {first}, end {last}, strides {step} pick nothing of {tuple(shape)}")
    return parts


def _range(n: int, ends: tuple[int | None, int | None], step: int, shrink: bool, offset: bool) -> range:
    """One axis of n elements: begin (None: from its start) to end (None: to its end)."""
    low, high = (0, n) if step > 0 else (-1, n - 1)

    def clamped(at: int) -> int:
        return min(max(at + n if at < 0 else at, low), high)

    begin, end = ends
    start = (0 if step > 0 else n - 1) if begin is None else clamped(begin)
    if shrink:
        if not 0 <= start < n:
            raise SliceError(f"element {start} of {n}")
        return range(start, start + 1)
    if end is None:
        return range(start, n if step > 0 else -1, step)
    return range(start, clamped(end + (start if offset else 0)), step)


def chosen(shape: Sequence[int], parts: Parts) -> tuple[str, dict[str, tuple[int, ...]]]:
    """The operator that picks these elements, and its attributes: a slice, or a gather where one goes backwards."""
    if all(r.step > 0 or len(r) == 1 for r in parts):
        begin, end = tuple(r[0] for r in parts), tuple(r[-1] + 1 for r in parts)
        return "slice", {"begin": begin, "end": end, "step": tuple(r.step if len(r) > 1 else 1 for r in parts)}
    axes = tuple(i for i, r in enumerate(parts) if r != range(shape[i]))
    sizes, indices = tuple(len(parts[i]) for i in axes), tuple(j for i in axes for j in parts[i])
    return "gather", {"axes": axes, "sizes": sizes, "indices": indices}
