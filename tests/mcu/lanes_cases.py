"""Networks of many unrelated nodes with minifloats beyond a byte and with group scales: every size, format, extreme."""

from __future__ import annotations

import numpy as np

from edgeq.errors import EdgeqError
from edgeq.formats import NAMED, FixedPoint, Format, Grouped, Minifloat, grouped
from tests.mcu.dsp_cases import Batch, Rng
from tests.mcu.layer_batches import layer_batches
from tests.mcu.narrow_cases import finite, scaled

#: 16 bits with sums of 32 (E3M2) and of 64 (E4M0, E3M4), 32 bits (E4M3, E4M2), and 32 bits bounded by their data (E5M2)
WIDE = [NAMED["e3m2"], NAMED["e4m3"], Minifloat(3, 4), Minifloat(4, 0), Minifloat(4, 2), Minifloat(3, 3)]
PLAIN: list[Format] = [FixedPoint(8, 4), FixedPoint(8, 4, False), NAMED["e2m1"], NAMED["e2m3"]]
WEIGHTS: list[Format] = [FixedPoint(8, 6), FixedPoint(4, 3), FixedPoint(3, 2), NAMED["e2m1"], NAMED["e5m2"]]


def numbers(fmt: Format, shape: tuple[int, ...], rng: Rng) -> np.ndarray:
    """Codes that are numbers; of E5M2 small ones, whose grid fits 32 bits, of others often the greatest."""
    if isinstance(fmt, Minifloat) and fmt.exponent == 5:
        return rng.integers(0, 64, shape) | rng.integers(0, 2, shape) << 7
    if isinstance(fmt, Minifloat):
        top = int(fmt.from_grid(np.array([fmt.max_magnitude]))[0])
        codes = rng.integers(0, top + 1, shape)
        codes = np.where(rng.integers(3, size=shape) == 0, top, codes) if rng.integers(3) == 0 else codes
        signs = rng.integers(0, 2, shape) if rng.integers(4) else np.zeros(shape, dtype=np.int64)
        return codes | signs << (fmt.bits - 1) if fmt.specials != "fnuz" else np.where(codes > 0, codes, 0)
    return finite(fmt, shape, rng)


def weight_format(rng: Rng, shape: tuple[int, ...]) -> Format:
    """One scale, one for each channel, or one for each group of input channels."""
    found = [*WIDE, *WIDE, *WEIGHTS][int(rng.integers(2 * len(WIDE) + len(WEIGHTS)))]
    kind = int(rng.integers(3))
    points = tuple(int(v) for v in rng.integers(-2, 2, shape[0]))
    if kind == 1 and isinstance(found, Minifloat):
        return Minifloat(found.exponent, found.mantissa, found.bias, found.specials, points, 0)
    if kind == 2 and found.bits < 8:
        size = int(rng.choice([2, 3, 16, 32]))
        assert isinstance(found, FixedPoint | Minifloat)
        spread = min(int(rng.choice([1, 4, 9, 20])), Grouped.most_spread(found))
        return grouped(found, size, rng.integers(0, spread + 1, (*shape[:-1], -(-shape[-1] // size))))
    return found


def add(batch: Batch, op: str, shape: list[int], weight: list[int], **attrs: object) -> None:
    """A node with weights of shape `weight`; a combination that is no legal node is skipped."""
    rng, builder, number = batch.rng, batch.builder, len(batch.outputs)
    wf = weight_format(rng, tuple(weight))
    x: Format = [*WIDE, *PLAIN][int(rng.integers(len(WIDE) + len(PLAIN)))]
    x = scaled(x, int(rng.integers(-2, 3))) if isinstance(x, Minifloat) else x
    frac = wf.frac if isinstance(wf.frac, tuple) else (wf.frac,)
    assert isinstance(x.frac, int)
    most = wf.element.grid_range[1] if isinstance(wf, Grouped) else wf.grid_range[1]
    spread = np.log2(max(most * x.grid_range[1] * np.sqrt(np.prod(weight[1:])), 2))
    out = [*WIDE, *WIDE, *PLAIN, NAMED["e5m2"], FixedPoint(16, 0)][int(rng.integers(2 * len(WIDE) + len(PLAIN) + 2))]
    up = max(int(spread - np.log2(out.grid_range[1])) + int(rng.integers(-3, 3)), int(rng.integers(-1, 3)))
    out = out.per_tensor(x.frac + min(frac) - up)
    limits: dict[str, int] = {}
    if isinstance(out, Minifloat):
        top = int(out.from_grid(np.array([out.max_magnitude]))[0])
        cut = out.to_grid_scalar(int(rng.integers(1, top + 1)))
        limits = ({}, {"lo": 0}, {"lo": 0, "hi": cut}, {"lo": -cut})[int(rng.integers(4))]
    name = f"x{len(batch.inputs)}"
    values = numbers(x, (batch.samples, *shape), rng)
    operands = [
        builder.input(name, tuple(shape), x),
        builder.constant(f"w{number}", numbers(wf.element if isinstance(wf, Grouped) else wf, tuple(weight), rng), wf),
    ]
    if rng.integers(3):
        bias = rng.integers(-(1 << 12), 1 << 12, (weight[0],))
        operands.append(builder.constant(f"b{number}", bias, FixedPoint(16, x.frac + min(frac))))
    rule = str(rng.choice(["half_up", "half_even", "half_even", "floor"]))
    try:
        made = builder.node(op, f"y{number}", operands, out, rounding=rule, **limits, **attrs)  # type: ignore[arg-type]
    except EdgeqError:
        made = builder.node("requantise", f"y{number}", operands[:1], FixedPoint(8, 0), rounding=rule)
    batch.inputs[name] = values
    batch.outputs.append(made)


BATCHES = layer_batches("lanes", add, (1, 1, 2, 3, 5), (1, 3, 4, 5, 6, 8, 17), 7)
