"""Rounding for training: the hardware's rules on float tensors, exact, with a straight-through gradient.

`x + (rounded - x).detach()` would round once more in floating point, and `floor(x + 0.5)` is wrong for
0.49999997 and beyond 2**23, so each rule is an autograd function of exact steps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from edgeq.errors import InputError


def round_half_up(x: Tensor) -> Tensor:
    """floor(x + 1/2), exact for every float: x - floor(x) has no rounding error where it matters.

    For x >= 0 and x <= -1 the difference is exact. In (-1, 0) it is exact up to 1/2 and only its distance from
    one is rounded above, where the answer is the same.
    """
    floor = torch.floor(x)
    return floor + (x - floor >= 0.5)


def round_half_away(x: Tensor) -> Tensor:
    """The nearest integer, a tie away from zero."""
    return torch.copysign(round_half_up(x.abs()), x)


def round_half_to_zero(x: Tensor) -> Tensor:
    """The nearest integer, a tie towards zero."""
    return torch.copysign(-round_half_up(-x.abs()), x)


#: rule -> float tensor to float tensor of integers, without gradient
ROUND: dict[str, Callable[[Tensor], Tensor]] = {
    "half_up": round_half_up,
    "half_even": torch.round,
    "floor": torch.floor,
    "half_down": lambda x: -round_half_up(-x),
    "half_away": round_half_away,
    "half_to_zero": round_half_to_zero,
    "to_zero": torch.trunc,
}


def round_by(x: Tensor, rule: str) -> Tensor:
    """Round by a named rule, without gradient."""
    try:
        return ROUND[rule](x)
    except KeyError:
        raise InputError(f"rounding rule {rule!r} is unknown; choose one of {', '.join(ROUND)}") from None


class _StraightThrough(torch.autograd.Function):
    """Forward: a rule. Backward: the identity."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, rule: str) -> Tensor:
        return round_by(x, rule)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return grads[0], None


def round_ste(x: Tensor, rule: str) -> Tensor:
    """Round by a named rule; the gradient passes straight through."""
    out: Tensor = _StraightThrough.apply(x, rule)  # type: ignore[no-untyped-call]
    return out


class _RoundModule(nn.Module):
    """What Brevitas takes as `float_to_int_impl`."""

    rule: str

    def __init__(self) -> None:
        # Brevitas' injector refuses constructors with *args.
        super().__init__()

    def forward(self, x: Tensor) -> Tensor:
        return round_ste(x, self.rule)


class HalfUp(_RoundModule):
    """Ties towards plus infinity."""

    rule = "half_up"


class HalfEven(_RoundModule):
    """Ties to the even neighbour."""

    rule = "half_even"


class Floor(_RoundModule):
    """Towards minus infinity."""

    rule = "floor"


class HalfDown(_RoundModule):
    """Ties towards minus infinity."""

    rule = "half_down"


class HalfAway(_RoundModule):
    """Ties away from zero."""

    rule = "half_away"


class HalfToZero(_RoundModule):
    """Ties towards zero."""

    rule = "half_to_zero"


class ToZero(_RoundModule):
    """Towards zero."""

    rule = "to_zero"


_MODULES = (HalfUp, HalfEven, Floor, HalfDown, HalfAway, HalfToZero, ToZero)
ROUND_MODULES: dict[str, type[_RoundModule]] = {m.rule: m for m in _MODULES}
