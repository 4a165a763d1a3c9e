"""Every operator with minifloats coming in and going out in hardware: equal to the emulator, or refused in words."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
import pytest
from fpga.test_hardware_modes import differs, needs_iverilog

from edgeq.errors import GraphError, UnsupportedError
from edgeq.formats import NAMED, FixedPoint, Format, Minifloat, encode, grouped
from edgeq.fpga.dataflow import Dataflow, Param, Rom
from edgeq.fpga.lower import lower
from edgeq.fpga.lowering import Codes
from edgeq.fpga.ops import LOWERINGS, products
from edgeq.fpga.ops._stage import ODD_PLACES
from edgeq.ir import OPERATORS, Attr, Graph, GraphBuilder, check
from edgeq.ir.docs import INTEGER_OUTPUTS
from edgeq.ir.operator import Movement
from edgeq.verify.random_formats import all_codes, uniform_codes
from edgeq.verify.random_graphs import random_inputs

NAMES = ("e2m1", "e2m3", "e3m2", "e4m3", "e5m2")
RULES = ("half_even", "half_up", "floor")
FIXED = FixedPoint(8, 4)
#: which of a node's formats are minifloats; sums of products of two numbers in E5M2 are wider than anything here
DIRECTIONS = ("in", "out", "both")


class Parts:
    """Operators side by side, each with inputs of its own. x: format of what comes in, y: of what goes out."""

    def __init__(self, name: str, direction: str) -> None:
        self.rng = np.random.default_rng(5)
        self.b = GraphBuilder(f"{name}_{direction}")
        self.minifloat = NAMED[name]
        self.x: Format = FIXED if direction == "out" else self.minifloat
        self.y: Format = FixedPoint(14, 4) if direction == "in" else self.minifloat
        self.second: Format = FixedPoint(5, 3) if name == "e5m2" else self.x
        self.made: list[str] = []

    def input(self, *shape: int, fmt: Format | None = None) -> str:
        return self.b.input(self.b.unique("x"), shape, fmt or self.x)

    def constant(self, *shape: int, fmt: Format | None = None) -> str:
        fmt = fmt or self.second
        codes = (
            self.rng.choice(all_codes(fmt), shape)
            if isinstance(fmt, Minifloat)
            else uniform_codes(fmt, self.rng, shape)
        )
        return self.b.constant(self.b.unique("c"), codes, fmt)

    def node(self, op: str, ins: list[str], fmt: Format | None = None, *, up: int = 0, **attrs: Attr) -> None:
        """up: powers of two between the grid of x and the middle of the output's range."""
        if fmt is None:
            assert isinstance(self.x.frac, int)
            fmt = self.x if isinstance(OPERATORS[op], Movement) else self.y.per_tensor(self.x.frac - up)
        if isinstance(OPERATORS[op], Movement) or "rounding" not in OPERATORS[op].attributes:
            self.made.append(self.b.node(op, op, ins, fmt, **attrs))
            return
        attrs.setdefault("rounding", RULES[len(self.made) % 3])
        self.made.append(self.b.node(op, op, ins, fmt, **attrs))

    @property
    def up(self) -> int:
        """How much wider the grid that comes in is than the one that goes out: what an output's point moves by."""
        widths = [max(fmt.grid_range).bit_length() for fmt in (self.x, self.y)]
        return widths[0] - widths[1]


def window(**more: Attr) -> dict[str, Attr]:
    return {"kernel": (2, 3), "stride": (1, 2), "padding": (0, 1, 1, 1), **more}


