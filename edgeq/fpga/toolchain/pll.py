"""PLL settings by arithmetic: which clock a device can make of its crystal's.

Ranges are those of the data sheets: ECP5 FPGA-DS-02012 table "sysCLOCK PLL timing", iCE40 UltraPlus FPGA-DS-02008
"sysCLOCK PLL timing", Gowin DS117 and DS226 "PLL".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from edgeq.boards import Board
from edgeq.errors import InputError
from edgeq.fpga.toolchain.families import device_of


@dataclass(frozen=True)
class Clock:
    """A clock that the board can make: `hz` (exact to a hertz), `divisors` by name; none: the crystal itself."""

    hz: int
    divisors: Mapping[str, int]

    @property
    def is_crystal(self) -> bool:
        """Whether no PLL is needed."""
        return not self.divisors


def wanted_clock(board: Board, mhz: float | None) -> Clock:
    """The clock to build for: that of the board's target where `mhz` is None."""
    return choose_clock(board, round((mhz or device_of(board).target_hz / 1e6) * 1e6))


def choose_clock(board: Board, at_most_hz: int) -> Clock:
    """The fastest clock that is not above `at_most_hz`; the crystal itself where it is that.

    Of several settings for one clock the one with the fastest phase detector, which has the least jitter. Raises
    InputError where nothing so slow can be made.
    """
    family, crystal = device_of(board).family, board.clock_hz or 0
    settings = {"ecp5": _ecp5, "ice40": _ice40, "gowin": _gowin}[family]
    best = Clock(crystal, {}) if crystal <= at_most_hz else None
    detector = 0.0
    for hz, compare, divisors in settings(crystal, device_of(board).device):
        if hz > at_most_hz or (best and hz < best.hz) or (best and best.hz == hz and compare <= detector):
            continue
        if best and best.is_crystal and best.hz == hz:
            continue
        best, detector = Clock(hz, divisors), compare
    if best is None:
        raise InputError(
            f"board {board.name}: makes no clock of {at_most_hz / 1e6:g} MHz or less from its crystal of "
            f"{crystal / 1e6:g} MHz; ask for a faster clock"
        )
    return best


Setting = tuple[int, float, dict[str, int]]


def _ecp5(crystal: int, _: str) -> Iterator[Setting]:
    """EHXPLLL, feedback from CLKOP, the clock from CLKOS: VCO = in / input * feedback * middle, out = VCO / output."""
    for divide in range(1, 129):
        compare = crystal / divide
        if not 10e6 <= compare <= 400e6:
            continue
        for times in range(1, 81):
            vco = compare * times
            middle = next((n for n in range(2, times + 1) if times % n == 0 and 10e6 <= vco / n <= 400e6), None)
            if middle is None or not 400e6 <= vco <= 800e6:
                continue
            for output in range(2, 129):
                hz = int(vco / output)
                yield hz, compare, {"input": divide, "feedback": times // middle, "middle": middle, "output": output}


def _ice40(crystal: int, _: str) -> Iterator[Setting]:
    """SB_PLL40 with simple feedback: out = in * (F + 1) / (R + 1) / 2^Q."""
    for r in range(16):
        compare = crystal / (r + 1)
        if not 10e6 <= compare <= 133e6:
            continue
        for f in range(128):
            vco = crystal * (f + 1) / (r + 1)
            if not 533e6 <= vco <= 1066e6:
                continue
            for q in range(1, 7):
                hz = int(vco / 2**q)
                if 16_000_000 <= hz <= 275_000_000:
                    yield hz, compare, {"r": r, "f": f, "q": q, "range": _filter_range(compare)}


def _filter_range(compare: float) -> int:
    """FILTER_RANGE of the iCE40's PLL by the frequency of its phase detector."""
    limits = (17e6, 26e6, 44e6, 66e6, 101e6)
    return 1 + sum(compare >= limit for limit in limits)


def _gowin(crystal: int, device: str) -> Iterator[Setting]:
    """rPLL: out = in * (FBDIV + 1) / (IDIV + 1), VCO = out * ODIV."""
    low, high = (500e6, 1250e6) if device.startswith("GW2A") else (400e6, 1200e6)
    for divide in range(1, 65):
        compare = crystal / divide
        if not 3e6 <= compare <= 400e6:
            continue
        for feedback in range(1, 65):
            hz = crystal * feedback // divide
            for output in (2, 4, 8, 16, 32, 48, 64, 80, 96, 112, 128):
                if low <= hz * output <= high and 3_125_000 <= hz <= 600_000_000:
                    yield hz, compare, {"idiv": divide - 1, "fbdiv": feedback - 1, "odiv": output}
                    break
