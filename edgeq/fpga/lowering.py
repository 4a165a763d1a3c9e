"""What lowering an operator may ask for: streams of its operands, stages, converters, moves, an output stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod

import numpy as np
import numpy.typing as npt

from edgeq.errors import UnsupportedError
from edgeq.formats import Affine, FixedPoint, Format, Minifloat
from edgeq.fpga.dataflow import Param, Port, Rom, Stage, Stream
from edgeq.fpga.folding import Fold, lanes_for
from edgeq.ir import Graph, Node, Ranges, Value, operator
from edgeq.ir.operator import Bounds, Interval
from edgeq.ir.ranges import signed_bits

Codes = npt.NDArray[np.int64]
#: an element-wise function of a code this wide is one table
TABLE_BITS = 10


def fail(node: Node, fact: str) -> UnsupportedError:
    """An error about a node that speaks the user's layer name."""
    return UnsupportedError(f"{node.op} {node.name} (layer {node.source}): {fact}")


def zero_of(fmt: Format) -> int:
    """Code of the number zero."""
    return fmt.zero_point if isinstance(fmt, Affine) else 0


def is_integer(fmt: Format) -> bool:
    """Whether codes are integers that arithmetic can use as they are, zero point aside."""
    return isinstance(fmt, FixedPoint | Affine)


def signed_codes(fmt: Format) -> bool:
    """Whether a code on a wire is two's complement; that of a minifloat is sign, exponent, mantissa."""
    return fmt.code_range[0] < 0


def operand_bits(fmt: Format) -> int:
    """Width of a code as arithmetic takes it: on its grid, if it is a minifloat."""
    return fmt.mantissa + (1 << fmt.exponent) if isinstance(fmt, Minifloat) else fmt.bits


def operand_signed(fmt: Format) -> bool:
    """Whether a code as arithmetic takes it is two's complement."""
    return isinstance(fmt, Minifloat) or signed_codes(fmt)


def raw(code: int, bits: int) -> int:
    """A code as the bits that a wire carries."""
    return code & ((1 << bits) - 1)


def packed(table: npt.NDArray[np.int64], bits: int) -> tuple[int, ...]:
    """Rows of integers as ROM words: the first of a row in the least significant bits, `bits` each."""
    mask = (1 << bits) - 1
    return tuple(sum((int(v) & mask) << (i * bits) for i, v in enumerate(row)) for row in table)


