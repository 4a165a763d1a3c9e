"""Fast twin of within: the carried numbers are the grid integers that are compared."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeq.emulator.carrier import Carried
from edgeq.emulator.kernel import Job, Scratch, Twin


def compile_within(job: Job) -> Twin | None:
    """None for a constant: there is nothing to be fast about."""
    if job.ins[0].constant:
        return None
    least, most, dtype = job.node.integer("least"), job.node.integer("most"), job.carrier

    def kernel(xs: Sequence[Carried], scratch: Scratch) -> Carried:
        rows = xs[0].reshape(len(xs[0]), -1)
        # Bounds of 32 bits are no numbers of float32.
        inside = (rows.min(axis=1).astype(np.float64) >= least) & (rows.max(axis=1).astype(np.float64) <= most)
        found: Carried = inside[:, None].astype(dtype)
        return found

    return Twin(kernel, "move")
