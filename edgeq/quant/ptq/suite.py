"""The suite: chosen methods in their fixed order, on the layers in the order of the network.

    scales     equalise, smooth: factors move between layers, nothing is rounded
    point      clipping, layer by layer: the layer's input comes from the network as it is quantised so far
    rounding   one of adaround, flexround, gptq, gpfq, at the layer's final binary point
    bias       bias_correction: right after each layer where others go through them, else in one pass at the end

Rounded weights are written back as values of the format at the layer's binary point, which its quantiser gives back
unchanged; so what is exported is what the method chose.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from edgeq.quant.ptq import adaround, bias_correction, clipping, equalise, flexround, gpfq, gptq, smooth
from edgeq.quant.ptq.network import Inputs, float_twin, in_float, inputs_of, layers_with_weights
from edgeq.quant.ptq.problem import Problem
from edgeq.quant.ptq.registry import METHODS, Chosen

_SCALES = {"equalise": equalise.apply, "smooth": smooth.apply}
_ROUNDING: dict[str, Callable[[Problem, Mapping[str, int | float]], Tensor]] = {
    "adaround": adaround.rounded,
    "flexround": flexround.rounded,
    "gptq": gptq.rounded,
    "gpfq": gpfq.rounded,
}


def move_scales(prepared: nn.Module, batches: list[Inputs], chosen: Chosen) -> None:
    """Methods of the stage "scales"."""
    for name, apply in _SCALES.items():
        if name in chosen:
            apply(prepared, batches, chosen[name])


def changes_weights(chosen: Chosen) -> bool:
    """Whether a method changes weights; it goes over the data more than once."""
    return any(METHODS[name].stage != "bias" for name in chosen)


def solves_layers(chosen: Chosen) -> bool:
    """Whether a method goes through the layers one after another; the activations' points have to be known then."""
    return any(METHODS[name].stage in ("point", "rounding") for name in chosen)


def solve_layers(prepared: nn.Module, batches: list[Inputs], chosen: Chosen) -> None:
    """Methods of the stages "point" and "rounding", and with them bias correction."""
    from rich.console import Console
    from rich.progress import track

    twin = float_twin(prepared)
    layers = layers_with_weights(prepared)
    console = Console(file=sys.stderr)
    label = "ptq: " + ", ".join(n for n in chosen if METHODS[n].stage in ("point", "rounding"))
    for name, layer in track(
        layers.items(), label, total=len(layers), console=console, transient=True, disable=not console.is_terminal
    ):
        _solve(posed(prepared, twin, name, layer, batches), chosen)


def posed(prepared: nn.Module, twin: nn.Module, name: str, layer: Any, batches: list[Inputs]) -> Problem:
    """The problem of one layer: its inputs in the network as it is, and in the float twin."""
    problem = Problem(layer)
    with torch.no_grad(), in_float(twin):
        pairs = zip(inputs_of(prepared, name, batches), inputs_of(twin, name, batches), strict=True)
        for mine, ideal in pairs:
            problem.see(mine, ideal)
    return problem


def _solve(problem: Problem, chosen: Chosen) -> None:
    corrects = "bias_correction" in chosen and problem.layer.bias is not None
    if corrects:
        problem.centre()
    if "clipping" in chosen:
        clipping.search(problem)
    for name, rounded in _ROUNDING.items():
        if name in chosen:
            with torch.enable_grad():
                made = rounded(problem, chosen[name])
            problem.take(made)
    if corrects:
        bias_correction.correct(problem)


__all__ = ["changes_weights", "move_scales", "posed", "solve_layers", "solves_layers"]
