"""Writes .tflite files of one operator, for tests: tensors with scales, one call, its options."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import flatbuffers
import numpy as np
import tflite

_TYPES = {np.dtype("i1"): tflite.TensorType.INT8, np.dtype("<i4"): tflite.TensorType.INT32}


@dataclass
class Spec:
    """A tensor: its shape, type, scales and zero point; data for a constant."""

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


def write(op: str, tensors: Sequence[Spec], inputs: int, options: str = "", **fields: Any) -> bytes:
    """A model whose call reads all tensors but the last, which it makes; the first `inputs` of them are the model's."""
    b = flatbuffers.Builder(1024)
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
        name, quantisation = b.CreateString(spec.name), _quantisation(b, spec)
        shape = _vector(b, tflite.TensorStartShapeVector, spec.shape, b.PrependInt32)
        tflite.TensorStart(b)
        tflite.TensorAddShape(b, shape)
        tflite.TensorAddType(b, _TYPES[np.dtype(spec.dtype).newbyteorder("<")])
        tflite.TensorAddBuffer(b, buffer)
        tflite.TensorAddName(b, name)
        tflite.TensorAddQuantization(b, quantisation)
        made.append(tflite.TensorEnd(b))
    last = len(tensors) - 1
    ins = _vector(b, tflite.OperatorStartInputsVector, range(last), b.PrependInt32)
    outs = _vector(b, tflite.OperatorStartOutputsVector, [last], b.PrependInt32)
    table = _options(b, options, fields) if options else None
    tflite.OperatorStart(b)
    tflite.OperatorAddOpcodeIndex(b, 0)
    tflite.OperatorAddInputs(b, ins)
    tflite.OperatorAddOutputs(b, outs)
    if table is not None:
        tflite.OperatorAddBuiltinOptionsType(b, getattr(tflite.BuiltinOptions, options))
        tflite.OperatorAddBuiltinOptions(b, table)
    call = tflite.OperatorEnd(b)
    offset = b.PrependUOffsetTRelative
    parts = [_vector(b, tflite.SubGraphStartTensorsVector, made, offset)]
    parts.append(_vector(b, tflite.SubGraphStartInputsVector, range(inputs), b.PrependInt32))
    parts.append(_vector(b, tflite.SubGraphStartOutputsVector, [last], b.PrependInt32))
    parts.append(_vector(b, tflite.SubGraphStartOperatorsVector, [call], offset))
    tflite.SubGraphStart(b)
    for key, part in zip(("Tensors", "Inputs", "Outputs", "Operators"), parts, strict=True):
        getattr(tflite, f"SubGraphAdd{key}")(b, part)
    graph = tflite.SubGraphEnd(b)
    code = getattr(tflite.BuiltinOperator, op)
    tflite.OperatorCodeStart(b)
    tflite.OperatorCodeAddDeprecatedBuiltinCode(b, min(code, 127))
    tflite.OperatorCodeAddVersion(b, 1)
    tflite.OperatorCodeAddBuiltinCode(b, code)
    codes = [tflite.OperatorCodeEnd(b)]
    parts = [_vector(b, tflite.ModelStartOperatorCodesVector, codes, offset)]
    parts.append(_vector(b, tflite.ModelStartSubgraphsVector, [graph], offset))
    parts.append(_vector(b, tflite.ModelStartBuffersVector, buffers, offset))
    tflite.ModelStart(b)
    tflite.ModelAddVersion(b, 3)
    for key, part in zip(("OperatorCodes", "Subgraphs", "Buffers"), parts, strict=True):
        getattr(tflite, f"ModelAdd{key}")(b, part)
    b.Finish(tflite.ModelEnd(b), file_identifier=b"TFL3")
    return bytes(b.Output())
