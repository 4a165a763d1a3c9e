"""reshape and pad for hls4ml: codes that move."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgeq.hls4ml.plan import Plan, operand
from edgeq.hls4ml.precision import ApType, refusal
from edgeq.ir import Node


def reshape(plan: Plan, node: Node) -> None:
    """Reshape; none at the end of the network, nor after a mean, which gives hls4ml one axis anyway."""
    x, name = operand(plan, node, 0), node.outputs[0]
    readers, before = plan.graph.consumers(name), plan.graph.producer(x.name)
    if not readers or (before is not None and before.op == "mean" and flattens(node)):
        plan.alias(name, x.name)
        return
    shape = node.ints("shape")
    if plan.stream and len(shape) == 1 < len(x.shape):
        # hls4ml leaves such a stream packed by pixels, and its dense layer alone gathers them
        other = next((reader.label for reader in readers if reader.op != "linear"), None)
        if other is not None or name in plan.graph.outputs:
            raise refusal(
                node, f"streams flatten into linear layers alone, not into {other or 'outputs'}; --io parallel"
            )
    source, kind = plan.at[x.name]
    plan.add("Reshape", name, [source], {"target_shape": list(shape)}, {"result": kind}, name)


def flattens(node: Node) -> bool:
    """Whether a node makes one axis of all."""
    return node.op == "reshape" and len(node.ints("shape")) == 1


def pad(plan: Plan, node: Node) -> None:
    """ZeroPadding of the spatial axes."""
    x, name = operand(plan, node, 0), node.outputs[0]
    padding = node.ints("padding")
    if node.text("mode") != "constant" or node.integer("value", 0) != 0:
        raise refusal(node, f"hls4ml pads with zeros, not by mode {node.text('mode')} of {node.integer('value', 0)}")
    if len(x.shape) not in (2, 3) or any(padding[-2:]):
        raise refusal(node, f"padding {padding} of {x.shape}; hls4ml pads one or two axes before the channels")
    source, kind = plan.at[x.name]
    zero_padding(plan, name, source, x.shape, padding[:-2], kind, name)


def zero_padding(
    plan: Plan,
    what: str,
    source: str,
    shape: Sequence[int],
    padding: Sequence[int],
    kind: ApType,
    value: str | None = None,
) -> tuple[str, tuple[int, ...]]:
    """Append zeros around the spatial axes; name of the layer and its shape. `kind`: the type of what it pads."""
    rank = len(shape) - 1
    out = tuple(n + padding[2 * i] + padding[2 * i + 1] for i, n in enumerate(shape[:-1]))
    attributes: dict[str, Any] = {"data_format": "channels_last", "n_chan": shape[-1]}
    for i, axis in enumerate(("height", "width")[2 - rank :]):
        sides = (("top", "bottom"), ("left", "right"))[2 - rank + i]
        attributes |= {f"in_{axis}": shape[i], f"out_{axis}": out[i]}
        attributes |= {f"pad_{side}": padding[2 * i + j] for j, side in enumerate(sides)}
    # hls4ml gives such a layer the very type of its input
    name = plan.add(f"ZeroPadding{rank}D", what, [source], attributes, {"result": kind}, value)
    return name, (*out, shape[-1])
