"""Fine-tuning: weights and biases of an integer graph trained on, with every rounding of the graph in its place.

The graph itself is the network that is trained: its formats stay, whatever made them (mixed widths, patches), its
constants are learned as real numbers that are rounded to their formats in each step. Gradients pass a rounding as if it
were not there and stop where a number saturates (Jacob et al., arXiv 1712.05877).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from edgeq.errors import UnsupportedError
from edgeq.formats import DEFAULT_RULE, FixedPoint
from edgeq.ir import Graph, Node, Value, check
from edgeq.ir.operator import output_bounds
from edgeq.progress import Progress, silent

#: attributes of nodes that do more than round by a shift and saturate
_OTHER = ("multiplier", "a_multiplier", "overflow")
#: of AdamW
WEIGHT_DECAY = 1e-4


def rounded(x: Tensor) -> Tensor:
    """x rounded, ties up; the gradient of x."""
    return x + (torch.floor(x + 0.5) - x).detach()


class Twin(nn.Module):
    """A graph of fixed-point numbers as a torch module; its parameters are the graph's weights and biases.

    As long as sums stay below 2^24 (float32) or 2^53 (after `.double()`) steps of their grid, it computes the very
    numbers of the graph. UnsupportedError names a node that it does not know.
    """

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.graph = graph
        self.names: list[str] = []
        for node in graph.nodes:
            self._refuse(node)
            self.names += [v.name for v in graph.ins(node) if v.constant and v.name not in self.names]
        #: how many nodes read each value, so that a run drops what nobody needs any more
        self.readers: Counter[str] = Counter(name for node in graph.nodes for name in set(node.inputs))
        values = [graph.values[name] for name in self.names]
        self.constants = nn.ParameterList([nn.Parameter(torch.from_numpy(_decoded(v)).float()) for v in values])

    def forward(self, x: Tensor) -> Tensor:
        """Outputs of samples in the layout of the network, as real numbers."""
        (name,), (output,) = self.graph.inputs, self.graph.outputs
        value = self.graph.values[name]
        layout = self.graph.layouts.get(name, tuple(range(len(value.shape))))
        found = {n: self._constant(self.graph.values[n], p) for n, p in zip(self.names, self.constants, strict=True)}
        found[name] = _quantised(x.permute(0, *(axis + 1 for axis in layout)), value.format, None)
        left = dict(self.readers)
        for node in self.graph.nodes:
            given = [found[n] for n in node.inputs]
            result = self._within(node, *given) if node.op == "within" else _OPERATORS[node.op](node, given)
            (out,) = self.graph.outs(node)
            found[out.name] = result if node.op in _MOVING else _quantised(result, out.format, node)
            for used in set(node.inputs):
                left[used] -= 1
                if not left[used] and used != output:
                    del found[used]
        return found[output]

    def to_graph(self) -> Graph:
        """The graph with the constants as they are now."""
        values = dict(self.graph.values)
        for name, parameter in zip(self.names, self.constants, strict=True):
            value = values[name]
            steps = parameter.detach().double().numpy() * _step(value)
            codes = np.clip(np.floor(steps + 0.5), *value.format.grid_range).astype(np.int64)
            codes.setflags(write=False)
            values[name] = replace(value, data=codes)
        made = self.graph.replace(values=values)
        check(made)
        return made

    def _within(self, node: Node, x: Tensor) -> Tensor:
        """Whether all numbers of each sample lie between the bounds; nothing to learn from."""
        step = _step(self.graph.ins(node)[0])
        least, most = node.integer("least") / step, node.integer("most") / step
        inside = ((x >= least) & (x <= most)).flatten(1).all(dim=1, keepdim=True)
        bit: Tensor = inside.to(x.dtype)
        return bit

    def _constant(self, value: Value, parameter: Tensor) -> Tensor:
        """A weight or bias, rounded to its format."""
        step = torch.from_numpy(np.asarray(_step(value))).to(parameter.dtype)
        least, most = value.format.grid_range
        return rounded(parameter * step).clamp(least, most) / step

    def _refuse(self, node: Node) -> None:
        known = {*_OPERATORS, "within"}
        if node.op not in known:
            raise UnsupportedError(f"{node.label}: fine-tuning knows {', '.join(sorted(known))}")
        if any(key in node.attrs for key in _OTHER) or node.text("rounding", DEFAULT_RULE) != DEFAULT_RULE:
            raise UnsupportedError(f"{node.label}: fine-tuning knows shifts that round {DEFAULT_RULE} and saturate")
        for value in (*self.graph.ins(node), *self.graph.outs(node)):
            if type(value.format) is not FixedPoint:
                raise UnsupportedError(f"{node.label}: fine-tuning knows fixed point; {value.name} is {value.format}")


def _step(value: Value) -> Any:
    """Codes in one, of each element or of all."""
    frac = np.asarray(value.format.frac, dtype=np.float64)
    axis = value.format.channel_axis
    if axis is not None:
        frac = frac.reshape([-1 if i == axis else 1 for i in range(len(value.shape))])
    return 2.0**frac


def _decoded(value: Value) -> Any:
    assert value.data is not None
    return value.data / _step(value)


def _quantised(x: Tensor, fmt: Any, node: Node | None) -> Tensor:
    """Numbers as a format holds them, within the bounds of the node that computes them."""
    least, most = fmt.grid_range if node is None else output_bounds(node, fmt)
    step = 2.0**fmt.frac
    found: Tensor = rounded(x * step).clamp(least, most) / step
    return found


def _conv(node: Node, ins: list[Tensor]) -> Tensor:
    x, weight = ins[0].movedim(-1, 1), ins[1].movedim(-1, 1)
    padding = node.ints("padding")
    widths = [padding[2 * axis + side] for axis in reversed(range(len(padding) // 2)) for side in (0, 1)]
    if any(widths):
        x = functional.pad(x, widths)
    how: Any = functional.conv2d if x.ndim == 4 else functional.conv1d
    bias = ins[2] if len(ins) > 2 else None
    found: Tensor = how(x, weight, bias, node.ints("stride"), 0, node.ints("dilation"), node.integer("groups"))
    return found.movedim(1, -1)


def _slice(node: Node, ins: list[Tensor]) -> Tensor:
    parts = zip(node.ints("begin"), node.ints("end"), node.ints("step"), strict=True)
    return ins[0][(slice(None), *(slice(b, e, s) for b, e, s in parts))]


def _select(node: Node, ins: list[Tensor]) -> Tensor:
    """What is chosen learns."""
    condition, a, b = ins
    return torch.where(condition.reshape(-1, *(1 for _ in a.shape[1:])) != 0, a, b)


def _mean(node: Node, ins: list[Tensor]) -> Tensor:
    return ins[0].mean(dim=[a + 1 for a in node.ints("axes")], keepdim=bool(node.integer("keep_axes")))


#: what each operator does to channels-last tensors, batch first, before it rounds
_OPERATORS: dict[str, Callable[[Node, list[Tensor]], Tensor]] = {
    "conv": _conv,
    "linear": lambda node, ins: functional.linear(ins[0], ins[1], ins[2] if len(ins) > 2 else None),
    "add": lambda node, ins: ins[0] + ins[1],
    "sub": lambda node, ins: ins[0] - ins[1],
    "requantise": lambda node, ins: ins[0],
    "concat": lambda node, ins: torch.cat(ins, dim=node.integer("axis") + 1),
    "mean": _mean,
    "select": _select,
    "slice": _slice,
    "reshape": lambda node, ins: ins[0].reshape(len(ins[0]), *node.ints("shape")),
}
_MOVING = frozenset({"select", "slice", "reshape", "within"})


def finetune(
    graph: Graph,
    x: Tensor,
    y: Tensor,
    *,
    epochs: int = 1,
    rate: float = 1e-3,
    batch: int = 64,
    seed: int = 0,
    augment: Callable[[Tensor], Tensor] = lambda part: part,
    progress: Progress = silent,
) -> Graph:
    """Train the constants of a classifier: cross-entropy, AdamW, a learning rate that falls to zero.

    x: samples as real numbers, in the layout of the network; y: classes; augment: changes a batch of x.
    """
    twin, steps = Twin(graph), max(1, epochs * -(-len(y) // batch))
    optimiser = torch.optim.AdamW(twin.parameters(), lr=rate, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps)
    order = torch.Generator().manual_seed(seed)
    done = 0
    for _ in range(epochs):
        shuffled = torch.randperm(len(y), generator=order)
        for begin in range(0, len(y), batch):
            part = shuffled[begin : begin + batch]
            loss = functional.cross_entropy(twin(augment(x[part])).flatten(1), y[part])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
            done += 1
            progress(done, steps)
    return twin.to_graph()
