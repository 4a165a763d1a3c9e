"""ONNX's own backend tests of single nodes as a suite: which of them edgeq answers as they demand.

A test gives a model, inputs and outputs. Weights, shapes and the like, which the tests feed as inputs, become constants
of the file. What is asserted:

- `exact`: networks of quantised tensors give every code that the test demands. So do movements and selections (Slice,
  MaxPool, ArgMax, …), whose inputs are made codes that stand in the order of the test's numbers.
- `close`: networks of floats are quantised with the test's own input, 16 bits for activations and 8 for weights, and
  answer within 1/32 of the greatest magnitude that the test demands.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from frontends.onnx_models import codes_out
from onnx import numpy_helper

import edgeq
from edgeq.emulator import run
from edgeq.errors import EdgeqError, FileError, UnsupportedError
from edgeq.formats import FixedPoint
from edgeq.frontends.onnx import import_model, load, missing, quantised
from edgeq.frontends.onnx.file import Model, parse
from edgeq.frontends.onnx.functions import FUNCTIONS

Array = npt.NDArray[Any]
ROOT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "node"
#: operators that only move or select
MOVES = {
    *("ArgMax", "Concat", "Constant", "DepthToSpace", "Dropout", "Expand", "Flatten", "Gather", "GlobalMaxPool"),
    *("Identity", "Max", "MaxPool", "Min", "Pad", "Relu", "Reshape", "Resize", "Shape", "Slice", "SpaceToDepth"),
    *("Split", "Squeeze", "Transpose", "Unsqueeze", "Upsample"),
}
#: operators all of whose inputs are data
_JOINS = {"Add", "Concat", "Div", "MatMul", "Max", "Min", "Mul", "Sub"}
_POINTWISE = {*FUNCTIONS, "Add", "Clip", "Div", "Mul", "Relu", "Sub"}
#: tests that contradict onnxruntime, whose answer is ours
OTHERWISE = {
    "test_resize_downsample_scales_linear_align_corners": "the corners of 2.4 elements; onnxruntime takes those of 2"
}
CLOSE = 1 / 32
RECIPE = {"weights": 8, "activations": 16}


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of a test: "exact", "close", "not supported", "outside" (its operators) or "wrong"; and why."""

    status: str
    why: str = ""


def names() -> list[str]:
    """Every test that the installed package brings."""
    return sorted(p.name for p in ROOT.iterdir() if (p / "model.onnx").exists())


def outcome(name: str, scratch: Path, floats: bool = True) -> Outcome:
    """Run one test; `floats`: also those that need calibration."""
    folder = ROOT / name
    proto = onnx.load(folder / "model.onnx")
    try:
        model = parse((folder / "model.onnx").read_bytes(), name, folder)
        absent = missing(model)
        if absent:
            return Outcome("outside", ", ".join(m.op for m in absent))
    except Exception as error:  # damaged for us: sequences, strings, functions
        return Outcome("outside", str(error)[:120])
    inputs, outputs = (_arrays(folder, kind, len(borders)) for kind, borders in _borders(proto))
    if any(a is None for a in (*inputs, *outputs)):
        return Outcome("outside", "a test without tensors")
    if name in OTHERWISE:
        return Outcome("not supported", OTHERWISE[name])
    data = _with_constants(proto, model, inputs)
    exact = quantised(model) or all(c.op in MOVES and c.text("mode", "") != "linear" for c in model.operations)
    if not exact and not floats:
        return Outcome("skipped", "needs calibration")
    try:
        if quantised(model):
            return _quantised(proto, data, outputs, scratch)
        if exact:
            return _moved(proto, data, outputs, name)
        return _calibrated(proto, data, outputs, scratch)
    except UnsupportedError as error:
        return Outcome("not supported", str(error)[-160:])
    except FileError as error:
        return Outcome("not supported" if "without elements" in str(error) else "wrong", str(error)[-160:])
    except EdgeqError as error:
        return Outcome("not supported", str(error)[-160:])


def _borders(proto: Any) -> tuple[tuple[str, Any], tuple[str, Any]]:
    return ("input", proto.graph.input), ("output", proto.graph.output)


def _arrays(folder: Path, kind: str, count: int) -> list[Any]:
    """Inputs or outputs of the test's first data set; None for what is no tensor."""
    found: list[Any] = []
    for i in range(count):
        try:
            tensor = onnx.TensorProto.FromString((folder / "test_data_set_0" / f"{kind}_{i}.pb").read_bytes())
            found.append(numpy_helper.to_array(tensor))
        except (OSError, TypeError, ValueError, onnx.checker.ValidationError):
            found.append(None)
    return found


def _with_constants(proto: Any, model: Model, inputs: list[Array]) -> dict[str, Array]:
    """Make constants of all inputs but the data, in place; the data by name."""
    calls = model.operations
    first = {calls[0].inputs[0]} if calls and calls[0].inputs else set()
    if calls and all(c.op in _JOINS for c in calls):
        first = {i for c in calls for i in c.inputs}
    elif calls and calls[0].op == "QLinearMatMul" and inputs[3].ndim > 2:
        first |= {calls[0].inputs[3]}
    borders = list(proto.graph.input)
    data = {}
    for border, array in zip(borders, inputs, strict=True):
        if border.name in first:
            data[border.name] = array
        else:
            proto.graph.initializer.append(numpy_helper.from_array(array, border.name))
    del proto.graph.input[:]
    proto.graph.input.extend(b for b in borders if b.name in data)
    return data


