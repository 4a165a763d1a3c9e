"""Fast twin of average_pool: exact float sums, rows first, then a shift or a corrected division."""

from __future__ import annotations

import numpy as np

from edgeq.emulator.carrier import Carried
from edgeq.emulator.kernel import Job, Twin
from edgeq.emulator.ops._divide import average_twin
from edgeq.emulator.ops._pool import pool


def compile_average_pool(job: Job) -> Twin | None:
    """None where a float type does not hold the sums."""
    stage = job.stage()
    if stage is None:
        return None
    node = job.node
    ones = (1,) * len(node.ints("kernel"))
    geometry = (node.ints("kernel"), node.ints("stride"), node.ints("padding"), ones, job.out.shape[:-1])

    def sums(x: Carried, dtype: type) -> Carried:
        return pool(x.astype(dtype, copy=False), np.add, 0.0, *geometry)

    if node.integer("include_pad"):
        return average_twin(job, stage, sums, job.bounds().den[1])
    seen = pool(np.ones((1, *job.ins[0].shape[:-1], 1), np.float64), np.add, 0.0, *geometry)
    return average_twin(job, stage, sums, seen.astype(np.int64))
