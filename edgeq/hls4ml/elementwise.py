"""Layers of one element each for hls4ml: sums, products, extremes, joins, and conversions between formats."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edgeq.hls4ml.matrix import one_grid, real
from edgeq.hls4ml.plan import Plan, operand
from edgeq.hls4ml.precision import expect_roundable, holding, product, refusal, result_type, total
from edgeq.ir import Node, Value

Grid = npt.NDArray[np.int64]


def add(plan: Plan, node: Node) -> None:
    """Merge, or a BatchNormalization of scale 1 where an operand is constant."""
    _join(plan, node, "add")


def sub(plan: Plan, node: Node) -> None:
    """Merge, or a BatchNormalization of scale 1 or -1 where an operand is constant."""
    _join(plan, node, "subtract")


def mul(plan: Plan, node: Node) -> None:
    """Merge, or a BatchNormalization without bias where an operand is constant."""
    _join(plan, node, "multiply")


def maximum(plan: Plan, node: Node) -> None:
    """Merge; its operands are compared as they are."""
    _merge(plan, node, "maximum")


def minimum(plan: Plan, node: Node) -> None:
    """Merge; its operands are compared as they are."""
    _merge(plan, node, "minimum")


def requantise(plan: Plan, node: Node) -> None:
    """A linear Activation: one conversion. Where the type stays the same there is nothing to convert."""
    x, name = operand(plan, node, 0), node.outputs[0]
    result, clip = result_type(node, plan.graph.values[name])
    if clip is None and result == plan.type_at(x.name):
        plan.alias(name, x.name)
        return
    plan.arithmetic(
        "Activation",
        node,
        [plan.at[x.name][0]],
        {"activation": "linear", "n_in": x.size},
        {},
        exact=plan.type_at(x.name),
    )


def concat(plan: Plan, node: Node) -> None:
    """Concatenate two at a time; the result type converts each element once, what it holds it keeps."""
    values = [operand(plan, node, i) for i in range(len(node.inputs))]
    rank, axis = len(values[0].shape), node.integer("axis")
    if rank > 3 or len(values) < 2:
        raise refusal(node, f"joins {len(values)} tensors of {rank} axes; hls4ml joins 2 or more of at most 3 axes")
    if plan.stream and axis != rank - 1:
        raise refusal(node, f"streams are joined along channels, not along axis {axis}; use --io parallel")
    result, clip = result_type(node, plan.graph.values[node.outputs[0]])
    if clip is not None:
        raise refusal(node, f"clamps to the codes {clip[0]}..{clip[1]} while it joins; requantise what it joins before")
    for value in values:
        expect_roundable(node, plan.type_at(value.name), result)
    attributes = {"axis": axis + 1, "op": f"concatenate{rank}d"}
    source = plan.at[values[0].name][0]
    for i, value in enumerate(values[1:], 2):
        last = i == len(values)
        name = node.outputs[0] if last else None
        inputs = [source, plan.at[value.name][0]]
        source = plan.add("Concatenate", name or f"{node.name}_{i}", inputs, dict(attributes), {"result": result}, name)


def _join(plan: Plan, node: Node, word: str) -> None:
    """A sum, difference or product of two tensors or of a tensor and numbers that are known."""
    constants = [plan.graph.values[name].constant for name in node.inputs]
    if any(constants):
        _scaled(plan, node, word, constants.index(True))
    else:
        _merge(plan, node, word)


def _merge(plan: Plan, node: Node, word: str) -> None:
    a, b = operand(plan, node, 0), operand(plan, node, 1)
    if a.shape != b.shape:
        raise refusal(node, f"its operands {a.shape} and {b.shape} differ; hls4ml is given two of one shape")
    kinds = plan.type_at(a.name), plan.type_at(b.name)
    if word in ("maximum", "minimum"):  # one or the other is converted
        expect_roundable(node, kinds[1], result_type(node, plan.graph.values[node.outputs[0]])[0])
        exact = kinds[0]
    else:
        exact = product(*kinds) if word == "multiply" else total(*kinds)
    plan.arithmetic("Merge", node, [plan.at[v.name][0] for v in (a, b)], {"op": word}, {}, exact=exact)


def _scaled(plan: Plan, node: Node, word: str, constant: int) -> None:
    """x * scale + bias of each channel, for an operand that is constant."""
    x, known = operand(plan, node, 1 - constant), plan.graph.values[node.inputs[constant]]
    grid, frac = one_grid(node, known)
    numbers = _per_channel(node, x, known, grid)
    ones, zeros = np.ones_like(numbers), np.zeros_like(numbers)
    if word == "multiply":
        scale, scale_frac, bias, bias_frac = numbers, frac, zeros, 0
    else:
        minus = word == "subtract"
        scale, scale_frac = -ones if minus and constant == 0 else ones, 0
        bias, bias_frac = -numbers if minus and constant == 1 else numbers, frac
    if not bias.any() and np.array_equal(real(scale, scale_frac), ones):
        # hls4ml drops a normalisation that changes nothing, and its conversion with it
        plan.arithmetic(
            "Activation",
            node,
            [plan.at[x.name][0]],
            {"activation": "linear", "n_in": x.size},
            {},
            exact=plan.type_at(x.name),
        )
        return
    types = {
        "scale": holding(int(scale.min()), int(scale.max()), scale_frac),
        "bias": holding(int(bias.min()), int(bias.max()), bias_frac),
    }
    attributes = {
        "n_in": x.size,
        "n_filt": x.shape[-1] if len(x.shape) > 1 else -1,
        "scale_data": real(scale, scale_frac),
        "bias_data": real(bias, bias_frac),
    }
    exact = total(product(plan.type_at(x.name), types["scale"]), types["bias"])
    plan.arithmetic("BatchNormalization", node, [plan.at[x.name][0]], attributes, types, exact=exact)


def _per_channel(node: Node, x: Value, known: Value, grid: Grid) -> Grid:
    """The constant as one number for each channel of x; refused where it has more or makes the result larger."""
    channels = x.shape[-1]
    if (
        len(known.shape) > len(x.shape)
        or known.size not in (1, channels)
        or known.shape[-1:] not in ((1,), (channels,))
    ):
        raise refusal(node, f"its constant {known.shape} is not one number or one for each channel of {x.shape}")
    return np.broadcast_to(grid.reshape(-1), (channels,)).copy()
