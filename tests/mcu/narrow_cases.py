"""Networks of many unrelated nodes with weights below 8 bits and with minifloats: every size, format and extreme."""

from __future__ import annotations

import numpy as np

from edgeq.errors import EdgeqError
from edgeq.formats import NAMED, FixedPoint, Format, Minifloat
from tests.mcu.dsp_cases import Batch, Rng, bounds, byte
from tests.mcu.kernel_cases import codes
from tests.mcu.layer_batches import layer_batches

#: minifloats whose grid fits a byte, for inputs and weights; those of at most 63 steps are outputs too
LAYOUTS = [(e, m) for e in (1, 2, 3) for m in range(7) if 2 <= e + m <= 7]
SMALL = [Minifloat(e, m) for e, m in LAYOUTS if Minifloat(e, m).max_magnitude <= 127]
FLOATS = [NAMED["e2m1"], NAMED["e2m3"], NAMED["e2m1"], NAMED["e2m3"], *SMALL, Minifloat(2, 1, specials="fnuz")]


def scaled(fmt: Minifloat, scale: int) -> Minifloat:
    """The format at another scale."""
    return Minifloat(fmt.exponent, fmt.mantissa, fmt.bias, fmt.specials, scale)


def weight_format(rng: Rng, channels: int) -> Format:
    """2 to 8 bits signed, a few unsigned, or a minifloat; half of the time with a binary point for each channel."""
    points = tuple(int(p) for p in rng.integers(3, 6, channels))
    if rng.integers(2):
        fmt = FLOATS[int(rng.integers(len(FLOATS)))]
        each = points if rng.integers(2) else int(rng.integers(-2, 3))
        return Minifloat(
            fmt.exponent, fmt.mantissa, fmt.bias, fmt.specials, each, 0 if isinstance(each, tuple) else None
        )
    bits, signed = int(rng.choice([2, 3, 4, 4, 5, 6, 7, 8])), bool(rng.integers(4))
    return FixedPoint(bits, points, signed, 0) if rng.integers(2) else FixedPoint(bits, int(rng.integers(3, 6)), signed)


def input_format(rng: Rng) -> Format:
    """A byte, or a minifloat."""
    if rng.integers(2):
        return scaled(FLOATS[int(rng.integers(len(FLOATS)))], int(rng.integers(-2, 3)))
    return byte(rng, 4, narrow=True)


def finite(fmt: Format, shape: tuple[int, ...], rng: Rng) -> np.ndarray:
    """Codes, without the one of FNUZ that is no number."""
    found = codes(fmt, shape, rng)
    bad = isinstance(fmt, Minifloat) and fmt.specials == "fnuz"
    return np.where(found == 1 << (fmt.bits - 1), 0, found) if bad else found


def add(batch: Batch, op: str, shape: list[int], weight: list[int], **attrs: object) -> None:
    """A node with weights of shape `weight`; a combination that is no legal node is skipped."""
    rng, builder, number = batch.rng, batch.builder, len(batch.outputs)
    x, wf = input_format(rng), weight_format(rng, weight[0])
    name = f"x{len(batch.inputs)}"
    frac = wf.frac if isinstance(wf.frac, tuple) else (wf.frac,)
    assert isinstance(x.frac, int)
    up = int(rng.integers(1, 8)) + int(np.log2(np.prod(weight[1:])) / 2)
    point = x.frac + min(frac) - up
    small = [f for f in FLOATS if f.max_magnitude <= 63]
    if rng.integers(2):
        out: Format = small[int(rng.integers(len(small)))].per_tensor(point)
        cut = out.to_grid_scalar(int(rng.integers(1, 1 << (out.bits - 1))))
        limits = ({}, {"lo": 0}, {"lo": 0, "hi": cut}, {"lo": -cut})[int(rng.integers(4))]
    else:
        out = byte(rng, point, narrow=True)
        limits = bounds(rng, out)
    values = finite(x, (batch.samples, *shape), rng)
    operands = [
        builder.input(name, tuple(shape), x),
        builder.constant(f"w{number}", finite(wf, tuple(weight), rng), wf),
    ]
    if rng.integers(3):
        bias = rng.integers(-(1 << 8), 1 << 8, (weight[0],))
        operands.append(builder.constant(f"b{number}", bias, FixedPoint(16, x.frac + min(frac))))
    rules = ["half_up", "half_even", "floor"] if isinstance(out, Minifloat) else ["half_up", "half_up", "floor"]
    rule = str(rng.choice(rules))
    try:
        made = builder.node(op, f"y{number}", operands, out, rounding=rule, **limits, **attrs)  # type: ignore[arg-type]
    except EdgeqError:
        made = builder.node("requantise", f"y{number}", operands[:1], FixedPoint(8, 0), rounding=rule)
    batch.inputs[name] = values
    batch.outputs.append(made)


BATCHES = layer_batches("narrow", add, (1, 2, 3, 5), (4, 5, 6, 7, 8, 16, 17), 4)
