"""Folding: an engine for a target has the fewest multipliers, and a budget gives the least target."""

from __future__ import annotations

from itertools import product
from math import ceil

import pytest

from edgeq.errors import BudgetError
from edgeq.fpga.folding import MOST_WORD, Work, balance, fastest, fold, smallest, total

#: ResNet-8 of MLPerf Tiny: places, output channels, input channels, taps
RESNET8 = {
    str(i): Work(f"layer {i}", *shape)
    for i, shape in enumerate(
        [
            (1024, 16, 3, 9),
            (1024, 16, 16, 9),
            (1024, 16, 16, 9),
            (256, 32, 16, 9),
            (256, 32, 32, 9),
            (256, 32, 16, 1),
            (64, 64, 32, 9),
            (64, 64, 64, 9),
            (64, 64, 32, 1),
            (1, 10, 64, 1),
        ]
    )
}


def cycles_of(work: Work, pe: int, simd: int) -> int:
    """What an engine of that shape takes, one result a beat."""
    depth = work.taps * work.channels // simd
    return work.positions * ceil(work.rows / pe) * max(depth, pe)


@pytest.mark.parametrize("work", [Work("a", 9, 6, 4, 3), Work("b", 5, 7, 6, 1)], ids=["conv", "linear"])
def test_fewest_multipliers_by_trying_all(work: Work) -> None:
    shapes = [(p, s) for p, s in product(range(1, work.rows + 1), (1, 2, 3, 4, 6)) if work.channels % s == 0]
    for target in range(work.positions * work.rows, work.positions * work.rows * work.channels * work.taps, 7):
        found = smallest(work, target)
        least = min((p * s for p, s in shapes if cycles_of(work, p, s) <= target), default=None)
        assert (found.multipliers if found else None) == least
        if found:
            assert found.cycles == cycles_of(work, found.pe, found.simd) <= target


def test_a_budget_gives_the_least_target() -> None:
    for budget in (16, 40, 156):
        target = balance(RESNET8, budget)
        count, before = total(RESNET8, target), total(RESNET8, target - 1)
        assert count is not None
        assert count <= budget
        assert before is None or before > budget


def test_resnet8_keeps_156_multipliers_busy() -> None:
    target = balance(RESNET8, 156)
    macs = sum(w.positions * w.rows * w.channels * w.taps for w in RESNET8.values())
    assert macs / target >= 0.75 * 156
    assert all(f.cycles <= target for f in fold(RESNET8, target).values())


def test_streams_get_lanes_only_where_one_is_too_slow() -> None:
    work = Work("wide", 64, 32, 8, 1)
    slow, fast = smallest(work, 64 * 32), smallest(work, 64 * 8)
    assert slow is not None
    assert fast is not None
    assert (slow.out_lanes, fast.out_lanes) == (1, 4)


def test_words_stay_as_narrow_as_tools_want() -> None:
    """A layer that could keep all 2,520 blocks of the largest board busy would read 20,160 bits of weights a cycle."""
    for bits, stored in (((8, 8), 0), ((8, 4), 0), ((8, 8), 15)):
        work = {"a": Work("a", 64, 512, 512, 9, bits=bits, stored=stored)}
        best = fold(work, balance(work, 2520))["a"]
        assert MOST_WORD // 2 < best.pe * best.simd * (stored or bits[1]) <= MOST_WORD
    one = Work("b", 1, 512, 1, 1, bits=(8, 8))
    assert max(one.word(f.pe, f.simd) for t in range(1, 600) if (f := smallest(one, t))) <= MOST_WORD


def test_what_cannot_be_is_said() -> None:
    work = {"a": Work("conv a", 100, 8, 4, 9)}
    with pytest.raises(
        BudgetError, match=f"conv a: cannot be done in 5 cycles; ask for at least {fastest(work.values())}"
    ):
        fold(work, 5)
    with pytest.raises(BudgetError, match="3 multipliers: the network has 10 layers"):
        balance(RESNET8, 3)
