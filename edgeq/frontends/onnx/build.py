"""A graph under construction from an .onnx file: what a tensor can be before it is a value of the graph.

A float tensor of a quantised network is one of four things: known (`Known`), a constant that was quantised
(`Constant`), the exact numbers of a value (`Held`), or the result of an operator that the file rounds only later
(`Pending`); that later rounding makes its node. Integers are `Known`, `Coded` (quantised, not yet read) or `Held`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.errors import UnsupportedError
from edgeq.formats import Affine, FixedPoint, Format, Minifloat
from edgeq.frontends._model_file import DamagedError
from edgeq.frontends._tensors import Layouts, Placed, identity
from edgeq.frontends.onnx.file import Model, Operation
from edgeq.frontends.onnx.numbers import RULE, Quantisation, grid_bound, multipliers, one_format, step
from edgeq.ir import Attr, GraphBuilder, Node
from edgeq.ir.operator import Bounds, Interval
from edgeq.ir.ops import operator

Array = npt.NDArray[Any]
Shape = tuple[int, ...]
#: what has no other format is held exactly in this many bits
EXACT_BITS = 32
#: operators that keep the scale of their one operand
_ALONE = ("requantise", "mean", "average_pool", "resize_bilinear")


def inner(full: Shape) -> Shape:
    """The shape of a value: ONNX's shape without a leading batch of one."""
    return full[1:] if len(full) > 1 and full[0] == 1 else full or (1,)


def lead(full: Shape) -> int:
    """How many axes of ONNX's shape the value leaves out."""
    return int(len(full) > 1 and full[0] == 1)


@dataclass(frozen=True, eq=False)
class Known:
    """Elements that do not depend on the input. limits: least and greatest code, where a Clip has said so."""

    name: str
    data: Array
    type: str
    limits: tuple[int, int] | None = None

    @property
    def shape(self) -> Shape:
        return self.data.shape


@dataclass(frozen=True, eq=False)
class Constant:
    """A constant that was quantised: codes with what they mean. `minifloat`: their format, where they are floats."""

    name: str
    codes: npt.NDArray[np.int64]
    numbers: Quantisation
    minifloat: Minifloat | None = None

    @property
    def shape(self) -> Shape:
        return self.codes.shape

    def real(self) -> npt.NDArray[np.float64]:
        """Its real values."""
        if self.minifloat is not None:
            return self.minifloat.decode(self.codes) * self.numbers.scale
        found: npt.NDArray[np.float64] = (self.codes - self.numbers.zero) * self.numbers.scale
        return found


@dataclass(frozen=True)
class Held:
    """A computed tensor that is a value of the graph; shape: ONNX's. integer: what ONNX sees are the codes."""

    name: str
    shape: Shape
    permutation: Shape
    integer: bool = False

    @property
    def placed(self) -> Placed:
        """As the layouts know it."""
        return Placed(self.name, inner(self.shape), self.permutation)


@dataclass(frozen=True)
class Stage:
    """The rounding that a Pending waits for: rule, and bounds as codes and as real numbers."""

    rule: str = RULE
    codes: tuple[int, int] | None = None
    lo: float = -math.inf
    hi: float = math.inf

    def bounded(self, lo: float, hi: float) -> Stage:
        """With a clip before what is there."""
        return replace(self, lo=min(max(lo, self.lo), self.hi), hi=max(min(hi, self.hi), self.lo))

    def attrs(self, fmt: Format) -> dict[str, Attr]:
        """rounding, lo and hi of the output stage."""
        least, most = fmt.grid_range
        lo, hi = (grid_bound(b, fmt, self.rule) for b in (self.lo, self.hi))
        if self.codes is not None:
            zero = fmt.zero_point if isinstance(fmt, Affine) else 0
            ends = (self.codes[0] - zero, self.codes[1] - zero)
            lo, hi = (min(max(v, ends[0]), ends[1]) for v in (lo, hi))
        found: dict[str, Attr] = {"rounding": self.rule}
        return {**found, **({"lo": lo} if lo > least else {}), **({"hi": hi} if hi < most else {})}


