"""conv: convolution over one or two spatial axes, with groups (depthwise when groups equals the channels)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeq.ir.graph import Node, Shape, Value
from edgeq.ir.operator import OUTPUT_STAGE, Arithmetic, Bounds, Exact, Grid, Interval
from edgeq.ir.ops import _matrix
from edgeq.ir.window import WINDOW_ATTRIBUTES, check_window, out_sizes, taps


class Conv(Arithmetic):
    """x (*spatial, C), weight (O, *kernel, C / groups), bias (O) -> (*out, O). Padding is the value zero."""

    name = "conv"
    operands = ("x", "weight", "bias?")
    attributes = {**WINDOW_ATTRIBUTES, "groups": "number of channel groups", **OUTPUT_STAGE}

    def shapes(self, node: Node, ins: Sequence[Value]) -> tuple[Shape, ...]:
        x, weight = ins[0], ins[1]
        rank = len(x.shape) - 1
        if rank not in (1, 2) or len(weight.shape) != rank + 2:
            raise self.fail(node, f"input {x.shape} and weight {weight.shape} must have 1 or 2 spatial axes")
        check_window(self, node, rank, ("stride", "padding", "dilation"))
        groups = node.integer("groups")
        if groups < 1 or x.shape[-1] != weight.shape[-1] * groups or weight.shape[0] % groups:
            raise self.fail(node, f"{groups} groups do not fit input {x.shape} and weight {weight.shape}")
        stride, padding, dilation = node.ints("stride"), node.ints("padding"), node.ints("dilation")
        out = out_sizes(self, node, x.shape[:-1], weight.shape[1:-1], stride, padding, dilation)
        return ((*out, weight.shape[0]),)

    def rule(self, node: Node, ins: Sequence[Value], outs: Sequence[Value]) -> None:
        super().rule(node, ins, outs)
        _matrix.check_weight_and_bias(self, node, ins)

    def per_channel_input(self, node: Node, ins: Sequence[Value], value: Value) -> bool:
        return value in ins[1:]

    def exact(self, node: Node, ins: Sequence[Value], grids: Sequence[Grid]) -> Exact:
        x, w = grids[0], grids[1]
        (out,) = self.shapes(node, ins)
        groups, kernel = node.integer("groups"), w.shape[1:-1]
        per_group = w.reshape(groups, w.shape[0] // groups, *w.shape[1:])
        num = np.zeros((x.shape[0], *out), dtype=x.dtype)
        windows = taps(x, kernel, node.ints("stride"), node.ints("padding"), node.ints("dilation"), out[:-1], 0)
        for tap, view in windows:
            seen = _matrix.group_split(view, groups)
            term = np.einsum("...gc,goc->...go", seen, _matrix.at_tap(per_group, tap))
            num += term.reshape(num.shape)
        frac = np.asarray(_matrix.accumulator_frac(ins[0], ins[1]), dtype=np.int64)
        return Exact(_matrix.add_bias(num, ins), frac)

    def bounds(self, node: Node, ins: Sequence[Value], ranges: Sequence[Interval]) -> Bounds:
        return _matrix.matrix_bounds(ins, ranges)

    def macs(self, node: Node, ins: Sequence[Value], outs: Sequence[Value]) -> int:
        return outs[0].size * ins[1].size // ins[1].shape[0]
