"""What a comparison found: counts, and the first element that differs with everything needed to recompute it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Operand:
    """The part of one operand that a single output element is computed from.

    role:    the operand's name in the operator ("x", "weight", …); value: the value it is.
    total:   elements that take part; `indices`, `codes` and `reals` list the first of them in the same order.
    indices: positions in the operand without the batch; empty tuples of a window that lies in the padding are left out.
    codes, reals: what stands there, as integer codes and as real numbers.
    """

    role: str
    value: str
    total: int
    indices: tuple[tuple[int, ...], ...]
    codes: tuple[int, ...]
    reals: tuple[float, ...]


@dataclass(frozen=True)
class ExactResult:
    """The golden result of the element before its one rounding: num / den * 2**-frac."""

    num: int
    den: int
    frac: int

    @property
    def real(self) -> float:
        """The number itself, as near as a float holds it."""
        return self.num / self.den * 2.0**-self.frac


@dataclass(frozen=True)
class Divergence:
    """The first differing element in execution order.

    layer:  layer of the source network; node, op: the node that computes the value ("input" for a graph input).
    value:  name of the tensor; sample: position in the batch; index: position in the tensor without the batch.
    codes, reals: what the two executions have there, in the order of `VerifyResult.sides`. A side that works in
            floats has the nearest code, and its own number as the real value.
    differing: elements of this tensor that differ, over all samples.
    exact:  the golden result before rounding, where the node computes one.
    inputs: what the element is computed from.
    """

    layer: str
    node: str
    op: str
    value: str
    sample: int
    index: tuple[int, ...]
    codes: tuple[int, int]
    reals: tuple[float, float]
    differing: int
    exact: ExactResult | None = None
    inputs: tuple[Operand, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """A JSON object; tuples become lists."""
        found = asdict(self)
        found["source"] = self.layer
        return found

    def line(self, sides: Sequence[str]) -> str:
        """One line for a person."""
        a, b = (
            f"{side} has code {code} = {real:g}" for side, code, real in zip(sides, self.codes, self.reals, strict=True)
        )
        place = f"layer {self.layer} ({self.op} {self.value})" if self.op != "input" else f"input {self.value}"
        return f"{place}, sample {self.sample}, element {list(self.index)}: {a}, {b}"


@dataclass(frozen=True)
class VerifyResult:
    """Outcome of comparing two executions of one network.

    sides:      names of the two executions, the one that was asked about first.
    samples:    inferences compared; tensors: distinct computed tensors compared in each of them.
    values:     elements compared over all samples; mismatches: how many of them differ (inputs included).
    skipped:    computed tensors that one side does not show. Only executions of another tool may skip any.
    left_out:   computed tensor -> samples for which one side did not compute it, because they do not need it: it is
                what a condition of that sample chose against. Those samples of it are not among `values`.
    """

    sides: tuple[str, str]
    samples: int
    tensors: int
    values: int
    mismatches: int
    first_divergence: Divergence | None = None
    skipped: tuple[str, ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)

    @property
    def equal(self) -> bool:
        """Whether something was compared and nothing differs."""
        return self.mismatches == 0 and self.values > 0

    def __bool__(self) -> bool:
        return self.equal

    def to_json(self) -> dict[str, Any]:
        """The object that `edgeq verify --json` prints."""
        return {
            "equal": self.equal,
            "sides": list(self.sides),
            "samples": self.samples,
            "tensors": self.tensors,
            "values": self.values,
            "mismatches": self.mismatches,
            "skipped": list(self.skipped),
            "left_out": dict(self.left_out),
            "first_divergence": self.first_divergence.to_json() if self.first_divergence else None,
        }

    def line(self) -> str:
        """One line for a person."""
        where = f"{self.tensors} tensors, {self.samples} samples"
        names = f"{self.sides[0]} and {self.sides[1]}"
        skipped = f" ({len(self.skipped)} that only one of them has left out)" if self.skipped else ""
        never = sum(count == self.samples for count in self.left_out.values())
        if self.left_out:
            skipped += f" ({len(self.left_out)} tensors left out in samples that do not need them"
            skipped += f", {never} of them in all, so not compared)" if never else ")"
        if self.equal:
            return f"equal: {names} agree on {self.values:,} values ({where}){skipped}"
        first = self.first_divergence.line(self.sides) if self.first_divergence else "nothing was compared"
        return f"different: {self.mismatches:,} of {self.values:,} values ({where}) between {names}; first: {first}"
