# ruff: noqa: E501 (tables are read line by line)
"""The checker: each broken rule is one GraphError that names the node, the user's layer and the fact."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgeq.errors import FormatError, GraphError, RangeError, UnsupportedError
from edgeq.formats import NAMED, Affine, FixedPoint, Format
from edgeq.ir import OPERATORS, Graph, GraphBuilder, Node, Value, check
from edgeq.ir.operator import OUTPUT_STAGE

S8 = FixedPoint(8, 4)
U8 = FixedPoint(8, 4, False)
PER_CHANNEL = FixedPoint(8, (4, 5), axis=0)

#: an operand: a computed value of this shape and format, or a constant of these codes
Operand = tuple[tuple[int, ...], Format] | tuple[Any, Format, str]


def x(*shape: int, fmt: Format = S8) -> Operand:
    return shape, fmt


def const(codes: Any, fmt: Format = S8) -> Operand:
    return codes, fmt, "constant"


def one_node(op: str, operands: list[Operand], attrs: dict[str, Any], fmt: Format = S8, shape: Any = None) -> Graph:
    """An unchecked graph of one node named n of layer block.1; the output shape is inferred where it can be."""
    values, inputs, names = {"other": Value("other", (1,), S8)}, ["other"], []
    for i, operand in enumerate(operands):
        name = f"v{i}"
        names.append(name)
        if len(operand) == 3:
            data = np.array(operand[0], dtype=np.int64)
            values[name] = Value(name, data.shape, operand[1], data)
        else:
            values[name] = Value(name, operand[0], operand[1])
            inputs.append(name)
    node = Node(op, "n", tuple(names), ("y",), attrs, "block.1")
    if shape is None:
        try:
            (shape,) = OPERATORS[op].shapes(node, [values[n] for n in names])
        except (GraphError, IndexError, KeyError):
            shape = (1,)
    values["y"] = Value("y", shape, fmt)
    return Graph("test", (node,), values, tuple(inputs), ("y",))


I8 = Affine(8, True, -3, 0.5)
BIT = FixedPoint(1, 0, False)
EXP, EXP_ONE = FixedPoint(32, 31), 2**31 - 1
SCALED = {"multiplier": (1 << 30,), "shift": (33,), "rounding": "tflite"}
OPERANDS = {"left": 20, "a_multiplier": 1 << 30, "a_shift": 31, "b_multiplier": 1, "b_shift": 31}
CONV = {"stride": (1, 1), "padding": (0, 0, 0, 0), "dilation": (1, 1), "groups": 1}
UP = {**CONV, "output_padding": (0, 0)}
POOL = {"kernel": (2, 2), "stride": (1, 1), "padding": (0, 0, 0, 0), "dilation": (1, 1)}
AVERAGE = {"kernel": (2, 2), "stride": (1, 1), "padding": (0, 0, 0, 0), "include_pad": 1}
W = const(np.ones((2, 3, 3, 4), int))
IMAGE = x(5, 5, 4)
LINES = {"size": (3,), "low": (0, 1, 4), "high": (1, 2, 4), "weight": (0, 4, 1), "bits": 2}

HALVES, U16 = FixedPoint(16, 15), FixedPoint(16, 16, False)
SIGMOID = {"function": "tanh", "argument_multiplier": 5, "argument_shift": 7}
DISTANCE = {"axis": 0, "distance_multiplier": 5, "distance_shift": 7}

GOOD: dict[str, tuple[str, list[Operand], dict[str, Any], Format]] = {
    "conv": ("conv", [IMAGE, W, const([1, 2])], CONV, S8),
    "conv per channel": ("conv", [IMAGE, const(np.ones((2, 3, 3, 4), int), PER_CHANNEL)], CONV, S8),
    "conv bias per channel": ("conv", [IMAGE, W, const([1, 2], PER_CHANNEL)], CONV, S8),
    "conv 1d": ("conv", [x(5, 4), const(np.ones((2, 3, 4), int))], {**CONV, "stride": (1,), "padding": (0, 9), "dilation": (2,)}, S8),
    "conv_transpose": ("conv_transpose", [IMAGE, W], UP, S8),
    "linear": ("linear", [x(4), const(np.ones((2, 4), int))], {}, S8),
    "linear of rows": ("linear", [x(3, 2, 4), const(np.ones((2, 4), int))], {"lo": 0, "rounding": "floor"}, S8),
    "matmul": ("matmul", [x(2, 3, 4), x(2, 4, 5)], {}, S8),
    "add broadcast": ("add", [x(3, 1, 4), x(2, 4)], {}, S8),
    "add constant": ("add", [x(3, 4), const([1, 2, 3, 4])], {}, S8),
    "concat": ("concat", [x(3, 4), x(2, 4), const(np.ones((1, 4), int))], {"axis": 0}, S8),
    "max_pool": ("max_pool", [IMAGE], POOL, S8),
    "average_pool": ("average_pool", [IMAGE], AVERAGE, S8),
    "mean": ("mean", [IMAGE], {"axes": (0, 1), "keep_axes": 0}, S8),
    "mean of all": ("mean", [x(5)], {"axes": (0,), "keep_axes": 0}, S8),
    "maximum": ("maximum", [x(3, 1, 4), x(2, 4)], {}, S8),
    "minimum": ("minimum", [x(3, 4), const([1, 2, 3, 4])], {}, S8),
    "maximum of one scale": ("maximum", [x(4, fmt=I8), x(4, fmt=I8)], {}, I8),
    "prelu": ("prelu", [x(3, 4), const([1, 2, 3, 4])], {}, S8),
    "prelu of two multipliers": ("prelu", [x(3, 4, fmt=I8), const([1, 2, 3, 4], I8)], {"multiplier": (5, 6), "shift": (7, 8)}, I8),
    "sum": ("sum", [IMAGE], {"axes": (0, 1), "keep_axes": 1}, S8),
    "sum of many scales": ("sum", [x(4, fmt=I8)], {**SCALED, "axes": (0,), "keep_axes": 0}, U8),
    "select": ("select", [x(1, fmt=BIT), x(3, 4), x(3, 4)], {}, S8),
    "select constants": ("select", [x(1, 1, fmt=BIT), const([1, 2]), const([3, 4])], {}, S8),
    "sigmoid_lines": ("sigmoid_lines", [x(5), const([1] * 256, U16)], SIGMOID, HALVES),
    "softmax": ("softmax", [x(5), const([9, 3, 0])], {"axis": 0}, U8),
    "softmax_lines": ("softmax_lines", [x(5), const([1 << 14] * 513, HALVES), const([0] * 513, HALVES)], DISTANCE, HALVES),
    "softmax_reciprocal": ("softmax_reciprocal", [x(5), const([EXP_ONE, 3, 0], EXP)], {"axis": 0}, U8),
    "multiplier": ("linear", [x(4, fmt=I8), const(np.ones((2, 4), int), I8)], SCALED, I8),
    "multipliers": ("linear", [x(4, fmt=I8), const(np.ones((2, 4), int), I8)], {"multiplier": (0, 2**31 - 1), "shift": (0, 62)}, U8),
    "weights of many scales": ("linear", [x(4, fmt=I8), const(np.ones((2, 4), int), Affine(8, True, 0, (0.5, 0.1), 0))], SCALED, I8),
    "operands of many scales": ("add", [x(4, fmt=I8), x(4, fmt=Affine(8, True, 3, 0.7))], {**SCALED, **OPERANDS}, I8),
    "one scale": ("add", [x(4, fmt=I8), x(4, fmt=Affine(8, True, 3, 0.5))], {}, I8),
    "clip": ("requantise", [x(4, fmt=I8)], {"lo": 0, "hi": 6}, I8),
    "mean of codes": ("average_pool", [x(5, 5, 4, fmt=I8)], {**AVERAGE, "rounding": "code_half_away"}, I8),
    "table": ("table", [x(5, fmt=FixedPoint(2)), const([1, 2, 3, 4], U8)], {"function": "f"}, U8),
    "table of floats": ("table", [x(5, fmt=NAMED["e2m1"]), const([0] * 16, U8)], {}, U8),
    "pad": ("pad", [x(5, 4)], {"padding": (1, 2, 0, 0), "mode": "constant", "value": -3}, S8),
    "pad reflect": ("pad", [x(5, 4)], {"padding": (4, 4, 0, 0), "mode": "reflect"}, S8),
    "pad float": ("pad", [x(5, fmt=NAMED["e2m1"])], {"padding": (1, 1), "mode": "constant", "value": 12}, NAMED["e2m1"]),
    "requantise": ("requantise", [x(5)], {"lo": 0, "hi": 8}, NAMED["e2m1"]),
    "argmax": ("argmax", [IMAGE], {"axis": 2, "keep_axes": 0}, FixedPoint(2, 0, False)),
    "reshape": ("reshape", [IMAGE], {"shape": (100,)}, S8),
    "gather": ("gather", [x(5, 4)], {"axes": (0,), "sizes": (3,), "indices": (4, 0, 4)}, S8),
    "resize_bilinear": ("resize_bilinear", [x(5, 4)], LINES, S8),
    "resize_nearest": ("resize_nearest", [IMAGE], {"size": (7, 2)}, S8),
    "slice": ("slice", [x(5, 4)], {"begin": (0, 1), "end": (5, 4), "step": (3, 1)}, S8),
    "transpose": ("transpose", [IMAGE], {"permutation": (2, 0, 1)}, S8),
    "mul": ("mul", [x(5), x(1)], {}, S8),
    "within": ("within", [x(5, 4)], {"least": -128, "most": 3}, BIT),
    "within floats": ("within", [x(5, fmt=NAMED["e2m1"])], {"least": -12, "most": 4}, BIT),
    "sub": ("sub", [x(5), x(5)], {}, S8),
}  # fmt: skip

#: name -> (op, operands, attributes, output format, fact)
BAD: dict[str, tuple[str, list[Operand], dict[str, Any], Format, str]] = {
    "conv rank": ("conv", [x(2, 5, 5, 4), W], CONV, S8, "must have 1 or 2 spatial axes"),
    "conv ranks differ": ("conv", [x(5, 4), W], CONV, S8, "must have 1 or 2 spatial axes"),
    "conv channels": ("conv", [x(5, 5, 3), W], CONV, S8, "1 groups do not fit input"),
    "conv groups": ("conv", [x(5, 5, 12), W], {**CONV, "groups": 3}, S8, "3 groups do not fit"),
    "conv window": ("conv", [x(2, 5, 4), W], CONV, S8, "window of 3 is larger than the padded input of 2 on axis 0"),
    "conv dilated window": ("conv", [IMAGE, W], {**CONV, "dilation": (1, 3)}, S8, "window of 7 is larger than the padded input of 5 on axis 1"),
    "conv stride": ("conv", [IMAGE, W], {**CONV, "stride": (0, 1)}, S8, r"stride \(0, 1\) must be 2 ints of 1"),
    "conv short stride": ("conv", [IMAGE, W], {**CONV, "stride": (1,)}, S8, "must be 2 ints"),
    "conv padding": ("conv", [IMAGE, W], {**CONV, "padding": (1, 1)}, S8, "padding .* must be 4 ints of 0"),
    "conv computed weight": ("conv", [IMAGE, x(2, 3, 3, 4)], CONV, S8, "weight v1 must be constant; use matmul"),
    "conv weight per input": ("conv", [IMAGE, const(np.ones((2, 3, 3, 4), int), FixedPoint(8, (1, 1, 1, 1), axis=3))], CONV, S8, r"per output channel \(axis 0\) only"),
    "conv bias shape": ("conv", [IMAGE, W, const([1, 2, 3])], CONV, S8, r"bias v2 must be a constant of shape \(2,\)"),
    "conv computed bias": ("conv", [IMAGE, W, x(2)], CONV, S8, "bias v2 must be a constant"),
    "conv fine bias": ("conv", [IMAGE, W, const([1, 2], FixedPoint(8, 9))], CONV, S8, "bias of channel 0 has binary point 9, finer than its products' 8; round the bias"),
    "conv fine bias channel": ("conv", [IMAGE, W, const([1, 2], FixedPoint(8, (8, 10), axis=0))], CONV, S8, "bias of channel 1 has binary point 10"),
    "conv output per channel": ("conv", [IMAGE, W], CONV, FixedPoint(8, (1, 2), axis=2), "only constants may have a binary point per channel"),
    "conv text": ("conv", [IMAGE, W], {**CONV, "groups": "1"}, S8, "attribute 'groups' must be an int, not '1'"),
    "conv list": ("conv", [IMAGE, W], {**CONV, "stride": [1, 1]}, S8, "attribute 'stride' must be text, an int or a tuple of ints"),
    "conv numpy": ("conv", [IMAGE, W], {**CONV, "groups": np.int64(1)}, S8, "attribute 'groups' must be text, an int or a tuple"),
    "conv bool": ("conv", [IMAGE, W], {**CONV, "groups": True}, S8, "attribute 'groups' must be text, an int or a tuple"),
    "transposed leaves nothing": ("conv_transpose", [x(1, 1, 4), const(np.ones((2, 1, 1, 4), int))], {**UP, "padding": (1, 0, 0, 0)}, S8, "padding 1 leaves nothing of axis 0"),
    "transposed output padding": ("conv_transpose", [IMAGE, W], {**UP, "output_padding": (-1, 0)}, S8, "output_padding .* must be 2 ints of 0"),
    "transposed groups": ("conv_transpose", [IMAGE, W], {**UP, "groups": 0}, S8, "0 groups do not fit"),
    "linear shape": ("linear", [x(5), const(np.ones((2, 4), int))], {}, S8, r"weight \(2, 4\) does not fit input \(5,\)"),
    "linear one input": ("linear", [x(5)], {}, S8, "takes 2..3 inputs, has 1"),
    "linear constants": ("linear", [const([1, 2]), const([[1, 1]])], {}, S8, "all its inputs are constant; fold it"),
    "matmul inner": ("matmul", [x(3, 4), x(3, 4)], {}, S8, "do not fit a matrix product"),
    "matmul batch": ("matmul", [x(2, 3, 4), x(3, 4, 3)], {}, S8, "do not fit a matrix product"),
    "matmul per channel": ("matmul", [x(3, 2), const([[1, 1], [1, 1]], PER_CHANNEL)], {}, S8, "v1 has a format per channel; requantise it"),
    "add shapes": ("add", [x(3), x(4)], {}, S8, r"shapes \(3,\) and \(4,\) do not broadcast"),
    "add three": ("add", [x(3), x(3), x(3)], {}, S8, "takes 2..2 inputs, has 3"),
    "add per channel": ("add", [x(2), const([1, 2], PER_CHANNEL)], {}, S8, "v1 has a format per channel"),
    "concat nothing": ("concat", [], {"axis": 0}, S8, "takes 1..any inputs, has 0"),
    "concat axis": ("concat", [x(3), x(3)], {"axis": 1}, S8, "axis 1 is not one of the 1 axes"),
    "concat shapes": ("concat", [x(3, 4), x(3, 5)], {"axis": 0}, S8, r"v1 \(3, 5\) does not fit \(3, 4\) along axis 0"),
    "max_pool blind": ("max_pool", [IMAGE], {**POOL, "padding": (2, 0, 0, 0)}, S8, "make windows that see no element"),
    "max_pool blind end": ("max_pool", [IMAGE], {**POOL, "padding": (0, 0, 0, 2)}, S8, "make windows that see no element"),
    "max_pool steps over": ("max_pool", [x(1, 5, 4)], {**POOL, "dilation": (2, 1), "padding": (1, 1, 0, 0)}, S8, "make windows that see no element"),
    "max_pool format": ("max_pool", [IMAGE], POOL, U8, "moves codes, so its output must be s8.4, not u8.4"),
    "max_pool rank": ("max_pool", [x(4)], POOL, S8, "must have 1 or 2 spatial axes"),
    "average_pool blind": ("average_pool", [IMAGE], {**AVERAGE, "padding": (2, 0, 0, 0)}, S8, "windows that see no element"),
    "average_pool huge": ("average_pool", [IMAGE], {**AVERAGE, "kernel": (1 << 20, 1)}, S8, "kernel .* must be 2 ints of 1 to 65535"),
    "prelu of one multiplier": ("prelu", [x(4, fmt=I8), x(4, fmt=I8)], SCALED, I8, "1 multipliers and 1 shifts for 4 channels"),
    "prelu of one scale": ("prelu", [x(4, fmt=I8), x(4, fmt=I8)], {}, I8, "joins scales that differ"),
    "maximum of many scales": ("maximum", [x(4, fmt=I8), x(4, fmt=Affine(8, True, 3, 0.7))], {}, I8, "joins scales that differ"),
    "sum axes": ("sum", [IMAGE], {"axes": (1, 0), "keep_axes": 0}, S8, "must be ascending axes"),
    "mean axes": ("mean", [IMAGE], {"axes": (1, 0), "keep_axes": 0}, S8, "must be ascending axes"),
    "mean no axes": ("mean", [IMAGE], {"axes": (), "keep_axes": 0}, S8, "must be ascending axes"),
    "softmax axis": ("softmax", [x(5), const([1])], {"axis": 1}, U8, "axis 1 is not one of the 1 axes"),
    "softmax table": ("softmax", [x(5), x(3)], {"axis": 0}, U8, "table v1 must be a constant vector"),
    "softmax negative": ("softmax", [x(5), const([1, -1])], {"axis": 0}, U8, "non-negative and start with a positive entry"),
    "softmax zero": ("softmax", [x(5), const([0, 1])], {"axis": 0}, U8, "start with a positive entry"),
    "lines axis": ("softmax_lines", [x(5), const([1 << 14] * 513, HALVES), const([0] * 513, HALVES)], {**DISTANCE, "axis": 1}, HALVES, "axis 1 is not one of the 1 axes"),
    "lines many": ("softmax_lines", [x(65537), const([1 << 14] * 513, HALVES), const([0] * 513, HALVES)], DISTANCE, HALVES, "65536 fit"),
    "lines entries": ("softmax_lines", [x(5), const([1 << 14] * 512, HALVES), const([0] * 513, HALVES)], DISTANCE, HALVES, "must be 513 constants of s16.15"),
    "lines negative": ("softmax_lines", [x(5), const([1 << 14] * 513, HALVES), const([-1] * 513, HALVES)], DISTANCE, HALVES, "none of them negative"),
    "lines small": ("softmax_lines", [x(5), const([1] * 513, HALVES), const([0] * 513, HALVES)], DISTANCE, HALVES, "must end with 1/2 and more"),
    "lines wide": ("softmax_lines", [x(5, fmt=FixedPoint(17)), const([1 << 14] * 513, HALVES), const([0] * 513, HALVES)], DISTANCE, HALVES, "codes of up to 16 bits"),
    "lines narrow": ("softmax_lines", [x(5), const([1 << 14] * 513, HALVES), const([0] * 513, HALVES)], DISTANCE, S8, "makes 16-bit integers around zero"),
    "lines shift": ("softmax_lines", [x(5), const([1 << 14] * 513, HALVES), const([0] * 513, HALVES)], {**DISTANCE, "distance_shift": 63}, HALVES, "distance: multiplier 5 / 2"),
    "sigmoid function": ("sigmoid_lines", [x(5), const([1] * 256, U16)], {**SIGMOID, "function": "exp"}, HALVES, "function 'exp' is not one of sigmoid, tanh"),
    "sigmoid entries": ("sigmoid_lines", [x(5), const([1] * 255, U16)], SIGMOID, HALVES, "must be 256 constants of u16.16"),
    "sigmoid signed": ("sigmoid_lines", [x(5), const([1] * 256, HALVES)], SIGMOID, HALVES, "must be 256 constants of u16.16"),
    "sigmoid wide": ("sigmoid_lines", [x(5, fmt=FixedPoint(17)), const([1] * 256, U16)], SIGMOID, HALVES, "codes of up to 16 bits"),
    "sigmoid narrow": ("sigmoid_lines", [x(5), const([1] * 256, U16)], SIGMOID, S8, "makes 16-bit integers around zero"),
    "sigmoid shift": ("sigmoid_lines", [x(5), const([1] * 256, U16)], {**SIGMOID, "argument_shift": 32}, HALVES, "needs more than 32 bits"),
    "sigmoid product": ("sigmoid_lines", [x(5), const([1] * 256, U16)], {**SIGMOID, "argument_multiplier": 1 << 24}, HALVES, "needs more than 32 bits"),
    "sigmoid multiplier": ("sigmoid_lines", [x(5), const([1] * 256, U16)], {**SIGMOID, "argument_multiplier": -1}, HALVES, "argument: multiplier -1"),
    "reciprocal axis": ("softmax_reciprocal", [x(5), const([EXP_ONE], EXP)], {"axis": 1}, U8, "axis 1 is not one of the 1 axes"),
    "reciprocal many": ("softmax_reciprocal", [x(4096), const([EXP_ONE], EXP)], {"axis": 0}, U8, "4095 fit"),
    "reciprocal table": ("softmax_reciprocal", [x(5), const([1], S8)], {"axis": 0}, U8, "must be a constant vector of s32.31"),
    "reciprocal start": ("softmax_reciprocal", [x(5), const([5], EXP)], {"axis": 0}, U8, r"start with exp\(0\)"),
    "reciprocal signed": ("softmax_reciprocal", [x(5), const([EXP_ONE], EXP)], {"axis": 0}, S8, "must have zero as its least number"),
    "reciprocal wide": ("softmax_reciprocal", [x(5, fmt=FixedPoint(17)), const([EXP_ONE], EXP)], {"axis": 0}, U8, "up to 16 bits"),
    "no multiplier": ("linear", [x(4, fmt=I8), const(np.ones((2, 4), int), I8)], {}, I8, "joins scales that differ; it needs the attributes multiplier and shift"),
    "no multiplier to fixed": ("requantise", [x(4, fmt=I8)], {}, S8, "joins scales that differ"),
    "no multiplier from fixed": ("requantise", [x(4)], {}, I8, "joins scales that differ"),
    "two scales": ("add", [x(4, fmt=I8), x(4, fmt=Affine(8, True, 3, 0.7))], {}, I8, "joins scales that differ"),
    "mul of one scale": ("mul", [x(4, fmt=I8), x(4, fmt=I8)], {}, I8, "joins scales that differ"),
    "no shift": ("requantise", [x(4, fmt=I8)], {"multiplier": (1,)}, I8, "needs multiplier and shift together"),
    "two multipliers": ("requantise", [x(4, fmt=I8)], {"multiplier": (1, 1), "shift": (1, 1)}, I8, "2 multipliers and 2 shifts for 4 channels"),
    "shifts": ("requantise", [x(4, fmt=I8)], {"multiplier": (1,), "shift": (1, 1)}, I8, "1 multipliers and 2 shifts"),
    "negative multiplier": ("requantise", [x(4, fmt=I8)], {"multiplier": (-1,), "shift": (1,)}, I8, "multiplier -1 / 2\\*\\*1 is outside"),
    "wide shift": ("requantise", [x(4, fmt=I8)], {"multiplier": (1,), "shift": (63,)}, I8, "is outside"),
    "multiplier to float": ("requantise", [x(4, fmt=I8)], SCALED, NAMED["e4m3"], "a multiplier makes integers"),
    "multiplier of a mean": ("mean", [x(4, fmt=I8)], {**SCALED, "axes": (0,), "keep_axes": 0}, I8, "divides, and so takes no multiplier"),
    "tflite alone": ("requantise", [x(4)], {"rounding": "tflite"}, S8, "rounding 'tflite' is not one of half_up, half_even, floor"),
    "half away": ("requantise", [x(4, fmt=I8)], {**SCALED, "rounding": "half_away"}, I8, "rounding 'half_away' is not one of"),
    "code rule": ("average_pool", [IMAGE], {**AVERAGE, "rounding": "code_half_away"}, S8, "rounding code_half_away is of affine formats only"),
    "some operands": ("add", [x(4, fmt=I8), x(4, fmt=I8)], {**SCALED, "left": 3}, I8, "needs a_multiplier, a_shift, b_multiplier, b_shift, left, multiplier and shift together"),
    "left": ("add", [x(4, fmt=I8), x(4, fmt=I8)], {**SCALED, **OPERANDS, "left": 31}, I8, "left 31 is outside 0..30"),
    "operand shift": ("add", [x(4, fmt=I8), x(4, fmt=I8)], {**SCALED, **OPERANDS, "b_shift": -1}, I8, "b: multiplier 1 / 2"),
    "scale per input": ("linear", [x(4, fmt=I8), const(np.ones((2, 4), int), Affine(8, True, 0, (0.5,) * 4, 1))], SCALED, I8, "per output channel"),
    "output of many scales": ("linear", [x(4, fmt=I8), const(np.ones((2, 4), int), I8)], SCALED, Affine(8, True, 0, (0.5, 0.5), 0), "only constants may have a scale per channel"),
    "table size": ("table", [x(5), const([1] * 255, U8)], {}, U8, "must be a constant of 256 entries for s8.4"),
    "table format": ("table", [x(5), const([1] * 256, U8)], {}, S8, "entries are u8.4, the output is s8.4; they must be equal"),
    "table wide": ("table", [x(5, fmt=FixedPoint(17)), const(np.zeros(1 << 17, int), U8)], {}, U8, "requantise the input to 16 bits or less"),
    "pad mode": ("pad", [x(5)], {"padding": (1, 1), "mode": "wrap"}, S8, "mode 'wrap' is not one of constant, reflect, replicate, circular"),
    "pad short": ("pad", [x(5, 4)], {"padding": (1, 1), "mode": "constant"}, S8, "must be two ints of at least 0 for each axis"),
    "pad reflect": ("pad", [x(5)], {"padding": (5, 0), "mode": "reflect"}, S8, "reflect padding .* is wider than axis 0"),
    "pad circular": ("pad", [x(5)], {"padding": (0, 6), "mode": "circular"}, S8, "circular padding .* is wider than axis 0"),
    "pad fill": ("pad", [x(5)], {"padding": (1, 1), "mode": "constant", "value": 128}, S8, "fill value 128 is not on the grid of s8.4"),
    "pad fill float": ("pad", [x(5, fmt=NAMED["e2m1"])], {"padding": (1, 1), "mode": "constant", "value": 5}, NAMED["e2m1"], "fill value 5 is not on the grid"),
    "bounds": ("requantise", [x(5)], {"lo": -129}, S8, r"output bounds -129\.\.127 are not values of s8.4"),
    "bounds crossed": ("requantise", [x(5)], {"lo": 3, "hi": 2}, S8, r"output bounds 3\.\.2 are not values"),
    "bounds between": ("requantise", [x(5)], {"hi": 5}, NAMED["e2m1"], r"output bounds -12\.\.5 are not values of e2m1"),
    "rounding": ("requantise", [x(5)], {"rounding": "nearest"}, S8, "rounding 'nearest' is not one of half_up, half_even, floor"),
    "rounding number": ("requantise", [x(5)], {"rounding": 1}, S8, "attribute 'rounding' must be text, not 1"),
    "foreign attribute": ("requantise", [x(5)], {"axis": 1}, S8, "attribute 'axis' is not one of its own"),
    "argmax axis": ("argmax", [x(5)], {"axis": 1, "keep_axes": 1}, FixedPoint(8), "axis 1 is not one of the 1 axes"),
    "argmax format": ("argmax", [x(5)], {"axis": 0, "keep_axes": 1}, FixedPoint(3), "indices up to 4 need an integer output format, not s3.0"),
    "argmax point": ("argmax", [x(5)], {"axis": 0, "keep_axes": 1}, S8, "need an integer output format"),
    "argmax missing": ("argmax", [x(5)], {"axis": 0}, FixedPoint(8), "attribute 'keep_axes' is missing"),
    "reshape": ("reshape", [IMAGE], {"shape": (99,)}, S8, "does not hold the 100 elements"),
    "reshape negative": ("reshape", [IMAGE], {"shape": (-1, -100)}, S8, "does not hold the 100 elements"),
    "gather axes": ("gather", [x(5, 4)], {"axes": (1, 0), "sizes": (1, 1), "indices": (0, 0)}, S8, "are not ascending axes"),
    "gather sizes": ("gather", [x(5, 4)], {"axes": (0,), "sizes": (2,), "indices": (0,)}, S8, "do not divide 1 indices"),
    "gather outside": ("gather", [x(5, 4)], {"axes": (1,), "sizes": (2,), "indices": (0, 4)}, S8, "picks 0 to 4 of the 4 along axis 1"),
    "bilinear size": ("resize_bilinear", [x(5, 4)], {**LINES, "size": (2, 1)}, S8, "needs one positive entry for each spatial axis"),
    "bilinear bits": ("resize_bilinear", [x(5, 4)], {**LINES, "bits": 15}, S8, "0 to 14 are supported"),
    "bilinear lists": ("resize_bilinear", [x(5, 4)], {**LINES, "high": (1, 2)}, S8, "high has 2 entries"),
    "bilinear outside": ("resize_bilinear", [x(5, 4)], {**LINES, "high": (1, 5, 4)}, S8, "outside the 5 of an axis"),
    "bilinear weight": ("resize_bilinear", [x(5, 4)], {**LINES, "weight": (0, 5, 1)}, S8, r"weights 0..5 are outside 0..4"),
    "bilinear rule": ("resize_bilinear", [x(5, 4)], {**LINES, "rounding": "code_half_away"}, S8, "of affine formats only"),
    "resize": ("resize_nearest", [IMAGE], {"size": (7,)}, S8, "needs one positive entry for each spatial axis"),
    "resize zero": ("resize_nearest", [IMAGE], {"size": (7, 0)}, S8, "needs one positive entry"),
    "select condition": ("select", [x(2, fmt=BIT), x(5), x(5)], {}, S8, r"condition v0 must be one element, not \(2,\)"),
    "select number": ("select", [x(1), x(5), x(5)], {}, S8, "condition v0 must be u1.0, not s8.4"),
    "select shapes": ("select", [x(1, fmt=BIT), x(5), x(1)], {}, S8, r"chooses between \(5,\) and \(1,\)"),
    "select formats": ("select", [x(1, fmt=BIT), x(5), x(5, fmt=U8)], {}, S8, "moves codes"),
    "within bounds": ("within", [x(5)], {"least": 0, "most": 128}, BIT, r"bounds 0\.\.128 are not values of s8.4"),
    "within crossed": ("within", [x(5)], {"least": 3, "most": 2}, BIT, r"bounds 3\.\.2 are not values"),
    "within between": ("within", [x(5, fmt=NAMED["e2m1"])], {"least": 0, "most": 5}, BIT, r"bounds 0\.\.5 are not values of e2m1"),
    "within format": ("within", [x(5)], {"least": 0, "most": 2}, U8, "its output must be u1.0, not"),
    "slice outside": ("slice", [x(5)], {"begin": (0,), "end": (6,), "step": (1,)}, S8, "does not lie within"),
    "slice empty": ("slice", [x(5)], {"begin": (2,), "end": (2,), "step": (1,)}, S8, "does not lie within"),
    "slice short": ("slice", [x(5, 5)], {"begin": (2,), "end": (3,), "step": (1,)}, S8, "need one entry for each axis"),
    "transpose": ("transpose", [IMAGE], {"permutation": (0, 0, 1)}, S8, "does not name each axis"),
}  # fmt: skip


@pytest.mark.parametrize("case", GOOD)
def test_good(case: str) -> None:
    op, operands, attrs, fmt = GOOD[case]
    assert check(one_node(op, operands, attrs, fmt)).values.keys() >= {"y"}


def test_every_operator_is_among_the_good() -> None:
    assert {op for op, *_ in GOOD.values()} == OPERATORS.keys()


@pytest.mark.parametrize("case", BAD)
def test_bad(case: str) -> None:
    op, operands, attrs, fmt, fact = BAD[case]
    graph = one_node(op, operands, attrs, fmt)
    with pytest.raises(GraphError, match=fact) as info:
        check(graph)
    message = str(info.value)
    assert "\n" not in message
    if "value 'y'" not in message:
        assert message.startswith(f"{op} n (layer block.1): "), message


@pytest.mark.parametrize("op", sorted(OPERATORS))
def test_a_wrong_declared_shape(op: str) -> None:
    _, operands, attrs, fmt = next(good for good in GOOD.values() if good[0] == op)
    with pytest.raises(GraphError, match=rf"{op} n \(layer block.1\): makes .*, declared \[\(77,\)\]"):
        check(one_node(op, operands, attrs, fmt, shape=(77,)))


@pytest.mark.parametrize("op", sorted(OPERATORS))
def test_each_attribute_is_needed(op: str) -> None:
    _, operands, attrs, fmt = next(good for good in GOOD.values() if good[0] == op)
    for key in OPERATORS[op].attributes:
        name = key.lstrip("[")
        if name in attrs and not key.startswith("[") and name not in {*OUTPUT_STAGE, "value"}:
            less = {k: v for k, v in attrs.items() if k != name}
            graph = one_node(op, operands, attrs, fmt)
            node = Node(op, "n", graph.nodes[0].inputs, ("y",), less, "block.1")
            with pytest.raises(GraphError, match=f"attribute '{name}' is missing"):
                check(graph.replace(nodes=(node,)))


def chain() -> Graph:
    b = GraphBuilder("chain")
    a = b.input("a", (4,), S8)
    p = b.node("requantise", "p", (a,), S8)
    q = b.node("requantise", "q", (p,), S8)
    return b.build([q])


def changed(graph: Graph, name: str, **fields: Any) -> Graph:
    """The graph with some fields of one value changed."""
    old = graph.values[name]
    new = {"name": old.name, "shape": old.shape, "format": old.format, "data": old.data, "source": old.source, **fields}
    return graph.replace(values={**graph.values, name: Value(**new)})


def test_order_names_and_borders() -> None:
    good = chain()
    p, q = good.nodes
    for bad, fact in (
        (good.replace(nodes=(q, p)), "requantise q: input 'p' is not computed before it is read"),
        (good.replace(nodes=(p, p)), "node name 'p' stands twice"),
        (good.replace(nodes=(p, q, Node("requantise", "r", ("a",), ("q",)))), "output 'q' is computed twice"),
        (good.replace(nodes=(p, Node("requantise", "q", ("p",), ("r",)))), "output 'r' is computed twice or is not a value"),
        (good.replace(nodes=(p,)), "output 'q' is not computed by the graph"),
        (good.replace(inputs=()), "needs at least one input and one output"),
        (good.replace(outputs=()), "needs at least one input and one output"),
        (good.replace(inputs=("a", "a")), "input 'a' is not a value of its own"),
        (good.replace(inputs=("b",)), "input 'b' is not a value of its own"),
        (good.replace(layouts={"p": (0,)}), "layout of 'p', which is neither input nor output"),
        (good.replace(layouts={"a": (1,)}), "does not name each axis"),
        (good.replace(name="a\nb"), "graph name .* must be printable"),
        (good.replace(nodes=(Node("nop", "p", ("a",), ("p",)), q)), "node p: operator 'nop' is not one of edgeq's"),
        (good.replace(values={**good.values, "z": Value("z", (1,), S8)}), "value 'z' is neither input, constant nor"),
        (good.replace(values={**good.values, "z": Value("y", (1,), S8)}), "value 'z' is stored under another name"),
        (changed(good, "p", shape=(0,)), "positive sizes"),
        (changed(good, "p", shape=(np.int64(4),)), "positive sizes"),
        (changed(good, "p", shape=(1,) * 7), "at most 6 positive sizes"),
        (changed(good, "a", shape=(1 << 15, 1 << 15)), "more than the 536870912 supported"),
        (changed(good, "p", source="a*/b"), "must be printable, without"),
        (changed(good, "p", source="x" * 301), "must be text of 1 to 300 characters"),
        (changed(good, "p", format=FixedPoint(8, (1,) * 4, axis=0)), "only constants may have a binary point per channel"),
        (changed(good, "p", format=FixedPoint(8, (1, 2), axis=0)), "2 channel binary points do not fit axis 0"),
        (changed(good, "p", format=FixedPoint(8, (1,), axis=3)), "do not fit axis 3"),
        (changed(good, "p", data=np.zeros(4, dtype=np.int64)), r"output 'p' is computed twice"),
    ):  # fmt: skip
        with pytest.raises((GraphError, UnsupportedError), match=fact):
            check(bad)


def test_constants_hold_codes_of_their_format() -> None:
    for codes, fact in (([128, 0], "constant 'c': code 128 is outside -128..127"), ([1, 2, 3], "shape")):
        good = one_node("add", [x(2), const([1, 2])], {})
        data = np.array(codes, dtype=np.int64)
        with pytest.raises((FormatError, GraphError), match=fact):
            check(good.replace(values={**good.values, "c": Value("c", (2,), S8, data)}))
    with pytest.raises(FormatError, match=r"code 127 of e4m3-ocp.* is not a finite number"):
        check(one_node("add", [x(2), const([1, 127], NAMED["e4m3"])], {}))


def test_errors_have_kinds() -> None:
    assert issubclass(RangeError, GraphError)
