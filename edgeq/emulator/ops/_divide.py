"""What the means share: sums to averages, by a shift where the divisor is a power of two."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from edgeq.emulator.carrier import Carried
from edgeq.emulator.kernel import Job, Scratch, Twin, finished
from edgeq.emulator.stage import Stage

#: exact sums of carried numbers, as a new array of the given type
Sums = Callable[[Carried, type], Carried]


def average_twin(job: Job, stage: Stage, sums: Sums, divisor: npt.NDArray[np.int64] | int) -> Twin:
    """Divide `sums` by `divisor` (a number, or one for each position)."""
    shift = stage.shifts[0]
    if stage.divisor == 1:
        scale, offset = stage.scale[0], stage.offset[0]

        def kernel(xs: Sequence[Carried], scratch: Scratch) -> Carried:
            out = sums(xs[0], stage.dtype)
            out *= scale
            if offset:
                out += offset
            return out

        return finished(job, stage, kernel)

    up = stage.dtype(2.0 ** max(-shift, 0))
    den = np.asarray(divisor, stage.dtype) * stage.dtype(2.0 ** max(shift, 0))
    dtype = job.carrier

    def divided(xs: Sequence[Carried], scratch: Scratch) -> Carried:
        return stage.divide(sums(xs[0], stage.dtype) * up, den).astype(dtype, copy=False)

    return Twin(divided, np.dtype(stage.dtype).name)
