"""Which kernel runs a node: of those that support it the cheapest by the cost model, else the preferred; and why."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from edgeq.errors import UnsupportedError
from edgeq.formats import FIXED_RULES, RULES, Affine
from edgeq.ir import Accumulator, Graph, Node, Ranges, Value, operator
from edgeq.ir.operator import Arithmetic, Interval, overflows
from edgeq.mcu import costs
from edgeq.mcu.step import Param, Step

#: bytes of scratch that a strip should not exceed where RAM is scarce
TIGHT = 1024
#: the variant that every operator has: C that runs on any machine
PORTABLE = "portable"


class Foreign(str):
    """A reason that a person need not read: the kernel is for other cores, or for layers of another form."""


@dataclass(frozen=True)
class Context:
    """A node with all that lowering it may ask for.

    features: instruction set features of the board ("dsp", "mve", …); portable variants never look at them.
    tight:    whether RAM is scarce: kernels that lay out strips of their input keep them short.
    apart:    whether the output never lies over the input, so that nothing has to wait.
    """

    graph: Graph
    node: Node
    ranges: Ranges
    features: frozenset[str] = frozenset()
    tight: bool = False
    apart: bool = False

    def strip(self, most: int) -> int:
        """Bytes of scratch that a strip should not exceed, where `most` are the best."""
        return min(most, TIGHT) if self.tight else most

    @property
    def ins(self) -> list[Value]:
        """Input values, in order."""
        return self.graph.ins(self.node)

    @property
    def out(self) -> Value:
        """The output value."""
        return self.graph.outs(self.node)[0]

    @property
    def scaled(self) -> bool:
        """Whether it computes with multipliers, zero points or scales that are no power of two."""
        if "multiplier" in self.node.attrs:
            return True
        affine = any(isinstance(v.format, Affine) for v in (*self.ins, self.out))
        return affine and isinstance(operator(self.node.op), Arithmetic)

    @property
    def accumulator(self) -> Accumulator:
        """Worst case of the accumulation; only for nodes that compute."""
        found = self.ranges.accumulators[self.node.name]
        assert found is not None, self.node.name
        return found

    def interval(self, value: Value) -> Interval:
        """Least and greatest grid integer of a value."""
        return self.ranges.values[value.name]

    def fail(self, fact: str) -> UnsupportedError:
        """An error about this node that speaks the user's layer name."""
        return UnsupportedError(f"{self.node.op} {self.node.name} (layer {self.node.source}): {fact}")


@dataclass(frozen=True)
class Call:
    """What a variant makes of a node: compile-time arguments, parameters, values of x[], bytes of scratch, and inputs
    over which this kernel may write its output, beside those over which every kernel of the operator may."""

    fixed: tuple[str, ...]
    params: Mapping[str, Param]
    inputs: tuple[str, ...]
    scratch: int = 0
    overwrites: tuple[str, ...] = ()


@dataclass(frozen=True)
class Variant:
    """One kernel that can run an operator.

    name:     "portable", "dsp", …; several variants of one name differ by kernel.
    kernel:   the file firmware/kernels/<kernel>.h and the function eq_<kernel>.
    gain:     what it is better at, a few words for the build's report.
    supports: a reason why it cannot run the node, or None where it can.
    call:     lowers a node that it supports.
    """

    name: str
    kernel: str
    gain: str
    supports: Callable[[Context], str | None]
    call: Callable[[Context], Call]


def always(ctx: Context) -> str | None:
    """The `supports` of a variant that runs every node of its operator."""
    return None


#: an estimate has to be this much lower, or as much as both fits are off, before it overrules the order of preference
MARGIN = 0.05
#: and by this many instructions: less is not worth one kernel more in flash
LEAST = 1000
_RANK: ContextVar[Callable[[Node], int] | None] = ContextVar("rank", default=None)


@contextmanager
def chosen_by_rank(rank: int | Callable[[Node], int]) -> Iterator[None]:
    """Within: each node gets the kernel of that rank among those that support it, or the last; to measure them all."""
    token = _RANK.set(rank if callable(rank) else lambda node: rank)
    try:
        yield
    finally:
        _RANK.reset(token)


