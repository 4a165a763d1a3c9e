"""linear and conv for hls4ml: one type for all weights, one for all biases, an accumulator that nothing overflows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.hls4ml.plan import Plan, operand
from edgeq.hls4ml.precision import ApType, holding, refusal, type_of
from edgeq.ir import Node, Value, operator

Grid = npt.NDArray[np.int64]
#: bits of a weight that hls4ml's arrays of doubles hold
_EXACT = 53


def linear(plan: Plan, node: Node) -> None:
    """Dense, or a convolution of kernel one where the layer works on each pixel."""
    x, weight = operand(plan, node, 0), plan.graph.values[node.inputs[1]]
    grid, frac = one_grid(node, weight)
    rank = len(x.shape) - 1
    if rank == 0:
        attributes = {"n_in": x.size, "n_out": weight.shape[0], "weight_data": real(grid.T, frac)}
        _append(
            plan,
            node,
            "Dense",
            attributes,
            holding(int(grid.min()), int(grid.max()), frac),
            (weight.shape[1], weight.shape[0]),
        )
        return
    if rank > 2:
        raise refusal(node, f"its input has {rank + 1} axes; hls4ml is given at most 3")
    spread = grid.T.reshape((1,) * rank + grid.T.shape)
    _convolution(plan, node, spread, frac, (1,) * rank, (0,) * (2 * rank), False)


def conv(plan: Plan, node: Node) -> None:
    """Conv or DepthwiseConv; other groups, and dilation, become zeros among the weights of a plain convolution."""
    x, weight = operand(plan, node, 0), plan.graph.values[node.inputs[1]]
    grid, frac = one_grid(node, weight)
    rank, groups = len(x.shape) - 1, node.integer("groups")
    grid = _dilated(grid, node.ints("dilation"))
    depthwise = 1 < groups == x.shape[-1] == weight.shape[0]
    if not depthwise:
        grid = _ungrouped(grid, groups)
    # (O, *kernel, C) -> (*kernel, C, O); depthwise (O, *kernel, 1) -> (*kernel, O, 1)
    axes = (*range(1, rank + 1), 0, rank + 1) if depthwise else (*range(1, rank + 2), 0)
    _convolution(plan, node, grid.transpose(axes), frac, node.ints("stride"), node.ints("padding"), depthwise)


def one_grid(node: Node, value: Value) -> tuple[Grid, int]:
    """A constant's grid integers on one binary point, the finest of its channels'; and that point."""
    assert value.data is not None
    if value.format.kind == "affine":
        type_of(value)  # which refuses
    grid, frac = value.format.to_grid(value.data), value.format.frac
    if isinstance(frac, int):
        return grid, frac
    axis = value.format.channel_axis or 0
    shifts = np.array([max(frac) - f for f in frac], dtype=np.int64)
    shifts = shifts.reshape([-1 if i == axis else 1 for i in range(grid.ndim)])
    widest = max(((int(g).bit_length() + int(s)) for g, s in zip(_peaks(grid, axis), shifts.ravel(), strict=True)))
    if widest > _EXACT:
        raise refusal(node, f"{value.name}: its channels on one binary point need {widest} bits, hls4ml holds {_EXACT}")
    return grid << shifts, max(frac)


def _peaks(grid: Grid, axis: int) -> Grid:
    """The greatest magnitude of each channel."""
    peaks: Grid = np.abs(np.moveaxis(grid, axis, 0).reshape(grid.shape[axis], -1)).max(axis=1)
    return peaks


def real(grid: Grid, frac: int) -> npt.NDArray[np.float64]:
    """Grid integers as the real numbers that they stand for, exactly."""
    return np.ldexp(grid.astype(np.float64), -frac)


def accumulator(plan: Plan, node: Node) -> ApType:
    """A type that holds every partial sum in any order, biases included, on the finest grid of its channels."""
    ins = plan.graph.ins(node)
    bounds = operator(node.op).bounds(node, ins, [plan.ranges.values[v.name] for v in ins])
    assert bounds is not None
    frac = max(bounds.frac)
    lo = min(low << (frac - f) for low, f in zip(bounds.lo, bounds.frac, strict=True))
    hi = max(high << (frac - f) for high, f in zip(bounds.hi, bounds.frac, strict=True))
    # signed always: the sums of a layer without negative weights are cast to what comes next as any other
    return holding(min(lo, -1), max(hi, 0), frac)


def _append(
    plan: Plan, node: Node, kind: str, attributes: dict[str, Any], weight: ApType, matrix: tuple[int, int]
) -> None:
    """Append a layer of weights with its bias and its types."""
    types = {"weight": weight, "accum": accumulator(plan, node)}
    if len(node.inputs) > 2:
        grid, frac = one_grid(node, plan.graph.values[node.inputs[2]])
        types["bias"] = holding(int(grid.min()), int(grid.max()), frac)
        attributes["bias_data"] = real(grid, frac)
    plan.arithmetic(kind, node, [plan.at[node.inputs[0]][0]], attributes, types, matrix)


def _convolution(
    plan: Plan, node: Node, grid: Grid, frac: int, stride: Sequence[int], padding: Sequence[int], depthwise: bool
) -> None:
    """Append a convolution of weights (*kernel, C, O), or (*kernel, C, 1) of a depthwise one."""
    x, out = plan.graph.values[node.inputs[0]], plan.graph.values[node.outputs[0]]
    rank = len(x.shape) - 1
    if plan.stream and rank == 2 and grid.shape[0] == 1 < stride[0] and (depthwise or grid.shape[1] > 1):
        # hls4ml's streams forget the vertical stride of a kernel of one row: it gets a second one, of zeros
        grid = np.concatenate([grid, np.zeros_like(grid)])
        padding = (padding[0], padding[1] + 1, *padding[2:])
    attributes: dict[str, Any] = {
        "data_format": "channels_last",
        "n_chan": x.shape[-1],
        "n_filt": out.shape[-1],
        **window(x.shape, out.shape, grid.shape[:rank], stride, padding, "filt"),
    }
    # of a depthwise layer the product is element by element
    matrix = (grid.size, 1) if depthwise else (grid.size // out.shape[-1], out.shape[-1])
    kind = f"{'Depthwise' if depthwise else ''}Conv{rank}D"
    attributes["depthwise_data" if depthwise else "weight_data"] = real(grid, frac)
    if depthwise:
        attributes["depth_multiplier"] = 1
    _append(plan, node, kind, attributes, holding(int(grid.min()), int(grid.max()), frac), matrix)


def window(
    x: Sequence[int],
    out: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    what: str,
) -> dict[str, int]:
    """hls4ml's attributes of a window that slides over x (*spatial, C); `what`: "filt" or "pool"."""
    axes = ("height", "width")[2 - len(kernel) :]
    sides = (("top", "bottom"), ("left", "right"))[2 - len(kernel) :]
    found: dict[str, int] = {}
    for i, axis in enumerate(axes):
        found |= {f"in_{axis}": x[i], f"out_{axis}": out[i], f"{what}_{axis}": kernel[i], f"stride_{axis}": stride[i]}
        found |= {f"pad_{sides[i][0]}": padding[2 * i], f"pad_{sides[i][1]}": padding[2 * i + 1]}
    return found


def _dilated(grid: Grid, dilation: Sequence[int]) -> Grid:
    """Weights (O, *kernel, C) with dilation - 1 zeros between taps."""
    sizes = [d * (k - 1) + 1 for d, k in zip(dilation, grid.shape[1:-1], strict=True)]
    spread = np.zeros((grid.shape[0], *sizes, grid.shape[-1]), dtype=np.int64)
    spread[(slice(None), *(slice(None, None, d) for d in dilation))] = grid
    return spread


def _ungrouped(grid: Grid, groups: int) -> Grid:
    """Weights (O, *kernel, C / groups) as (O, *kernel, C), zero where a filter does not look."""
    if groups == 1:
        return grid
    each, seen = grid.shape[0] // groups, grid.shape[-1]
    whole = np.zeros((*grid.shape[:-1], seen * groups), dtype=np.int64)
    for g in range(groups):
        rows = slice(g * each, (g + 1) * each)
        whole[rows, ..., g * seen : (g + 1) * seen] = grid[rows]
    return whole
