"""Which kernel runs a node: of those that support it the cheapest by the cost model, else the preferred; and why."""

from __future__ import annotations

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

#: the variant that every operator has: C that runs on any machine
PORTABLE = "portable"


@dataclass(frozen=True)
class Context:
    """A node with all that lowering it may ask for.

    features: instruction set features of the board ("dsp", "mve", …); portable variants never look at them.
    """

    graph: Graph
    node: Node
    ranges: Ranges
    features: frozenset[str] = frozenset()

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
_RANK: ContextVar[int | None] = ContextVar("rank", default=None)


@contextmanager
def chosen_by_rank(rank: int) -> Iterator[None]:
    """Within: each node gets the kernel of that rank among those that support it, or the last; to measure them all."""
    token = _RANK.set(rank)
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


def choose(variants: Sequence[Variant], ctx: Context) -> tuple[Variant, str]:
    """The variant that runs the node, and one line that says why: estimated costs, and all that could not run it."""
    reasons = [(variant, unknown_mode(variant, ctx) or variant.supports(ctx)) for variant in variants]
    able = [variant for variant, reason in reasons if reason is None]
    if not able:
        refused = "; ".join(f"{variant.kernel}: {reason}" for variant, reason in reasons)
        raise ctx.fail(f"no kernel runs it ({refused})")
    estimates = [costs.estimate(variant.kernel, ctx) for variant in able]
    forced = _RANK.get()
    rank = preferred(estimates) if forced is None else min(forced, len(able) - 1)
    found = able[rank]
    parts = [f"{found.kernel}: {found.gain}"]
    if (cost := estimates[rank]) is not None and len(able) > 1:
        parts[0] += f" (about {cost.instructions:,} instructions)"
    for variant, other in zip(able[:rank], estimates[:rank], strict=True):
        parts.append(f"not {variant.kernel}" + (f": about {other.instructions:,} instructions" if other else ""))
    last = variants.index(found)
    parts += [f"not {v.kernel}: {reason}" for v, reason in reasons[:last] if reason is not None]
    return found, "; ".join(parts)


def lower_with(variants: Sequence[Variant], ctx: Context) -> Step:
    """The step of a node by the best variant that supports it."""
    variant, why = choose(variants, ctx)
    call = variant.call(ctx)
    return Step(
        node=ctx.node.name,
        kernel=variant.kernel,
        variant=variant.name,
        why=why,
        fixed=call.fixed,
        params=call.params,
        inputs=call.inputs,
        output=ctx.out.name,
        scratch=call.scratch,
        overwrites=call.overwrites,
    )
