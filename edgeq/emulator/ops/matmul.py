"""Fast twin of matmul: BLAS on operands that are exact in floats."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeq.emulator.carrier import Carried
from edgeq.emulator.kernel import Job, Scratch, Twin, finished


def compile_matmul(job: Job) -> Twin | None:
    """None where a float type does not hold the sums."""
    stage = job.stage()
    if stage is None:
        return None
    scale, offset = stage.scale[0], stage.offset[0]
    fixed = [job.grid(i).astype(stage.dtype)[None] if v.constant else None for i, v in enumerate(job.ins)]

    def kernel(xs: Sequence[Carried], scratch: Scratch) -> Carried:
        computed = iter(xs)
        a, b = (next(computed).astype(stage.dtype, copy=False) if c is None else c for c in fixed)
        out: Carried = np.matmul(a, b)
        out *= scale
        if offset:
            out += offset
        return out

    return finished(job, stage, kernel)
