"""Fast twin of concat: each operand scaled into its place."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeq.emulator.carrier import Carried
from edgeq.emulator.kernel import Job, Scratch, Twin, finished
from edgeq.ir.operator import frac_of


def compile_concat(job: Job) -> Twin | None:
    """None where a float type does not hold the aligned operands."""
    stage = job.stage()
    if stage is None:
        return None
    axis, offset = job.node.integer("axis"), stage.offset[0]
    factors = [stage.dtype(stage.power(frac_of(job.out) - frac_of(v))) for v in job.ins]
    ends = np.cumsum([v.shape[axis] for v in job.ins])
    places = [
        (slice(None),) * (axis + 1) + (slice(int(end) - v.shape[axis], int(end)),)
        for end, v in zip(ends, job.ins, strict=True)
    ]
    fixed = [job.grid(i).astype(stage.dtype)[None] if v.constant else None for i, v in enumerate(job.ins)]

    def kernel(xs: Sequence[Carried], scratch: Scratch) -> Carried:
        out = np.empty((xs[0].shape[0], *job.out.shape), stage.dtype)
        computed = iter(xs)
        for constant, place, factor in zip(fixed, places, factors, strict=True):
            part = next(computed) if constant is None else constant
            np.multiply(part, factor, out=out[place], dtype=stage.dtype)
        if offset:
            out += offset
        return out

    return finished(job, stage, kernel)
