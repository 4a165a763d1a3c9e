"""Fast twin of table: a look-up of carried numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeq.emulator.carrier import Carried, from_carrier, to_carrier
from edgeq.emulator.kernel import Job, Scratch, Twin


def compile_table(job: Job) -> Twin:
    """The entries become carried numbers once."""
    x, entries = job.ins
    assert entries.data is not None
    table, least = to_carrier(entries.data, entries.format, job.carrier), x.format.code_range[0]

    def kernel(xs: Sequence[Carried], scratch: Scratch) -> Carried:
        index = from_carrier(xs[0], x.format, np.intp)
        if least:
            index -= least
        found: Carried = table[index]
        return found

    return Twin(kernel, "move")
