"""Fast twin of max_pool: maxima of carried numbers, rows first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeq.emulator.carrier import Carried
from edgeq.emulator.kernel import Job, Scratch, Twin
from edgeq.emulator.ops._pool import pool
from edgeq.formats import Minifloat


def compile_max_pool(job: Job) -> Twin:
    """Padding is minus infinity, which never wins."""
    node, dtype = job.node, job.carrier
    geometry = (node.ints("kernel"), node.ints("stride"), node.ints("padding"), node.ints("dilation"))
    positive_zero = isinstance(job.out.format, Minifloat)

    def kernel(xs: Sequence[Carried], scratch: Scratch) -> Carried:
        out = pool(xs[0], np.maximum, -np.inf, *geometry, job.out.shape[:-1]).astype(dtype, copy=False)
        if positive_zero:
            np.add(out, dtype(0), out=out)
        return out

    return Twin(kernel, "move")
