"""Which operators hls4ml is given, and by what."""

from __future__ import annotations

from collections.abc import Callable

from edgeq.hls4ml.elementwise import add, concat, maximum, minimum, mul, requantise, sub
from edgeq.hls4ml.matrix import conv, linear
from edgeq.hls4ml.movement import pad, reshape
from edgeq.hls4ml.plan import Plan
from edgeq.hls4ml.pools import average_pool, max_pool, mean
from edgeq.ir import Node

#: operator -> what appends its layers to a plan
LAYERS: dict[str, Callable[[Plan, Node], None]] = {
    "linear": linear,
    "conv": conv,
    "max_pool": max_pool,
    "average_pool": average_pool,
    "mean": mean,
    "add": add,
    "sub": sub,
    "mul": mul,
    "maximum": maximum,
    "minimum": minimum,
    "concat": concat,
    "requantise": requantise,
    "reshape": reshape,
    "pad": pad,
}
