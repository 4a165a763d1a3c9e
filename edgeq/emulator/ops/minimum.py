"""Fast twin of minimum: operands aligned by powers of two, compared in floats."""

from __future__ import annotations

import numpy as np

from edgeq.emulator.kernel import Job, Twin
from edgeq.emulator.ops._elementwise import elementwise_twin
from edgeq.ir.operator import frac_of


def compile_minimum(job: Job) -> Twin | None:
    """None where a float type does not hold the aligned operands."""
    stage = job.stage()
    if stage is None:
        return None
    out = frac_of(job.out)
    return elementwise_twin(job, stage, [stage.power(out - frac_of(v)) for v in job.ins], np.minimum)
