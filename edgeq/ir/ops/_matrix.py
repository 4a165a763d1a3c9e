"""What convolutions and matrix products share: accumulator grid per output channel, bias, worst case."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeq.formats.rounding import Int64Array
from edgeq.ir.graph import Node, Value
from edgeq.ir.operator import Bounds, Grid, Interval, Operator, frac_of


def accumulator_frac(x: Value, weight: Value) -> tuple[int, ...]:
    """Binary point of each output channel's products."""
    channels = weight.shape[0]
    w = weight.format.frac
    return tuple(f + frac_of(x) for f in (w if isinstance(w, tuple) else (w,) * channels))


def check_weight_and_bias(op: Operator, node: Node, ins: Sequence[Value]) -> None:
    """Weights are constant; a bias is constant, one per output channel, and no finer than the products."""
    x, weight = ins[0], ins[1]
    if not weight.constant:
        raise op.fail(node, f"weight {weight.name} must be constant; use matmul for two computed operands")
    if weight.format.channel_axis not in (None, 0):
        raise op.fail(node, f"weight {weight.name} may differ per output channel (axis 0) only")
    if len(ins) < 3:
        return
    bias = ins[2]
    if not bias.constant or bias.shape != (weight.shape[0],):
        raise op.fail(node, f"bias {bias.name} must be a constant of shape ({weight.shape[0]},), not {bias.shape}")
    b = bias.format.frac
    fine = b if isinstance(b, tuple) else (b,) * weight.shape[0]
    for channel, (have, grid) in enumerate(zip(fine, accumulator_frac(x, weight), strict=True)):
        if have > grid:
            raise op.fail(
                node,
                f"bias of channel {channel} has binary point {have}, finer than its products' {grid}; "
                "round the bias to the grid of the products when the graph is made",
            )


def aligned_bias(x: Value, weight: Value, bias: Value) -> Int64Array:
    """Bias as grid integers on the grid of the products, for sums of up to 63 bits."""
    assert bias.data is not None
    frac = np.asarray(bias.format.frac, dtype=np.int64)
    shift = np.asarray(accumulator_frac(x, weight), dtype=np.int64) - frac
    aligned: Int64Array = bias.format.to_grid(bias.data) << np.minimum(shift, 62)
    return aligned


def add_bias(num: Grid, ins: Sequence[Value]) -> Grid:
    """`num` plus the bias, if the node has one."""
    if len(ins) < 3:
        return num
    with_bias: Grid = num + (np.array(bias_terms(ins), object) if num.dtype == object else aligned_bias(*ins))
    return with_bias


def matrix_bounds(ins: Sequence[Value], ranges: Sequence[Interval]) -> Bounds:
    """Bounds of every partial sum, whatever the order: positive and negative terms are added apart."""
    x, weight = ins[0], ins[1]
    pos, neg = weight.row_sums
    high, low = max(ranges[0].hi, 0), min(ranges[0].lo, 0)
    bias = bias_terms(ins)
    lo = tuple(p * low + n * high + min(b, 0) for p, n, b in zip(pos, neg, bias, strict=True))
    hi = tuple(p * high + n * low + max(b, 0) for p, n, b in zip(pos, neg, bias, strict=True))
    return Bounds(lo, hi, accumulator_frac(x, weight))


def bias_terms(ins: Sequence[Value]) -> list[int]:
    """The bias of each channel on the product grid, in Python integers (0 without a bias)."""
    if len(ins) < 3 or ins[2].data is None:
        return [0] * ins[1].shape[0]
    bias = ins[2]
    assert bias.data is not None
    b = bias.format.frac
    fracs = b if isinstance(b, tuple) else (b,) * bias.size
    grid = bias.format.to_grid(bias.data)
    points = accumulator_frac(ins[0], ins[1])
    return [int(g) << min(p - f, 256) for g, p, f in zip(grid, points, fracs, strict=True)]


def group_split(x: Grid, groups: int) -> Grid:
    """View (..., C) as (..., groups, C / groups)."""
    return x.reshape(*x.shape[:-1], groups, x.shape[-1] // groups)


def at_tap(per_group: Grid, tap: Sequence[int]) -> Grid:
    """Weights (groups, O / groups, C / groups) of one tap of (groups, O / groups, *kernel, C / groups)."""
    index: tuple[slice | int, ...] = (slice(None), slice(None), *tap)
    return per_group[index]
