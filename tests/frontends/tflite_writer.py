"""Writes .tflite files of one operator or a few, for tests: tensors with scales, calls, their options."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import flatbuffers
import numpy as np
import tflite

_TYPES = {
    np.dtype("i1"): tflite.TensorType.INT8,
    np.dtype("u1"): tflite.TensorType.UINT8,
    np.dtype("<i2"): tflite.TensorType.INT16,
    np.dtype("<i4"): tflite.TensorType.INT32,
    np.dtype("<i8"): tflite.TensorType.INT64,
    np.dtype("<f4"): tflite.TensorType.FLOAT32,
    np.dtype("<f2"): tflite.TensorType.FLOAT16,
}


@dataclass
class Spec:
    """A tensor: its shape, type, scales (none: not quantised) and zero point; data for a constant."""

    name: str
    shape: tuple[int, ...]
    dtype: str = "i1"
    scales: tuple[float, ...] = (1.0,)
    zero: int = 0
    axis: int = 0
    data: np.ndarray | None = None


def _vector(b: Any, start: Callable[[Any, int], Any], items: Sequence[int], prepend: Callable[[int], Any]) -> int:
    start(b, len(items))
    for item in reversed(items):
        prepend(item)
    return int(b.EndVector())


def _quantisation(b: Any, spec: Spec) -> int:
    scale = _vector(b, tflite.QuantizationParametersStartScaleVector, spec.scales, b.PrependFloat32)  # type: ignore[arg-type]
    zeros = [spec.zero] * len(spec.scales)
    zero = _vector(b, tflite.QuantizationParametersStartZeroPointVector, zeros, b.PrependInt64)
    tflite.QuantizationParametersStart(b)
    tflite.QuantizationParametersAddScale(b, scale)
    tflite.QuantizationParametersAddZeroPoint(b, zero)
    tflite.QuantizationParametersAddQuantizedDimension(b, spec.axis)
    return int(tflite.QuantizationParametersEnd(b))


def _options(b: Any, name: str, fields: dict[str, Any]) -> int:
    getattr(tflite, f"{name}Start")(b)
    for key, value in fields.items():
        getattr(tflite, f"{name}Add{key}")(b, value)
    return int(getattr(tflite, f"{name}End")(b))


@dataclass
class Call:
    """An operator call: indices of the tensors that it reads (-1: left out) and makes, and its options."""

    op: str
    inputs: Sequence[int]
    outputs: Sequence[int]
    options: str = ""
    fields: dict[str, Any] = field(default_factory=dict)


def write(op: str, tensors: Sequence[Spec], inputs: int, options: str = "", **fields: Any) -> bytes:
    """A model whose call reads all tensors but the last, which it makes; the first `inputs` of them are the model's."""
    last = len(tensors) - 1
    return write_model(tensors, [Call(op, range(last), [last], options, fields)], range(inputs), [last])


def write_model(tensors: Sequence[Spec], calls: Sequence[Call], inputs: Sequence[int], outputs: Sequence[int]) -> bytes:
    """A model of any calls."""
    b = flatbuffers.Builder(1024)
    made, buffers = _tensors(b, tensors)
    names = sorted({call.op for call in calls})
    offset = b.PrependUOffsetTRelative
    operators = [_operator(b, call, names.index(call.op)) for call in calls]
    parts = [_vector(b, tflite.SubGraphStartTensorsVector, made, offset)]
    parts.append(_vector(b, tflite.SubGraphStartInputsVector, inputs, b.PrependInt32))
    parts.append(_vector(b, tflite.SubGraphStartOutputsVector, outputs, b.PrependInt32))
    parts.append(_vector(b, tflite.SubGraphStartOperatorsVector, operators, offset))
    tflite.SubGraphStart(b)
    for key, part in zip(("Tensors", "Inputs", "Outputs", "Operators"), parts, strict=True):
        getattr(tflite, f"SubGraphAdd{key}")(b, part)
    graph = tflite.SubGraphEnd(b)
    codes = []
    for name in names:
        code = getattr(tflite.BuiltinOperator, name)
        tflite.OperatorCodeStart(b)
        tflite.OperatorCodeAddDeprecatedBuiltinCode(b, min(code, 127))
        tflite.OperatorCodeAddVersion(b, 1)
        tflite.OperatorCodeAddBuiltinCode(b, code)
        codes.append(tflite.OperatorCodeEnd(b))
    parts = [_vector(b, tflite.ModelStartOperatorCodesVector, codes, offset)]
    parts.append(_vector(b, tflite.ModelStartSubgraphsVector, [graph], offset))
    parts.append(_vector(b, tflite.ModelStartBuffersVector, buffers, offset))
    tflite.ModelStart(b)
    tflite.ModelAddVersion(b, 3)
    for key, part in zip(("OperatorCodes", "Subgraphs", "Buffers"), parts, strict=True):
        getattr(tflite, f"ModelAdd{key}")(b, part)
    b.Finish(tflite.ModelEnd(b), file_identifier=b"TFL3")
    return bytes(b.Output())


def _tensors(b: Any, tensors: Sequence[Spec]) -> tuple[list[int], list[int]]:
    buffers, made = [], []
    tflite.BufferStart(b)
    buffers.append(tflite.BufferEnd(b))
    for spec in tensors:
        buffer = 0
        if spec.data is not None:
            raw = b.CreateByteVector(np.ascontiguousarray(spec.data, spec.dtype).tobytes())
            tflite.BufferStart(b)
            tflite.BufferAddData(b, raw)
            buffer = len(buffers)
            buffers.append(tflite.BufferEnd(b))
        name, quantisation = b.CreateString(spec.name), _quantisation(b, spec) if spec.scales else None
        shape = _vector(b, tflite.TensorStartShapeVector, spec.shape, b.PrependInt32)
        tflite.TensorStart(b)
        tflite.TensorAddShape(b, shape)
        tflite.TensorAddType(b, _TYPES[np.dtype(spec.dtype).newbyteorder("<")])
        tflite.TensorAddBuffer(b, buffer)
        tflite.TensorAddName(b, name)
        if quantisation is not None:
            tflite.TensorAddQuantization(b, quantisation)
        made.append(tflite.TensorEnd(b))
    return made, buffers


def _operator(b: Any, call: Call, code: int) -> int:
    ins = _vector(b, tflite.OperatorStartInputsVector, call.inputs, b.PrependInt32)
    outs = _vector(b, tflite.OperatorStartOutputsVector, call.outputs, b.PrependInt32)
    table = _options(b, call.options, call.fields) if call.options else None
    tflite.OperatorStart(b)
    tflite.OperatorAddOpcodeIndex(b, code)
    tflite.OperatorAddInputs(b, ins)
    tflite.OperatorAddOutputs(b, outs)
    if table is not None:
        tflite.OperatorAddBuiltinOptionsType(b, getattr(tflite.BuiltinOptions, call.options))
        tflite.OperatorAddBuiltinOptions(b, table)
    return int(tflite.OperatorEnd(b))
