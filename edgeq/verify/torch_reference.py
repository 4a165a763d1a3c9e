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

    Tensors that the passes fused away, or whose name now stands for another tensor, are left out: the comparison
    lists them as skipped.
    """
    from edgeq.errors import InputError
    from edgeq.quant import is_prepared, reference_trace

    if not is_prepared(module):
        raise InputError("verify: the float reference is a module that edgeq.prepare made, not a plain one")

    def trace(inputs: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
        found = reference_trace(module, tuple(user_array(graph, name, inputs[name]) for name in graph.inputs))
        shapes = {name: value.shape for name, value in graph.values.items() if not value.constant}
        return {name: reals for name, reals in found.items() if shapes.get(name) == reals.shape[1:]}

    return TraceFunction("float reference", trace, may_skip=True)


def user_array(graph: Graph, name: str, codes: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Real values of input codes in the layout of the source model, batch first."""
    value = graph.values[name]
    layout = graph.layouts.get(name, tuple(range(len(value.shape))))
    return value.format.decode(codes).transpose(0, *(layout.index(i) + 1 for i in range(len(layout))))
