"""Which kernel runs a node: variants in order of preference, the first that supports the node, and the reason why."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from edgeq.errors import UnsupportedError
from edgeq.formats import Affine
from edgeq.ir import Accumulator, Graph, Node, Ranges, Value, operator
from edgeq.ir.operator import Arithmetic, Interval
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


def choose(variants: Sequence[Variant], ctx: Context) -> tuple[Variant, str]:
    """The first variant that supports the node, and one line that says why, with every better one that was refused."""
    refused: list[tuple[str, str]] = []
    for variant in variants:
        reason = variant.supports(ctx)
        if reason is None:
            why = f"{variant.kernel}: {variant.gain}"
            return variant, "; ".join([why, *(f"not {kernel}: {fact}" for kernel, fact in refused)])
        refused.append((variant.kernel, reason))
    raise ctx.fail("no kernel runs it (" + "; ".join(f"{kernel}: {fact}" for kernel, fact in refused) + ")")


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