def preferred(estimates: Sequence[costs.Estimate | None]) -> int:
    """Index of the kernel to take, of those that support a node in order of preference, with their estimated costs.

    The first, unless a later one is clearly cheaper; kernels of unknown cost are not weighed against others.
    """
    rank = 0
    for index, other in enumerate(estimates):
        best = estimates[rank]
        if best is None or other is None:
            continue
        margin = max(MARGIN, best.error + other.error)
        if other.instructions < min(best.instructions * (1 - margin), best.instructions - LEAST):
            rank = index
    return rank


@dataclass(frozen=True)
class Choice:
    """The variant that runs a node, and all that it was weighed against.

    cost:     what the model expects of it; None where it has no cost, or nothing to weigh it against.
    others:   the other variants that could run the node, in order of preference, with their costs.
    before:   how many of them are preferred to it: the model overruled the order.
    refused:  those preferred to it that cannot run the node, and why.
    """

    variant: Variant
    cost: costs.Estimate | None = None
    others: tuple[tuple[Variant, costs.Estimate | None], ...] = ()
    before: int = 0
    refused: tuple[tuple[Variant, str], ...] = ()

    @property
    def why(self) -> str:
        """One line with everything: costs of all that could run the node, and reasons of all that could not."""
        return self._line(self.others, self.refused)

    @property
    def brief(self) -> str:
        """The same without kernels of other cores and other forms of layers, and nothing slower than the runner-up."""
        rest = sorted(self.others[self.before :], key=lambda o: o[1].instructions if o[1] else sys.maxsize)
        refused = tuple(r for r in self.refused if not isinstance(r[1], Foreign))
        return self._line((*self.others[: self.before], *rest[:1]), refused)

    def _line(
        self, others: Sequence[tuple[Variant, costs.Estimate | None]], refused: Sequence[tuple[Variant, str]]
    ) -> str:
        found = self.variant
        parts = [f"{found.kernel}: {found.gain}" + (f" ({self.cost.text})" if self.cost else "")]
        for other, cost in others:
            near = cost and self.cost and cost.instructions < self.cost.instructions
            parts.append(f"not {other.kernel}" + (f": {cost.text}" if cost else "") + (", too near" if near else ""))
        return "; ".join(parts + [f"not {variant.kernel}: {reason}" for variant, reason in refused])


def unknown_mode(variant: Variant, ctx: Context) -> str | None:
    """A reason why a specialised kernel does not round or overflow as the node does: portable ones know every mode."""
    if variant.name == PORTABLE:
        return None
    if overflows(ctx.node):
        return f"overflows by {ctx.node.text('overflow')}; it only saturates"
    rule = ctx.node.attrs.get("rounding")
    if rule in FIXED_RULES and rule not in RULES:
        return f"rounds {rule}; it has none of the rules that only fixed point has"
    return None


def choose(variants: Sequence[Variant], ctx: Context) -> Choice:
    """The variant that runs the node: of those that can, the one that `preferred` takes."""
    reasons = [(variant, unknown_mode(variant, ctx) or variant.supports(ctx)) for variant in variants]
    able = [variant for variant, reason in reasons if reason is None]
    if not able:
        refused = "; ".join(f"{variant.kernel}: {reason}" for variant, reason in reasons)
        raise ctx.fail(f"no kernel runs it ({refused})")
    estimates = [costs.estimate(variant.kernel, ctx) if len(able) > 1 else None for variant in able]
    forced = _RANK.get()
    rank = preferred(estimates) if forced is None else min(forced(ctx.node), len(able) - 1)
    found = list(zip(able, estimates, strict=True))
    last = variants.index(able[rank])
    return Choice(
        variant=able[rank],
        cost=estimates[rank],
        others=(*found[:rank], *found[rank + 1 :]),
        before=rank,
        refused=tuple((variant, reason) for variant, reason in reasons[:last] if reason is not None),
    )


def lower_with(variants: Sequence[Variant], ctx: Context) -> Step:
    """The step of a node by the best variant that supports it."""
    chosen = choose(variants, ctx)
    variant, call = chosen.variant, chosen.variant.call(ctx)
    cost = chosen.cost or costs.estimate(variant.kernel, ctx)
    return Step(
        node=ctx.node.name,
        kernel=variant.kernel,
        variant=variant.name,
        why=chosen.why,
        brief=chosen.brief,
        fixed=call.fixed,
        params=call.params,
        inputs=call.inputs,
        output=ctx.out.name,
        scratch=call.scratch,
        overwrites=call.overwrites,
        instructions=None if cost is None else cost.instructions,
    )
