"""Functions by lines between the entries of a table: arguments by eq_scale, memories of entries and steps."""

from __future__ import annotations

import numpy as np

from edgeq.fpga.dataflow import Param, Rom, Stream
from edgeq.fpga.lowering import Codes, Lowering, raw
from edgeq.fpga.ops._stage import RULES, interval_of


def scaled(
    ctx: Lowering, source: Stream, dyadic: tuple[int, int], rule: str, bounds: tuple[int, int], zero: int, bits: int
) -> Stream:
    """Integers (1 lane) times a multiplier / 2^shift, rounded by `rule`, within bounds, plus zero, in so many bits."""
    made = ctx.stream("argument", bits, True, 1, source.beats)
    cycles = interval_of(ctx.target // source.beats)
    params: dict[str, Param] = {
        "LANES": 1,
        "IN_BITS": source.bits,
        "OUT_BITS": bits,
        "CHANNELS": 1,
        "MULTIPLIER": dyadic[0],
        "SHIFT": dyadic[1],
        "SHIFT_MIN": dyadic[1],
        "SHIFT_MAX": dyadic[1],
        "RULE": RULES[rule],
        "LO": bounds[0],
        "HI": bounds[1],
        "ZERO": zero,
        "STYLE": "lut",
        "CYCLES": cycles,
    }
    ctx.stage("eq_scale", params, {"s": source.name}, {"m": made.name}, source.beats * cycles)
    return made


def line_rom(ctx: Lowering, name: str, entries: Codes, bits: int) -> Rom:
    """Words {next entry less this one: one bit more; this one: `bits`}; the last entry only ends a line."""
    words = [raw(int(d), bits + 1) << bits | int(e) for e, d in zip(entries, np.diff(entries), strict=False)]
    return ctx.rom(name, 2 * bits + 1, words)