@dataclass
class Lowering:
    """A dataflow that grows node by node.

    folds:  the shape of each engine, by node. target: cycles that streams have to keep up with.
    styles: "dsp", "lut", "khot" or "constant" for the products of a node.
    """

    graph: Graph
    ranges: Ranges
    folds: Mapping[str, Fold]
    target: int
    styles: Mapping[str, str]
    stages: list[Stage] = field(default_factory=list)
    streams: dict[str, Stream] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)
    grids: dict[str, str] = field(default_factory=dict)
    prefix: str = ""
    node: Node | None = None

    def unique(self, name: str) -> str:
        """`name`, or with a number where it is taken."""
        taken = self.streams.keys() | {s.name for s in self.stages}
        if name not in taken:
            return name
        return next(f"{name}_{i}" for i in range(2, len(taken) + 3) if f"{name}_{i}" not in taken)

    def stream(self, name: str, bits: int, signed: bool, lanes: int, beats: int, inside: bool = False) -> Stream:
        """A new stream of the present node."""
        made = Stream(self.unique(f"{self.prefix}_{name}"), None, bits, signed, lanes, beats, inside)
        self.streams[made.name] = made
        return made

    def of(self, value: Value) -> Stream:
        """The stream that carries a value that is computed or put in."""
        return self.streams[self.values[value.name]]

    def operand(self, value: Value) -> Stream:
        """The same as arithmetic takes it: a minifloat decoded to its grid, once for all that read it."""
        source, fmt = self.of(value), value.format
        if not isinstance(fmt, Minifloat):
            return source
        if value.name not in self.grids:
            made = self.stream("grid", operand_bits(fmt), True, source.lanes, source.beats)
            params: dict[str, Param] = {
                "LANES": source.lanes,
                "EXPONENT": fmt.exponent,
                "MANTISSA": fmt.mantissa,
                "OUT_BITS": made.bits,
            }
            self.stage("eq_decode", params, {"s": source.name}, {"m": made.name}, source.beats)
            self.grids[value.name] = made.name
        return self.streams[self.grids[value.name]]

    def stage(
        self,
        module: str,
        params: Mapping[str, Param],
        ins: Mapping[str, Port],
        outs: Mapping[str, Port],
        cycles: int = 0,
        name: str = "",
    ) -> None:
        """Add an instance of a module."""
        made = self.unique(f"{self.prefix}_{name or module.removeprefix('eq_')}_i")
        node = self.node.name if self.node is not None else ""
        self.stages.append(Stage(made, module, node, params, ins, outs, cycles))

    def rom(self, name: str, width: int, words: Sequence[int]) -> Rom:
        """A memory of the present node."""
        return Rom(self.unique(f"{self.prefix}_{name}"), width, tuple(words))

    def bind(self, value: Value, made: Stream) -> None:
        """Say that a stream carries a value; the stream takes the node's name."""
        if made.value is None:
            self.streams[made.name] = replace(made, value=value.name)
        self.values[value.name] = made.name

    def lanes(self, value: Value) -> int:
        """Lanes of the stream of a value."""
        return lanes_for(value.size, value.shape[-1] if value.shape else 1, self.target)

    def output(self, value: Value, lanes: int | None = None) -> Stream:
        """A new stream that carries a value."""
        count = lanes or self.lanes(value)
        made = self.stream("y", value.format.bits, signed_codes(value.format), count, value.size // count)
        self.bind(value, made)
        return self.streams[made.name]

    def convert(self, source: Stream, lanes: int) -> Stream:
        """The same elements with that many lanes."""
        if source.lanes == lanes:
            return source
        if max(source.lanes, lanes) % min(source.lanes, lanes):
            # Neither divides the other: through the lanes that both can be cut into.
            return self.convert(self.convert(source, int(np.gcd(source.lanes, lanes))), lanes)
        beats = source.beats * source.lanes // lanes
        made = self.stream(f"x{lanes}", source.bits, source.signed, lanes, beats)
        params = {"BITS": source.bits, "IN": source.lanes, "OUT": lanes}
        self.stage("eq_lanes", params, {"s": source.name}, {"m": made.name}, max(beats, source.beats))
        return made

    def constant(self, value: Value, shape: tuple[int, ...], lanes: int) -> Stream:
        """A constant as an endless stream, broadcast to `shape`."""
        assert value.data is not None
        codes = np.broadcast_to(value.data.reshape((1,) * (len(shape) - value.data.ndim) + value.shape), shape)
        beats = codes.reshape(-1, lanes)
        period = next(p for p in _periods(len(beats)) if (beats.reshape(-1, p, lanes) == beats[:p]).all())
        words = packed(beats[:period], value.format.bits)
        width = value.format.bits * lanes
        made = self.stream("constant", value.format.bits, signed_codes(value.format), lanes, len(beats))
        rom = self.rom("constant", width, words)
        params: dict[str, Param] = {"WIDTH": width, "DEPTH": period, "FILE": rom, "ROM": rom_style(period)}
        self.stage("eq_constant", params, {}, {"m": made.name}, len(beats))
        return made

    def table(self, source: Stream, bits: int, signed: bool, entries: Codes, name: str = "table") -> Stream:
        """Each element through a table of 2^bits entries, addressed by the code's bits."""
        made = self.stream(name, bits, signed, source.lanes, source.beats)
        rom = self.rom(name, bits, [raw(int(v), bits) for v in entries])
        params: dict[str, Param] = {
            "LANES": source.lanes,
            "IN_BITS": source.bits,
            "OUT_BITS": bits,
            "FILE": rom,
        }
        self.stage("eq_table", params, {"s": source.name}, {"m": made.name}, source.beats, name)
        return made

    def extend(self, source: Stream, zero: int, bits: int) -> Stream:
        """Codes as signed integers without their zero point."""
        if source.signed and zero == 0 and source.bits == bits:
            return source
        made = self.stream("grid", bits, True, source.lanes, source.beats)
        params = {
            "LANES": source.lanes,
            "BITS": source.bits,
            "SIGNED": int(source.signed),
            "ZERO": zero,
            "OUT_BITS": bits,
        }
        self.stage("eq_extend", params, {"s": source.name}, {"m": made.name}, source.beats)
        return made

    def move(self, source: Stream, index: npt.NDArray[np.int64], fill: int = 0, name: str = "move") -> Stream:
        """The elements at `index` (flat, of one inference) in that order; -1 stands for the code `fill`."""
        flat = index.reshape(-1)
        one = self.convert(source, 1)
        made = self.stream(name, source.bits, source.signed, 1, flat.size)
        size = one.beats
        bits = max(1, size.bit_length())  # one address more than there are elements: the fill
        words = [size if int(i) < 0 else int(i) for i in flat]
        params: dict[str, Param] = {
            "BITS": source.bits,
            "IN_BEATS": size,
            "OUT_BEATS": flat.size,
            "FILL": raw(fill, source.bits),
            "ADDRESSES": self.rom(name, bits, words),
        }
        self.stage("eq_move", params, {"s": one.name}, {"m": made.name}, max(size, flat.size), name)
        return made

    def interval(self, value: Value) -> Interval:
        """Least and greatest grid integer of a value."""
        return self.ranges.values[value.name]

    def bounds(self, node: Node) -> Bounds:
        """Bounds of the exact results of a node before its output stage."""
        ins = self.graph.ins(node)
        found = operator(node.op, node.name).bounds(node, ins, [self.interval(v) for v in ins])
        assert found is not None
        return found

    def style(self, node: Node) -> str:
        """How the multipliers of a node are made."""
        return self.styles.get(node.name, "dsp")


def bounds_bits(bounds: Bounds) -> int:
    """Width of the accumulator that bounds ask for."""
    return max(4, signed_bits(min(*bounds.lo, 0), max(*bounds.hi, 0)))


def rom_style(words: int) -> str:
    """Where a ROM of so many words is kept."""
    return "block" if words > 32 else "distributed"


def _periods(n: int) -> list[int]:
    return [p for p in range(1, n + 1) if n % p == 0]


def rows_of(shape: tuple[int, ...]) -> int:
    """Elements in all axes but the last."""
    return prod(shape[:-1])
