"""A float torch module made from a model file: layers under the file's names, in torch's layout, traceable by torch.fx.

A tensor of the file is a node of the module's graph and an order: axis i of the torch tensor is axis `order[i]` of the
file's. A convolution asks for channels first, a reshape for the file's own order, everything else takes what comes; so
permutations stand only where they must, and none of them is left when the module is exported.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, fx, nn

from edgeq.errors import UnsupportedError

Array = npt.NDArray[Any]
Function = Callable[..., Tensor]


@dataclass(frozen=True)
class Held:
    """A tensor that the network computes.

    node: what makes it; shape: along the file's axes, the batch first, as one; order: axis i of the torch tensor is
    axis order[i] of these; merged: the file has no axis for the batch here, so its axes count from the next one on.
    """

    node: fx.Node
    shape: tuple[int, ...]
    order: tuple[int, ...]
    merged: bool = False

    def axis(self, axis: int) -> int:
        """An axis as the file counts, among those of `shape`."""
        rank = len(self.shape) - self.merged
        if not -rank <= axis < rank:
            raise UnsupportedError(f"axis {axis} of a tensor of {rank} axes")
        return axis % rank + self.merged

    def place(self, axis: int) -> int:
        """Where an axis of `shape` lies in the torch tensor."""
        return self.order.index(axis)


class Call(nn.Module):
    """One operation of the file that has no layer in torch; `operands` are its constant tensors by name.

    operation: a function of the computed and constant tensors, in the order of `slots` (a name, or None for computed).
    """

    def __init__(self, label: str, operation: Function, slots: Sequence[str | None], operands: dict[str, Tensor]):
        super().__init__()
        self.label, self.operation, self.slots = label, operation, tuple(slots)
        for name, value in operands.items():
            self.register_parameter(name, nn.Parameter(value, requires_grad=value.is_floating_point()))

    def forward(self, *x: Any) -> Any:
        computed = iter(x)
        return self.operation(*(next(computed) if s is None else getattr(self, s) for s in self.slots))

    def extra_repr(self) -> str:
        """The operation's name in the printed module."""
        return self.label


