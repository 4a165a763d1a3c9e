"""Random networks as people train them: bytes or minifloats, common windows. Fast kernels run these, not oddities."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from edgeq.errors import RangeError
from edgeq.formats import FixedPoint, Format, Minifloat
from edgeq.ir import Attr, Graph, GraphBuilder, Value, analyse, check

Rng = np.random.Generator
CHANNELS = (1, 2, 3, 4, 4, 5, 7, 8, 8, 12, 16, 16, 20)
BITS = (8, 8, 8, 8, 7, 5, 4, 2)


def ordinary_network(rng: Rng, nodes: int, name: str, floats: Sequence[Minifloat] = ()) -> Graph:
    """Convolutions of all kinds, linear layers, joins, pools, clips. Fewer `nodes`: its beginning.

    floats: minifloats that most weights and feature maps have; without any, all are fixed point.
    """
    grown = _Network(rng, name, floats)
    while len(grown.g.nodes) < nodes:
        grown.layer()
    read = {value for node in grown.g.nodes for value in node.inputs}
    outputs = [node.outputs[0] for node in grown.g.nodes if node.outputs[0] not in read]
    graph = grown.g.build(outputs)
    check(graph)
    return graph


class _Network:
    def __init__(self, rng: Rng, name: str, floats: Sequence[Minifloat]) -> None:
        self.rng, self.g, self.floats = rng, GraphBuilder(name), tuple(floats)
        shape = tuple(int(n) for n in rng.integers(3, 11, int(rng.integers(1, 3))))
        fmt = FixedPoint(self.pick(BITS), int(rng.integers(0, 8)), self.chance(0.5))
        drawn = self.float_format()
        first = fmt if drawn is None else drawn.per_tensor(fmt.point)  # type: ignore[arg-type]
        self.x = self.g.input("x", (*shape, self.pick(CHANNELS)), first)
        self.seen = [self.x]

    def pick(self, items: tuple[int, ...]) -> int:
        return items[int(self.rng.integers(len(items)))]

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def value(self, name: str) -> Value:
        return self.g.values[name]

    def layer(self) -> None:
        """One more node, or none where the draw does not fit."""
        if len(self.value(self.x).shape) == 1:
            kinds: tuple[Callable[[], str | None], ...] = (self.linear, self.requantise, self.add)
        else:
            kinds = (self.conv,) * 5 + (self.add,) * 2 + (self.pool, self.mean, self.requantise, self.linear, self.flat)
        made = kinds[int(self.rng.integers(len(kinds)))]()
        if made is not None:
            self.x = made
            self.seen.append(made)

    def node(self, op: str, inputs: list[str], frac: int, reach: float, **attrs: Attr) -> str | None:
        """A node whose output format suits numbers up to about `reach` on a grid of `frac`."""
        rng = self.rng
        attrs = {**attrs, **self.stage()}
        slack = int(rng.integers(-2, 3))
        width, sign = self.pick(BITS), "lo" not in attrs or self.chance(0.6)
        fmt: Format = FixedPoint(width, frac - (int(np.log2(max(reach, 1))) + 1 - (width - sign)) + slack, sign)
        if (drawn := self.float_format()) is not None:
            fmt = drawn.per_tensor(frac - int(np.log2(max(reach, 1) / drawn.max_magnitude)) + slack)
        before = dict(self.g.values)
        name = self.g.node(op, op, inputs, fmt, f"net.{op}", **attrs)
        try:
            analyse(Graph(self.g.name, tuple(self.g.nodes), self.g.values, tuple(self.g.inputs), ()))
        except RangeError:
            self.g.nodes.pop()
            self.g.values = before
            return None
        return name

    def float_format(self) -> Minifloat | None:
        """One of the minifloats, or None where fixed point is drawn."""
        return self.floats[int(self.rng.integers(len(self.floats)))] if self.floats and self.chance(0.85) else None

    def stage(self) -> dict[str, Attr]:
        """Half up mostly, half even for minifloats; a ReLU often."""
        attrs: dict[str, Attr] = {"lo": 0} if self.chance(0.4) else {}
        if self.floats and self.chance(0.7):
            return {**attrs, "rounding": "half_even"}
        rule = self.rng.random()
        return (
            {**attrs, "rounding": "floor"}
            if rule < 0.1
            else {**attrs, "rounding": "half_even"}
            if rule < 0.2
            else attrs
        )

    def weights(self, shape: tuple[int, ...]) -> tuple[list[str], int, float]:
        """Names of weight and perhaps bias, the binary point of the products, and the reach of their sums."""
        rng, x = self.rng, self.value(self.x)
        frac = int(rng.integers(2, 9))
        bits = self.pick((8, 8, 8, 8, 7, 6, 4, 4, 3, 2))
        lo, hi = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
        if self.chance(0.3):
            codes = rng.choice([lo, lo + 1, hi, hi, 0, -1], shape)
        else:
            codes = np.clip(np.rint(rng.normal(0, hi / (1 + 2 * rng.random()), shape)), lo, hi).astype(np.int64)
        points = tuple(frac + int(p) for p in rng.integers(-1, 2, shape[0]))
        per_channel = self.chance(0.5)
        fmt: Format = FixedPoint(bits, points, True, 0) if per_channel else FixedPoint(bits, frac)
        if (drawn := self.float_format()) is not None:
            fmt, codes = self.float_weights(drawn, points if per_channel else frac, shape)
        names = [self.g.constant("weight", codes, fmt)]
        assert isinstance(x.format.frac, int)
        product = x.format.frac + frac
        mean = np.abs(fmt.to_grid(codes)).mean()
        reach = float(np.sqrt(codes[0].size) * max(map(abs, x.format.grid_range)) * max(mean, 1))
        if self.chance(0.8):
            limit = int(min(reach, (1 << 20) - 1))
            bias = rng.integers(-limit, limit + 1, shape[0])
            names.append(self.g.constant("bias", bias, FixedPoint(24, product - 1)))
        return names, product, reach

    def float_weights(
        self, fmt: Minifloat, points: int | tuple[int, ...], shape: tuple[int, ...]
    ) -> tuple[Minifloat, npt.NDArray[np.int64]]:
        """A format of weights with these binary points, and codes that are numbers."""
        if isinstance(points, int):
            made = fmt.per_tensor(points)
        else:
            scales = tuple(fmt.per_tensor(point).scale for point in points)
            made = Minifloat(fmt.exponent, fmt.mantissa, fmt.bias, fmt.specials, scales, 0)  # type: ignore[arg-type]
        most = fmt.max_magnitude
        spread = self.rng.normal(0, most / (1 + 4 * self.rng.random()), shape)
        grid = np.clip(np.rint(spread), -most, most).astype(np.int64)
        return made, fmt.from_grid(fmt.round_grid(grid, np.ones((), dtype=np.int64), "half_even"))

    def conv(self) -> str | None:
        rng, x = self.rng, self.value(self.x)
        *sizes, channels = x.shape
        kernel = [1] * len(sizes) if self.chance(0.3) else [min(self.pick((2, 3, 3, 3, 5)), n) for n in sizes]
        padding: list[int] = []
        for k in kernel:
            same = self.chance(0.7)
            padding += [(k - 1) // 2, k // 2] if same else [0, 0]
        stride = tuple(self.pick((1, 1, 2)) for _ in sizes)
        groups = 1
        if self.chance(0.35):
            groups = channels
        elif self.chance(0.1) and channels % 2 == 0:
            groups = 2
        out = groups if groups == channels and self.chance(0.8) else groups * max(1, self.pick(CHANNELS) // groups)
        names, frac, reach = self.weights((out, *kernel, channels // groups))
        if out > 64:
            return None
        dilation = (
            (1,) * len(sizes) if self.chance(0.9) else tuple(min(2, n // k) for n, k in zip(sizes, kernel, strict=True))
        )
        window = {"stride": stride, "padding": tuple(padding), "dilation": tuple(max(d, 1) for d in dilation)}
        spare = [
            n + a + b - d * (k - 1)
            for n, a, b, d, k in zip(sizes, padding[::2], padding[1::2], window["dilation"], kernel, strict=True)
        ]
        if min(spare) < 1:
            return None
        del rng
        return self.node("conv", [self.x, *names], frac, reach, groups=groups, **window)

    def linear(self) -> str | None:
        names, frac, reach = self.weights((self.pick(CHANNELS), self.value(self.x).shape[-1]))
        return self.node("linear", [self.x, *names], frac, reach)

    def add(self) -> str | None:
        x = self.value(self.x)
        others = [self.value(n) for n in self.seen if self.value(n).shape == x.shape]
        other = others[int(self.rng.integers(len(others)))]
        assert isinstance(x.format.frac, int)
        assert isinstance(other.format.frac, int)
        frac = max(x.format.frac, other.format.frac)
        reach = sum(float(max(map(abs, v.format.grid_range))) * 2.0 ** (frac - v.format.frac) for v in (x, other))  # type: ignore[operator]
        return self.node("add" if self.chance(0.8) else "sub", [self.x, other.name], frac, reach)

    def pool(self) -> str | None:
        x = self.value(self.x)
        kernel = tuple(min(self.pick((2, 2, 3)), n) for n in x.shape[:-1])
        window: dict[str, Attr] = {"kernel": kernel, "stride": kernel, "padding": (0, 0) * len(kernel)}
        if self.chance(0.4):
            return self.g.node("max_pool", "max_pool", [self.x], x.format, dilation=(1,) * len(kernel), **window)
        return self.averaged("average_pool", include_pad=0, **window)

    def mean(self) -> str | None:
        return self.averaged("mean", axes=tuple(range(len(self.value(self.x).shape) - 1)), keep_axes=0)

    def averaged(self, op: str, **attrs: Attr) -> str | None:
        x = self.value(self.x)
        assert isinstance(x.format.frac, int)
        return self.node(op, [self.x], x.format.frac, max(map(abs, x.format.grid_range)), **attrs)

    def requantise(self) -> str | None:
        return self.averaged("requantise")

    def flat(self) -> str | None:
        x = self.value(self.x)
        return self.g.node("reshape", "flat", [self.x], x.format, shape=(x.size,)) if x.size <= 512 else None
