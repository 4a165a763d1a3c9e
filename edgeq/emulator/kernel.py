"""What a fast twin of an operator is made from, and the reference as the twin of last resort."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.emulator.carrier import Carried, FloatType, carrier_type, from_carrier, to_carrier
from edgeq.emulator.stage import Stage, plan_stage
from edgeq.ir import Interval, Node, Value, operator
from edgeq.ir.operator import Bounds


class Scratch:
    """Buffers that outlive a call, so that large temporaries are allocated once."""

    def __init__(self) -> None:
        self._zeroed: dict[Any, npt.NDArray[Any]] = {}
        self._work: dict[str, npt.NDArray[np.uint8]] = {}

    def zeroed(self, key: Any, shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """The buffer of that shape of one user: zeros when it is new, afterwards what its user left in it."""
        buffer = self._zeroed.get((key, shape))
        if buffer is None:
            buffer = self._zeroed[(key, shape)] = np.zeros(shape, dtype)
        return buffer

    def work(self, key: str, shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """Memory that all users of `key` share, with anything in it."""
        size = math.prod(shape) * np.dtype(dtype).itemsize
        buffer = self._work.get(key)
        if buffer is None or buffer.size < size:
            buffer = self._work[key] = np.empty(size, np.uint8)
        return buffer[:size].view(dtype).reshape(shape)


#: carried inputs (constants left out), batch first -> carried output
Kernel = Callable[[Sequence[Carried], Scratch], Carried]


@dataclass(frozen=True)
class Twin:
    """A compiled node: the kernel, and the arithmetic that it runs in ("float32", "float64", "int64", "move")."""

    kernel: Kernel
    arithmetic: str


@dataclass(frozen=True)
class Job:
    """One node to compile.

    intervals: range of each input; interval: range of the output, as the range analysis proved them.
    """

    node: Node
    ins: tuple[Value, ...]
    out: Value
    intervals: tuple[Interval, ...]
    interval: Interval

    @property
    def carrier(self) -> FloatType:
        """Float type that carries the output."""
        return carrier_type(self.out.format, self.interval)

    def bounds(self) -> Bounds:
        """Worst case of the accumulation before alignment to the output's grid."""
        bounds = operator(self.node.op).bounds(self.node, self.ins, self.intervals)
        assert bounds is not None
        return bounds

    def stage(self) -> Stage | None:
        """The output stage on floats; None where the sums leave 53 bits."""
        return plan_stage(self.node, self.bounds(), self.out.format)

    def grid(self, index: int) -> npt.NDArray[np.int64]:
        """Grid integers of a constant input."""
        value = self.ins[index]
        assert value.data is not None
        return value.format.to_grid(value.data)


def reference_twin(job: Job) -> Twin:
    """The operator's own int64 meaning between two changes of carrier: for what no float type holds."""
    op = operator(job.node.op)
    dtype = job.carrier

    def kernel(xs: Sequence[Carried], scratch: Scratch) -> Carried:
        computed = iter(xs)
        codes = [v.data if v.data is not None else from_carrier(next(computed), v.format, np.int64) for v in job.ins]
        (out,) = op.evaluate(job.node, job.ins, (job.out,), codes)
        return to_carrier(out, job.out.format, dtype)

    return Twin(kernel, "int64")


def finished(job: Job, stage: Stage, kernel: Kernel) -> Twin:
    """The twin of an arithmetic operator whose kernel leaves numbers that only `stage.finish` still has to see."""
    dtype = job.carrier

    def run(xs: Sequence[Carried], scratch: Scratch) -> Carried:
        return stage.finish(kernel(xs, scratch)).astype(dtype, copy=False)

    return Twin(run, np.dtype(stage.dtype).name)
