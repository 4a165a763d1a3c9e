"""Operators of constants, computed when the file is read: by ONNX's reference evaluator, within bounds of memory."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from edgeq.frontends._model_file import DamagedError
from edgeq.frontends.onnx.build import Known, unsupported
from edgeq.frontends.onnx.file import TYPES, Array, Model, Operation, package

#: no constant that a file computes is larger
MAX_FOLDED = 1 << 22
#: what is computed here, and how large its result can be from its inputs
_SAME = (
    "Abs", "Add", "And", "Cast", "Ceil", "Clip", "Cos", "Div", "Equal", "Exp", "Floor", "Greater", "GreaterOrEqual",
    "Identity", "Less", "LessOrEqual", "Log", "Max", "Min", "Mod", "Mul", "Neg", "Not", "Or", "Pow", "Reciprocal",
    "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum", "Relu", "Reshape", "Round", "Sign", "Sin",
    "Slice", "Split", "Sqrt", "Squeeze", "Sub", "Sum", "Transpose", "Unsqueeze", "Where", "Flatten", "Concat",
)  # fmt: skip
FOLDED = (*_SAME, "ConstantOfShape", "Expand", "Gather", "Range", "Tile")


def foldable(call: Operation) -> bool:
    """Whether an operator of constants is computed here."""
    return call.domain == "" and call.op in FOLDED


def fold(model: Model, call: Operation, inputs: Sequence[Known | None]) -> list[Known]:
    """The outputs of a node all of whose inputs are known."""
    arrays = [None if k is None else k.data for k in inputs]
    if _elements(call, [a for a in arrays if a is not None]) > MAX_FOLDED:
        raise DamagedError(f"{call.op} {call.name}: makes a constant of more than {MAX_FOLDED} elements")
    outputs = [np.asarray(o) for o in _evaluate(model, call, inputs)]
    if any(o.size > MAX_FOLDED or o.dtype == object for o in outputs):
        raise unsupported(call, f"its constant is not numbers, or has more than {MAX_FOLDED} elements")
    limits = _limits(call, arrays, inputs)
    return [
        Known(name, _plain(o), _type(call, o, inputs), limits) for name, o in zip(call.outputs, outputs, strict=False)
    ]


def _evaluate(model: Model, call: Operation, inputs: Sequence[Known | None]) -> list[Any]:
    from onnx.reference import ReferenceEvaluator

    onnx = package()
    helper = onnx.helper
    kinds = onnx.TensorProto.DataType
    feeds: dict[str, Array] = {}
    infos = []
    for name, found in zip(call.inputs, inputs, strict=True):
        if found is not None and name not in feeds:
            feeds[name] = found.data
            infos.append(helper.make_tensor_value_info(name, kinds.Value(_numpy_type(found)), found.data.shape))
    outs = [helper.make_empty_tensor_value_info(o) for o in call.outputs if o]
    graph = helper.make_graph([call.proto], "constant", infos, outs)
    single = helper.make_model(graph, opset_imports=[helper.make_opsetid("", model.opset)])
    with np.errstate(all="ignore"):
        return list(ReferenceEvaluator(single).run(None, feeds))


def _numpy_type(known: Known) -> str:
    """The element type that the array of a constant has by itself."""
    names = {np.dtype(np.float32): "FLOAT", np.dtype(np.float64): "DOUBLE", np.dtype(np.bool_): "BOOL"}
    return names.get(known.data.dtype, known.data.dtype.name.upper())


def _type(call: Operation, made: Array, inputs: Sequence[Known | None]) -> str:
    """The element type of a result: that of the first input where it kept its array's type."""
    first = next((k for k in inputs if k is not None), None)
    if call.op != "Cast" and first is not None and first.data.dtype == made.dtype:
        return first.type
    found = Known("", _plain(made), "")
    return _numpy_type(found)


def _plain(made: Array) -> Array:
    """An array of one of the types that constants have here."""
    found = made if made.dtype in TYPES.values() else made.astype(np.float32)
    found = np.ascontiguousarray(found).reshape(made.shape)
    found.setflags(write=False)
    return found


def _limits(call: Operation, arrays: Sequence[Array | None], inputs: Sequence[Known | None]) -> tuple[int, int] | None:
    """Codes that a Clip leaves, carried through movements."""
    first = inputs[0] if inputs else None
    if first is None or first.data.dtype.kind not in "iu":
        return None
    if call.op == "Clip" and len(arrays) > 2 and arrays[1] is not None and arrays[2] is not None:
        return int(arrays[1].reshape(-1)[0]), int(arrays[2].reshape(-1)[0])
    return first.limits if call.op in ("Reshape", "Transpose", "Squeeze", "Unsqueeze", "Identity", "Flatten") else None


def _elements(call: Operation, arrays: Sequence[Array]) -> int:
    """Elements that the result will have, before it is computed."""
    if not arrays:
        return 0
    if call.op == "ConstantOfShape":
        return prod(max(int(n), 0) for n in arrays[0].reshape(-1))
    if call.op == "Gather":
        data, index = arrays[0], arrays[1] if len(arrays) > 1 else arrays[0]
        return data.size * index.size
    if call.op in ("Expand", "Tile") and len(arrays) > 1:
        return arrays[0].size * prod(max(int(n), 1) for n in arrays[1].reshape(-1))
    if call.op == "Range" and len(arrays) == 3:
        start, end, by = (float(a.reshape(-1)[0]) for a in arrays)
        return MAX_FOLDED + 1 if by == 0 else max(0, int((end - start) / by) + 1)
    if call.op == "Concat":
        return sum(a.size for a in arrays)
    try:
        return prod(np.broadcast_shapes(*(a.shape for a in arrays))) if len(arrays) > 1 else arrays[0].size
    except ValueError:
        return max(a.size for a in arrays)
