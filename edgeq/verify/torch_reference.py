"""The float reference: a prepared torch module in eval mode, as an executor whose traces are real numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from edgeq.ir import Graph
from edgeq.verify.executors import Executor, TraceFunction

if TYPE_CHECKING:
    from torch import nn


def torch_reference(graph: Graph, module: nn.Module) -> Executor:
    """Traces of a module that `edgeq.prepare` made, by the names of the graph that was exported from it.

    Tensors that only the passes made are not there: the comparison lists them as skipped.
    """
    from edgeq.errors import InputError
    from edgeq.frontends.torch import export
    from edgeq.frontends.torch.reference import reference_trace
    from edgeq.quant import is_prepared

    if not is_prepared(module):
        raise InputError("verify: the float reference is a module that edgeq.prepare made, not a plain one")

    def trace(inputs: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
        x = tuple(user_array(graph, name, inputs[name]) for name in graph.inputs)
        plain = export(module, x, optimise=False)
        found = reference_trace(module, x)
        values = {name: value for name, value in graph.values.items() if not value.constant}
        return {name: _relaid(plain, graph, name, found[name]) for name in values if name in found}

    return TraceFunction("float reference", trace, may_skip=True)


def user_array(graph: Graph, name: str, codes: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Real values of input codes in the layout of the source model, batch first."""
    value = graph.values[name]
    layout = graph.layouts.get(name, tuple(range(len(value.shape))))
    return value.format.decode(codes).transpose(0, *(layout.index(i) + 1 for i in range(len(layout))))


def _relaid(plain: Graph, graph: Graph, name: str, reals: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """An input or output of the graph before its passes, in the layout that it has after them."""
    axes = tuple(range(len(graph.values[name].shape)))
    before, after = plain.layouts.get(name, axes), graph.layouts.get(name, axes)
    return reals.transpose(0, *(before.index(user) + 1 for user in after))
