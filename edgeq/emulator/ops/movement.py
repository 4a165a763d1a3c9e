"""Fast twin of reshape, transpose, slice, gather and resize_nearest: their own movement, on carried numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeq.emulator.carrier import Carried
from edgeq.emulator.kernel import Job, Scratch, Twin
from edgeq.ir import operator
from edgeq.ir.operator import Movement


def compile_movement(job: Job) -> Twin:
    """Moving codes and moving the numbers that they stand for is the same."""
    op = operator(job.node.op)
    assert isinstance(op, Movement)
    move, dtype = op.move, job.carrier

    def kernel(xs: Sequence[Carried], scratch: Scratch) -> Carried:
        return np.ascontiguousarray(move(job.node, job.ins[0], xs[0]), dtype)

    return Twin(kernel, "move")
