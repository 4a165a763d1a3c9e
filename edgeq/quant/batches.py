"""Batches that users hand over: arrays or tensors, one or a tuple; what tells nothing is refused."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from edgeq.errors import InputError


def input_tensors(prepared: nn.Module, x: Any) -> tuple[Tensor, ...]:
    """One input or several, arrays or tensors, as tensors of the module's type on its device."""
    items = tuple(x) if isinstance(x, (tuple, list)) else (x,)
    like = next((p for p in prepared.parameters() if p.is_floating_point()), torch.zeros(()))
    return tuple(as_tensor(item, f"input {index}").to(like.device, like.dtype) for index, item in enumerate(items))


def checked_example(example: Any) -> tuple[Tensor, ...]:
    """The example as a tuple of tensors; InputError for what no network can be tried out with."""
    items = example if isinstance(example, (tuple, list)) else (example,)
    tensors = tuple(as_tensor(item, f"example {index}") for index, item in enumerate(items))
    for index, tensor in enumerate(tensors):
        check_batch(tensor, f"example {index}")
    return tensors


def check_batch(x: Tensor, place: str) -> None:
    """InputError for a batch without numbers or with NaN or infinity: no binary point follows from it."""
    if x.numel() == 0:
        raise InputError(f"{place}: is empty, of shape {tuple(x.shape)}; give at least one sample")
    if x.is_floating_point() and not torch.isfinite(x).all():
        raise InputError(f"{place}: holds NaN or infinity; remove them from the data")


def as_tensor(x: Any, place: str) -> Tensor:
    """An array or tensor as tensor; InputError for anything else."""
    try:
        return torch.as_tensor(x)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"{place}: {error}; give a tensor, or a tuple with one for each input") from error