class FloatBuilder:
    """Puts the module together; errors name the layer."""

    def __init__(self, name: str) -> None:
        self.name = identifier(name) or "network"
        self.root, self.graph = nn.Module(), fx.Graph()
        self.paths: set[str] = set()

    def input(self, name: str, shape: Sequence[int]) -> Held:
        """An input of the module, in the file's layout; the batch is the first axis, and comes as one."""
        shape = tuple(shape)
        if not shape or shape[0] != 1 or len(shape) < 2:
            raise UnsupportedError(f"input {name}: shape {shape}; a batch of one is needed as the first of its axes")
        return Held(self.graph.placeholder(self._variable(name)), shape, natural(len(shape)))

    def layer(self, name: str, module: nn.Module, x: Held) -> fx.Node:
        """A call of a torch layer, named after the file's."""
        path = self._add(name, module)
        return self.graph.call_module(path, (x.node,))

    def call(self, name: str, label: str, operation: Function, *operands: Held | Tensor) -> fx.Node:
        """A call of a function of computed and constant tensors; `label` says what it is."""
        names = [None if isinstance(o, Held) else f"operand_{i}" for i, o in enumerate(operands)]
        fixed = {n: o for n, o in zip(names, operands, strict=True) if n is not None and isinstance(o, Tensor)}
        path = self._add(name, Call(label, operation, names, fixed))
        return self.graph.call_module(path, tuple(o.node for o in operands if isinstance(o, Held)))

    def clip(self, node: fx.Node, low: float | None, high: float | None) -> fx.Node:
        """A fused activation."""
        if low is None and high is None:
            return node
        if (low, high) == (0.0, None):
            return self.graph.call_function(torch.relu, (node,))
        return self.graph.call_function(torch.clamp, (node,), {"min": low, "max": high})

    def to(self, x: Held, order: Sequence[int]) -> Held:
        """The tensor with its torch axes in another order."""
        order = tuple(order)
        if x.order == order:
            return x
        node = self.graph.call_method("permute", (x.node, tuple(x.order.index(a) for a in order)))
        return Held(node, x.shape, order, x.merged)

    def plain(self, x: Held) -> Held:
        """The tensor in the file's own order."""
        return self.to(x, natural(len(x.shape)))

    def aligned(self, operands: Sequence[Held | Array]) -> tuple[list[Held | Tensor], Held]:
        """Operands of a broadcast in one order and of one rank, and the computed one that leads.

        A smaller operand is extended after the batch; constants of one element stay numbers of that rank.
        """
        held = [o for o in operands if isinstance(o, Held)]
        lead = max(held, key=lambda o: (len(o.shape), int(np.prod(o.shape))))
        rank = len(lead.shape)
        made: list[Held | Tensor] = []
        for operand in operands:
            if isinstance(operand, Held):
                made.append(self.to(self._extended(operand, rank), lead.order))
                continue
            shape = (1,) * (rank - operand.ndim) + operand.shape
            if len(shape) != rank or shape[0] != 1:
                raise UnsupportedError(f"a constant of shape {operand.shape} beside a tensor of {lead.shape}")
            made.append(tensor(operand.reshape(shape).transpose(lead.order)))
        return made, lead

    def _extended(self, x: Held, rank: int) -> Held:
        if len(x.shape) == rank:
            return x
        x = self.plain(x)
        shape = (1,) * (rank - len(x.shape)) + x.shape
        return self.reshaped(x, shape)

    def reshaped(self, x: Held, shape: Sequence[int], merged: bool = False) -> Held:
        """The elements in the file's order under another shape, batch first."""
        shape = tuple(shape)
        if x.shape == shape:
            return Held(x.node, x.shape, x.order, merged)
        x = self.plain(x)
        node = self.graph.call_method("reshape", (x.node, -1, *shape[1:]))
        return Held(node, shape, natural(len(shape)), merged)

    def finish(self, outputs: Sequence[Held]) -> fx.GraphModule:
        """The module, in eval mode."""
        nodes = tuple(self.plain(o).node for o in outputs)
        self.graph.output(nodes[0] if len(nodes) == 1 else nodes)
        module = fx.GraphModule(self.root, self.graph, class_name=self.name)
        module.graph.eliminate_dead_code()
        module.graph.lint()
        module.delete_all_unused_submodules()
        module.recompile()
        return module.eval()

    def _variable(self, name: str) -> str:
        """A name that a module may have for an argument."""
        found = "_".join(filter(None, (identifier(p) for p in re.split(r"[/.:;]+", name)))) or "x"
        return found if found.isidentifier() and not keyword.iskeyword(found) else f"x_{found}"

    def _add(self, name: str, module: nn.Module) -> str:
        """Put a module under a path like `name`; none is another's parent."""
        path = self._free(module_path(name))
        self.paths.add(path)
        parent: nn.Module = self.root
        *outer, leaf = path.split(".")
        for part in outer:
            if not hasattr(parent, part):
                parent.add_module(part, nn.Module())
            parent = getattr(parent, part)
        parent.add_module(leaf, module)
        return path

    def _free(self, wanted: str) -> str:
        """A path that no module has, with no module above or below it."""
        above = next((p for p in self.paths if wanted.startswith(f"{p}.")), None)
        while above is not None:
            wanted = f"{above}_{wanted[len(above) + 1 :]}"
            above = next((p for p in self.paths if wanted.startswith(f"{p}.")), None)
        path, i = wanted, 1
        while any(p == path or p.startswith(f"{path}.") for p in self.paths):
            i += 1
            path = f"{wanted}_{i}"
        return path


#: names that torch's modules have for themselves
_RESERVED = frozenset(dir(nn.Module()))


def module_path(name: str) -> str:
    """A module's path from a file's name: `model/conv2d` becomes `model.conv2d`."""
    parts = [identifier(part) for part in re.split(r"[/.:]+", name)]
    return ".".join(f"{part}_" if part in _RESERVED else part for part in parts if part) or "layer"


def identifier(text: str) -> str:
    """Letters, digits and underscores of a name."""
    return re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_")[:80]


def natural(rank: int) -> tuple[int, ...]:
    """The file's own order."""
    return tuple(range(rank))


def channels_first(rank: int) -> tuple[int, ...]:
    """The torch order of a feature map that the file keeps channels-last."""
    return (0, rank - 1, *range(1, rank - 1))


def tensor(array: Any) -> Tensor:
    """A float32 tensor of its own memory."""
    return torch.from_numpy(np.array(array, dtype=np.float32, order="C"))


__all__ = ["Call", "FloatBuilder", "Held", "channels_first", "module_path", "natural", "tensor"]
