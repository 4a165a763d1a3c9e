"""Fast twin of sum: a float sum that is exact, then a shift."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeq.emulator.carrier import Carried
from edgeq.emulator.kernel import Job, Scratch, Twin, finished


def compile_sum(job: Job) -> Twin | None:
    """None where a float type does not hold the sum."""
    stage = job.stage()
    if stage is None:
        return None
    axes = tuple(a + 1 for a in job.node.ints("axes"))
    scale, offset = stage.scale[0], stage.offset[0]

    def kernel(xs: Sequence[Carried], scratch: Scratch) -> Carried:
        out: Carried = np.add.reduce(xs[0], axis=axes, dtype=stage.dtype).reshape(-1, *job.out.shape)
        out *= scale
        if offset:
            out += offset
        return out

    return finished(job, stage, kernel)
