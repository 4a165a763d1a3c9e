"""Layers of every operator with a choice of kernels: those that the cost model is fitted to, and some beside them."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.networks import RULE, Maker, ScaledMaker  # noqa: E402
from edgeq.formats import CODE_RULE, MX_GROUP, NAMED, FixedPoint, KHot, minifloat  # noqa: E402
from edgeq.ir import Graph  # noqa: E402
from edgeq.mcu.storage import packed  # noqa: E402

Shapes = tuple[tuple[Any, ...], ...]
#: how the names of layers begin that the fit does not see
HELD = "held."


@dataclass(frozen=True)
class Family:
    """Shapes of one kind of layer: those of the fit, and those kept out of it."""

    fit: Shapes
    held: Shapes


#: rows, columns, channels, filters, kernel, stride
WINDOWS = Family(
    (
        (12, 12, 16, 16, 3, 1), (8, 8, 32, 32, 3, 1), (6, 6, 64, 64, 3, 1), (12, 12, 16, 32, 3, 2),
        (9, 9, 17, 19, 3, 1), (14, 14, 8, 8, 3, 1), (5, 5, 16, 64, 5, 1), (7, 7, 24, 12, 3, 1),
        (30, 1, 20, 24, (3, 1), 1),
    ),
    ((11, 9, 24, 20, 3, 1), (8, 8, 48, 16, 3, 2), (6, 10, 12, 36, 5, 1)),
)  # fmt: skip
FIRST = Family(
    (
        (10, 10, 3, 16, 3, 1), (20, 8, 1, 32, (10, 4), 2), (16, 16, 3, 8, 3, 2), (20, 20, 3, 16, 3, 1),
        (16, 16, 1, 16, 3, 1), (14, 14, 2, 12, 3, 1), (12, 12, 1, 8, 5, 1), (16, 16, 3, 16, 5, 2),
        (25, 10, 1, 64, (10, 4), 2), (9, 9, 3, 32, 3, 1), (7, 7, 2, 5, 3, 1), (40, 6, 1, 16, (8, 3), 1),
    ),
    ((12, 12, 3, 12, 3, 1), (18, 18, 1, 24, 3, 2), (15, 9, 2, 16, 5, 1)),
)  # fmt: skip
POINTS = Family(
    (
        (12, 12, 8, 16, 1, 1), (12, 12, 16, 32, 1, 2), (10, 10, 64, 64, 1, 1), (6, 6, 128, 96, 1, 1),
        (8, 8, 32, 10, 1, 1), (9, 9, 24, 40, 1, 1), (5, 5, 5, 7, 1, 1), (1, 20, 128, 32, 1, 1), (4, 4, 48, 64, 1, 1),
    ),
    ((7, 7, 40, 24, 1, 1), (6, 6, 96, 64, 1, 1), (11, 11, 16, 16, 1, 1)),
)  # fmt: skip
FIRST_POINTS = Family(
    (
        (12, 12, 3, 16, 1, 1), (10, 10, 1, 8, 1, 1), (14, 9, 2, 12, 1, 1), (16, 16, 3, 32, 1, 2), (9, 9, 3, 5, 1, 1),
        (11, 7, 1, 24, 1, 1),
    ),
    ((11, 11, 3, 24, 1, 1), (13, 13, 2, 20, 1, 1)),
)  # fmt: skip
ONE_CHANNEL = Family(
    ((12, 12, 1, 1, 3, 1), (9, 9, 1, 1, 1, 1), (20, 20, 1, 1, 3, 1), (16, 16, 1, 1, 5, 1), (20, 10, 1, 1, 3, 2)),
    ((15, 15, 1, 1, 3, 1), (12, 20, 1, 1, (5, 3), 1)),
)
#: windows of one row, without padding
ROWS = Family(
    (
        (1, 40, 16, 24, (1, 3), 1), (6, 20, 16, 16, (1, 5), 1), (1, 60, 32, 32, (1, 4), 2), (5, 12, 48, 20, (1, 2), 1),
        (1, 30, 8, 16, (1, 4), 1), (4, 16, 16, 8, (1, 7), 1), (1, 80, 1, 16, (1, 16), 1), (1, 50, 3, 24, (1, 16), 1),
        (1, 64, 1, 24, (1, 32), 2), (2, 60, 2, 12, (1, 8), 1), (1, 70, 2, 20, (1, 8), 2), (3, 30, 2, 8, (1, 16), 1),
        (1, 100, 1, 1, (1, 16), 1), (4, 50, 1, 1, (1, 16), 1), (1, 80, 1, 1, (1, 32), 2),
    ),
    (
        (1, 50, 16, 40, (1, 3), 1), (3, 18, 32, 12, (1, 3), 2), (1, 90, 1, 12, (1, 16), 1), (1, 44, 2, 16, (1, 8), 1),
        (1, 90, 1, 1, (1, 16), 1),
    ),
)  # fmt: skip
#: rows, columns, channels, kernel, stride
DEPTHWISE = Family(
    (
        (12, 12, 16, 3, 1), (10, 10, 64, 3, 1), (8, 8, 32, 3, 2), (9, 9, 24, 3, 1), (8, 8, 16, 5, 1),
        (20, 1, 64, (5, 1), 1), (16, 1, 40, (15, 1), 1), (7, 7, 12, 3, 1), (14, 14, 8, 3, 2),
    ),
    ((10, 10, 48, 3, 1), (7, 7, 20, 5, 1), (11, 11, 32, 3, 2)),
)  # fmt: skip
#: inputs, outputs, rows
LINEAR = Family(
    (
        (128, 128, 1), (320, 64, 1), (64, 10, 1), (64, 64, 16), (8, 128, 1), (256, 16, 1), (33, 17, 1), (24, 20, 5),
        (32, 32, 8), (64, 20, 3), (17, 33, 7), (128, 16, 5), (16, 48, 12),
    ),
    ((96, 48, 1), (400, 32, 1), (40, 12, 1), (48, 32, 8), (30, 18, 6), (16, 64, 4)),
)  # fmt: skip
#: of both operands
ELEMENTS = Family(
    ((12, 12, 16), (8, 8, 40), (1, 1, 100), (5, 5, 3), (20, 10, 12)),
    ((9, 9, 10), (1, 1, 500), (6, 7, 24)),
)
#: of one operand; the other one is a vector of the last axis
REPEATED = Family(((8, 8, 16), (6, 6, 40), (10, 10, 8), (4, 4, 100)), ((7, 7, 24), (9, 9, 12)))
#: rows, columns, channels, kernel, stride, padding all around
POOLS = Family(
    (
        (12, 12, 16, 2, 2, 0), (8, 8, 40, 2, 2, 0), (9, 9, 24, 3, 2, 1), (6, 6, 64, 3, 1, 1), (10, 10, 3, 2, 2, 0),
        (12, 12, 8, 4, 4, 0), (5, 5, 17, 5, 5, 0), (7, 7, 64, 7, 7, 0), (12, 12, 12, 3, 3, 0),
        (16, 1, 48, (4, 1), 4, 0), (7, 7, 5, 3, 2, 0), (9, 9, 6, 3, 3, 0), (8, 8, 7, 2, 2, 0), (10, 8, 20, 5, 1, 2),
    ),
    ((8, 8, 16, 3, 3, 0), (14, 14, 6, 2, 2, 0), (6, 6, 32, 6, 6, 0), (10, 10, 20, 3, 2, 1), (16, 8, 8, 2, 2, 0)),
)  # fmt: skip
#: averaged over the first two axes
MEANS = Family(
    (
        (12, 12, 16), (8, 8, 40), (1, 1, 100), (5, 5, 3), (4, 4, 64), (6, 6, 20), (3, 3, 64), (8, 4, 33), (4, 8, 7),
        (5, 3, 90),
    ),
    ((6, 6, 24), (7, 5, 48), (8, 8, 18)),
)  # fmt: skip


class Layers:
    """Puts layers side by side in one network, each with inputs and an output of its own."""

    def __init__(self, scaled: bool) -> None:
        self.scaled, self.outs = scaled, list[str]()
        self.m = ScaledMaker("layers") if scaled else Maker("layers")

    def conv(self, name: str, i: int, h: int, w: int, c: int, f: int, k: Any, s: int) -> None:
        """A convolution; every third one pads nothing."""
        pad = (0, 0, 0, 0) if k != 1 and i % 3 == 0 else None
        self.outs.append(self.m.conv(self.m.input(h, w, c), c, f, k, s, pad, name=name))

    def narrow(self, name: str, i: int, *shape: Any) -> None:
        """A convolution, also a depthwise one, or a linear layer with weights of 4 bits."""
        self.m.weight = FixedPoint(4, 6)
        self._matrix(name, i, *shape)

    def fields(self, name: str, i: int, *shape: Any) -> None:
        """The same for inputs of 4 bits too, with a sign and without."""
        self.m.activation, self.m.weight = FixedPoint(4, 4, i % 2 == 0), FixedPoint(4, 6)
        self._matrix(name, i, *shape)

    def minifloat(self, name: str, i: int, *shape: Any) -> None:
        """The same in E2M1, or in E2M3."""
        fmt = NAMED[("e2m1", "e2m3")[i % 2]]
        self.m.activation, self.m.weight = fmt.per_tensor(4), fmt.per_tensor(6)
        self._matrix(name, i, *shape)

    def minifloat16(self, name: str, i: int, *shape: Any) -> None:
        """The same in E3M2, whose grid needs 16 bits."""
        self.m.activation, self.m.weight = NAMED["e3m2"].per_tensor(4), NAMED["e3m2"].per_tensor(6)
        self._matrix(name, i, *shape)

    def minifloat32(self, name: str, i: int, *shape: Any) -> None:
        """The same in E4M3, whose grid needs 32 bits, and sums more; every code is a number here."""
        fmt = minifloat("e4m3-none")
        self.m.activation, self.m.weight = fmt.per_tensor(4), fmt.per_tensor(6)
        self._matrix(name, i, *shape)

    def groups(self, name: str, i: int, *shape: Any) -> None:
        """The same with a scale for each 32 weights in E2M1."""
        self.m.weight, self.m.group = NAMED["e2m1"].per_tensor(6), MX_GROUP
        self._matrix(name, i, *shape)

    def packed(self, name: str, i: int, *shape: Any) -> None:
        """The same with codes of 4 bits, every third time 2, that share bytes, and weights of 8."""
        self.m.activation, self.m.weight = packed(FixedPoint(2 if i % 3 == 2 else 4, 4, i % 2 == 0)), FixedPoint(8, 6)
        self.m.source = None
        self._matrix(name, i, *shape)

    def packed_fields(self, name: str, i: int, *shape: Any) -> None:
        """The same with weights of 4 bits."""
        self.m.activation, self.m.weight = packed(FixedPoint(4, 4, i % 2 == 0)), FixedPoint(4, 6)
        self.m.source = None
        self._matrix(name, i, *shape)

    def packed_narrow(self, name: str, i: int, *shape: Any) -> None:
        """The same with inputs of 8 bits."""
        self.m.activation, self.m.weight = packed(FixedPoint(4, 4, i % 2 == 0)), FixedPoint(4, 6)
        self.m.source = FixedPoint(8, 4)
        self._matrix(name, i, *shape)

    def packed_elements(self, name: str, i: int, *shape: int) -> None:
        """Sums, differences and codes on another grid, of 4 bits that share bytes; every second time into bytes."""
        self.m.activation, self.m.source = FixedPoint(8, 4) if i % 2 else packed(FixedPoint(4, 4)), None
        for op in ("add", "sub", "requantise"):
            operands = [self.m.builder.input("x", shape, packed(FixedPoint(4, point))) for point in (4, 5)]
            self.outs.append(self.m.node(op, f"{name}.{op}", operands[: 1 if op == "requantise" else 2]))

    def minifloat_elements(self, name: str, i: int, *shape: int) -> None:
        """Sums and differences of minifloats on two grids."""
        fmt = NAMED[("e2m1", "e2m3")[i % 2]]
        self.m.activation, self.m.source = fmt.per_tensor(4), None
        for op in ("add", "sub"):
            operands = [self.m.builder.input("x", shape, fmt.per_tensor(point)) for point in (4, 5)]
            self.outs.append(self.m.node(op, f"{name}.{op}", operands))

    def packed_windows(self, name: str, i: int, *shape: Any) -> None:
        """Pools and means of codes of 4 bits that share bytes."""
        self.m.activation, self.m.source = packed(FixedPoint(4, 4, i % 2 == 0)), None
        (self.means if len(shape) == 3 else self.pools)(name, i, *shape)

    def khot(self, name: str, i: int, *shape: Any) -> None:
        """The same with weights of one, two or three digits."""
        self.m.levels = KHot(8, 1 + i % 3).levels
        self._matrix(name, i, *shape)

    def positive(self, name: str, i: int, *shape: Any) -> None:
        """The same for inputs that are never negative; without scales, which move them."""
        if not self.scaled:
            self.m.activation = FixedPoint(8, 4, False)
            self.khot(name, i, *shape)

    def _matrix(self, name: str, i: int, *shape: Any) -> None:
        {3: self.linear, 5: self.depthwise, 6: self.conv}[len(shape)](name, i, *shape)

    def row(self, name: str, i: int, h: int, w: int, c: int, f: int, k: Any, s: int) -> None:
        """A convolution that pads nothing."""
        self.outs.append(self.m.conv(self.m.input(h, w, c), c, f, k, s, (0, 0, 0, 0), name=name))

    def depthwise(self, name: str, i: int, h: int, w: int, c: int, k: Any, s: int) -> None:
        """A depthwise convolution; long windows pad nothing."""
        pad = (0, 0, 0, 0) if k == (15, 1) else None
        self.outs.append(self.m.conv(self.m.input(h, w, c), c, c, k, s, pad, name=name, groups=c))

    def linear(self, name: str, i: int, n: int, o: int, rows: int) -> None:
        """A linear layer of a vector or rows."""
        x = self.m.input(n) if rows == 1 else self.m.input(rows, n)
        self.outs.append(self.m.linear(x, n, o, name=name))

    def pair(self, name: str, op: str, shape: tuple[int, ...], other: tuple[int, ...]) -> None:
        """add, sub or mul, with a ReLU; fixed-point operands lie on two grids."""
        m = self.m
        if not self.scaled:
            second = m.builder.input("x", other, FixedPoint(8, 5))
            self.outs.append(m.node(op, name, [m.input(*shape), second], lo=0))
            return
        operands = [m.input(*shape), m.input(*other)]
        if op == "mul":
            self._scaled(op, name, operands, multiplier=(1 << 30,), shift=(38,))
        else:
            self.outs.append(m.node(op, name, operands, lo=0))

    def elements(self, name: str, i: int, *shape: int) -> None:
        """Every operator of elements that has a choice of kernels: one layer each."""
        for op in ("add", "sub", "mul") if self.scaled else ("add", "sub"):
            self.pair(f"{name}.{op}", op, shape, shape)
        if self.scaled:
            own = {"multiplier": (3 << 29,), "shift": (31,)} if i % 2 else {"multiplier": (1 << 30,), "shift": (31,)}
            self._scaled("requantise", f"{name}.requantise", [self.m.input(*shape)], **own)
            x = self.m.input(*shape)
            clipped = self.m.builder.node("requantise", f"{name}.clip", [x], self.m.builder.values[x].format, lo=0)
            self.outs.append(clipped)
            return
        x = self.m.builder.input("x", shape, FixedPoint(8, 4 + i % 3))
        self.outs.append(self.m.node("requantise", f"{name}.requantise", [x], **({"lo": 0} if i % 2 else {})))
        codes = np.random.default_rng(i).integers(-128, 127, 256)
        table = self.m.builder.constant(f"{name}.entries", codes, self.m.activation)
        self.outs.append(self.m.node("table", f"{name}.table", [self.m.input(*shape), table]))

    def repeated(self, name: str, i: int, *shape: int) -> None:
        """Scaled operands of which one repeats; fixed-point ones have one kernel only."""
        for op in ("add", "sub", "mul") if self.scaled else ():
            self.pair(f"{name}.{op}", op, shape, shape[-1:])

    def pools(self, name: str, i: int, h: int, w: int, c: int, k: Any, s: int, pad: int) -> None:
        """Average pools, which do not count what they pad, and (in the fixed-point network) greatest elements."""
        kernel = k if isinstance(k, tuple) else (k, k)
        window = {"kernel": kernel, "stride": (s, s), "padding": (pad,) * 4}
        counts = {"include_pad": int(pad == 0)}
        x = self.m.input(h, w, c)
        fmt = self.m.builder.values[x].format
        rule = {"rounding": CODE_RULE} if self.scaled else {}
        self.outs.append(self.m.builder.node("average_pool", f"{name}.average", [x], fmt, **window, **counts, **rule))
        if not self.scaled:
            greatest = [self.m.input(h, w, c)]
            self.outs.append(self.m.node("max_pool", f"{name}.greatest", greatest, **window, dilation=(1, 1)))

    def means(self, name: str, i: int, *shape: int) -> None:
        """The mean of a map; scaled networks have it as a pool."""
        if not self.scaled:
            self.outs.append(self.m.node("mean", name, [self.m.input(*shape)], axes=(0, 1), keep_axes=0))

    def _scaled(self, op: str, name: str, operands: list[str], **attrs: Any) -> None:
        assert isinstance(self.m, ScaledMaker)
        self.outs.append(self.m.builder.node(op, name, operands, self.m.format(False), rounding=RULE, **attrs))


#: layers of the groups that say what other formats cost
MATRICES = tuple(
    (name, Family(family.fit, held))
    for name, family, held in (
        ("window", WINDOWS, WINDOWS.held[:2]), ("point", POINTS, POINTS.held[:2]), ("first", FIRST, FIRST.held[:2]),
        ("row", ROWS, (ROWS.held[0], ROWS.held[4])), ("depthwise", DEPTHWISE, DEPTHWISE.held[:2]),
        ("linear", LINEAR, LINEAR.held[2:4]),
    )
)  # fmt: skip
#: layers for cores without a multiplier, whose memories are small, and whose products take long to count
DIGITS = (
    ("window", Family(
        ((6, 6, 4, 6, 3, 1), (5, 5, 8, 8, 3, 1), (8, 8, 4, 4, 3, 2), (6, 6, 5, 7, 3, 1), (4, 4, 12, 4, 3, 1),
         (5, 5, 4, 8, 5, 1)), ((7, 5, 6, 5, 3, 1), (6, 7, 4, 7, 3, 1)))),
    ("point", Family(
        ((6, 6, 4, 8, 1, 1), (4, 4, 16, 8, 1, 1), (5, 5, 8, 12, 1, 1), (3, 3, 24, 6, 1, 1), (7, 7, 5, 5, 1, 2)),
        ((4, 5, 12, 10, 1, 1), (6, 5, 6, 12, 1, 1)))),
    ("first", Family(
        ((8, 8, 1, 6, 3, 1), (8, 8, 3, 4, 3, 1), (10, 10, 2, 4, 3, 2), (8, 8, 1, 4, 5, 1), (6, 6, 3, 8, 3, 1)),
        ((9, 7, 1, 8, 3, 1), (7, 7, 2, 6, 3, 1)))),
    ("tap", Family(
        ((8, 8, 3, 6, 1, 1), (6, 6, 1, 8, 1, 1), (7, 7, 2, 4, 1, 1), (5, 5, 3, 12, 1, 1)),
        ((6, 7, 2, 8, 1, 1), (7, 5, 3, 8, 1, 1)))),
    ("channel", Family(
        ((10, 10, 1, 1, 3, 1), (8, 8, 1, 1, 1, 1), (8, 8, 1, 1, 5, 1), (9, 9, 1, 1, 3, 2)),
        ((9, 8, 1, 1, 3, 1), (7, 9, 1, 1, 3, 1)))),
    ("depthwise", Family(
        ((6, 6, 8, 3, 1), (5, 5, 12, 3, 1), (8, 8, 4, 3, 2), (6, 6, 6, 5, 1), (7, 7, 5, 3, 1), (12, 1, 8, (5, 1), 1)),
        ((6, 5, 10, 3, 1), (7, 6, 7, 3, 1)))),
    ("linear", Family(
        ((64, 10, 1), (32, 32, 1), (128, 8, 1), (17, 9, 1), (48, 16, 1), (16, 12, 4), (24, 8, 6), (8, 20, 3),
         (33, 7, 2)), ((40, 12, 1), (20, 10, 3)))),
)  # fmt: skip
#: group -> the families of its network, by the method of `Layers` that makes them
GROUPS: dict[str, tuple[tuple[str, str, Family], ...]] = {
    "conv": (
        ("window", "conv", WINDOWS), ("point", "conv", POINTS), ("first", "conv", FIRST),
        ("depthwise", "depthwise", DEPTHWISE),
    ),
    "few": (("tap", "conv", FIRST_POINTS), ("channel", "conv", ONE_CHANNEL)),
    "row": (("row", "row", ROWS),),
    "linear": (("linear", "linear", LINEAR),),
    "elements": (("elements", "elements", ELEMENTS), ("repeated", "repeated", REPEATED)),
    "pools": (("pool", "pools", POOLS), ("mean", "means", MEANS)),
    "narrow": tuple((f"narrow_{name}", "narrow", family) for name, family in MATRICES),
    "fields": tuple((f"fields_{name}", "fields", family) for name, family in MATRICES),
    # Portable kernels take long over minifloats: every second layer.
    "minifloat": tuple(
        (f"minifloat_{name}", "minifloat", Family(family.fit[::2], family.held)) for name, family in MATRICES
    ),
    **{
        method: tuple(
            (f"{method}_{name}", method, Family(family.fit[:: 2 if name == "depthwise" else 3], family.held))
            for name, family in MATRICES
            if name != "row" and (method, name) != ("groups", "depthwise")
        )
        for method in ("minifloat16", "minifloat32", "groups")
    },
    **{
        method: tuple((f"{method}_{name}", method, family) for name, family in MATRICES if name != "row")
        for method in ("packed", "packed_fields", "packed_narrow")
    },
    "packed_elements": (
        ("packed_elements", "packed_elements", ELEMENTS),
        ("packed_pool", "packed_windows", POOLS), ("packed_mean", "packed_windows", MEANS),
    ),
    "minifloat_elements": (("minifloat_elements", "minifloat_elements", ELEMENTS),),
    "khot": tuple((f"{method}_{name}", method, family) for method in ("khot", "positive") for name, family in DIGITS),
}  # fmt: skip
#: groups whose layers have no scales, and where they are measured: elsewhere the order of preference alone decides
PACKED = ("packed", "packed_fields", "packed_narrow", "packed_elements")
PLAIN = ("narrow", "fields", *PACKED, "minifloat", "minifloat_elements", "minifloat16", "minifloat32", "groups")
#: parts of the names of kernels that only these groups measure
PLAIN_KERNELS = ("packed_", "_narrow_", "_fields_", "_lanes", "conv_expanded", "conv_groups", "add_map")
PLAIN_BOARDS = ("cortex-m4",)
#: the only group of cores without a multiplier, which no other core has
FEW_DIGITS, FEW_DIGITS_BOARDS = "khot", ("riscv32e",)


def networks(groups: Iterable[str], board: str) -> list[tuple[str, bool]]:
    """The networks of some groups that are measured on a board: name, and whether it is the scaled one."""
    both = [(group, scaled) for group in groups for scaled in (False, True)]
    mine = [(group, scaled) for group, scaled in both if (group == FEW_DIGITS) == (board in FEW_DIGITS_BOARDS)]
    return [(group, scaled) for group, scaled in mine if group not in PLAIN or (board in PLAIN_BOARDS and not scaled)]


#: stands between the name of a layer and the number of its copy
COPY = "@"


def layers(group: str, scaled: bool, held_only: bool = False, copies: Callable[[str], int] = lambda name: 1) -> Graph:
    """The network of a group of operators; `held_only`: without the layers of the fit; copies: of a layer, by name."""
    made = Layers(scaled)
    for name, method, shape, index in _all(group, held_only):
        for copy in range(copies(name)):
            getattr(made, method)(f"{name}{COPY}{copy}" if copy else name, index, *shape)
    return made.m.builder.build(made.outs)


def copied(name: str) -> tuple[str, int]:
    """The name of the layer of which a node is a copy, and the number of the copy."""
    found = re.search(rf"{COPY}(\d+)", name)
    return (name, 0) if found is None else (name.replace(found[0], "", 1), int(found[1]))


def _all(group: str, held_only: bool) -> Iterator[tuple[str, str, tuple[Any, ...], int]]:
    for name, method, family in GROUPS[group]:
        for i, shape in enumerate(() if held_only else family.fit):
            yield f"{name}{i}", method, shape, i
        for i, shape in enumerate(family.held):
            yield f"{HELD}{name}{i}", method, shape, i + 1
