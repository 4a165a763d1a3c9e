"""Fast twin of pad: fills with the carried number instead of its code."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeq.emulator.carrier import Carried
from edgeq.emulator.kernel import Job, Scratch, Twin
from edgeq.ir.ops.pad import MODES


def compile_pad(job: Job) -> Twin:
    """Constant padding writes into a new array; the other modes are numpy's."""
    padding, mode, dtype = job.node.ints("padding"), job.node.text("mode"), job.carrier
    begin, shape = padding[::2], job.ins[0].shape
    inside = (slice(None), *(slice(b, b + n) for b, n in zip(begin, shape, strict=True)))
    width = [(0, 0), *zip(begin, padding[1::2], strict=True)]
    fill = dtype(job.node.integer("value", 0))

    def constant(xs: Sequence[Carried], scratch: Scratch) -> Carried:
        out = np.full((xs[0].shape[0], *job.out.shape), fill, dtype)
        out[inside] = xs[0]
        return out

    def mirrored(xs: Sequence[Carried], scratch: Scratch) -> Carried:
        padded: Carried = np.pad(xs[0], width, mode=MODES[mode])  # type: ignore[call-overload]
        return padded.astype(dtype, copy=False)

    return Twin(constant if mode == "constant" else mirrored, "move")
