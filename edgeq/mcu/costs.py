"""What a kernel will cost on a core: a linear model of its instructions, fitted to counts (benchmarks/fit_costs.py).

Instructions, not cycles. The model of a kernel on a group of cores is

    instructions = a + b * outputs + c * inner + d * reads

`inner` are the MACs of layers with weights, and for two operands how often one of them repeats. `reads` are the
elements of input that windows see, positions times taps times channels, and else the elements of the operands. Pools
and means have more terms (`WINDOWED`): windows; their elements, whatever the channels; reads in channels behind the
last four; for Helium outputs and reads in whole vectors; and outputs that are divided, not shifted. The kernel that
adds for each digit of the weights counts binary places in `outputs` and digits in `inner`.

The coefficients are in costs.json, one set for each operator, form (a convolution of one tap, depthwise, up to three
channels, one to one channel, with Helium one row, any other window; a vector or rows; an operand that repeats;
weights below 8 bits, both operands of up to 4 bits, minifloats by the width of their grid, or group scales; inputs
without a sign where products are loops; codes that share bytes; scaled or not) and kernel, with the mean relative
errors of the layers of the fit and of others that were kept out of it. Every kernel that has a rival on some core has
its set; where there is none, the model says nothing and chooses nothing.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeq.formats import Grouped, Minifloat
from edgeq.formats.khot import binary_places, count_digits
from edgeq.ir import operator
from edgeq.mcu.storage import Packed

if TYPE_CHECKING:
    from edgeq.mcu.select import Context

#: groups of cores with one instruction set, by the feature that tells them apart; the first that a board has counts
CORES = ("mve", "dsp", "thumb2", "thumb1", "rv32m", "rv32i")
#: the one whose products are a function of the compiler's library
NO_MULTIPLIER = CORES[-1]

#: channels that a first layer has at most: their windows are a form of their own
FIRST_CHANNELS = 3
#: bits of operands of which several make one product
FIELDS = 4
#: the kernel that adds for each digit of the weights
KHOT = "conv_khot"
#: operators of two operands that broadcast, and of windows without weights
TWO = ("add", "sub", "mul")
POOLS = ("average_pool", "max_pool")
TERMS = ("1", "outputs", "inner", "reads")
WINDOWED = ("1", "outputs", "windows", "taps", "reads", "odd reads", "vectors", "vector reads", "divided")
#: channels that Helium's kernels of windows take at a time
LANES = {"average_pool_scaled_mve": 8, "max_pool_mve": 16}


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
    scaled = " scaled" if ctx.scaled else ""
    shared = " packed" if any(isinstance(v.format, Packed) for v in (*ctx.ins, ctx.out)) else ""
    return f"{ctx.node.op}{_form(ctx)}{_numbers(ctx)}{_sign(ctx)}{shared}{scaled} {kernel}"


def _numbers(ctx: Context) -> str:
    """Of layers with weights: whether they have group scales, a minifloat is among the formats (and which integers its
    operands need on their grid: of 16 or 32 bits, if not bytes), weights and inputs have up to 4 bits, or weights less
    than 8. Of two operands: whether a minifloat is among the formats.
    """
    if ctx.node.op in TWO and not ctx.scaled:
        return " minifloat" if any(isinstance(v.format, Minifloat) for v in (*ctx.ins, ctx.out)) else ""
    if ctx.node.op not in ("conv", "linear") or ctx.scaled:
        return ""
    x, weight = ctx.ins[0].format, ctx.ins[1].format
    if isinstance(weight, Grouped):
        return " groups"
    if any(isinstance(fmt, Minifloat) for fmt in (x, weight, ctx.out.format)):
        most = max((fmt.max_magnitude for fmt in (x, weight) if isinstance(fmt, Minifloat)), default=0)
        return " minifloat" + ("" if most < 1 << 7 else "16" if most < 1 << 15 else "32")
    if weight.bits <= FIELDS and x.bits <= FIELDS:
        return " fields"
    return " narrow" if weight.bits < 8 else ""


def _sign(ctx: Context) -> str:
    """Where products are loops over bits: whether no factor is negative, which takes a third of the rounds."""
    if cores(ctx.features) != NO_MULTIPLIER or ctx.node.op not in ("conv", "linear") or ctx.scaled:
        return ""
    return " positive" if ctx.interval(ctx.ins[0]).lo >= 0 else ""


def _form(ctx: Context) -> str:
    """The form of a layer within its operator, with a blank before it; empty where there is one."""
    op, ins = ctx.node.op, ctx.ins
    if op == "conv":
        return _conv_form(ctx)
    if op == "linear":
        return " rows" if ctx.out.size > ins[1].shape[0] else " vector"
    if op in TWO:
        return " repeated" if _repeats(ctx) else ""
    return " clip" if op == "requantise" and ctx.scaled and "multiplier" not in ctx.node.attrs else ""


def _conv_form(ctx: Context) -> str:
    weight, groups = ctx.ins[1], ctx.node.integer("groups")
    filters, channels = weight.shape[0], weight.shape[-1]
    if groups > 1:
        return " depthwise"
    # Helium has a kernel of its own for windows of one row.
    if "mve" in ctx.features and weight.size > filters * channels and prod(weight.shape[1:-2]) == 1:
        return " row"
    if filters == channels == 1:
        return " one channel"
    first = channels <= FIRST_CHANNELS
    if weight.size == filters * channels:
        return " first tap" if first else " one tap"
    return " first" if first else " window"


def _repeats(ctx: Context) -> int:
    """How often the smaller of two operands is read again; 0 where both have the output's size."""
    least = min(value.size for value in ctx.ins)
    return 0 if least == ctx.out.size else ctx.out.size // least


