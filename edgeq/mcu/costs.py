"""What a kernel will cost on a core: a linear model of its instructions, fitted to counts (benchmarks/fit_costs.py).

Instructions, not cycles. The model of a kernel on a group of cores is

    instructions = a + b * outputs + c * macs + d * reads

`reads` are the elements of input that its windows see: positions times taps times channels for a convolution, the
elements of the operands for the rest. The coefficients are in costs.json, one set for each operator, form (one tap,
depthwise, up to three channels or any other window; a vector or rows; scaled or not) and kernel. Where there is none,
the model says nothing and chooses nothing.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeq.ir import operator

if TYPE_CHECKING:
    from edgeq.mcu.select import Context

#: groups of cores with one instruction set, by the feature that tells them apart; the first that a board has counts
CORES = ("mve", "dsp", "thumb2", "thumb1", "rv32m")

#: channels that a first layer has at most: their windows are a form of their own
FIRST_CHANNELS = 3


@functools.cache
def recorded() -> dict[str, Any]:
    """costs.json: group of cores -> operator, kernel and form -> coefficients and error."""
    path = Path(__file__).with_name("costs.json")
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))["cores"] if path.is_file() else {}
    return found


def cores(features: frozenset[str]) -> str | None:
    """The group of cores of a board with these features; None for the host."""
    return next((name for name in CORES if name in features), None)


def key(kernel: str, ctx: Context) -> str:
    """What the coefficients of a kernel stand under, for this node."""
    form = ""
    if ctx.node.op == "conv":
        weight, groups = ctx.ins[1], ctx.node.integer("groups")
        taps = weight.size // (weight.shape[0] * weight.shape[-1])
        first = weight.shape[-1] <= FIRST_CHANNELS
        form = " depthwise" if groups > 1 else " one tap" if taps == 1 else " first" if first else " window"
    elif ctx.node.op == "linear":
        form = " rows" if ctx.out.size > ctx.ins[1].shape[0] else " vector"
    scaled = " scaled" if ctx.scaled else ""
    return f"{ctx.node.op}{form}{scaled} {kernel}"


def terms(ctx: Context) -> tuple[int, int, int, int]:
    """What the coefficients multiply: 1, outputs, MACs, elements read."""
    node, ins, out = ctx.node, ctx.ins, ctx.out
    macs = operator(node.op, node.name).macs(node, ins, [out])
    if node.op in ("conv", "linear"):
        filters, groups = ins[1].shape[0], node.attrs.get("groups", 1)
        assert isinstance(groups, int)
        return 1, out.size, macs, macs // filters * groups
    return 1, out.size, macs, sum(v.size for v in ins if not v.constant)


@dataclass(frozen=True)
class Estimate:
    """Instructions, about, and the mean relative error of the fit."""

    instructions: int
    error: float

    @property
    def text(self) -> str:
        """As the reasons of choices say it."""
        return f"about {self.instructions:,} instructions"


def estimate(kernel: str, ctx: Context) -> Estimate | None:
    """What `kernel` needs for the node; None where nothing was fitted."""
    group = cores(ctx.features)
    found = recorded().get(group, {}).get(key(kernel, ctx)) if group else None
    if found is None:
        return None
    total = sum(c * t for c, t in zip(found["coefficients"], terms(ctx), strict=True))
    return Estimate(round(total), found["error"])
