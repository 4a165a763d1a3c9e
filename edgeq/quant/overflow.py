"""Overflow for training: what becomes of rounded float tensors beyond the range of a format, exact and differentiable.

The gradient is that of the function itself, almost everywhere: a clamp stops it beyond the range, zero does, too, and
wrapping, whose slope is one everywhere, lets all of it through.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edgeq.errors import InputError
from edgeq.formats import DEFAULT_OVERFLOW


def overflow(x: Tensor, low: Tensor | float, top: Tensor | float, mode: str) -> Tensor:
    """Integers of low..top that the integers of `x` become; top - low + 1 is a power of two where they wrap."""
    if mode == DEFAULT_OVERFLOW:
        return torch.clamp(x, low, top)  # type: ignore[arg-type]
    if mode == "zero":
        return torch.where((x < low) | (x > top), torch.zeros_like(x), x)
    if mode == "wrap":
        turn = top - low + 1
        # The remainder is exact, and no float type has to hold x - low.
        rest = torch.remainder(x, turn)
        return rest - (rest > top).to(x.dtype) * turn
    raise InputError(f"overflow mode {mode!r} is unknown; choose one of saturate, wrap, zero")


class _OverflowModule(nn.Module):
    """What Brevitas takes as `tensor_clamp_impl`."""

    mode: str

    def __init__(self) -> None:
        # Brevitas' injector refuses constructors with *args.
        super().__init__()

    def forward(self, x: Tensor, min_val: Tensor, max_val: Tensor) -> Tensor:
        return overflow(x, min_val, max_val, self.mode)


class Wrap(_OverflowModule):
    """Modulo 2**bits."""

    mode = "wrap"


class Zero(_OverflowModule):
    """Zero."""

    mode = "zero"


#: modes other than saturation, which is Brevitas' own clamp
OVERFLOW_MODULES: dict[str, type[_OverflowModule]] = {m.mode: m for m in (Wrap, Zero)}
