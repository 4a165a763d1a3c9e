"""A graph under construction from a .tflite file: tensors become values, constants are known, formats are affine."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.errors import UnsupportedError
from edgeq.formats import Affine, FixedPoint, Format
from edgeq.frontends.tflite.file import DamagedError, Model, Operation, Tensor
from edgeq.frontends.tflite.numbers import quantised
from edgeq.ir import Attr, GraphBuilder

_WIDTHS = {"INT8": (8, True), "UINT8": (8, False), "INT16": (16, True), "INT32": (32, True)}
Array = npt.NDArray[Any]


def batchless(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of a computed tensor as a value has it: a leading batch of one goes."""
    return shape[1:] if len(shape) > 1 and shape[0] == 1 else shape


@dataclass
class Building:
    """What the readers of single operators work on.

    names: tensor -> value of the graph; known: tensor -> elements of what is known when the graph is made.
    """

    model: Model
    builder: GraphBuilder
    names: dict[int, str] = field(default_factory=dict)
    known: dict[int, Array] = field(default_factory=dict)

    def tensor(self, call: Operation, position: int) -> Tensor:
        """Input `position` of a call, which must be there."""
        if position >= len(call.inputs) or call.inputs[position] < 0:
            raise DamagedError(f"{call.op}: input {position} is missing")
        return self.model.tensors[call.inputs[position]]

    def optional(self, call: Operation, position: int) -> Tensor | None:
        """Input `position` of a call, where it has one."""
        present = position < len(call.inputs) and call.inputs[position] >= 0
        return self.model.tensors[call.inputs[position]] if present else None

    def output(self, call: Operation, position: int = 0) -> Tensor:
        """Output `position` of a call."""
        if position >= len(call.outputs):
            raise DamagedError(f"{call.op}: output {position} is missing")
        return self.model.tensors[call.outputs[position]]

    def constant(self, tensor: Tensor) -> Array | None:
        """Elements of a tensor that does not depend on the input."""
        return tensor.data if tensor.data is not None else self.known.get(tensor.index)

    def fixed(self, call: Operation, position: int) -> Array:
        """Elements of an input that has to be constant: axes, sizes, places, so whole numbers."""
        tensor = self.tensor(call, position)
        found = self.constant(tensor)
        if found is None:
            raise unsupported(call, self.output(call), f"input {tensor.name} is computed; it must be constant")
        if found.dtype.kind not in "iu":
            raise DamagedError(f"{call.op}: input {tensor.name} is {tensor.type}; whole numbers belong there")
        return found

    def format(self, tensor: Tensor, axis: int | None = None) -> Affine:
        """Format of a quantised tensor; `axis`: where channels with a scale each lie in the value, for weights only."""
        if tensor.type not in _WIDTHS:
            raise UnsupportedError(f"tensor {tensor.name}: type {tensor.type} does not compute here; {_QUANTISE}")
        if not tensor.scales:
            raise UnsupportedError(f"tensor {tensor.name}: {tensor.type} without a scale does not compute here")
        width, sign = _WIDTHS[tensor.type]
        if len(tensor.scales) == 1:
            return Affine(width, sign, tensor.zeros[0], tensor.scales[0])
        if axis is None:
            raise UnsupportedError(f"tensor {tensor.name}: {len(tensor.scales)} scales; only weights may have several")
        if len(set(tensor.zeros)) > 1:
            raise UnsupportedError(f"tensor {tensor.name}: zero points differ between channels; one is supported")
        return Affine(width, sign, tensor.zeros[0], tensor.scales, axis)

    def value(self, tensor: Tensor) -> str:
        """The value of a tensor; a constant one is put into the graph."""
        if tensor.index not in self.names:
            data = self.constant(tensor)
            if data is None:
                raise DamagedError(f"tensor {tensor.name} is read before it is computed")
            name = self.builder.constant(tensor.name, data, self.format(tensor), tensor.name)
            self.names[tensor.index] = name
        return self.names[tensor.index]

    def shape(self, tensor: Tensor) -> tuple[int, ...]:
        """Shape of the value of a tensor."""
        return self.builder.values[self.value(tensor)].shape

    def node(self, op: str, out: Tensor, inputs: list[str], fmt: Format, **attrs: Attr) -> str:
        """A node named after the tensor that it makes; `finish` says when its value is the tensor."""
        return self.builder.node(op, out.name, inputs, fmt, out.name, **attrs)

    def finish(self, out: Tensor, name: str) -> None:
        """`name` holds the tensor `out`: its shape and, code for code, its format are made right."""
        want, fmt = batchless(out.shape), self.format(out)
        value = self.builder.values[name]
        if value.shape != want:
            if prod(value.shape) != prod(want):
                raise DamagedError(f"tensor {out.name}: declared {out.shape}, its operator makes {value.shape}")
            name = self.node("reshape", out, [name], value.format, shape=want)
        name = self.coded(out, name, fmt)
        self.names[out.index] = name

    def coded(self, out: Tensor, name: str, fmt: Affine) -> str:
        """The same codes in another format: TensorFlow Lite's movements copy bytes, whatever the scales say."""
        have = self.builder.values[name].format
        if have == fmt:
            return name
        if have.code_range != fmt.code_range or fmt.bits > 16:
            raise UnsupportedError(f"tensor {out.name}: is {fmt}, its operator makes {have}; they must be alike")
        lo, hi = fmt.code_range
        table = self.builder.constant(f"{out.name}.codes", np.arange(lo, hi + 1), fmt, out.name)
        return self.node("table", out, [name, table], fmt, function="same code")

    def table(self, out: Tensor, name: str, codes: list[int], function: str) -> str:
        """A node that looks up the code of each code of `name`."""
        table = self.builder.constant(f"{out.name}.table", codes, self.format(out), out.name)
        return self.node("table", out, [name, table], self.format(out), function=function)


_QUANTISE = "quantise the model to int8 (TFLiteConverter with a representative dataset)"


def unsupported(call: Operation, out: Tensor, fact: str) -> UnsupportedError:
    """An error about one operator call, named by the tensor that it makes."""
    return UnsupportedError(f"{call.op} {out.name}: {fact}")


#: fused activations by number: least and greatest real number
ACTIVATIONS: dict[int, tuple[float | None, float | None]] = {
    0: (None, None),
    1: (0.0, None),
    2: (-1.0, 1.0),
    3: (0.0, 6.0),
}


def activation(call: Operation, out: Tensor, number: int, fmt: Affine) -> dict[str, Attr]:
    """Bounds of the output stage for a fused activation."""
    if number not in ACTIVATIONS:
        raise unsupported(call, out, f"fused activation {number}; RELU, RELU6 and RELU_N1_TO_1 are supported")
    return bounds(*ACTIVATIONS[number], fmt)


def bounds(least: float | None, most: float | None, fmt: Affine) -> dict[str, Attr]:
    """lo and hi, as grid integers, of real bounds; those that the format has anyway are left out."""
    assert isinstance(fmt.scale, float)
    lo, hi = fmt.grid_range
    attrs: dict[str, Attr] = {}
    if least is not None and (end := quantised(least, fmt.scale, 0)) > lo:
        attrs["lo"] = min(end, hi)
    if most is not None and (end := quantised(most, fmt.scale, 0)) < hi:
        attrs["hi"] = max(end, lo)
    return attrs


def as_fixed(codes: Array) -> FixedPoint:
    """A format for integers without a scale."""
    return FixedPoint(32, 0, bool(codes.size == 0 or codes.min() < 0))
