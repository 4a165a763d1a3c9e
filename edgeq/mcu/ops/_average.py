"""What the kernels of average_pool on codes have in common: the rules they know, and their parameters."""

from __future__ import annotations

from math import prod

from edgeq.formats import DEFAULT_RULE
from edgeq.formats.affine import CODE_RULE
from edgeq.mcu.ops import _scale
from edgeq.mcu.ops._window import window
from edgeq.mcu.select import Context
from edgeq.mcu.step import Param


def unknown_rule(ctx: Context) -> str | None:
    """Why the kernels of bytes cannot round as the node does; None where they can."""
    rule = ctx.node.text("rounding", DEFAULT_RULE)
    return None if rule in (CODE_RULE, "half_up") else f"rounds {rule}; it has half_up and {CODE_RULE}"


def params(ctx: Context) -> dict[str, Param]:
    """Parameters of `eq_average_pool_scaled_t` and of its variants."""
    lo, hi = _scale.code_bounds(ctx)
    return {
        **window(ctx),
        "x_zero": _scale.zero_of(ctx.ins[0].format),
        "y_zero": _scale.zero_of(ctx.out.format),
        "divisor": prod(ctx.node.ints("kernel")) if ctx.node.integer("include_pad") else 0,
        "lo": lo,
        "hi": hi,
    }


def away(ctx: Context) -> str:
    """Whether ties of codes go away from zero, as C says it."""
    return str(ctx.node.text("rounding", DEFAULT_RULE) == CODE_RULE).lower()
