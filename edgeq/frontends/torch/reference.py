"""The prepared module as an oracle: its values by the names of the graph.

In eval mode a prepared module on a CPU gives the emulator's numbers exactly (edgeq.quant.exactness says why).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, fx, nn

from edgeq.frontends.torch import export_with_origins
from edgeq.quant.batches import input_tensors


def reference_trace(prepared: nn.Module, x: Any) -> dict[str, npt.NDArray[np.float64]]:
    """Real values of every tensor of the exported graph, computed by the prepared module in eval mode.

    x: an input batch (a tuple or list for several inputs). Returns value name -> float64 array, batch first, in the
    layout of the graph that `edgeq.export(prepared, x, optimise=False)` makes. Of a value that only exists in
    the graph (the padded input of a convolution with reflected borders) there is no entry.
    """
    tensors = input_tensors(prepared, x)
    graph, origins = export_with_origins(prepared, tensors)
    assert isinstance(prepared, fx.GraphModule)
    recorder = _Recorder(prepared)
    training = prepared.training
    prepared.eval()
    try:
        with torch.no_grad():
            recorder.run(*tensors)
    finally:
        prepared.train(training)
    inputs = {n.target: next(iter(n.users)).name for n in prepared.graph.nodes if n.op == "placeholder" and n.users}
    found = {}
    for name, value in graph.values.items():
        if name in graph.inputs:
            layout = graph.layouts.get(name, tuple(range(len(value.shape))))
            found[name] = _laid_out(recorder.values[inputs[name]], layout, value.shape)
        elif name in origins:
            origin = origins[name]
            found[name] = _laid_out(recorder.values[origin.node], origin.permutation, value.shape)
    return found


def _laid_out(
    values: npt.NDArray[np.float64], permutation: tuple[int, ...], shape: tuple[int, ...]
) -> npt.NDArray[np.float64]:
    if values.ndim == len(permutation) + 1:
        values = values.transpose(0, *(p + 1 for p in permutation))
    return values.reshape(values.shape[0], *shape)


class _Recorder(fx.Interpreter):
    """Keeps every tensor that the module computes."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module)
        self.values: dict[str, npt.NDArray[np.float64]] = {}

    def run_node(self, n: fx.Node) -> Any:
        result = super().run_node(n)
        if isinstance(result, Tensor) and n.op != "placeholder":
            self.values[n.name] = result.detach().cpu().double().numpy()
        return result
