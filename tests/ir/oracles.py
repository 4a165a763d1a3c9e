"""A second meaning of every operator: torch's float64 functionals where they are exact, then rounding by fractions.

Nothing here uses grids, `encode` or the operators' own code. A float64 sum of products is exact while every partial
sum is below 2**53 steps of the products' grid; `exact_in_float64` says whether a node stays there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from formats.oracle import nearest_code, real_by_definition

from edgeq.formats import FixedPoint, Format
from edgeq.ir import Interval, Node, Value, operator

Codes = npt.NDArray[np.int64]
Tensor = torch.Tensor
#: numerators in real units (float64, batch first) and their divisor
Ratio = tuple[Tensor, Tensor | int]


def exact_in_float64(node: Node, ins: Sequence[Value], ranges: Sequence[Interval]) -> bool:
    """Whether float64 holds every partial sum of this node."""
    bounds = operator(node.op).bounds(node, ins, ranges)
    return bounds is None or max(*map(abs, bounds.lo), *map(abs, bounds.hi)) < 1 << 53


def real(fmt: Format, codes: npt.NDArray[Any]) -> Tensor:
    """Real values by definition, per code (per channel: fixed point or minifloat along its axis)."""
    out = np.zeros(codes.shape, dtype=np.float64)
    if fmt.channel_axis is not None:
        for channel in range(codes.shape[fmt.channel_axis]):
            index = tuple(slice(None) if a != fmt.channel_axis else channel for a in range(codes.ndim))
            assert isinstance(fmt.frac, tuple)
            out[index] = real(fmt.per_tensor(fmt.frac[channel]), codes[index]).numpy()
        return torch.from_numpy(out)
    for code in np.unique(codes):
        if isinstance(fmt, FixedPoint):
            assert isinstance(fmt.point, int)
            out[codes == code] = float(int(code) * Fraction(2) ** -fmt.point)
        else:
            value = real_by_definition(fmt, int(code))
            assert value is not None
            out[codes == code] = float(value)
    return torch.from_numpy(out)


def code_of(fmt: Format, x: Fraction, rule: str, bounds: tuple[Fraction | None, Fraction | None]) -> int:
    """The code of one exact number: rounded, saturated, clamped to real bounds."""
    if isinstance(fmt, FixedPoint):
        assert isinstance(fmt.point, int)
        y = x * Fraction(2) ** fmt.point
        n = {"floor": math.floor(y), "half_up": math.floor(y + Fraction(1, 2)), "half_even": round(y)}[rule]
        lo, hi = (-(2 ** (fmt.width - 1)), 2 ** (fmt.width - 1) - 1) if fmt.sign else (0, 2**fmt.width - 1)
        value = max(lo, min(hi, n)) * Fraction(2) ** -fmt.point
    else:
        found = real_by_definition(fmt, nearest_code(fmt, x, rule))
        assert found is not None
        value = found
    low, high = bounds
    value = value if low is None else max(value, low)
    value = value if high is None else min(value, high)
    return int(value * Fraction(2) ** fmt.point) if isinstance(fmt, FixedPoint) else nearest_code(fmt, value, "floor")


def rounded(node: Node, fmt: Format, ratio: Ratio) -> Codes:
    """The output stage on exact ratios; each distinct one is rounded once."""
    num, den = (np.asarray(t, dtype=np.float64) for t in ratio)
    pairs = np.stack([num.ravel(), np.broadcast_to(den, num.shape).ravel()])
    distinct, back = np.unique(pairs, axis=1, return_inverse=True)
    step = Fraction(2) ** -fmt.frac
    ends = [step * int(node.attrs[k]) if k in node.attrs else None for k in ("lo", "hi")]
    rule = node.attrs.get("rounding", "half_up")
    codes = [code_of(fmt, Fraction(n) / Fraction(d), rule, (ends[0], ends[1])) for n, d in distinct.T]
    return np.array(codes, dtype=np.int64)[back.ravel()].reshape(num.shape)


def _channels_first(x: Tensor) -> Tensor:
    return x.movedim(-1, 1)


def _channels_last(x: Tensor) -> Tensor:
    return x.movedim(1, -1)


def _torch_padding(pairs: Sequence[int]) -> list[int]:
    """(begin, end) for each axis, first axis first, as torch wants it: last axis first."""
    both = [pairs[i : i + 2] for i in range(0, len(pairs), 2)]
    return [int(p) for pair in reversed(both) for p in pair]


def conv(node: Node, ins: Sequence[Value], xs: Sequence[Tensor]) -> Ratio:
    rank = len(ins[0].shape) - 1
    x = F.pad(_channels_first(xs[0]), _torch_padding(node.attrs["padding"]))
    run = (F.conv1d, F.conv2d)[rank - 1]
    y = run(
        x,
        _channels_first(xs[1]).contiguous(),
        xs[2] if len(xs) > 2 else None,
        node.attrs["stride"],
        0,
        node.attrs["dilation"],
        node.attrs["groups"],
    )
    return _channels_last(y), 1


def conv_transpose(node: Node, ins: Sequence[Value], xs: Sequence[Tensor]) -> Ratio:
    rank, groups = len(ins[0].shape) - 1, node.attrs["groups"]
    w = xs[1]
    per = w.reshape(groups, w.shape[0] // groups, *w.shape[1:])
    # (G, O/G, *k, C/G) -> (G, C/G, O/G, *k) -> (C, O/G, *k)
    w = per.movedim(-1, 1).reshape(groups * per.shape[-1], per.shape[1], *w.shape[1:-1]).contiguous()
    run = (F.conv_transpose1d, F.conv_transpose2d)[rank - 1]
    x, dilation = _channels_first(xs[0]).contiguous(), node.attrs["dilation"]
    y = run(x, w, None, node.attrs["stride"], 0, 0, groups, dilation)
    padding = node.attrs["padding"]
    change = []
    for i in range(rank):
        change += [-padding[2 * i], node.attrs["output_padding"][i] - padding[2 * i + 1]]
    y = _channels_last(F.pad(y, _torch_padding(change)))
    return (y + xs[2] if len(xs) > 2 else y), 1


def linear(node: Node, ins: Sequence[Value], xs: Sequence[Tensor]) -> Ratio:
    return F.linear(xs[0], xs[1], xs[2] if len(xs) > 2 else None), 1


def _broadcast(ins: Sequence[Value], xs: Sequence[Tensor]) -> list[Tensor]:
    """Both operands with a batch axis and as many axes as the longer one has."""
    rank = max(len(v.shape) for v in ins)
    return [
        x.reshape(1 if v.constant else x.shape[0], *[1] * (rank - len(v.shape)), *v.shape)
        for v, x in zip(ins, xs, strict=True)
    ]


def matmul(node: Node, ins: Sequence[Value], xs: Sequence[Tensor]) -> Ratio:
    a, b = _broadcast(ins, xs)
    return torch.matmul(a, b), 1


def add(node: Node, ins: Sequence[Value], xs: Sequence[Tensor]) -> Ratio:
    a, b = _broadcast(ins, xs)
    return a + b, 1


def sub(node: Node, ins: Sequence[Value], xs: Sequence[Tensor]) -> Ratio:
    a, b = _broadcast(ins, xs)
    return a - b, 1


def mul(node: Node, ins: Sequence[Value], xs: Sequence[Tensor]) -> Ratio:
    a, b = _broadcast(ins, xs)
    return a * b, 1


def maximum(node: Node, ins: Sequence[Value], xs: Sequence[Tensor]) -> Ratio:
    return torch.maximum(*_broadcast(ins, xs)), 1


def minimum(node: Node, ins: Sequence[Value], xs: Sequence[Tensor]) -> Ratio:
    return torch.minimum(*_broadcast(ins, xs)), 1


def prelu(node: Node, ins: Sequence[Value], xs: Sequence[Tensor]) -> Ratio:
    x, slope = _broadcast(ins, xs)
    return x.clamp(min=0) + slope * x.clamp(max=0), 1


def concat(node: Node, ins: Sequence[Value], xs: Sequence[Tensor]) -> Ratio:
    batch = max(x.shape[0] for v, x in zip(ins, xs, strict=True) if not v.constant)
    parts = [(x[None] if v.constant else x).expand(batch, *v.shape) for v, x in zip(ins, xs, strict=True)]
    return torch.cat(parts, dim=node.attrs["axis"] + 1), 1


def requantise(node: Node, ins: Sequence[Value], xs: Sequence[Tensor]) -> Ratio:
    return xs[0], 1


def average_pool(node: Node, ins: Sequence[Value], xs: Sequence[Tensor]) -> Ratio:
    def window_sums(x: Tensor) -> Tensor:
        x = F.pad(_channels_first(x), _torch_padding(node.attrs["padding"]))
        kernel, channels = node.attrs["kernel"], x.shape[1]
        run = (F.conv1d, F.conv2d)[len(kernel) - 1]
        ones = torch.ones(channels, 1, *kernel, dtype=torch.float64)
        return _channels_last(run(x, ones, None, node.attrs["stride"], 0, 1, channels))

    counted = math.prod(node.attrs["kernel"]) if node.attrs["include_pad"] else window_sums(torch.ones_like(xs[0]))
    return window_sums(xs[0]), counted


def mean(node: Node, ins: Sequence[Value], xs: Sequence[Tensor]) -> Ratio:
    axes = [a + 1 for a in node.attrs["axes"]]
    summed = xs[0].sum(dim=axes, keepdim=bool(node.attrs["keep_axes"]))
    return summed.reshape(xs[0].shape[0], *(summed.shape[1:] or (1,))), math.prod(xs[0].shape[a] for a in axes)


def total(node: Node, ins: Sequence[Value], xs: Sequence[Tensor]) -> Ratio:
    return mean(node, ins, xs)[0], 1


def softmax(node: Node, ins: Sequence[Value], xs: Sequence[Tensor]) -> Ratio:
    axis = node.attrs["axis"] + 1
    steps = (xs[0].amax(dim=axis, keepdim=True) - xs[0]) * 2.0 ** ins[0].format.frac
    # Any common scale of the table: its reals will do.
    e = xs[1][steps.clamp(max=xs[1].numel() - 1).long()] * 2.0 ** ins[1].format.frac
    return e, e.sum(dim=axis, keepdim=True)


def resize_bilinear(node: Node, ins: Sequence[Value], xs: Sequence[Tensor]) -> Ratio:
    """A matrix of shares for each axis."""
    x, first = xs[0], 0
    for axis, size in enumerate(node.attrs["size"], start=1):
        shares = torch.zeros(size, x.shape[axis], dtype=torch.float64)
        for i in range(size):
            share = node.attrs["weight"][first + i] / 2 ** node.attrs["bits"]
            shares[i, node.attrs["low"][first + i]] += 1 - share
            shares[i, node.attrs["high"][first + i]] += share
        x = torch.tensordot(x, shares, dims=([axis], [1])).movedim(-1, axis)
        first += size
    return x, 1


ARITHMETIC: dict[str, Callable[[Node, Sequence[Value], Sequence[Tensor]], Ratio]] = {
    f.__name__: f
    for f in (
        *(conv, conv_transpose, linear, matmul, add, sub, mul),
        *(concat, resize_bilinear, requantise, average_pool, mean, softmax),
        *(maximum, minimum, prelu),
    )
} | {"sum": total}


def max_pool(node: Node, ins: Sequence[Value], codes: Sequence[Codes]) -> Codes:
    fmt = ins[0].format
    rank = len(ins[0].shape) - 1
    x = F.pad(_channels_first(real(fmt, codes[0])), _torch_padding(node.attrs["padding"]), value=-math.inf)
    run = (F.max_pool1d, F.max_pool2d)[rank - 1]
    y = _channels_last(run(x, node.attrs["kernel"], node.attrs["stride"], 0, node.attrs["dilation"]))
    return rounded(Node("max_pool", "", (), ()), fmt, (y, 1))


def pad(node: Node, ins: Sequence[Value], codes: Sequence[Codes]) -> Codes:
    mode = node.attrs["mode"]
    fill = code_of(
        ins[0].format, int(node.attrs.get("value", 0)) * Fraction(2) ** -ins[0].format.frac, "floor", (None, None)
    )
    y = torch.from_numpy(codes[0].astype(np.float64))
    for axis in range(1, y.ndim):
        amounts = [int(p) for p in node.attrs["padding"][2 * axis - 2 : 2 * axis]]
        last = y.movedim(axis, -1)
        flat = last.reshape(1, -1, last.shape[-1])
        grown = F.pad(flat, amounts, mode, **({"value": float(fill)} if mode == "constant" else {}))
        y = grown.reshape(*last.shape[:-1], grown.shape[-1]).movedim(-1, axis)
    return y.numpy().astype(np.int64)


def _moved(torch_move: Callable[[Node, Value, Tensor], Tensor]) -> Callable[[Node, Sequence[Value], Any], Codes]:
    def move(node: Node, ins: Sequence[Value], codes: Sequence[Codes]) -> Codes:
        return torch_move(node, ins[0], torch.from_numpy(np.ascontiguousarray(codes[0]))).numpy()

    return move


def _resize(node: Node, value: Value, x: Tensor) -> Tensor:
    for axis, size in enumerate(node.attrs["size"]):
        where = [math.floor(Fraction(i * value.shape[axis], size)) for i in range(size)]
        x = x.index_select(axis + 1, torch.tensor(where))
    return x


def _gather(node: Node, value: Value, x: Tensor) -> Tensor:
    first = 0
    for axis, size in zip(node.attrs["axes"], node.attrs["sizes"], strict=True):
        x = x.index_select(axis + 1, torch.tensor(node.attrs["indices"][first : first + size]))
        first += size
    return x


def _slice(node: Node, value: Value, x: Tensor) -> Tensor:
    parts = zip(node.attrs["begin"], node.attrs["end"], node.attrs["step"], strict=True)
    for axis, (begin, end, step) in enumerate(parts):
        x = x.index_select(axis + 1, torch.arange(begin, end, step))
    return x


def table(node: Node, ins: Sequence[Value], codes: Sequence[Codes]) -> Codes:
    by_code = {code: int(codes[1][i]) for i, code in enumerate(range(*_all_codes(ins[0].format)))}
    return np.vectorize(by_code.__getitem__, otypes=[np.int64])(codes[0])


def _all_codes(fmt: Format) -> tuple[int, int]:
    if isinstance(fmt, FixedPoint) and fmt.sign:
        return -(2 ** (fmt.width - 1)), 2 ** (fmt.width - 1)
    return 0, 2**fmt.bits


def argmax(node: Node, ins: Sequence[Value], codes: Sequence[Codes]) -> Codes:
    x = np.moveaxis(real(ins[0].format, codes[0]).numpy(), node.attrs["axis"] + 1, -1)
    first = np.array([row.tolist().index(max(row)) for row in x.reshape(-1, x.shape[-1])]).reshape(x.shape[:-1])
    if node.attrs["keep_axes"]:
        first = np.expand_dims(first, node.attrs["axis"] + 1)
    return first if first.ndim > 1 else first[:, None]


def within(node: Node, ins: Sequence[Value], codes: Sequence[Codes]) -> Codes:
    fmt = ins[0].format
    least, most = node.attrs["least"], node.attrs["most"]
    rows = [[least <= fmt.to_grid_scalar(int(code)) <= most for code in sample.reshape(-1)] for sample in codes[0]]
    return np.array([[int(all(row))] for row in rows])


def select(node: Node, ins: Sequence[Value], codes: Sequence[Codes]) -> Codes:
    samples = max(len(c) for c, v in zip(codes, ins, strict=True) if not v.constant)
    many = [c if not v.constant else np.repeat(c[None], samples, axis=0) for c, v in zip(codes, ins, strict=True)]
    return np.stack([a if int(bit.reshape(-1)[0]) == 1 else b for bit, a, b in zip(*many, strict=True)])


def softmax_reciprocal(node: Node, ins: Sequence[Value], codes: Sequence[Codes]) -> Codes:
    """Line by line in Python integers, with the 32-bit steps of gemmlowp's fixed-point functions."""
    axis, fmt = node.attrs["axis"] + 1, ins[0].format
    lines = np.moveaxis(np.vectorize(fmt.to_grid_scalar, otypes=[object])(codes[0]), axis, -1)
    table, bits = codes[1].tolist(), node.attrs["bits"]
    made = np.empty(lines.shape, dtype=np.int64)
    for index in np.ndindex(lines.shape[:-1]):
        line = lines[index].tolist()
        e = [table[min(max(line) - v, len(table) - 1)] for v in line]
        made[index] = _reciprocal_line(e, bits)
    return np.moveaxis(made, -1, axis)


