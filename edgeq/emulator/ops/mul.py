"""Fast twin of mul: one exact float product, scaled by a power of two."""

from __future__ import annotations

import numpy as np

from edgeq.emulator.kernel import Job, Twin
from edgeq.emulator.ops._elementwise import elementwise_twin


def compile_mul(job: Job) -> Twin | None:
    """None where a float type does not hold the product."""
    stage = job.stage()
    if stage is None:
        return None
    # The scale goes with the constant, where there is one, or else with the first operand.
    factors = [1.0, 1.0]
    factors[1 if job.ins[1].constant else 0] = float(stage.scale[0])
    return elementwise_twin(job, stage, factors, np.multiply)
