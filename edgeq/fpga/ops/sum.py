"""sum: the exact sum over some axes."""

from __future__ import annotations

from edgeq.fpga.lowering import Lowering
from edgeq.fpga.ops._mean import over_axes, sum_engine
from edgeq.ir import Node


def lower(ctx: Lowering, node: Node) -> None:
    """A depthwise engine whose weights are all one."""
    source, window = over_axes(ctx, node)
    sum_engine(ctx, node, source, window)
