"""Networks of many unrelated nodes on codes of 8, 4 and 2 bits: every combination of input, weights and output.

Codes of up to 4 bits share bytes, in `fields` most of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from edgeq.formats import FixedPoint
from edgeq.ir import GraphBuilder
from edgeq.mcu.storage import packed
from tests.mcu import windows
from tests.mcu.dsp_cases import Batch, Rng
from tests.mcu.kernel_cases import codes

WIDTHS = (8, 4, 2)
POOL = {"include_pad": 1}


def narrow(rng: Rng, point: int, widths: tuple[int, ...] = WIDTHS) -> FixedPoint:
    """A format of one of the widths, signed or not."""
    fmt = FixedPoint(int(rng.choice(widths)), point, bool(rng.integers(2)))
    return packed(fmt) if fmt.bits <= 4 else fmt


def in_bytes(fmt: FixedPoint) -> FixedPoint:
    """The same with a byte for each code."""
    return FixedPoint(fmt.bits, fmt.point, fmt.signed)


def weight_codes(rng: Rng, shape: list[int], fmt: FixedPoint) -> np.ndarray:
    """Any codes, only extremes, or all the least or the greatest one."""
    lo, hi = fmt.code_range
    kind = int(rng.integers(6))
    if kind < 3:
        return codes(fmt, shape, rng)
    if kind == 3:
        return rng.choice(np.array([lo, hi]), size=shape).astype(np.int64)
    return np.full(shape, lo if kind == 4 else hi, dtype=np.int64)


def matrix(batch: Batch, op: str, shape: list[int], weight: list[int], formats: list[FixedPoint], **attrs: Any) -> None:
    """A node with weights and a bias now and then; formats: of input, weights and (its point to be set) output."""
    rng, builder, number = batch.rng, batch.builder, len(batch.outputs)
    x, w, out = formats
    operands = [batch.input(shape, x), builder.constant(f"w{number}", weight_codes(rng, weight, w), w)]
    frac = int(x.point) + int(w.point)  # type: ignore[arg-type]
    if rng.integers(3):
        operands.append(builder.constant(f"b{number}", rng.integers(-99, 99, (weight[0],)), FixedPoint(16, frac)))
    spread = (x.bits + w.bits + int(np.log2(np.prod(weight[1:]))) // 2 - out.bits) * 3 // 4
    out = replace(out, point=frac - max(spread, 0))
    relu = {"lo": 0} if rng.integers(3) == 0 else {}
    batch.outputs.append(builder.node(op, f"y{number}", operands, out, **attrs, **relu))


def fields(seed: int, count: int, most: int = 6) -> Batch:
    """Convolutions and rows of up to 4 bits that fill whole words: any window, sizes up to `most`."""
    batch = Batch("fields", seed)
    rng = batch.rng
    while len(batch.outputs) < count:
        x = narrow(rng, 2, (4, 4, 3, 2))
        w = FixedPoint(int(rng.choice((4, 4, 3, 2))), 2)
        out = narrow(rng, 0)
        channels = (8 if x.bits > 2 else 16) * int(rng.integers(1, 4))
        filters = (4 if out.bits == 2 else 2) * int(rng.integers(1, 5))
        if rng.integers(4) == 0:
            shape = ([channels], [1, channels], [5, channels])[int(rng.integers(3))]
            matrix(batch, "linear", shape, [filters, channels], [x, w, out])
            continue
        size, kernel, geometry = windows.convolution(rng, [1, 2, 3], most)
        x, out = (fmt if rng.integers(3) else in_bytes(fmt) for fmt in (x, out))
        matrix(batch, "conv", [*size, channels], [filters, *kernel, channels], [x, w, out], groups=1, **geometry)
    return batch


def layers(seed: int, count: int) -> Batch:
    """Convolutions, pointwise and depthwise, and linear layers of all combinations, with even and odd channels."""
    batch = Batch("layers", seed)
    rng = batch.rng
    while len(batch.outputs) < count:
        formats = [narrow(rng, 2), FixedPoint(int(rng.choice(WIDTHS)), 2), narrow(rng, 0)]
        channels, filters = int(rng.choice([1, 3, 4, 8, 16, 17])), int(rng.choice([1, 2, 3, 4, 8]))
        size, kernel, geometry = windows.convolution(rng, [1, 1, 2, 3], 5)
        kind = int(rng.integers(3))
        if kind == 0:
            matrix(batch, "linear", [int(rng.integers(1, 4)), channels], [filters, channels], formats)
        elif kind == 1:
            weight = [channels, *kernel, 1]
            matrix(batch, "conv", [*size, channels], weight, formats, groups=channels, **geometry)
        else:
            matrix(batch, "conv", [*size, channels], [filters, *kernel, channels], formats, groups=1, **geometry)
    return batch


def elements(seed: int, count: int) -> Batch:
    """Sums, pools, means and moved codes, with channels that leave parts of bytes."""
    batch = Batch("elements", seed)
    rng, builder = batch.rng, batch.builder
    while len(batch.outputs) < count:
        x, name = narrow(rng, 2), f"y{len(batch.outputs)}"
        channels = int(rng.choice([1, 3, 4, 5, 8]))
        size, kernel, geometry = windows.pool(rng)
        shape, place = [*size, channels], {k: v for k, v in geometry.items() if k != "dilation"}
        kind, operands = int(rng.integers(9)), [batch.input(shape, x)]
        pool = {"kernel": tuple(kernel), **place}
        if kind in (0, 5):
            both = [*operands, batch.input(shape, narrow(rng, 1))]
            made = builder.node("sub" if kind else "add", name, both, narrow(rng, 1))
        elif kind == 1:
            made = builder.node("max_pool", name, operands, x, **pool, dilation=(1,) * len(kernel))
        elif kind == 2:
            made = builder.node("average_pool", name, operands, narrow(rng, 2), **pool, **POOL)
        elif kind == 3:
            made = builder.node("transpose", name, operands, x, permutation=tuple(reversed(range(len(shape)))))
        elif kind == 4:
            both = [*operands, batch.input(shape, x)]
            made = builder.node("concat", name, both, narrow(rng, 2), axis=len(shape) - 1)
        elif kind == 6:
            made = builder.node("requantise", name, operands, narrow(rng, 1))
        elif kind == 7:
            made = builder.node("mean", name, operands, narrow(rng, 2), axes=(0,), keep_axes=0)
        else:
            made = moved(rng, builder, name, operands[0], shape, x)
        batch.outputs.append(made)
    return batch


def moved(rng: Rng, builder: GraphBuilder, name: str, x: str, shape: list[int], fmt: FixedPoint) -> str:
    """A part of a map, from any code on, or a map with others around it."""
    if rng.integers(2):
        padding = tuple(int(n) for n in rng.integers(0, 3, size=2 * len(shape)))
        return builder.node("pad", name, [x], fmt, padding=padding, mode="constant", value=0)
    begin = [int(rng.integers(n)) for n in shape]
    end = tuple(int(rng.integers(b + 1, n + 1)) for b, n in zip(begin, shape, strict=True))
    return builder.node("slice", name, [x], fmt, begin=tuple(begin), end=end, step=(1,) * len(shape))


BATCHES: dict[str, Callable[[int, int], Batch]] = {"fields": fields, "layers": layers, "elements": elements}
