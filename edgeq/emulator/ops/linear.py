"""Fast twin of linear: BLAS on operands that are exact in floats."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeq.emulator.carrier import Carried
from edgeq.emulator.kernel import Job, Scratch, Twin, finished
from edgeq.emulator.ops._gemm import add_bias, scaled_bias, scaled_weight


def compile_linear(job: Job) -> Twin | None:
    """None where a float type does not hold the sums."""
    stage = job.stage()
    if stage is None:
        return None
    matrix = np.ascontiguousarray(scaled_weight(job, stage).T)
    bias, inner = scaled_bias(job, stage), matrix.shape[0]

    def kernel(xs: Sequence[Carried], scratch: Scratch) -> Carried:
        x = xs[0].astype(stage.dtype, copy=False)
        out: Carried = np.matmul(x.reshape(-1, inner), matrix)
        add_bias(out, bias)
        return out.reshape(x.shape[0], *job.out.shape)

    return finished(job, stage, kernel)
