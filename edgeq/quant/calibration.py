"""calibrate: binary points of activations from data, and post-training quantisation of weights, without training."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import nn

from edgeq.errors import InputError
from edgeq.quant.batches import check_batch, input_tensors
from edgeq.quant.binary_point import Observer
from edgeq.quant.layers import Output
from edgeq.quant.operations import Constant
from edgeq.quant.preparation import is_prepared
from edgeq.quant.ptq.bias_correction import correcting
from edgeq.quant.ptq.network import Inputs
from edgeq.quant.ptq.registry import checked
from edgeq.quant.ptq.suite import changes_weights, move_scales, solve_layers, solves_layers
from edgeq.quant.quantizers import binary_point, tensor_quant
from edgeq.quant.recipe import STATISTICS


def calibrate(prepared: nn.Module, batches: Iterable[Any], method: str | None = None, *, ptq: Any = None) -> nn.Module:
    """Set the binary point of every activation from data, with activations not quantised while it is looked at.

    batches: inputs, or tuples (inputs, labels, …) as a data loader gives them; or one array or tensor, which is one
             batch. A few hundred samples do.
    method:  "mse" takes the point of least squared error, "max" the one that saturates nothing,
             "percentile" the one that covers 99.99 % of the values; None: the recipe's `statistics`, layer by layer.
    ptq:     methods of post-training quantisation, as the recipe's key of this name has them (a list of names and of
             {name: options}); None: the recipe's, [] none. They change weights and biases, go over the data more than
             once, and draw nothing by chance. For networks that are not trained any more.
    Returns the module, in eval mode. The points can still be learned by training afterwards.
    Errors: InputError for no batches, one that is empty, not finite or of the wrong shape, an unknown method, one that
    cannot be applied to this network, or a module that `prepare` did not make. The module then stays as it was.
    """
    if not is_prepared(prepared):
        raise InputError("calibrate takes the module that edgeq.prepare returned")
    if method not in (None, *STATISTICS):
        raise InputError(f"calibration method {method!r} is unknown; choose one of {', '.join(STATISTICS)}")
    if not isinstance(batches, Iterable) or isinstance(batches, (str, bytes)):
        raise InputError(
            f"calibrate takes batches of data, or one array or tensor, not {type(batches).__name__} ({batches!r:.40})"
        )
    recipe: Any = prepared.recipe
    chosen = recipe.ptq if ptq is None else checked(ptq, "calibrate: ptq")
    prepared.eval()
    given = [batches] if hasattr(batches, "shape") else batches
    looked = (_checked_batch(prepared, batch, f"batch {i}") for i, batch in enumerate(given))
    if not changes_weights(chosen):
        _set_points(prepared, looked, method, "bias_correction" in chosen)
        return prepared
    with _all_or_nothing(prepared):
        kept = list(looked)
        _require(kept)
        move_scales(prepared, kept, chosen)
        layerwise = solves_layers(chosen)
        if layerwise:
            _set_points(prepared, kept, method)
            solve_layers(prepared, kept, chosen)
        _set_points(prepared, kept, method, "bias_correction" in chosen and not layerwise)
    return prepared


def _set_points(prepared: nn.Module, batches: Iterable[Inputs], method: str | None, correct_bias: bool = False) -> None:
    """Points of activations and, in the same pass, corrected biases."""
    correction = correcting(prepared) if correct_bias else nullcontext()
    seen = 0
    with torch.no_grad(), observing(prepared, method), correction:
        for seen, inputs in enumerate(batches, start=1):
            _look_at(prepared, inputs, f"batch {seen - 1}")
        _require(seen)


def _require(batches: Any) -> None:
    if not batches:
        raise InputError("calibrate needs at least one batch of data")


@contextmanager
def _all_or_nothing(prepared: nn.Module) -> Iterator[None]:
    """After an error everything is as it was."""
    before = {name: value.detach().clone() for name, value in prepared.state_dict().items()}
    try:
        yield
    except BaseException:
        prepared.load_state_dict(before)
        raise


def _checked_batch(prepared: nn.Module, batch: Any, place: str) -> Inputs:
    inputs = _inputs(prepared, batch)
    for x in inputs:
        check_batch(x, place)
    return inputs


def _look_at(prepared: nn.Module, inputs: Inputs, place: str) -> None:
    """Run one batch under the observers."""
    try:
        prepared(*inputs)
    except (RuntimeError, IndexError, ValueError, TypeError) as error:
        fact = str(error).strip().splitlines()[0]
        raise InputError(f"{place}: the network does not take it: {fact}") from error


def _inputs(prepared: nn.Module, batch: Any) -> Inputs:
    count = sum(n.op == "placeholder" for n in prepared.graph.nodes)  # type: ignore[union-attr]
    items = tuple(batch) if isinstance(batch, (tuple, list)) else (batch,)
    return input_tensors(prepared, items[:count])


@contextmanager
def observing(prepared: nn.Module, method: str | None, keep: bool = True) -> Iterator[None]:
    """Activations pass through unquantised and are looked at; on leaving without an error the points are set.

    method: None takes each quantiser's own `statistics`.
    """
    # Constants got their points from their values.
    computed = [m for m in prepared.modules() if isinstance(m, Output) and not isinstance(m, Constant)]
    quantisers = [m.output_quant for m in computed]
    points = [binary_point(q) for q in quantisers]
    for quantiser, point in zip(quantisers, points, strict=True):
        tensor_quant(quantiser).observer_only = True
        point.observer = Observer(point.spec, method or point.spec.statistics)
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