@dataclass(frozen=True, eq=False)
class Pending:
    """The exact result of an operator, to be rounded by whoever reads it.

    make: the value in a format; exact: a format that holds all its numbers, or None; lo, hi: a clip on top.
    """

    name: str
    shape: Shape
    make: Callable[[Format, Stage], Held]
    exact: Callable[[], Format | None]
    lo: float = -math.inf
    hi: float = math.inf
    #: the same result times a positive number
    scaled: Callable[[float], Pending] | None = None

    def rounded(self, fmt: Format, stage: Stage) -> Held:
        """Its value in a format."""
        return self.make(fmt, stage.bounded(self.lo, self.hi))


@dataclass(eq=False)
class Coded:
    """What QuantizeLinear made, before anything reads it: a Clip may still take bits off."""

    source: Held | Pending
    numbers: Quantisation
    name: str

    @property
    def shape(self) -> Shape:
        return self.source.shape


Tensor = Known | Constant | Held | Pending | Coded


@dataclass
class Building:
    """What the readers of single operators work on.

    tensors: what each name of the file stands for; fixed: powers of two become binary points.
    formats: formats that float inputs are given where the file does not quantise them (for tests of movements).
    """

    model: Model
    builder: GraphBuilder
    fixed: bool = True
    formats: Mapping[str, Format] = field(default_factory=dict)
    tensors: dict[str, Tensor] = field(default_factory=dict)
    #: inputs of codes whose meaning somebody has said
    claimed: set[str] = field(default_factory=set)
    layouts: Layouts = field(init=False)
    _made: dict[tuple[int, Format, Stage], Held] = field(default_factory=dict)
    _kept: list[object] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.layouts = Layouts(self.builder)

    # -- access ---------------------------------------------------------------------------------------------------

    def has(self, call: Operation, position: int) -> bool:
        """Whether a call has its optional input `position`."""
        return position < len(call.inputs) and call.inputs[position] != ""

    def tensor(self, call: Operation, position: int) -> Tensor:
        """Input `position` of a call, which must be there."""
        if not self.has(call, position):
            raise DamagedError(f"{call.op} {call.name}: input {position} is missing")
        return self.tensors[call.inputs[position]]

    def known(self, call: Operation, position: int) -> Array:
        """Elements of an input that has to be constant."""
        found = self.tensor(call, position)
        if isinstance(found, Constant):
            return found.real()
        if not isinstance(found, Known):
            raise unsupported(call, f"input {position} is computed; it must be constant")
        return found.data

    def put(self, call: Operation, tensor: Tensor, position: int = 0) -> None:
        """What output `position` of a call stands for."""
        for i, name in enumerate(call.outputs):
            if i != position and i >= 1 and name and position == 0:
                raise unsupported(call, f"output {i} is used; only the first one is read")
        self.tensors[call.outputs[position]] = tensor

    def held(self, call: Operation, position: int) -> Held:
        """A computed input as a value of the graph, with its numbers unchanged."""
        return self.settle(self.tensor(call, position), call)

    def settle(self, tensor: Tensor, call: Operation) -> Held:
        """A computed tensor as a value; what the file does not round is held exactly, or is refused."""
        if isinstance(tensor, Held):
            return tensor
        if isinstance(tensor, Coded):
            return self.codes(tensor)
        if isinstance(tensor, Pending):
            fmt = tensor.exact()
            if fmt is None:
                raise unsupported(
                    call,
                    f"reads {tensor.name}, which is not quantised in between; quantise every tensor that is computed "
                    "(QuantizeLinear and DequantizeLinear, or Quant, after each operator)",
                )
            return self.rounded(tensor, fmt, Stage())
        raise unsupported(call, "reads only constants")

    def rounded(self, tensor: Held | Pending, fmt: Format, stage: Stage, name: str = "") -> Held:
        """A computed tensor in a format; the same question twice gives one node."""
        if isinstance(tensor, Held) and self.format(tensor) == fmt and len(stage.attrs(fmt)) == 1:
            return tensor
        key = (id(tensor), fmt, stage)
        if key not in self._made:
            made = (
                tensor.rounded(fmt, stage)
                if isinstance(tensor, Pending)
                else self.requantised(tensor, name or f"{tensor.name}.quantised").rounded(fmt, stage)
            )
            self._made[key] = made
            self._kept.append(tensor)  # an id stays one tensor's only while the tensor lives
        return self._made[key]

    def codes(self, tensor: Coded) -> Held:
        """The value whose codes a QuantizeLinear gave."""
        numbers = tensor.numbers
        fmt = numbers.format(self.fixed, tensor.name)
        stage = Stage(numbers.rule, (numbers.lo, numbers.hi))
        return replace(self.rounded(tensor.source, fmt, stage, tensor.name), integer=True)

    def format(self, tensor: Held) -> Format:
        """Format of a value."""
        return self.builder.values[tensor.name].format

    # -- construction ---------------------------------------------------------------------------------------------

    def hold(self, name: str, full: Shape, order: Sequence[int], integer: bool = False, place: str = "") -> Held:
        """A tensor of ONNX's shape `full` whose axes `order[i]` lie along the axes of a value.

        Axes of size one may be missing in `order`, or be there too much: a reshape makes the value's shape right.
        """
        skip = lead(full)
        if not full:
            want: list[int] = [0]
        else:
            kept = [a for a in order if a >= skip]
            want = [*(a for a in range(skip, len(full)) if a not in kept), *kept]
        shape = tuple(full[a] if full else 1 for a in want)
        value = self.builder.values[name]
        if value.shape != shape:
            name = self.builder.node("reshape", place or f"{name}.reshape", [name], value.format, place, shape=shape)
        return Held(name, full, tuple(a - skip for a in want) if full else (0,), integer)

    def laid(self, tensor: Held, permutation: Shape) -> Held:
        """A tensor with another permutation."""
        return replace(tensor, name=self.layouts.to(tensor.placed, permutation).name, permutation=permutation)

    def order(self, tensor: Held) -> list[int]:
        """For each axis of the value its axis in ONNX's shape."""
        return [p + lead(tensor.shape) for p in tensor.permutation] if tensor.shape else []

    def requantised(self, tensor: Held, name: str, factor: float = 1.0) -> Pending:
        """A tensor times a factor, waiting to be rounded."""
        unit = step(self.format(tensor)) * factor
        return self.pending(name, "requantise", [tensor.name], tensor, (unit,), natural=factor == 1.0)

    def pending(
        self,
        name: str,
        op: str,
        inputs: list[str],
        out: Held,
        units: tuple[float, ...],
        attrs: dict[str, Attr] | None = None,
        natural: bool = True,
    ) -> Pending:
        """An arithmetic node that waits for its output format.

        out: what the result will be (its name does not matter). units: the real number that one unit of the exact
        integer result stands for, one or one for each channel. natural: the formats of the inputs say the same.
        """
        own = dict(attrs or {})
        values = [self.builder.values[i] for i in inputs]
        affine = not natural or any(isinstance(v.format, Affine) for v in values)
        # What joins nothing keeps its scale; anything else has a multiplier, and be it one.
        alone = op in _ALONE and isinstance(values[0].format, Affine)

        def make(fmt: Format, stage: Stage) -> Held:
            found = {**own, **stage.attrs(fmt)}
            plain = not affine and not isinstance(fmt, Affine)
            same = natural and alone and set(units) == {step(fmt)}
            if not plain and not same:
                bounds = self._bounds(name, op, inputs, own)
                worst = max(abs(e) for e in (*bounds.lo, *bounds.hi))
                m, s = multipliers(units, step(fmt), f"{op} {name}", worst)
                found |= {"multiplier": m, "shift": s}
            made = self.builder.node(op, name, inputs, fmt, name, **found)
            return replace(out, name=made)

        def exact() -> Format | None:
            return self.held_exactly(name, op, inputs, own, units, affine)

        def scaled(factor: float) -> Pending:
            more = tuple(u * factor for u in units)
            return self.pending(name, op, inputs, out, more, attrs, natural and factor == 1.0)

        return Pending(name, out.shape, make, exact, scaled=scaled)

    def held_exactly(
        self, name: str, op: str, inputs: list[str], attrs: dict[str, Attr], units: tuple[float, ...], affine: bool
    ) -> Format | None:
        """A format that holds every sum, proved by its worst case."""
        unit = min(units)
        if any(u / unit != 2.0 ** round(math.log2(u / unit)) for u in units) or (affine and len(set(units)) > 1):
            return None
        found = self._bounds(name, op, inputs, attrs)
        up = [round(u / unit) for u in units] if len(units) == len(found.lo) else [round(max(units) / unit)]
        ends = [e * u for lo, hi in zip(found.lo, found.hi, strict=True) for e in (lo, hi) for u in up]
        if not ends or min(ends) < -(1 << (EXACT_BITS - 1)) or max(ends) >= 1 << (EXACT_BITS - 1):
            return None
        if affine:
            return Affine(EXACT_BITS, True, 0, unit)
        made = one_format(unit, 0, -(1 << (EXACT_BITS - 1)), (1 << (EXACT_BITS - 1)) - 1, True)
        return made if isinstance(made, FixedPoint) else None

    def _bounds(self, name: str, op: str, inputs: list[str], attrs: dict[str, Attr]) -> Bounds:
        """The worst case of an operator on all numbers that its inputs can be."""
        values = [self.builder.values[i] for i in inputs]
        ranges = []
        for value in values:
            grid = value.format.grid_range
            if value.data is not None:
                own = value.format.to_grid(value.data)
                grid = (int(own.min(initial=0)), int(own.max(initial=0)))
            ranges.append(Interval(*grid))
        found = operator(op).bounds(Node(op, name, tuple(inputs), (name,), attrs), values, ranges)
        assert found is not None
        return found

    def table(self, name: str, x: Held, fmt: Format, codes: npt.ArrayLike, function: str) -> Held:
        """A node that looks up the code of each code of `x`."""
        table = self.builder.constant(f"{name}.table", codes, fmt, name)
        return replace(x, name=self.builder.node("table", name, [x.name, table], fmt, name, function=function))


def unsupported(call: Operation, fact: str) -> UnsupportedError:
    """An error about one node of the file."""
    return UnsupportedError(f"{call.op} {call.name}: {fact}")


def moved(tensor: Tensor, shape: Shape, apply: Callable[[Held], Held], b: Building, name: str) -> Tensor:
    """A movement of a computed tensor, now or when the tensor gets its format."""
    if isinstance(tensor, Coded):
        return replace(apply(b.codes(tensor)), integer=True)
    if isinstance(tensor, Held):
        return replace(apply(tensor), integer=tensor.integer)
    assert isinstance(tensor, Pending)

    def make(fmt: Format, stage: Stage) -> Held:
        return apply(b.rounded(tensor, fmt, stage))

    factor = tensor.scaled

    def scaled(by: float) -> Pending:
        assert factor is not None
        made = moved(factor(by), shape, apply, b, name)
        assert isinstance(made, Pending)
        return made

    return Pending(name, shape, make, tensor.exact, scaled=scaled if factor else None)


def size(shape: Shape) -> int:
    """Elements of a shape."""
    return prod(shape)


def plain(full: Shape, name: str = "") -> Held:
    """A tensor in ONNX's own order of axes."""
    return Held(name, full, identity(len(inner(full))))
