"""The fast twins, one file for each operator that has one; the others run the reference, and are named here."""

from __future__ import annotations

from collections.abc import Callable

from edgeq.emulator.kernel import Job, Twin, reference_twin
from edgeq.emulator.ops.add import compile_add
from edgeq.emulator.ops.argmax import compile_argmax
from edgeq.emulator.ops.average_pool import compile_average_pool
from edgeq.emulator.ops.concat import compile_concat
from edgeq.emulator.ops.conv import compile_conv
from edgeq.emulator.ops.conv_transpose import compile_conv_transpose
from edgeq.emulator.ops.linear import compile_linear
from edgeq.emulator.ops.matmul import compile_matmul
from edgeq.emulator.ops.max_pool import compile_max_pool
from edgeq.emulator.ops.maximum import compile_maximum
from edgeq.emulator.ops.mean import compile_mean
from edgeq.emulator.ops.minimum import compile_minimum
from edgeq.emulator.ops.movement import compile_movement
from edgeq.emulator.ops.mul import compile_mul
from edgeq.emulator.ops.pad import compile_pad
from edgeq.emulator.ops.prelu import compile_prelu
from edgeq.emulator.ops.requantise import compile_requantise
from edgeq.emulator.ops.select import compile_select
from edgeq.emulator.ops.sigmoid_lines import compile_sigmoid_lines
from edgeq.emulator.ops.sub import compile_sub
from edgeq.emulator.ops.sum import compile_sum
from edgeq.emulator.ops.table import compile_table
from edgeq.emulator.ops.within import compile_within

#: operator -> compiler of its fast twin; None where this node's sums need int64
FAST: dict[str, Callable[[Job], Twin | None]] = {
    "add": compile_add,
    "argmax": compile_argmax,
    "average_pool": compile_average_pool,
    "concat": compile_concat,
    "conv": compile_conv,
    "conv_transpose": compile_conv_transpose,
    "gather": compile_movement,
    "linear": compile_linear,
    "matmul": compile_matmul,
    "max_pool": compile_max_pool,
    "maximum": compile_maximum,
    "mean": compile_mean,
    "minimum": compile_minimum,
    "mul": compile_mul,
    "pad": compile_pad,
    "prelu": compile_prelu,
    "requantise": compile_requantise,
    "reshape": compile_movement,
    "resize_nearest": compile_movement,
    "select": compile_select,
    "sigmoid_lines": compile_sigmoid_lines,
    "slice": compile_movement,
    "sub": compile_sub,
    "sum": compile_sum,
    "table": compile_table,
    "transpose": compile_movement,
    "within": compile_within,
}

#: operators whose own meaning is as fast as a twin would be
REFERENCE = frozenset({"resize_bilinear", "softmax", "softmax_lines", "softmax_reciprocal"})


def compile_job(job: Job) -> Twin:
    """The fastest exact twin of a node."""
    compiler = FAST.get(job.node.op)
    return (compiler(job) if compiler else None) or reference_twin(job)
