"""calibrate: binary points of activations from data, without training."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import nn

from edgeq.errors import InputError
from edgeq.quant.batches import check_batch, input_tensors
from edgeq.quant.bias_correction import correcting
from edgeq.quant.binary_point import Observer
from edgeq.quant.layers import Output
from edgeq.quant.operations import Constant
from edgeq.quant.preparation import is_prepared
from edgeq.quant.quantizers import binary_point, tensor_quant
from edgeq.quant.recipe import STATISTICS


def calibrate(
    prepared: nn.Module, batches: Iterable[Any], method: str = "mse", *, correct_bias: bool = False
) -> nn.Module:
    """Set the binary point of every activation from data, with activations not quantised while it is looked at.

    batches: inputs, or tuples (inputs, labels, …) as a data loader gives them; or one array or tensor, which is one
             batch. A few hundred samples do.
    method:  "mse" takes the point of least squared error, "max" the one that saturates nothing,
             "percentile" the one that covers 99.99 % of the values.
    correct_bias: also take out of the biases what rounding the weights adds to the mean of each output channel; for
             networks that are not trained any more.
    Returns the module, in eval mode. The points can still be learned by training afterwards.
    Errors: InputError for no batches, one that is empty, not finite or of the wrong shape, an unknown method or a
    module that `prepare` did not make. The points and biases then stay as they were.
    """
    if not is_prepared(prepared):
        raise InputError("calibrate takes the module that edgeq.prepare returned")
    if method not in STATISTICS:
        raise InputError(f"calibration method {method!r} is unknown; choose one of {', '.join(STATISTICS)}")
    if not isinstance(batches, Iterable) or isinstance(batches, (str, bytes)):
        raise InputError(
            f"calibrate takes batches of data, or one array or tensor, not {type(batches).__name__} ({batches!r:.40})"
        )
    prepared.eval()
    seen = 0
    with torch.no_grad(), observing(prepared, method), correcting(prepared) if correct_bias else nullcontext():
        for batch in [batches] if hasattr(batches, "shape") else batches:
            _look_at(prepared, _inputs(prepared, batch), f"batch {seen}")
            seen += 1
        if not seen:
            raise InputError("calibrate needs at least one batch of data")
    return prepared


def _look_at(prepared: nn.Module, inputs: Sequence[torch.Tensor], place: str) -> None:
    """Run one batch under the observers."""
    for x in inputs:
        check_batch(x, place)
    try:
        prepared(*inputs)
    except (RuntimeError, IndexError, ValueError, TypeError) as error:
        fact = str(error).strip().splitlines()[0]
        raise InputError(f"{place}: the network does not take it: {fact}") from error


def _inputs(prepared: nn.Module, batch: Any) -> tuple[torch.Tensor, ...]:
    count = sum(n.op == "placeholder" for n in prepared.graph.nodes)  # type: ignore[union-attr]
    items = tuple(batch) if isinstance(batch, (tuple, list)) else (batch,)
    return input_tensors(prepared, items[:count])


@contextmanager
def observing(prepared: nn.Module, method: str, keep: bool = True) -> Iterator[None]:
    """Activations pass through unquantised and are looked at; on leaving without an error the points are set."""
    # Constants got their points from their values.
    computed = [m for m in prepared.modules() if isinstance(m, Output) and not isinstance(m, Constant)]
    quantisers = [m.output_quant for m in computed]
    points = [binary_point(q) for q in quantisers]
    for quantiser, point in zip(quantisers, points, strict=True):
        tensor_quant(quantiser).observer_only = True
        point.observer = Observer(point.spec, method)
    finished = False
    try:
        yield
        finished = True
    finally:
        for quantiser, point in zip(quantisers, points, strict=True):
            tensor_quant(quantiser).observer_only = False
            observer, point.observer = point.observer, None
            if finished and keep and observer is not None:
                point.set(torch.full_like(point.log2_range, observer.log2_range()))


__all__ = ["calibrate", "observing"]