def _batched(array: Array) -> Array:
    """An array as a network takes it: with a batch of one in front, where there is none."""
    array = array.reshape(1) if array.ndim == 0 else array
    return array if array.ndim > 1 and array.shape[0] == 1 else array[None]


def _quantised(proto: Any, data: dict[str, Array], outputs: list[Array], scratch: Path) -> Outcome:
    path = scratch / "model.onnx"
    path.write_bytes(proto.SerializeToString())
    net = load(path)
    fed = [_batched(a).astype(np.int64 if _is_integer(a) else np.float32) for a in data.values()]
    found = codes_out(net, fed if len(fed) > 1 else fed[0])
    for name, got, want in zip(net.outputs, found, outputs, strict=True):
        real = got if _is_integer(want) else net.values[name].format.decode(got)
        if not np.array_equal(np.asarray(real, np.float32).reshape(want.shape), want.astype(np.float32)):
            return Outcome("wrong", f"{np.asarray(real).reshape(-1)[:6]} is not {want.reshape(-1)[:6]}")
    return Outcome("exact")


def _is_integer(array: Array) -> bool:
    """Also of the types below 8 bits, which numpy does not know."""
    return array.dtype.kind in "iu" or "int" in array.dtype.name


def _moved(proto: Any, data: dict[str, Array], outputs: list[Array], name: str) -> Outcome:
    """Numbers become codes in their order; the codes that come out say which numbers those are."""
    constants = [numpy_helper.to_array(t) for t in proto.graph.initializer]
    floats = [c for c in constants if c.dtype == np.float32 and c.size == 1]
    values = np.unique(
        np.concatenate([a.reshape(-1).astype(np.float64) for a in (*data.values(), *floats, np.zeros(1))])
    )
    zero = int(np.searchsorted(values, 0.0))

    def codes(a: Array) -> Array:
        return np.searchsorted(values, a.astype(np.float64)) - zero

    model = parse(proto.SerializeToString(), name)
    inputs = tuple(dataclasses.replace(b, type="FLOAT") for b in model.inputs)
    fills = {c.inputs[2] for c in model.operations if c.op == "Pad" and len(c.inputs) > 2}
    fixed = {n: codes(a).astype(np.float32) if n in fills else a for n, a in model.constants.items()}
    model = dataclasses.replace(model, inputs=inputs, constants=fixed)
    graph = import_model(model, {b.name: FixedPoint(24, 0) for b in inputs})
    fed = [codes(_batched(a)) for a in data.values()]
    got = run(graph, fed if len(fed) > 1 else fed[0])
    for made, want in zip(got if isinstance(got, list) else [got], outputs, strict=True):
        numbers = np.asarray(made)
        if model.operations[-1].op != "ArgMax":
            numbers = values[numbers + zero]
        if not np.array_equal(numbers.reshape(want.shape), want.astype(np.float64)):
            return Outcome("wrong", f"{numbers.reshape(-1)[:6]} is not {want.reshape(-1)[:6]}")
    return Outcome("exact")


def _calibrated(proto: Any, data: dict[str, Array], outputs: list[Array], scratch: Path) -> Outcome:
    path = scratch / "model.onnx"
    if all(n.op_type in _POINTWISE for n in proto.graph.node):
        # One element at a time: a batch of one in front changes nothing.
        rank = max(a.ndim for a in data.values()) + 1
        data = {name: a.reshape((1,) * (rank - a.ndim) + a.shape) for name, a in data.items()}
        for border in proto.graph.input:
            dims = border.type.tensor_type.shape
            del dims.dim[:]
            for n in data[border.name].shape:
                dims.dim.add(dim_value=n)
        for border in proto.graph.output:
            border.type.tensor_type.ClearField("shape")
    path.write_bytes(proto.SerializeToString())
    fed = [_batched(a) for a in data.values()]
    if not fed:
        return Outcome("not supported", "nothing but constants")
    if any(a.dtype != np.float32 for a in fed):
        return Outcome("not supported", f"data of type {fed[0].dtype}")
    samples: Any = tuple(fed) if len(fed) > 1 else fed[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net = edgeq.load(path, calibrate=samples, recipe=RECIPE)
    got = net.run(list(fed) if len(fed) > 1 else fed[0])
    for made, want in zip(got if isinstance(got, list) else [got], outputs, strict=True):
        if np.asarray(made).size != want.size:
            return Outcome("wrong", f"{np.asarray(made).shape} is not {want.shape}")
        apart = float(np.abs(np.asarray(made).reshape(want.shape) - want).max())
        if apart > CLOSE * max(float(np.abs(want).max()), 1e-6):
            return Outcome("wrong", f"{apart:.3g} apart where the greatest number is {np.abs(want).max():.3g}")
    return Outcome("close")


def count(found: dict[str, Outcome]) -> Counter[str]:
    """How many have each status."""
    return Counter(o.status for o in found.values())
