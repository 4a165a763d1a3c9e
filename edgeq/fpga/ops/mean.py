"""mean: the exact mean over some axes, as a pool over rows of one pixel."""

from __future__ import annotations

from edgeq.fpga.lowering import Lowering
from edgeq.fpga.ops._mean import mean_engine, over_axes, sum_engine
from edgeq.ir import Node


def lower(ctx: Lowering, node: Node) -> None:
    """With a multiplier in place of the division it is a sum."""
    source, window = over_axes(ctx, node)
    if "multiplier" in node.attrs:
        sum_engine(ctx, node, source, window)
    else:
        mean_engine(ctx, node, source, window, count_pad=True)
