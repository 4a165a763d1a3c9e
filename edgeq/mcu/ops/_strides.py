"""Walks over tensors: strides of operands, and axes joined where every operand walks on without a jump."""

from __future__ import annotations

from collections.abc import Sequence

from edgeq.ir.graph import Shape

#: EQ_RANK of the C side
RANK = 6


def contiguous(shape: Shape) -> tuple[int, ...]:
    """Distance in elements of neighbours along each axis, C order."""
    strides = [1] * len(shape)
    for axis in range(len(shape) - 2, -1, -1):
        strides[axis] = strides[axis + 1] * shape[axis + 1]
    return tuple(strides)


def broadcast(shape: Shape, out: Shape) -> tuple[int, ...]:
    """Strides of an operand of `shape` that broadcasts from the right to `out`: 0 where it repeats."""
    return (0,) * (len(out) - len(shape)) + tuple(
        0 if n == 1 else s for n, s in zip(shape, contiguous(shape), strict=True)
    )


def join(shape: Shape, *strides: Sequence[int]) -> tuple[tuple[int, ...], list[tuple[int, ...]]]:
    """The same walk over fewer axes: axes of size 1 vanish, neighbours that lie in one line become one axis."""
    axes = [(n, *s) for n, *s in zip(shape, *strides, strict=True) if n > 1]
    joined: list[tuple[int, ...]] = []
    for n, *steps in axes:
        if joined and all(outer == step * n for outer, step in zip(joined[-1][1:], steps, strict=True)):
            joined[-1] = (joined[-1][0] * n, *steps)
        else:
            joined.append((n, *steps))
    joined = joined or [(1, *(0 for _ in strides))]
    columns = list(zip(*joined, strict=True))
    return columns[0], columns[1:]


def padded(values: Sequence[int]) -> tuple[int, ...]:
    """`values` filled up to the length of the C side's arrays."""
    return (*values, *(0 for _ in range(RANK - len(values))))
