"""QuantMCU's two rules: which patches keep 8 bits (VDPC), and which width each feature map of the others gets (VDQS).

Tao et al., "Value-Driven Mixed-Precision Quantization for Patch-Based Inference on Microcontrollers", arXiv 2401.13714.
All of it works on histograms of integer codes, so that calibration data are read once, whatever is asked of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgeq.errors import BudgetError, InputError
from edgeq.formats.rounding import round_ratio

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Histogram:
    """How often each grid integer low, low + 1, … occurs."""

    low: int
    counts: Ints

    @property
    def integers(self) -> Ints:
        """The grid integers that are counted."""
        return np.arange(self.low, self.low + len(self.counts), dtype=np.int64)

    def __add__(self, other: Histogram) -> Histogram:
        """Both together; they start at the same integer and have the same length."""
        return Histogram(self.low, self.counts + other.counts)


@dataclass(frozen=True)
class Gaussian:
    """The normal distribution that stands for the values of a map (section 3.2), in its grid integers."""

    mean: float
    deviation: float

    def outside(self, least: Ints, most: Ints, phi: float) -> npt.NDArray[np.bool_]:
        """Whether ranges of values hold outliers: |x - mean| > phi * deviation."""
        reach = phi * self.deviation
        return np.asarray((most > self.mean + reach) | (least < self.mean - reach))


def gaussian(histogram: Histogram) -> Gaussian:
    """Mean and standard deviation of all counted values."""
    total = histogram.counts.sum()
    if total == 0:
        raise InputError("search: no values to model")
    mean = float((histogram.integers * histogram.counts).sum() / total)
    variance = float(((histogram.integers - mean) ** 2 * histogram.counts).sum() / total)
    return Gaussian(mean, variance**0.5)


def classified(model: Gaussian, least: Ints, most: Ints, phi: float, share: float) -> list[bool]:
    """VDPC: which patches hold outliers, so that their branches keep 8 bits.

    least, most: least and greatest value of each patch of each sample, (samples, patches). A place in the map has its
    class for good: it holds outliers if it does in more than `share` of the samples.
    """
    return [bool(s > share) for s in model.outside(least, most, phi).mean(axis=0)]


@dataclass(frozen=True)
class Quantiser:
    """Codes of `bits` bits, on a grid coarser by 2^drop: clip(round(x / 2^drop), least, most)."""

    bits: int
    signed: bool
    drop: int

    @property
    def codes(self) -> tuple[int, int]:
        """Least and greatest code."""
        return (-(1 << (self.bits - 1)), (1 << (self.bits - 1)) - 1) if self.signed else (0, (1 << self.bits) - 1)

    def of(self, integers: Ints) -> Ints:
        """Codes of grid integers, ties up."""
        rounded = round_ratio(integers, np.asarray(1 << self.drop, dtype=np.int64), "half_up")
        return np.clip(rounded, *self.codes)

    def error(self, histogram: Histogram) -> float:
        """Sum of squared errors on the grid of the histogram."""
        far = (self.of(histogram.integers) << self.drop) - histogram.integers
        return float((far**2 * histogram.counts).sum())


def best_quantiser(histogram: Histogram, bits: int, signed: bool) -> Quantiser:
    """The binary point with the least squared error; the finest of several."""
    width = max(int(np.abs(histogram.integers[[0, -1]]).max()).bit_length(), 1)
    found = [Quantiser(bits, signed, drop) for drop in range(width + 1)]
    return min(found, key=lambda q: (q.error(histogram), q.drop))


def entropy(histogram: Histogram, quantiser: Quantiser | None = None) -> float:
    """H = -sum p log2 p of the values (section 3.3), in bits, as they are or quantised."""
    counts = histogram.counts
    if quantiser is not None:
        codes = quantiser.of(histogram.integers)
        counts = np.bincount(codes - codes.min(), weights=counts)
    share = counts[counts > 0] / counts.sum()
    return float(-(share * np.log2(share)).sum())


@dataclass(frozen=True)
class FeatureMap:
    """A feature map of a branch.

    histogram: of its 8-bit codes; signed: whether narrower codes need a sign; work: multiply-accumulates that read it
    times the bits of what they multiply it by, so that `work` * width is its BitOPs.
    """

    name: str
    histogram: Histogram
    signed: bool
    work: int


def scores(maps: Sequence[FeatureMap], widths: Sequence[int], lam: float) -> Floats:
    """S(i, b) = -lambda * Omega(i, b) + (1 - lambda) * Phi(i, b), of each map i and width b, (maps, widths).

    Omega(i, b) = (H(i, 8) - H(i, b)) / H(i, 8), the share of the entropy of map i that b bits lose; Phi(i, b) =
    (B(i, 8) - B(i, b)) / max over j, c of (B(j, 8) - B(j, c)), the BitOPs that b bits save at map i, as a share of the
    most that any map of the branch can save. Both lie in 0..1. Section 3.3; the paper says "normalised" of both, and
    this is how it is read here.
    """
    if not 0 <= lam <= 1:
        raise InputError(f"search: lambda {lam} must lie in 0..1")
    lost = np.zeros((len(maps), len(widths)))
    saved = np.zeros_like(lost)
    for i, each in enumerate(maps):
        whole = entropy(each.histogram)
        for k, bits in enumerate(widths):
            saved[i, k] = each.work * (8 - bits)
            if bits < 8 and whole > 0:
                left = entropy(each.histogram, best_quantiser(each.histogram, bits, each.signed))
                lost[i, k] = (whole - left) / whole
    most = saved.max(initial=0.0)
    return -lam * lost + (1 - lam) * (saved / most if most > 0 else saved)


@dataclass(frozen=True)
class Moment:
    """What is alive while one node runs: `fixed` bytes, and codes of maps, by their index."""

    fixed: int
    codes: Mapping[int, int]

    def bytes(self, widths: Sequence[int]) -> int:
        """Bytes if codes of up to 4 bits share them."""
        return self.fixed + sum(-(-count * widths[i] // 8) for i, count in self.codes.items())


def chosen_widths(
    table: Floats,
    widths: Sequence[int],
    moments: Sequence[Moment],
    limit: int | None,
    progress: Callable[[int], None] = lambda peak: None,
) -> list[int]:
    """VDQS: a width for each map, each with the greatest score; then, while the peak of RAM is above `limit`, the map
    that is alive there and loses least score for each byte it saves goes one width down.

    table: scores, (maps, widths); widths fall, as 8, 4, 2. BudgetError where the narrowest do not fit. Of equal scores
    the wider width counts.
    """
    at = [int(np.argmax(row)) for row in table]
    while limit is not None and moments:
        now = [widths[k] for k in at]
        worst = max(moments, key=lambda moment: moment.bytes(now))
        peak = worst.bytes(now)
        progress(peak)
        if peak <= limit:
            break
        steps = [_step(table, widths, at, i, count) for i, count in worst.codes.items() if at[i] + 1 < len(widths)]
        if not steps:
            raise BudgetError(
                f"search: {peak:,} bytes are alive at once with the narrowest widths, more than the {limit:,} "
                "allowed; take more patches, or raise the limit"
            )
        at[min(steps)[1]] += 1
    return [widths[k] for k in at]


def _step(table: Floats, widths: Sequence[int], at: Sequence[int], i: int, count: int) -> tuple[float, int]:
    """Score that a map loses for each byte if it goes one width down, and the map."""
    k = at[i]
    saved = -(-count * widths[k] // 8) - -(-count * widths[k + 1] // 8)
    return float(table[i, k] - table[i, k + 1]) / max(saved, 1), i
