"""Operands of element-wise twins: constants scaled and spread once, computed ones shaped to broadcast."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from edgeq.emulator.carrier import Carried
from edgeq.emulator.kernel import Job, Scratch, Twin, finished
from edgeq.emulator.stage import Stage

#: constants up to this many elements are spread to the output's shape, which makes long inner loops
_SPREAD = 1 << 16

#: makes the numbers in units of the output from both operands
Combine = Callable[[Carried, Carried], Carried]


def constant_operand(job: Job, index: int, stage: Stage, factor: float) -> Carried:
    """A constant input times `factor`, shaped against the output."""
    rank = len(job.out.shape)
    grid = job.grid(index).astype(stage.dtype) * stage.dtype(factor)
    grid = grid.reshape((1,) * (rank - grid.ndim) + grid.shape)
    if job.out.size <= _SPREAD:
        grid = np.ascontiguousarray(np.broadcast_to(grid, job.out.shape))
    found: Carried = grid[None]
    return found


def computed_operand(job: Job, index: int, stage: Stage, x: Carried, factor: float) -> Carried:
    """A computed input times `factor` in the stage's type; the input itself where nothing changes."""
    shape = job.ins[index].shape
    x = x.reshape(x.shape[0], *(1,) * (len(job.out.shape) - len(shape)), *shape)
    if factor != 1.0:
        found: Carried = np.multiply(x, stage.dtype(factor), dtype=stage.dtype)
        return found
    return x.astype(stage.dtype, copy=False)


def elementwise_twin(job: Job, stage: Stage, factors: Sequence[float], combine: Combine) -> Twin:
    """Scale the operands, combine them into a new array, add the rounding constant."""
    fixed = [constant_operand(job, i, stage, f) if job.ins[i].constant else None for i, f in enumerate(factors)]
    offset = stage.offset[0]

    def kernel(xs: Sequence[Carried], scratch: Scratch) -> Carried:
        computed: Iterator[Carried] = iter(xs)
        a, b = (
            c if c is not None else computed_operand(job, i, stage, next(computed), factors[i])
            for i, c in enumerate(fixed)
        )
        out = combine(a, b)
        if offset:
            out += offset
        return out

    return finished(job, stage, kernel)
