"""Fast twin of requantise: scale, round, clamp."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeq.emulator.carrier import Carried
from edgeq.emulator.kernel import Job, Scratch, Twin, finished


def compile_requantise(job: Job) -> Twin | None:
    """None where a float type does not hold the input with its half."""
    stage = job.stage()
    if stage is None:
        return None
    scale, offset = stage.scale[0], stage.offset[0]

    def kernel(xs: Sequence[Carried], scratch: Scratch) -> Carried:
        out: Carried = np.multiply(xs[0], scale, dtype=stage.dtype)
        if offset:
            out += offset
        return out

    return finished(job, stage, kernel)