def matrix(p: Parts, op: str, shape: tuple[int, ...], weights: tuple[int, ...], **attrs: Attr) -> None:
    """Weights of the format that comes in, and once more with group scales; the output takes the upper bits."""
    fmt: Format = p.second
    width = max(fmt.grid_range).bit_length()
    p.node(op, [p.input(*shape), p.constant(*weights)], up=p.up + width - 2, **attrs)
    assert isinstance(fmt, FixedPoint | Minifloat)
    spread = 0 if fmt == NAMED["e5m2"] else 2
    scales = p.rng.integers(0, spread, (*weights[:-1], -(-weights[-1] // 2)), endpoint=True)
    codes = p.b.values[p.constant(*weights)].data
    p.b.values.pop(next(reversed(p.b.values)))
    weight = p.b.constant(p.b.unique("c"), codes, grouped(fmt, 2, scales))  # type: ignore[arg-type]
    p.node(op, [p.input(*shape), weight], up=p.up + width - 2, **attrs)


def softmax(p: Parts, op: str) -> None:
    """Rows along the first axis; tables of true exponentials, as steep as the grid is fine."""
    size = 64
    steps = np.exp(-np.arange(size) / 9)
    if op == "softmax":
        table = p.b.constant("t", np.rint(32767 * steps), FixedPoint(16, 0))
        y = p.y.per_tensor(max(p.y.grid_range).bit_length() - 1)
        p.node(op, [p.input(5, 3), table], y, axis=0)
        # Few places: many quotients lie just above the middle of two numbers.
        p.node(op, [p.input(4, 6), table], y.per_tensor(3), axis=1, rounding="half_even")
        return
    table = p.b.constant("t", np.rint(((1 << 31) - 1) * steps), FixedPoint(32, 31))
    p.node(op, [p.input(5, 3), table], FixedPoint(8, 8, False), axis=0)


def lines(p: Parts, op: str) -> None:
    reach = max(p.x.grid_range).bit_length()
    if op == "sigmoid_lines":
        table = p.b.constant("t", np.rint(65535 / (1 + np.exp(-np.arange(256) / 24))), FixedPoint(16, 16, False))
        for function in ("sigmoid", "tanh"):
            attrs = {
                "function": function,
                "argument_multiplier": 3 << max(15 - reach, 0),
                "argument_shift": max(reach - 15, 0),
            }
            p.node(op, [p.input(7), table], FixedPoint(16, 15), **attrs)
        return
    steps = np.arange(513)
    tables = [np.exp(-10 * (512 - steps) / 512), 1 / (1 + steps / 512)]
    names = [
        p.b.constant(n, np.rint(t * 32768).clip(0, 32767), FixedPoint(16, 15))
        for n, t in zip("er", tables, strict=True)
    ]
    attrs = {"axis": 1, "distance_multiplier": 1759218604, "distance_shift": 14 + reach}
    p.node(op, [p.input(3, 5), *names], FixedPoint(16, 15), **attrs)


def resize(p: Parts, op: str) -> None:
    attrs = {
        "size": (5, 2),
        "low": (0, 0, 1, 1, 2, 0, 0),
        "high": (0, 1, 2, 2, 2, 1, 1),
        "weight": (0, 12, 4, 8, 0, 0, 16),
    }
    p.node(op, [p.input(3, 2, 2)], up=p.up, bits=4, **attrs)
    p.node(op, [p.input(3, 2)], up=p.up, size=(2,), low=(0, 1), high=(1, 2), weight=(3, 1), bits=2)


def elementwise(p: Parts, op: str) -> None:
    """Both operands as they come, one of them fixed point, and each with a multiplier."""
    a, shape = p.input(3, 4), (3, 4)
    width = max(p.second.grid_range).bit_length() if op == "mul" else 0
    p.node(op, [a, p.input(*shape, fmt=p.second)], up=p.up + max(width - 2, 0))
    p.node(op, [p.input(4), p.input(*shape, fmt=FixedPoint(6, 2))], up=p.up)
    p.node(op, [p.input(*shape), p.constant(4)], up=p.up + max(width - 2, 0))
    if op in ("add", "sub") and not isinstance(p.y, Minifloat):
        reach = max(p.x.grid_range).bit_length()
        attrs = {"left": 3, "a_multiplier": 5, "a_shift": 1, "b_multiplier": 3, "b_shift": 2}
        for names in ([a, p.input(*shape)], [p.input(*shape), p.constant(*shape, fmt=p.x)]):
            p.node(op, names, FixedPoint(8, 0), multiplier=(3 << 20,), shift=(16 + reach,), **attrs)


def requantise(p: Parts, op: str) -> None:
    p.node(op, [p.input(6)], up=p.up)
    if not isinstance(p.y, Minifloat):
        reach = max(p.x.grid_range).bit_length()
        scales = {"multiplier": (7 << 20, 5 << 20, 3 << 20), "shift": (reach + 17,) * 3}
        p.node(op, [p.input(4, 3)], FixedPoint(8, 0), **scales)


def average(p: Parts, op: str) -> None:
    """Windows of six, of what is inside, and of a power of two."""
    fmt = {"up": p.up}
    p.node(op, [p.input(4, 6, 2)], **fmt, include_pad=1, **window())
    p.node(op, [p.input(4, 6, 2)], **fmt, include_pad=0, **window())
    p.node(op, [p.input(4, 4, 2)], **fmt, include_pad=1, kernel=(2, 2), stride=(2, 2), padding=(0,) * 4)


def table(p: Parts, op: str) -> None:
    low, high = p.x.code_range
    p.node(op, [p.input(7), p.constant(high - low + 1, fmt=p.y)], p.y)


def concat(p: Parts, op: str) -> None:
    p.node(op, [p.input(2, 3), p.input(2, 2, fmt=FixedPoint(12, 4)), p.constant(2, 1)], up=p.up, axis=1)


def prelu(p: Parts, op: str) -> None:
    p.node(op, [p.input(3, 4), p.constant(4, fmt=FixedPoint(4, 3))], up=p.up)
    p.node(op, [p.input(3, 4), p.constant(1)], up=p.up)


CONV = {"stride": (1, 1), "padding": (1, 0, 0, 1), "dilation": (1, 1)}
PARTS: dict[str, Callable[[Parts, str], None]] = {
    **dict.fromkeys(("add", "sub", "mul", "maximum", "minimum"), elementwise),
    "argmax": lambda p, op: p.node(op, [p.input(5, 4)], FixedPoint(4, 0, False), axis=0, keep_axes=0),
    "average_pool": average,
    "concat": concat,
    "conv": lambda p, op: [
        matrix(p, op, (4, 4, 3), (2, 2, 2, 3), groups=1, **CONV),
        matrix(p, op, (4, 4, 3), (3, 2, 2, 1), groups=3, **CONV),
    ][0],
    "conv_transpose": lambda p, op: matrix(
        p,
        op,
        (3, 3, 2),
        (3, 2, 2, 2),
        stride=(2, 1),
        padding=(0,) * 4,
        dilation=(1, 1),
        output_padding=(1, 0),
        groups=1,
    ),
    "gather": lambda p, op: p.node(op, [p.input(4, 3)], axes=(0,), sizes=(5,), indices=(3, 0, 0, 2, 1)),
    "linear": lambda p, op: matrix(p, op, (2, 6), (4, 6)),
    "matmul": lambda p, op: [
        p.node(op, [p.input(3, 4), p.input(4, 2, fmt=p.second)], up=p.up + max(p.second.grid_range).bit_length() - 2),
        p.node(op, [p.constant(3, 4), p.input(4, 2)], up=p.up + max(p.second.grid_range).bit_length() - 2),
    ][0],
    "max_pool": lambda p, op: p.node(op, [p.input(4, 6, 2)], **window(dilation=(1, 1))),
    "mean": lambda p, op: [
        p.node(op, [p.input(3, 2, 5)], up=p.up, axes=(0,), keep_axes=0),
        p.node(op, [p.input(3, 4, 2)], up=p.up, axes=(0, 2), keep_axes=1),
    ][0],
    "pad": lambda p, op: p.node(op, [p.input(3, 2)], padding=(1, 0, 2, 1), mode="constant", value=2),
    "prelu": prelu,
    "requantise": requantise,
    "reshape": lambda p, op: p.node(op, [p.input(3, 4)], shape=(2, 6)),
    "resize_bilinear": resize,
    "resize_nearest": lambda p, op: p.node(op, [p.input(3, 2, 2)], size=(5, 4)),
    "sigmoid_lines": lines,
    "slice": lambda p, op: p.node(op, [p.input(5, 3)], begin=(1, 0), end=(5, 3), step=(2, 1)),
    "softmax": softmax,
    "softmax_lines": lines,
    "softmax_reciprocal": softmax,
    "sum": lambda p, op: p.node(op, [p.input(3, 2, 5)], up=p.up + 1, axes=(0, 1), keep_axes=0),
    "table": table,
    "transpose": lambda p, op: p.node(op, [p.input(3, 4)], permutation=(1, 0)),
}
#: functions by lines read grids of 30 or 31 bits, and that of E5M2 has 33
NARROW = {"sigmoid_lines", "softmax_lines"}


def walk(name: str, direction: str, ops: Iterable[str] = PARTS) -> Graph:
    """Operators with minifloats of a name on the sides that a direction says."""
    p = Parts(name, direction)
    for op in sorted(ops):
        if not (op in NARROW and p.x == NAMED["e5m2"]):
            PARTS[op](p, op)
    return p.b.build(p.made)


def lowered(graph: Graph) -> Dataflow:
    return lower(graph, dsps=256 + sum(products(graph, node) for node in graph.nodes))


def inputs_of(graph: Graph) -> dict[str, Codes]:
    """Random codes; where exponentials are taken, most of them near zero, so that tables tell their distances apart."""
    rng = np.random.default_rng(1)
    found = random_inputs(graph, rng, 3)
    for node in graph.nodes:
        if node.op.startswith("softmax"):
            codes = found[node.inputs[0]]
            found[node.inputs[0]] = np.where(rng.random(codes.shape) < 0.8, np.abs(codes) % 12, codes)
    return found


def test_every_operator_has_a_part() -> None:
    assert PARTS.keys() == set(LOWERINGS)


@needs_iverilog
@pytest.mark.heavy
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("name", NAMES)
def test_every_operator(name: str, direction: str) -> None:
    graph = walk(name, direction)
    assert not differs(graph, lowered(graph), inputs_of(graph))


#: of an operator's stages, module and parameter or memory that a small change makes wrong
WRONG: dict[str, tuple[str, str, int | None]] = {
    "average_pool": ("eq_average_pool", "RULE", 7),
    "concat": ("eq_table", "FILE", None),
    "matmul": ("eq_shift", "STEP_MAX", 3),
    "mean": ("eq_average_pool", "RULE", 7),
    "resize_bilinear": ("eq_resize_bilinear", "ROWS", None),
    "sigmoid_lines": ("eq_table", "FILE", None),
    "softmax": ("eq_softmax", "RULE", 7),
    "softmax_lines": ("eq_softmax_lines", "RECIPROCAL", None),
    "softmax_reciprocal": ("eq_softmax_reciprocal", "TABLE", None),
    "sub": ("eq_decode", "EXPONENT", 2),
}


def spoilt(flow: Dataflow) -> Dataflow:
    """One parameter of each operator of `WRONG` changed, or one bit of each word of a memory."""
    stages = []
    for stage in flow.stages:
        op = next((n.op for n in flow.graph.nodes if n.name == stage.node), "")
        module, key, value = WRONG.get(op, ("", "", None))
        if stage.module == module:
            rom = stage.params[key]
            changed: Param | None = value
            if isinstance(rom, Rom):
                changed = replace(rom, words=tuple(w ^ 1 << rom.width - 3 for w in rom.words))
            assert changed is not None
            more: dict[str, Param] = {"MANTISSA": 3} if module == "eq_decode" else {}
            stage = replace(stage, params={**stage.params, key: changed, **more})
        stages.append(stage)
    return replace(flow, stages=tuple(stages))


@needs_iverilog
def test_operators_that_divide_look_up_and_join() -> None:
    """Equal; and with something wrong in each of them, each is found."""
    graph = walk("e3m2", "both", WRONG)
    flow, inputs = lowered(graph), inputs_of(graph)
    assert not differs(graph, flow, inputs)
    found = differs(graph, spoilt(flow), inputs)
    assert {node.op for node in graph.nodes if node.outputs[0] in found} == WRONG.keys()


def test_rounding_to_odd_first_changes_nothing() -> None:
    """Of a quotient on a grid two places finer; truncation instead would be seen."""
    num, den = (a.reshape(-1) for a in np.meshgrid(np.arange(-700, 700), np.arange(1, 40)))
    whole, rest = np.divmod(np.abs(num) << ODD_PLACES, den)
    odd, cut = np.sign(num) * (whole | (rest > 0)), np.sign(num) * whole
    seen = 0
    for fmt in (*(NAMED[name] for name in NAMES), Minifloat(1, 1), Minifloat(3, 0), Minifloat(1, 6)):
        for rule in RULES:
            exact = encode(num, np.int64(fmt.frac), fmt, rule, den)  # type: ignore[arg-type]
            finer = np.int64(fmt.frac + ODD_PLACES)  # type: ignore[operator]
            assert np.array_equal(encode(odd, finer, fmt, rule), exact)
            seen += int((encode(cut, finer, fmt, rule) != exact).sum())
    assert seen > 1000


@pytest.mark.parametrize("op", sorted(PARTS))
def test_what_makes_integers_by_its_meaning_is_what_the_page_says(op: str) -> None:
    """A minifloat as the output is refused by the operator itself, or there is hardware that makes it."""
    p = Parts("e2m1", "out")
    PARTS[op](p, op)
    graph = p.b.build(p.made)
    makes = any(isinstance(graph.values[n.outputs[0]].format, Minifloat) for n in graph.nodes)
    moves = isinstance(OPERATORS[op], Movement)
    assert makes is not (moves or op in INTEGER_OUTPUTS)
    if op in INTEGER_OUTPUTS:
        values = {**graph.values, p.made[0]: replace(graph.values[p.made[0]], format=NAMED["e2m1"])}
        with pytest.raises(GraphError, match=rf"{op} {op}"):
            check(graph.replace(values=values))


def test_what_hardware_has_not_is_said_in_one_message() -> None:
    b = GraphBuilder("slopes")
    x, slope = (b.input(name, (3, 4), NAMED["e4m3"]) for name in ("x", "slope"))
    graph = b.build([b.node("prelu", "leaky", [x, slope], NAMED["e2m1"])])
    with pytest.raises(UnsupportedError, match=r"^prelu leaky .*hardware takes constant slopes.*microcontroller$"):
        lower(graph)


def test_a_negative_zero_that_only_moved_is_made_positive_where_it_is_joined() -> None:
    """The operand of an arithmetic operator gives no negative zeros, and goes through no table then."""
    b = GraphBuilder("zeros")
    fmt = NAMED["e2m1"]
    x = b.input("x", (2, 2), fmt)
    moved = b.node("transpose", "t", [x], fmt, permutation=(1, 0))
    made = b.node("transpose", "u", [b.node("add", "a", [x, x], fmt)], fmt, permutation=(1, 0))
    graph = b.build([b.node("concat", "y", [moved, made], fmt, axis=1)])
    flow = lower(graph)
    assert [s.module for s in flow.stages if s.node.startswith("y")].count("eq_table") == 1
    assert not differs(graph, flow, {"x": np.array([[[8, 1], [0, 9]]])})
