"""conv_transpose: transposed convolution (the gradient of conv) over one or two spatial axes, with groups."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np

from edgeq.ir.graph import Node, Shape, Value
from edgeq.ir.operator import OUTPUT_STAGE, Arithmetic, Bounds, Exact, Grid, Interval
from edgeq.ir.ops import _matrix
from edgeq.ir.window import WINDOW_ATTRIBUTES, check_window


class ConvTranspose(Arithmetic):
    """x (*spatial, C), weight (O, *kernel, C / groups), bias (O) -> (*out, O).

    Input position i adds its product with tap t at output i * stride + t * dilation - padding_begin;
    out = (in - 1) * stride + dilation * (kernel - 1) + 1 + output_padding - padding.
    """

    name = "conv_transpose"
    operands = ("x", "weight", "bias?")
    attributes = {
        **WINDOW_ATTRIBUTES,
        "padding": "rows or columns cut off (begin, end) for each spatial axis, flattened",
        "output_padding": "rows or columns added at the end of each spatial axis",
        "groups": "number of channel groups",
        **OUTPUT_STAGE,
    }

    def shapes(self, node: Node, ins: Sequence[Value]) -> tuple[Shape, ...]:
        x, weight = ins[0], ins[1]
        rank = len(x.shape) - 1
        if rank not in (1, 2) or len(weight.shape) != rank + 2:
            raise self.fail(node, f"input {x.shape} and weight {weight.shape} must have 1 or 2 spatial axes")
        check_window(self, node, rank, ("stride", "padding", "dilation", "output_padding"))
        groups = node.integer("groups")
        if groups < 1 or x.shape[-1] != weight.shape[-1] * groups or weight.shape[0] % groups:
            raise self.fail(node, f"{groups} groups do not fit input {x.shape} and weight {weight.shape}")
        out = []
        for i, n in enumerate(x.shape[:-1]):
            reach = node.ints("dilation")[i] * (weight.shape[1 + i] - 1) + 1
            cut = node.ints("padding")[2 * i] + node.ints("padding")[2 * i + 1]
            out.append((n - 1) * node.ints("stride")[i] + reach + node.ints("output_padding")[i] - cut)
            if out[-1] < 1:
                raise self.fail(node, f"padding {cut} leaves nothing of axis {i}")
        return ((*out, weight.shape[0]),)

    def rule(self, node: Node, ins: Sequence[Value], outs: Sequence[Value]) -> None:
        super().rule(node, ins, outs)
        _matrix.check_weight_and_bias(self, node, ins)

    def per_channel_input(self, node: Node, ins: Sequence[Value], value: Value) -> bool:
        return value in ins[1:]

    def exact(self, node: Node, ins: Sequence[Value], grids: Sequence[Grid]) -> Exact:
        x, w = grids[0], grids[1]
        (out,) = self.shapes(node, ins)
        groups, rank = node.integer("groups"), len(out) - 1
        stride, dilation, padding = node.ints("stride"), node.ints("dilation"), node.ints("padding")
        per_group = w.reshape(groups, w.shape[0] // groups, *w.shape[1:])
        full = [
            max(
                (x.shape[1 + i] - 1) * stride[i] + dilation[i] * (w.shape[1 + i] - 1) + 1,
                out[i] + padding[2 * i],
            )
            for i in range(rank)
        ]
        num = np.zeros((x.shape[0], *full, out[-1]), dtype=x.dtype)
        seen = _matrix.group_split(x, groups)
        for tap in product(*(range(k) for k in w.shape[1:-1])):
            term = np.einsum("...gc,goc->...go", seen, _matrix.at_tap(per_group, tap))
            where = tuple(
                slice(t * d, t * d + s * (n - 1) + 1, s)
                for t, d, s, n in zip(tap, dilation, stride, x.shape[1:-1], strict=True)
            )
            num[(slice(None), *where)] += term.reshape(*x.shape[:-1], out[-1])
        keep = tuple(slice(padding[2 * i], padding[2 * i] + out[i]) for i in range(rank))
        frac = np.asarray(_matrix.accumulator_frac(ins[0], ins[1]), dtype=np.int64)
        return Exact(_matrix.add_bias(num[(slice(None), *keep)], ins), frac)

    def bounds(self, node: Node, ins: Sequence[Value], ranges: Sequence[Interval]) -> Bounds:
        return _matrix.matrix_bounds(ins, ranges)

    def macs(self, node: Node, ins: Sequence[Value], outs: Sequence[Value]) -> int:
        return ins[0].size * ins[1].size // ins[1].shape[-1] // node.integer("groups")
