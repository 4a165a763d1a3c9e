"""Folding: how many multipliers each engine gets, so that all of them take the same time.

An engine of PE rows and SIMD columns computes `positions` products of a matrix (rows x columns) with a vector in
`positions * ceil(rows / PE) * columns / SIMD` cycles. For a target T the fewest multipliers of each engine are found by
trying every SIMD that divides the channels and leaves words of weights that tools can hold; for a budget of multipliers
the least T is found by bisection, since more time never needs more multipliers. Streams get several lanes only where
one element a cycle would be slower than T.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import ceil, log2

from edgeq.errors import BudgetError
from edgeq.fpga.khot import Places

#: no engine is wider: beyond it adder trees and weight memories stop being practical
MOST_SIMD = 64
MOST_LANES = 64
#: bits of a word of weights or of sums: Vitis HLS takes no wider integers (UG1399, AP_INT_MAX_W)
MOST_WORD = 4096


@dataclass(frozen=True)
class Work:
    """What an engine has to do for one inference.

    label:     the layer, for messages.
    positions: vectors (places of the window).
    rows:      output channels; channels: input channels; taps: places in the window.
    depthwise: each output channel sees only its own input channel (rows equals channels).
    cost:      multiplier blocks of one product (0: made in logic); pairs: products along SIMD that share them.
    luts:      look-up tables of one product that is made in logic.
    bits:      widths of an element and of a weight.
    stored:    width of a weight in the engine's memory, where its digits are kept there (0: as a weight).
    places:    where the digits of a weight may stand (edgeq.fpga.khot); () where weights have too many digits.
    digit_luts: look-up tables of one product that is made of those digits.
    digits:    signed powers of two in all weights (0: the layer cannot have constant weights).
    constant:  all products are made at once by shifts and adds.
    """

    label: str
    positions: int
    rows: int
    channels: int
    taps: int
    depthwise: bool = False
    cost: int = 1
    pairs: int = 1
    luts: float = 0.0
    bits: tuple[int, int] = (8, 8)
    stored: int = 0
    places: Places = ()
    digit_luts: float = 0.0
    digits: int = 0
    constant: bool = False

    def blocks(self, pe: int, simd: int) -> int:
        """Multiplier blocks of an engine of that shape."""
        return pe * ceil(simd / self.pairs) * self.cost

    def word(self, pe: int, simd: int) -> int:
        """Bits of the widest word of an engine of that shape: its weights of a cycle, or the sums of its rows."""
        return pe * max(simd * (self.stored or self.bits[1]), self.sum_bits)

    @property
    def sum_bits(self) -> int:
        """Bits that hold every sum of a row."""
        return sum(self.bits) + ceil(log2(self.taps * self.channels + 1))


@dataclass(frozen=True)
class Fold:
    """The shape of an engine: PE rows (1 where it is depthwise), SIMD columns or lanes, lanes of its output.

    multipliers: the blocks that it takes. Where weights are constant, SIMD is the width of the words of its window.
    """

    pe: int
    simd: int
    out_lanes: int
    cycles: int
    multipliers: int

    @property
    def products(self) -> int:
        """Products that it makes in one cycle."""
        return self.pe * self.simd


def divisors(n: int, most: int | None = None) -> list[int]:
    """Divisors of n in ascending order, up to `most`."""
    return [d for d in range(1, min(n, most or n) + 1) if n % d == 0]


def lanes_for(size: int, last: int, target: int) -> int:
    """The fewest lanes that divide the last axis and pass `size` elements in `target` cycles, or the most there are."""
    found = divisors(last, MOST_LANES)
    return next((lanes for lanes in found if size // lanes <= target), found[-1])


def smallest(work: Work, target: int) -> Fold | None:
    """The engine with the fewest blocks, then products, that is done within `target` cycles; None where none is."""
    size = work.positions * work.rows
    out = lanes_for(size, work.rows, target)
    if size // out > target:
        return None
    if work.constant:
        return _constant(work, target, out)
    if work.depthwise:
        for lanes in divisors(work.channels, MOST_LANES):
            cycles = work.positions * (work.channels // lanes) * work.taps
            if cycles <= target:
                return Fold(1, lanes, lanes, cycles, lanes * work.cost)  # no two channels share a block
        return None
    found: list[Fold] = []
    for simd in divisors(work.channels, MOST_SIMD):
        depth = work.taps * (work.channels // simd)
        folds = target // (work.positions * depth)
        if folds < 1 or work.positions * work.channels // simd > target:
            continue
        pe = ceil(ceil(work.rows / folds) / out) * out
        # An engine gives out its results while it makes the next ones: it waits where those come sooner.
        step = max(depth, pe // out)
        cycles = work.positions * ceil(work.rows / pe) * step
        if cycles <= target and work.word(pe, simd) <= MOST_WORD:
            found.append(Fold(pe, simd, out, cycles, work.blocks(pe, simd)))
    return min(found, key=lambda f: (f.multipliers, f.products, f.cycles, f.pe), default=None)


def _constant(work: Work, target: int, out: int) -> Fold | None:
    """An engine of constant weights: it waits for the words of its window, or for its own results."""
    for lanes in divisors(work.channels, MOST_SIMD):
        cycles = work.positions * max(work.taps * work.channels // lanes, work.rows // out)
        if cycles <= target:
            return Fold(work.rows, lanes, out, cycles, 0)
    return None


def fold(works: Mapping[str, Work], target: int) -> dict[str, Fold]:
    """The engine of each node for a target in cycles; BudgetError names a layer that cannot be as fast."""
    found = {}
    for name, work in works.items():
        best = smallest(work, target)
        if best is None:
            raise BudgetError(
                f"{work.label}: cannot be done in {target:,} cycles; ask for at least {fastest([work]):,} cycles "
                "an inference"
            )
        found[name] = best
    return found


def fastest(works: Iterable[Work]) -> int:
    """The least target that every layer can meet."""
    return max((_least(work, 1 << 62) for work in works), default=1)


def _least(work: Work, most: int) -> int:
    low, high = 1, work.positions * work.rows * work.channels * work.taps
    while low < high:
        middle = (low + high) // 2
        if smallest(work, middle) is None:
            low = middle + 1
        else:
            high = middle
    return low


def balance(works: Mapping[str, Work], budget: int) -> int:
    """The least target in cycles that engines of `budget` multipliers together meet; BudgetError where none does."""
    if not works:
        return 1
    high = max(w.positions * w.rows * w.taps * (1 if w.depthwise else w.channels) for w in works.values())
    needed = total(works, high)
    if needed is None or needed > budget:
        raise BudgetError(
            f"{budget} multipliers: the network has {len(works)} layers with products, and each needs at least one; "
            f"use style lut, or a device with {needed} multipliers"
        )
    low = 1
    while low < high:
        middle = (low + high) // 2
        count = total(works, middle)
        if count is not None and count <= budget:
            high = middle
        else:
            low = middle + 1
    return low


def total(works: Mapping[str, Work], target: int) -> int | None:
    """Multipliers for a target; None where a layer cannot meet it."""
    folds = [smallest(work, target) for work in works.values()]
    return None if any(f is None for f in folds) else sum(f.multipliers for f in folds if f is not None)
