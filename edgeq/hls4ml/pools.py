"""Pools for hls4ml: maxima beside padding that cannot win, means divided with enough bits to round like exact ones."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from edgeq.hls4ml.matrix import window
from edgeq.hls4ml.movement import flattens, zero_padding
from edgeq.hls4ml.plan import Plan, operand
from edgeq.hls4ml.precision import ApType, holding, refusal, type_of
from edgeq.ir import Node, operator


def max_pool(plan: Plan, node: Node) -> None:
    """Pooling of kind Max. Its own padding of an unsigned type is 2^(width-1), which wins: zeros are put in before."""
    x = operand(plan, node, 0)
    source, kind = plan.at[x.name]
    padding, kernel = node.ints("padding"), node.ints("kernel")
    if any(d != 1 and k > 1 for d, k in zip(node.ints("dilation"), kernel, strict=True)):
        raise refusal(node, "its window is dilated; hls4ml's pools have no dilation")
    shape = x.shape
    if any(padding) and not kind.sign:
        source, shape = zero_padding(plan, f"{node.name}_padded", source, shape, padding, kind)
        padding = (0,) * len(padding)
    attributes = _window(plan, node, shape, padding)
    name = node.outputs[0]
    kind = kind.plain
    plan.add(f"MaxPooling{len(kernel)}D", name, [source], attributes, {"result": kind, "accum": kind}, name)


def average_pool(plan: Plan, node: Node) -> None:
    """Pooling of kind Average; padding that counts is put in before."""
    x = operand(plan, node, 0)
    source, kind = plan.at[x.name]
    padding, shape = node.ints("padding"), x.shape
    if any(padding) and node.integer("include_pad"):
        source, shape = zero_padding(plan, f"{node.name}_padded", source, shape, padding, kind)
        padding = (0,) * len(padding)
    attributes = _window(plan, node, shape, padding)
    types = {"accum": divided(plan, node, prod(node.ints("kernel")))}
    plan.arithmetic(f"AveragePooling{len(node.ints('kernel'))}D", node, [source], attributes, types)


def mean(plan: Plan, node: Node) -> None:
    """GlobalAveragePooling, where the mean is over all spatial axes."""
    x, out = operand(plan, node, 0), plan.graph.values[node.outputs[0]]
    rank = len(x.shape) - 1
    if rank not in (1, 2) or node.ints("axes") != tuple(range(rank)):
        raise refusal(node, f"mean over axes {node.ints('axes')} of {x.shape}; hls4ml's is over all axes but the last")
    attributes: dict[str, Any] = {"data_format": "channels_last", "n_filt": x.shape[-1]}
    names = ("n_in",) if rank == 1 else ("in_height", "in_width")
    attributes |= dict(zip(names, x.shape, strict=False))
    types = {"accum": divided(plan, node, prod(x.shape[:-1]))}
    if len(out.shape) > 1 and any(not flattens(reader) for reader in plan.graph.consumers(out.name)):
        raise refusal(node, "keeps axes of size 1 that a later layer reads; hls4ml's mean has none")
    plan.arithmetic(f"GlobalAveragePooling{rank}D", node, [plan.at[x.name][0]], attributes, types)


def divided(plan: Plan, node: Node, terms: int) -> ApType:
    """The accumulator of a mean: so fine a fraction that its truncated quotient rounds as the exact one.

    a / n and a rounding boundary k / 2 of the output's grid are either equal or at least 1 / (n 2^max(f, g + 1)) apart,
    f and g the binary points of input and output. A quotient cut off below that is on the same side of every boundary.
    """
    ins = plan.graph.ins(node)
    bounds = operator(node.op).bounds(node, ins, [plan.ranges.values[v.name] for v in ins])
    assert bounds is not None
    point = type_of(ins[0]).frac
    fine = max(point, type_of(plan.graph.values[node.outputs[0]]).frac + 1) + terms.bit_length() + 1
    return holding(min(bounds.lo[0], -1) << (fine - point), max(bounds.hi[0], 0) << (fine - point), fine)


def _window(plan: Plan, node: Node, shape: Sequence[int], padding: Sequence[int]) -> dict[str, Any]:
    """Attributes of a pool of an input of that shape; refused where its streams cannot."""
    kernel, stride, out = node.ints("kernel"), node.ints("stride"), plan.graph.values[node.outputs[0]].shape
    if plan.stream and (any(padding) or stride != kernel):
        what = "padding" if any(padding) else f"a stride {stride} that is not its window {kernel}"
        raise refusal(node, f"a streaming pool of hls4ml takes no {what}; use --io parallel")
    found: dict[str, Any] = window(shape, out, kernel, stride, padding, "pool")
    if len(kernel) == 1:
        found |= {"n_in": found["in_width"], "n_out": found["out_width"]}
    return found | {"data_format": "channels_last", "n_filt": out[-1], "count_pad": False}
