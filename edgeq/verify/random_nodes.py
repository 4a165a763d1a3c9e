"""One maker for each operator: appends a random, legal node of that kind to a growing graph."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import prod

import numpy as np
import numpy.typing as npt

from edgeq.errors import RangeError
from edgeq.formats import FIXED_RULES, OVERFLOWS, RULES, FixedPoint, Format
from edgeq.ir import Attr, Graph, GraphBuilder, Interval, Node, Value, analyse, operator
from edgeq.ir.operator import OUTPUT_STAGE, Movement
from edgeq.ir.ops.within import BIT
from edgeq.verify.random_formats import (
    WEIGHT_BITS,
    Kind,
    Rng,
    between,
    chance,
    fitting_format,
    per_channel,
    per_group,
    pick,
    random_format,
    random_minifloat,
    uniform_codes,
    weight_codes,
)
from edgeq.verify.random_resampling import make_gather, make_resize_bilinear

#: no value of a random graph has more elements
MAX_SIZE = 2048
#: tables of random graphs have at most 2**this entries
TABLE_BITS = 10


class Growth:
    """A graph that grows node by node; a node whose sums leave 64 bits is taken back.

    pool: values that a next node may read; intervals: what `analyse` says of each.
    modes: whether fixed point rounds and overflows in any way that ap_fixed knows.
    groups: whether most weights have a scale for each group of input channels.
    """

    def __init__(self, rng: Rng, kind: Kind, name: str, modes: bool = False, groups: bool = False) -> None:
        self.modes = modes
        self.groups = groups
        self.rng = rng
        self.kind = kind
        self.builder = GraphBuilder(name)
        self.pool: list[str] = []
        self.intervals: dict[str, Interval] = {}

    def value(self, name: str) -> Value:
        """A value by name."""
        return self.builder.values[name]

    def choose(self, suits: Callable[[Value], bool] = lambda value: True) -> Value | None:
        """A value of the pool, recent ones more often; None where none suits."""
        found = [v for v in map(self.value, self.pool) if suits(v)]
        if not found:
            return None
        if chance(self.rng, 0.5):
            return found[-1]
        return found[int(self.rng.integers(len(found)))]

    def input(self, shape: tuple[int, ...], fmt: Format) -> None:
        """Add a graph input, now and then with the axes of the user's array in another order."""
        layout = tuple(int(i) for i in self.rng.permutation(len(shape))) if chance(self.rng, 0.3) else None
        name = self.builder.input(f"x{len(self.builder.inputs)}", shape, fmt, layout)
        self.pool.append(name)
        self.intervals[name] = Interval(*fmt.grid_range)

    def constant(self, name: str, codes: npt.NDArray[np.int64], fmt: Format) -> str:
        """Add a constant."""
        name = self.builder.constant(name, codes, fmt, name)
        data = self.value(name).data
        assert data is not None
        grid = fmt.to_grid(data)
        self.intervals[name] = Interval(int(grid.min()), int(grid.max()))
        return name

    def node(self, op: str, inputs: Iterable[str], fmt: Format | None = None, /, **attrs: Attr) -> str | None:
        """Append a node; None (and nothing changed) where no 64-bit accumulator holds its worst case.

        fmt: output format; None takes that of the input for movements, else one that fits the range.
        """
        names, before = tuple(inputs), dict(self.builder.values)
        if fmt is None:
            fmt = self._format(op, names, attrs)
        if OUTPUT_STAGE.keys() <= operator(op).attributes.keys():
            attrs.update(self._output_stage(fmt))
        label = f"{op}_{len(self.builder.nodes)}"
        name = self.builder.node(op, label, names, fmt, label, **attrs)
        try:
            ranges = analyse(self._graph())
        except RangeError:
            self.builder.nodes.pop()
            self.builder.values = before
            return None
        self.intervals.update(ranges.values)
        self.pool.append(name)
        return name

    def _graph(self) -> Graph:
        b = self.builder
        return Graph(b.name, tuple(b.nodes), b.values, tuple(b.inputs), ())

    def _format(self, op: str, names: tuple[str, ...], attrs: dict[str, Attr]) -> Format:
        ins = [self.value(n) for n in names]
        if isinstance(operator(op), Movement):
            return ins[0].format
        bounds = operator(op).bounds(Node(op, op, names, (op,), attrs), ins, [self.intervals[n] for n in names])
        assert bounds is not None
        channel = int(self.rng.integers(len(bounds.frac)))
        reach = Interval(bounds.lo[channel] // bounds.den[1], bounds.hi[channel] // bounds.den[1])
        return fitting_format(self.rng, self.kind, reach, bounds.frac[channel])

    def _output_stage(self, fmt: Format) -> dict[str, Attr]:
        rng, attrs = self.rng, dict[str, Attr]()
        modes = self.modes and isinstance(fmt, FixedPoint)
        if chance(rng, 0.5):
            attrs["rounding"] = pick(rng, tuple(FIXED_RULES if modes else RULES))
        if modes and chance(rng, 0.5):
            attrs["overflow"] = pick(rng, tuple(OVERFLOWS))
        if chance(rng, 0.35):
            ends = sorted(int(g) for g in fmt.to_grid(uniform_codes(fmt, rng, (2,))))
            least = fmt.grid_range[0]
            ends = pick(rng, ([max(0, least), fmt.grid_range[1]], [max(0, least), max(ends[1], 0)], ends))
            attrs.update({k: v for k, v in zip(("lo", "hi"), ends, strict=True) if chance(rng, 0.8)})
        return attrs


def _window(g: Growth, sizes: tuple[int, ...], *, padded: bool = True) -> dict[str, tuple[int, ...]]:
    """Kernel, stride, padding and dilation that leave at least one window on each axis."""
    rng = g.rng
    kernel, stride, padding, dilation = [], [], [], []
    for n in sizes:
        k, d = pick(rng, (1, 2, 3, 3, 3, 4, 5)), pick(rng, (1, 1, 1, 2, 3))
        begin, end = (between(rng, 0, k - 1), between(rng, 0, k - 1)) if padded and chance(rng, 0.7) else (0, 0)
        if d * (k - 1) + 1 > n + begin + end:
            k, d, begin, end = 1, 1, 0, 0
        kernel.append(k)
        dilation.append(d)
        stride.append(pick(rng, (1, 1, 1, 2, 2, 3)))
        padding += [begin, end]
    return {
        "kernel": tuple(kernel),
        "stride": tuple(stride),
        "padding": tuple(padding),
        "dilation": tuple(dilation),
    }


def _spatial(value: Value) -> bool:
    return len(value.shape) in (2, 3)


def _weights(g: Growth, x: Value, shape: tuple[int, ...]) -> list[str]:
    """Names of a new weight constant and, often, a bias for an input `x`."""
    rng = g.rng
    fmt = random_format(rng, g.kind, between(rng, 0, 8), WEIGHT_BITS)
    if chance(rng, 0.5):
        fmt = per_channel(rng, fmt, shape[0])
    codes = weight_codes(fmt, rng, shape)
    if g.groups and chance(rng, 0.8):
        fmt = per_group(rng, fmt, shape)
    names = [g.constant("weight", codes, fmt)]
    if chance(rng, 0.7):
        names.append(_bias(g, x, g.value(names[0])))
    return names


def _bias(g: Growth, x: Value, weight: Value) -> str:
    """A bias on the grid of the products or a coarser one, per channel or not."""
    rng, channels = g.rng, weight.shape[0]
    assert isinstance(x.format.frac, int)
    w = weight.format.frac
    products = [f + x.format.frac for f in (w if isinstance(w, tuple) else (w,) * channels)]
    bits = (8, 12, 16, 16, 32)
    coarser = pick(rng, (0, 0, 1, 4))
    fmt = random_format(rng, g.kind, min(products) - coarser, bits)
    if isinstance(fmt, FixedPoint) and chance(rng, 0.5):
        fmt = FixedPoint(fmt.width, tuple(p - coarser for p in products), fmt.sign, 0)
    return g.constant("bias", weight_codes(fmt, rng, (channels,)), fmt)


def _shared(g: Growth, op: str, x: Value) -> Node | None:
    """An earlier node of this kind whose weights fit `x` as well: branches share constants."""
    found = []
    for node in g.builder.nodes:
        if node.op == op and chance(g.rng, 0.5):
            first = g.value(node.inputs[0])
            same = len(first.shape) == len(x.shape) and first.shape[-1] == x.shape[-1]
            # A bias was made for the products of the first input: as fine a second one keeps it legal.
            if same and isinstance(x.format.frac, int) and x.format.frac >= first.format.frac:  # type: ignore[operator]
                found.append(node)
    return pick(g.rng, found) if found else None


def make_conv(g: Growth) -> str | None:
    """Convolution: plain, grouped or depthwise, any window."""
    x = g.choose(_spatial)
    if x is None:
        return None
    window, weights, groups = _window(g, x.shape[:-1]), None, _groups(g, x.shape[-1])
    shared = _shared(g, "conv", x)
    if shared is not None:
        kernel = g.value(shared.inputs[1]).shape[1:-1]
        reach = [d * (k - 1) + 1 for d, k in zip(window["dilation"], kernel, strict=True)]
        pads = np.array(window["padding"]).reshape(-1, 2).sum(axis=1)
        if all(r <= n + p for r, n, p in zip(reach, x.shape[:-1], pads, strict=True)):
            weights, groups = shared.inputs[1:], shared.integer("groups")
    attrs = {k: window[k] for k in ("stride", "padding", "dilation")}
    if weights is None:
        out = groups * pick(g.rng, (1, 1, 2, 3)) if groups > 1 else between(g.rng, 1, 12)
        weights = tuple(_weights(g, x, (out, *window["kernel"], x.shape[-1] // groups)))
    return g.node("conv", (x.name, *weights), groups=groups, **attrs)


def _groups(g: Growth, channels: int) -> int:
    divisors = [n for n in range(1, channels + 1) if channels % n == 0]
    return int(pick(g.rng, (1, 1, channels, pick(g.rng, divisors))))


def make_conv_transpose(g: Growth) -> str | None:
    """Transposed convolution."""
    x = g.choose(lambda v: _spatial(v) and prod(v.shape[:-1]) <= 36)
    if x is None:
        return None
    groups = _groups(g, x.shape[-1])
    window = _window(g, x.shape[:-1], padded=False)
    kernel, stride, dilation = window["kernel"], window["stride"], window["dilation"]
    extra = tuple(between(g.rng, 0, max(s, d) - 1) for s, d in zip(stride, dilation, strict=True))
    padding: list[int] = []
    for i, n in enumerate(x.shape[:-1]):
        full = (n - 1) * stride[i] + dilation[i] * (kernel[i] - 1) + 1 + extra[i]
        begin = between(g.rng, 0, min(kernel[i] - 1, full - 1))
        padding += [begin, between(g.rng, 0, min(kernel[i] - 1, full - 1 - begin))]
    out = groups * pick(g.rng, (1, 1, 2)) if groups > 1 else between(g.rng, 1, 6)
    weights = _weights(g, x, (out, *kernel, x.shape[-1] // groups))
    attrs = {"stride": stride, "dilation": dilation, "padding": tuple(padding), "output_padding": extra}
    return g.node("conv_transpose", (x.name, *weights), groups=groups, **attrs)


def make_linear(g: Growth) -> str | None:
    """Matrix product with constant weights."""
    x = g.choose()
    assert x is not None
    shared = _shared(g, "linear", x)
    weights = shared.inputs[1:] if shared else tuple(_weights(g, x, (between(g.rng, 1, 12), x.shape[-1])))
    return g.node("linear", (x.name, *weights))


def make_matmul(g: Growth) -> str | None:
    """Matrix product with another value, a constant on either side, or the value's own transpose."""
    rng, x = g.rng, g.choose(lambda v: len(v.shape) >= 2)
    if x is None:
        return None
    batch, (m, k) = x.shape[:-2], x.shape[-2:]
    other = g.choose(lambda v: len(v.shape) == len(x.shape) and v.shape[:-2] == batch and v.shape[-2] == k)
    if other is not None and chance(rng, 0.7):
        return g.node("matmul", (x.name, other.name))
    other = g.choose(lambda v: v.shape == x.shape)
    if other is not None and chance(rng, 0.3):
        rank = len(x.shape)
        swapped = g.node("transpose", (other.name,), permutation=(*range(rank - 2), rank - 1, rank - 2))
        assert swapped is not None
        return g.node("matmul", (x.name, swapped))
    fmt = random_format(rng, g.kind, None, WEIGHT_BITS)
    if chance(rng, 0.5):
        b = g.constant("matrix", weight_codes(fmt, rng, (*batch, k, between(rng, 1, 8))), fmt)
        return g.node("matmul", (x.name, b))
    a = g.constant("matrix", weight_codes(fmt, rng, (*batch, between(rng, 1, 8), m)), fmt)
    return g.node("matmul", (a, x.name))


def _elementwise(g: Growth, op: str) -> str | None:
    """Two values that broadcast: the same twice, a residual join, or a constant of a shape that fits."""
    rng, x = g.rng, g.choose()
    assert x is not None

    def fits(value: Value) -> bool:
        try:
            return prod(np.broadcast_shapes(value.shape, x.shape)) <= MAX_SIZE
        except ValueError:
            return False

    other = (g.choose(lambda v: v.shape == x.shape) if chance(rng, 0.5) else g.choose(fits)) or x
    if chance(rng, 0.3):
        shape = tuple(1 if chance(rng, 0.4) else n for n in x.shape[between(rng, 0, len(x.shape)) :])
        fmt = random_format(rng, g.kind, None, WEIGHT_BITS)
        names = [x.name, g.constant("operand", weight_codes(fmt, rng, shape or (1,)), fmt)]
    else:
        names = [x.name, other.name]
    return g.node(op, reversed(names) if chance(rng, 0.5) else names)


def make_add(g: Growth) -> str | None:
    """Sum."""
    return _elementwise(g, "add")


def make_sub(g: Growth) -> str | None:
    """Difference."""
    return _elementwise(g, "sub")


def make_mul(g: Growth) -> str | None:
    """Product."""
    return _elementwise(g, "mul")


def make_maximum(g: Growth) -> str | None:
    """The greater of two."""
    return _elementwise(g, "maximum")


def make_minimum(g: Growth) -> str | None:
    """The lesser of two."""
    return _elementwise(g, "minimum")


def make_prelu(g: Growth) -> str | None:
    """A slope below zero: a constant, or any other value."""
    return _elementwise(g, "prelu")


def make_concat(g: Growth) -> str | None:
    """One to four operands along any axis, the same one perhaps twice, constants among them."""
    rng, x = g.rng, g.choose(lambda v: v.size <= MAX_SIZE // 4)
    if x is None:
        return None
    axis = between(rng, 0, len(x.shape) - 1)

    def fits(value: Value) -> bool:
        rest = value.shape[:axis] + value.shape[axis + 1 :]
        small = value.size <= MAX_SIZE // 4
        return small and len(value.shape) == len(x.shape) and rest == x.shape[:axis] + x.shape[axis + 1 :]

    names = [x.name]
    for _ in range(between(rng, 0, 3)):
        other = g.choose(fits)
        assert other is not None
        names.append(other.name)
    if chance(rng, 0.15):
        fmt = random_format(rng, g.kind, None, WEIGHT_BITS)
        shape = (*x.shape[:axis], between(rng, 1, 3), *x.shape[axis + 1 :])
        names.insert(between(rng, 0, len(names)), g.constant("part", weight_codes(fmt, rng, shape), fmt))
    return g.node("concat", names, axis=axis)


def make_average_pool(g: Growth) -> str | None:
    """Average over windows."""
    x = g.choose(_spatial)
    if x is None:
        return None
    window = _undilated(g, x)
    return g.node("average_pool", (x.name,), include_pad=between(g.rng, 0, 1), **window)


def _undilated(g: Growth, x: Value) -> dict[str, tuple[int, ...]]:
    """A window of dilation 1 that fits `x`."""
    window = _window(g, x.shape[:-1])
    window.pop("dilation")
    return window


def make_max_pool(g: Growth) -> str | None:
    """Maximum over windows, dilated ones included."""
    x = g.choose(_spatial)
    if x is None:
        return None
    window = _window(g, x.shape[:-1])
    # A dilated window may step over a small input and see only padding, which the operator refuses.
    sizes = zip(x.shape[:-1], window["dilation"], strict=True)
    if any(d > n for n, d in sizes):
        window = {**_undilated(g, x), "dilation": (1,) * (len(x.shape) - 1)}
    return g.node("max_pool", (x.name,), **window)


def make_mean(g: Growth) -> str | None:
    """Mean over some or all axes."""
    return _reduction(g, "mean")


def make_sum(g: Growth) -> str | None:
    """Sum over some or all axes."""
    return _reduction(g, "sum")


def _reduction(g: Growth, op: str) -> str | None:
    x = g.choose()
    assert x is not None
    axes = tuple(i for i in range(len(x.shape)) if chance(g.rng, 0.6)) or (len(x.shape) - 1,)
    return g.node(op, (x.name,), axes=axes, keep_axes=between(g.rng, 0, 1))


def make_argmax(g: Growth) -> str | None:
    """Index of the maximum."""
    x = g.choose()
    assert x is not None
    axis = between(g.rng, 0, len(x.shape) - 1)
    signed = chance(g.rng, 0.5)
    least = (x.shape[axis] - 1).bit_length() + signed
    fmt = FixedPoint(max(1, min(32, least + between(g.rng, 0, 8))), 0, signed)
    return g.node("argmax", (x.name,), fmt, axis=axis, keep_axes=between(g.rng, 0, 1))


def make_softmax(g: Growth) -> str | None:
    """Softmax with a table of true exponentials or of any non-negative numbers."""
    rng, x = g.rng, g.choose()
    assert x is not None
    size, bits = pick(rng, (1, 2, 16, 64, 256)), pick(rng, (4, 8, 12, 16))
    fmt = FixedPoint(bits, 0, False)
    top = (1 << bits) - 1
    if chance(rng, 0.7):
        codes = np.rint(top * np.exp2(-np.arange(size) / pick(rng, (1, 4, 16)))).astype(np.int64)
    else:
        codes = rng.integers(0, top, size=size, endpoint=True, dtype=np.int64)
    codes[0] = max(codes[0], 1)
    table = g.constant("exp_table", codes, fmt)
    out: Format = FixedPoint(pick(rng, (4, 8, 8, 12, 16)), 0, chance(rng, 0.5)).per_tensor(between(rng, 3, 12))
    if g.kind != "fixed" and chance(rng, 0.5):
        small = random_minifloat(rng)
        out = small.per_tensor(max(small.grid_range).bit_length() + between(rng, -3, 2))
    return g.node("softmax", (x.name, table), out, axis=between(rng, 0, len(x.shape) - 1))


def make_softmax_reciprocal(g: Growth) -> str | None:
    """Softmax of imported networks, with a table of true exponentials or of any non-negative numbers."""
    rng, x = g.rng, g.choose(lambda v: v.format.bits <= 16)
    if x is None:
        return None
    size, top = pick(rng, (1, 2, 16, 64, 256)), (1 << 31) - 1
    codes = rng.integers(0, top, size=size, endpoint=True, dtype=np.int64)
    if chance(rng, 0.7):
        codes = np.rint(top * np.exp2(-np.arange(size) / pick(rng, (1, 4, 16)))).astype(np.int64)
    codes[0] = top
    table = g.constant("exp_table", codes, FixedPoint(32, 31))
    out = FixedPoint(pick(rng, (1, 4, 8, 8, 12, 16)), between(rng, 3, 12), False)
    return g.node("softmax_reciprocal", (x.name, table), out, axis=between(rng, 0, len(x.shape) - 1))


def make_softmax_lines(g: Growth) -> str | None:
    """Softmax of 16-bit networks, with tables of true functions or of any numbers."""
    rng, x = g.rng, g.choose(lambda v: v.format.bits <= 16 and v.format.grid_range[1] < 1 << 29)
    if x is None:
        return None
    top, size = (1 << 15) - 1, 513
    tables = [rng.integers(0, top, size=size, endpoint=True, dtype=np.int64) for _ in "er"]
    if chance(rng, 0.7):
        tables = [np.rint(top * np.exp(np.linspace(-10, 0, size))), np.rint(top / (1 + np.linspace(0, 1, size)))]
    tables[0][-2:] = np.maximum(tables[0][-2:], 1 << 14)
    names = [g.constant(n, t, FixedPoint(16, 15)) for n, t in zip(("exp_line", "reciprocal_line"), tables, strict=True)]
    attrs: dict[str, Attr] = {
        "axis": between(rng, 0, len(x.shape) - 1),
        "distance_multiplier": between(rng, 1 << 30, (1 << 31) - 1),
        "distance_shift": between(rng, 16 + x.format.bits, 40) - 8,
    }
    return g.node("softmax_lines", (x.name, *names), FixedPoint(16, between(rng, 8, 15)), **attrs)


def make_sigmoid_lines(g: Growth) -> str | None:
    """Sigmoid or tanh of 16-bit networks, with a true table or any numbers; arguments within the table and beyond."""
    rng, x = g.rng, g.choose(lambda v: v.format.bits <= 16 and max(map(abs, v.format.grid_range)) < 1 << 20)
    if x is None:
        return None
    codes = rng.integers(0, 1 << 16, size=256, dtype=np.int64)
    if chance(rng, 0.7):
        codes = np.minimum(np.rint(65536 / (1 + np.exp(-np.arange(256) / 24))), 65535).astype(np.int64)
    table = g.constant("sigmoid_line", codes, FixedPoint(16, 16, False))
    reach = max(map(abs, x.format.grid_range)).bit_length()
    shift = between(rng, 0, 30)
    bits = between(rng, min(max(shift + 14 - reach, 1), 30 - reach), 30 - reach)
    attrs: dict[str, Attr] = {
        "function": pick(rng, ("sigmoid", "tanh")),
        "argument_multiplier": between(rng, 1 << (bits - 1), (1 << bits) - 1),
        "argument_shift": shift,
    }
    return g.node("sigmoid_lines", (x.name, table), FixedPoint(16, between(rng, 8, 15)), **attrs)


def make_table(g: Growth) -> str | None:
    """Any function of one variable."""
    x = g.choose(lambda v: v.format.bits <= TABLE_BITS)
    if x is None:
        return None
    lo, hi = x.format.code_range
    fmt = random_format(g.rng, g.kind)
    table = g.constant("table", weight_codes(fmt, g.rng, (hi - lo + 1,)), fmt)
    return g.node("table", (x.name, table), fmt, function="random")


def make_requantise(g: Growth) -> str | None:
    """Another format, clipped or not."""
    x = g.choose()
    assert x is not None
    if chance(g.rng, 0.2):
        return g.node("requantise", (x.name,), x.format)
    return g.node("requantise", (x.name,))


def make_pad(g: Growth) -> str | None:
    """Padding of every mode."""
    rng, x = g.rng, g.choose(lambda v: v.size <= MAX_SIZE // 8)
    if x is None:
        return None
    mode = pick(rng, ("constant", "constant", "reflect", "replicate", "circular"))
    padding: list[int] = []
    for n in x.shape:
        most = {"reflect": n - 1, "circular": n}.get(mode, 3)
        padding += [between(rng, 0, min(most, 2)) if chance(rng, 0.6) else 0 for _ in range(2)]
    if prod(n + b + e for n, b, e in zip(x.shape, padding[::2], padding[1::2], strict=True)) > MAX_SIZE:
        return None
    attrs: dict[str, Attr] = {"padding": tuple(padding), "mode": mode}
    if chance(rng, 0.4):
        attrs["value"] = int(x.format.to_grid(uniform_codes(x.format, rng, (1,)))[0])
    return g.node("pad", (x.name,), **attrs)


def make_slice(g: Growth) -> str | None:
    """A regular part."""
    rng, x = g.rng, g.choose()
    assert x is not None
    begin, end, step = [], [], []
    for n in x.shape:
        b = between(rng, 0, n - 1) if chance(rng, 0.5) else 0
        begin.append(b)
        end.append(between(rng, b + 1, n) if chance(rng, 0.5) else n)
        step.append(pick(rng, (1, 1, 1, 2, 3)))
    return g.node("slice", (x.name,), begin=tuple(begin), end=tuple(end), step=tuple(step))


def make_reshape(g: Growth) -> str | None:
    """The same elements under one to four axes."""
    rng, x = g.rng, g.choose()
    assert x is not None
    sizes, rest = [], x.size
    for _ in range(between(rng, 0, 3)):
        divisors = [n for n in range(1, min(rest, 16) + 1) if rest % n == 0]
        sizes.append(int(pick(rng, divisors)))
        rest //= sizes[-1]
    sizes.insert(between(rng, 0, len(sizes)), rest)
    return g.node("reshape", (x.name,), shape=tuple(sizes))


def make_transpose(g: Growth) -> str | None:
    """The axes in another order."""
    x = g.choose()
    assert x is not None
    permutation = tuple(int(i) for i in g.rng.permutation(len(x.shape)))
    return g.node("transpose", (x.name,), permutation=permutation)


def make_resize_nearest(g: Growth) -> str | None:
    """Nearest neighbours, up and down, by any ratio."""
    x = g.choose(lambda v: _spatial(v) and v.size <= MAX_SIZE // 4)
    if x is None:
        return None
    size = tuple(int(pick(g.rng, (n, 2 * n, (n + 1) // 2, between(g.rng, 1, 2 * n)))) for n in x.shape[:-1])
    return g.node("resize_nearest", (x.name,), size=size)


def make_within(g: Growth) -> str | None:
    """Whether a value lies between two bounds, chosen so that both answers occur."""
    x = g.choose()
    assert x is not None
    # Few elements lie within close bounds now and then, many only where all that may not be is rare.
    grid = np.sort(x.format.to_grid(uniform_codes(x.format, g.rng, (2,))))
    lo, hi = x.format.grid_range
    least, most = pick(g.rng, ((int(grid[0]), int(grid[1])), (lo, int(grid[1])), (int(grid[0]), hi), (lo, hi)))
    return g.node("within", (x.name,), BIT, least=least, most=most)


def make_select(g: Growth) -> str | None:
    """One of two values of a shape and format, both made for it, or one of them a value that others may read."""
    rng, x = g.rng, g.choose()
    assert x is not None
    bits = [name for name in g.pool if g.value(name).format == BIT and g.value(name).size == 1]
    condition = pick(rng, bits) if bits and chance(rng, 0.5) else make_within(g)
    if condition is None:
        return None
    one = g.node("requantise", (x.name,), x.format)
    other = pick(rng, (x.name, one)) if chance(rng, 0.3) else g.node("requantise", (x.name,), x.format)
    if one is None or other is None:
        return None
    sides = (one, other) if chance(rng, 0.5) else (other, one)
    return g.node("select", (condition, *sides), x.format)


#: operator -> its maker; a test holds this equal to `edgeq.ir.OPERATORS`
MAKERS: dict[str, Callable[[Growth], str | None]] = {
    "add": make_add,
    "argmax": make_argmax,
    "average_pool": make_average_pool,
    "concat": make_concat,
    "conv": make_conv,
    "conv_transpose": make_conv_transpose,
    "gather": make_gather,
    "linear": make_linear,
    "matmul": make_matmul,
    "max_pool": make_max_pool,
    "maximum": make_maximum,
    "mean": make_mean,
    "minimum": make_minimum,
    "mul": make_mul,
    "pad": make_pad,
    "prelu": make_prelu,
    "requantise": make_requantise,
    "reshape": make_reshape,
    "resize_bilinear": make_resize_bilinear,
    "resize_nearest": make_resize_nearest,
    "select": make_select,
    "sigmoid_lines": make_sigmoid_lines,
    "slice": make_slice,
    "softmax": make_softmax,
    "softmax_lines": make_softmax_lines,
    "softmax_reciprocal": make_softmax_reciprocal,
    "sub": make_sub,
    "sum": make_sum,
    "table": make_table,
    "transpose": make_transpose,
    "within": make_within,
}
