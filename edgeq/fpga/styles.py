"""Multiplier styles: which layers' products are made in logic where a target asks for more blocks than there are.

Every engine has its shape for the target, with multiplier blocks or without. The layers that keep blocks are those
whose products would cost most look-up tables, all in all: a knapsack whose capacity is the blocks there are, solved
exactly. Few bits are cheap in logic, so layers with narrow weights leave the blocks first.

Products in logic are bit planes ("lut"), or shifted elements where weights have few digits and those are smaller
("khot").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import ceil, log2
from typing import NamedTuple

from edgeq.fpga.folding import Work, fold, smallest
from edgeq.fpga.khot import Places

#: Elements and weights of at most so many bits share a block by twos (hls/rtl/eq_mul_pair.v).
PAIR_BITS = 8


class Logic(NamedTuple):
    """What a product in logic costs, its part of the adder tree included: logic * X * W + planes * W.

    A plane of one bit of the weights is a sum of elements, so that its cost grows with the element's width and has a
    constant part for the sign and the tree (hls/rtl/eq_dot_lut.v).
    """

    logic: float
    planes: float

    def of(self, x_bits: int, w_bits: int) -> float:
        """The cost of one product."""
        return w_bits * (self.logic * x_bits + self.planes)


#: Look-up tables after synthesis, from the table of hls/README.md: 12, 25, 84 of a product of 2 x 4, 4 x 4, 8 x 8 bits
#: in ECP5 cells, 20, 41, 148 without. AMD's: as fitted to its synthesis (benchmarks/amd_synthesis.py, costs.json).
LUTS = {"ecp5": Logic(1.0, 2.5), "ice40": Logic(2.0, 2.2), "gowin": Logic(2.0, 2.2), "xilinx": Logic(1.5, 0.9)}
#: Look-up tables of one bit of an adder for a signed digit of a constant weight. Measured: 8 rows of 9 weights of 8 x 8
#: bits (193 digits) 3,434 in carry cells, 4 x 4 bits (105 digits) 1,226; the same in style lut 7,042 and 2,234.
DIGIT = 1.0
#: Flip-flops: 17, 31, 96 of the same products.
FFS = Logic(1.0, 4.0)
#: Look-up tables of one bit of a digit that may be subtracted: on ECP5 the inversion is part of the adder. Measured by
#: benchmarks/khot.py.
INVERSION = {"ecp5": 0.0, "ice40": 1.0, "gowin": 1.0, "xilinx": 0.3}
#: What a digit's sums need more for each product, growing wider in the tree, and what joins those of two places.
GROWTH, JOIN = 1.0, 2.0


def khot_luts(x_bits: int, places: Places, family: str) -> float:
    """Look-up tables of a product of weights with digits at `places`, its part of the adder tree included."""
    each = (p.luts(x_bits) + (1 + INVERSION[family]) * p.term_bits(x_bits) + GROWTH for p in places)
    return sum(each) + JOIN * (len(places) - 1)


def on_family(work: Work, family: str) -> Work:
    """The work with what its products cost on a family."""
    paired = family == "ice40" and not work.depthwise and max(work.bits) <= PAIR_BITS
    digit_luts = khot_luts(work.bits[0], work.places, family)
    return replace(work, pairs=2 if paired else 1, luts=LUTS[family].of(*work.bits), digit_luts=digit_luts)


def in_logic(work: Work) -> tuple[str, float]:
    """The smaller way to make products in logic, "lut" or "khot", and the look-up tables of one; of `on_family`."""
    digits = bool(work.places) and work.digit_luts < work.luts
    return ("khot", work.digit_luts) if digits else ("lut", work.luts)


def constant_luts(work: Work) -> float:
    """Look-up tables of an engine whose weights are constant: an adder as wide as the result for each digit but one."""
    sums = sum(work.bits) + ceil(log2(max(2, work.taps * work.channels)))
    return DIGIT * max(work.digits - work.rows, 0) * sums


def choose(works: Mapping[str, Work], target: int, budget: int) -> dict[str, str]:
    """The style of each layer for a target in cycles: "dsp" where all fit, else as few look-up tables as can be.

    Layers without blocks have products in logic (`in_logic`), or adders of their own for each weight ("constant")
    where these are smaller.
    works: with their costs in blocks. budget: blocks. BudgetError names a layer that cannot be as fast in any style.
    """
    blocks = {name: f.multipliers for name, f in fold(works, target).items()}
    if sum(blocks.values()) <= budget:
        return dict.fromkeys(works, "dsp")
    logic = fold({name: replace(w, cost=0, pairs=1) for name, w in works.items()}, target)
    luts = {name: f.products * in_logic(works[name])[1] for name, f in logic.items()}
    styles = {name: in_logic(work)[0] for name, work in works.items()}
    for name, work in works.items():
        alone = replace(work, cost=0, constant=True)
        if work.digits and constant_luts(work) < luts[name] and smallest(alone, target):
            luts[name], styles[name] = constant_luts(work), "constant"
    kept = _knapsack(blocks, luts, max(budget, 0))
    return {name: "dsp" if name in kept else style for name, style in styles.items()}


def _knapsack(sizes: Mapping[str, int], values: Mapping[str, float], room: int) -> frozenset[str]:
    """The things of the greatest value together whose sizes fit in `room`."""
    best: list[tuple[float, frozenset[str]]] = [(0.0, frozenset())] * (room + 1)
    for name, size in sizes.items():
        for full in range(room, size - 1, -1):
            value, things = best[full - size]
            if value + values[name] > best[full][0]:
                best[full] = (value + values[name], things | {name})
    return best[room][1]