def _high_mul(a: int, b: int) -> int:
    """Doubling high product with a nudge away from zero and a division that truncates."""
    nudged = a * b + ((1 << 30) if a * b >= 0 else 1 - (1 << 30))
    return nudged // (1 << 31) if nudged >= 0 else -(-nudged // (1 << 31))


def _reciprocal_line(e: list[int], bits: int) -> list[int]:
    total = sum(v // 4096 + (v % 4096 >= 2048) for v in e)
    zeros = 32 - total.bit_length()
    fraction = (total << zeros) - (1 << 31)
    half = (fraction + (1 << 31) - 1 + 1) // 2
    x = 1515870810 + _high_mul(half, -1010580540)
    for _ in range(3):
        x += _high_mul(x, (1 << 29) - _high_mul(half, x)) * 4
    r = min(2 * x, (1 << 31) - 1)
    step = 1 << (12 - zeros + 31 - bits)
    return [min((2 * _high_mul(v, r) + step) // (2 * step), (1 << bits) - 1) for v in e]


def softmax_lines(node: Node, ins: Sequence[Value], codes: Sequence[Codes]) -> Codes:
    """Line by line in Python integers, as TensorFlow Lite's kernel of 16 bits goes."""
    axis, fmt, attrs = node.attrs["axis"] + 1, ins[0].format, node.attrs
    lines = np.moveaxis(np.vectorize(fmt.to_grid_scalar, otypes=[object])(codes[0]), axis, -1)
    exp, reciprocal = (c.tolist() for c in codes[1:])
    first = min(attrs["distance_shift"], 31)
    rest = attrs["distance_shift"] - first
    made = np.empty(lines.shape, dtype=np.int64)
    for index in np.ndindex(lines.shape[:-1]):
        row = lines[index].tolist()
        most, e = max(row), []
        for v in row:
            # Distances are not positive: half up is less half down of their magnitude, half away then half up of it.
            once = -(((most - v) * attrs["distance_multiplier"] + (1 << first) // 2 - (first > 0)) // (1 << first))
            e.append(_between(exp, 32767 - (-once + (1 << rest) // 2) // (1 << rest)))
        total = sum(e)
        headroom = 32 - total.bit_length()
        leading = ((total << (headroom - 1)) + 8192) // 16384
        r = _between(reciprocal, leading - 98304)
        made[index] = [min((v * r + (1 << (30 - headroom))) // (1 << (31 - headroom)), 32767) for v in e]
    return np.moveaxis(made, -1, axis)


def _between(table: list[int], at: int) -> int:
    """513 entries 128 steps apart, the first at -32768, and straight lines between them."""
    at = max(-32768, min(32767, at)) + 32768
    low, high = table[at // 128], table[at // 128 + 1]
    return low + ((high - low) * (at % 128) + 64) // 128


def sigmoid_lines(node: Node, ins: Sequence[Value], codes: Sequence[Codes]) -> Codes:
    """Number by number in Python integers, as TensorFlow Lite's kernels of 16 bits go."""
    table, attrs, fmt = codes[1].tolist(), node.attrs, ins[0].format
    tanh = attrs["function"] == "tanh"
    steps = 256 if tanh else 512

    def at(code: int) -> int:
        u = (2 * fmt.to_grid_scalar(code) * attrs["argument_multiplier"] + 2 ** attrs["argument_shift"]) // (
            2 * 2 ** attrs["argument_shift"]
        )
        if abs(u) // steps >= 255:
            above = 65535 * 256 if tanh else 32767 * 1024
        else:
            low, high = table[abs(u) // steps], table[abs(u) // steps + 1]
            above = low * steps + (abs(u) % steps) * (high - low)
        if tanh:
            y = (above - 2**23 + 128) // 256 if u >= 0 else (2**23 - above + 127) // 256
        else:
            y = (above + 512) // 1024 if u >= 0 else (2**25 - above + 511) // 1024
        return max(-32768, min(32767, y))

    return np.vectorize(at, otypes=[np.int64])(codes[0])


MOVEMENTS: dict[str, Callable[[Node, Sequence[Value], Sequence[Codes]], Codes]] = {
    "argmax": argmax,
    "max_pool": max_pool,
    "pad": pad,
    "select": select,
    "sigmoid_lines": sigmoid_lines,
    "softmax_lines": softmax_lines,
    "softmax_reciprocal": softmax_reciprocal,
    "table": table,
    "within": within,
    "reshape": _moved(lambda node, value, x: x.flatten(1).unflatten(1, node.attrs["shape"])),
    "gather": _moved(_gather),
    "resize_nearest": _moved(_resize),
    "slice": _moved(_slice),
    "transpose": _moved(lambda node, value, x: x.permute(0, *(p + 1 for p in node.attrs["permutation"]))),
}


def expected(node: Node, ins: Sequence[Value], outs: Sequence[Value], codes: Sequence[Codes]) -> Codes:
    """The output codes of a node that `exact_in_float64` accepts."""
    if node.op == "softmax_reciprocal":
        node = Node(node.op, node.name, node.inputs, node.outputs, {**node.attrs, "bits": outs[0].format.bits})
    if node.op in MOVEMENTS:
        return MOVEMENTS[node.op](node, ins, codes)
    xs = [real(v.format, c) for v, c in zip(ins, codes, strict=True)]
    return rounded(node, outs[0].format, ARITHMETIC[node.op](node, ins, xs))