def names(op: str) -> tuple[str, ...]:
    """What the coefficients of an operator's kernels multiply."""
    return WINDOWED if op in (*POOLS, "mean") else TERMS


def terms(kernel: str, ctx: Context) -> tuple[int, ...]:
    """The numbers of `names` for a node that the kernel runs."""
    node, ins, out = ctx.node, ctx.ins, ctx.out
    if node.op in ("conv", "linear"):
        macs = operator(node.op, node.name).macs(node, ins, [out])
        filters, groups = ins[1].shape[0], node.attrs.get("groups", 1)
        assert isinstance(groups, int)
        if kernel == KHOT:
            return _digits(ctx, macs // filters * groups)
        return 1, out.size, macs, macs // filters * groups
    reads = sum(v.size for v in ins if not v.constant)
    if node.op in POOLS:
        return _windowed(kernel, ctx, out.shape[-1], prod(node.ints("kernel")))
    if node.op == "mean":
        return _windowed(kernel, ctx, out.size, reads // out.size)
    return 1, out.size, _repeats(ctx) if node.op in TWO else 0, reads


def _digits(ctx: Context, reads: int) -> tuple[int, ...]:
    """`TERMS` of a kernel that adds for each digit of the weights: `outputs` counts binary places, `inner` digits."""
    weight = ctx.ins[1]
    assert weight.data is not None
    grid = weight.format.to_grid(weight.data)
    return (
        1,
        ctx.out.size * binary_places(grid),
        int(count_digits(grid).sum()) * (ctx.out.size // weight.shape[0]),
        reads,
    )


def _windowed(kernel: str, ctx: Context, channels: int, elements: int) -> tuple[int, ...]:
    """`WINDOWED` for windows of so many elements."""
    size = ctx.out.size
    taps, lanes = size // channels * elements, LANES.get(kernel)
    vectors = size // channels * -(-channels // lanes) if lanes else 0
    some = not ctx.node.attrs.get("include_pad", 1) and any(ctx.node.ints("padding"))
    divides = ctx.node.op != "max_pool" and not ctx.scaled and (some or elements & (elements - 1))
    reads = (taps, taps * channels, taps * (channels % 4), vectors, vectors * elements)
    return 1, size, size // channels, *reads, size if divides else 0


@dataclass(frozen=True)
class Estimate:
    """Instructions, about, and the mean relative error on the layers of the fit or beside them, the greater one."""

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
    total = sum(c * t for c, t in zip(found["coefficients"], terms(kernel, ctx), strict=True))
    return Estimate(round(total), max(found["error"], found.get("held_out", 0.0)))
