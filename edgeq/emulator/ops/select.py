"""Fast twin of select: choosing codes and choosing the numbers that they stand for is the same."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeq.emulator.carrier import Carried
from edgeq.emulator.kernel import Job, Scratch, Twin


def compile_select(job: Job) -> Twin | None:
    """None where an operand is constant."""
    if any(value.constant for value in job.ins):
        return None
    dtype, ones = job.carrier, tuple(1 for _ in job.out.shape)

    def kernel(xs: Sequence[Carried], scratch: Scratch) -> Carried:
        chosen = xs[0].reshape(-1, *ones) != 0
        return np.where(chosen, xs[1], xs[2]).astype(dtype, copy=False)

    return Twin(kernel, "move")
