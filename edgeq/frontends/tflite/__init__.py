"""Reading .tflite files: networks as TensorFlow's converter quantised them, with the codes that the device makes.

The graph computes, byte for byte, what TensorFlow Lite Micro's reference kernels do. Values are channels-last as in the
file; a leading batch of one is the batch of the arrays that a network is run with.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from edgeq.errors import UnsupportedError
from edgeq.frontends._model_file import naming
from edgeq.frontends.tflite import elements, functions, matrix, movement, products, reductions
from edgeq.frontends.tflite import fold as folding
from edgeq.frontends.tflite import resize as resizing
from edgeq.frontends.tflite.build import Building, batchless
from edgeq.frontends.tflite.file import DamagedError, Model, Operation, parse, read
from edgeq.ir import Graph, GraphBuilder
from edgeq.passes import optimise

#: operators that become nodes, by their name in the schema
READERS: dict[str, Callable[[Building, Operation], None]] = {
    "ADD": elements.add,
    "AVERAGE_POOL_2D": elements.average_pool_2d,
    "BATCH_MATMUL": products.batch_matmul,
    "CONCATENATION": elements.concatenation,
    "CONV_2D": matrix.conv_2d,
    "DEPTHWISE_CONV_2D": matrix.depthwise_conv_2d,
    "EXPAND_DIMS": elements.reshape,
    "FULLY_CONNECTED": products.fully_connected,
    "GATHER": movement.gather,
    "MAX_POOL_2D": elements.max_pool_2d,
    "MIRROR_PAD": movement.mirror_pad,
    "MUL": elements.mul,
    "PACK": movement.pack,
    "PAD": movement.pad,
    "PADV2": movement.pad,
    "QUANTIZE": elements.quantize,
    "RESHAPE": elements.reshape,
    "RESIZE_BILINEAR": resizing.resize_bilinear,
    "RESIZE_NEAREST_NEIGHBOR": resizing.resize_nearest_neighbor,
    "SLICE": movement.slice_,
    "SOFTMAX": elements.softmax,
    "SPLIT": movement.split,
    "SPLIT_V": movement.split_v,
    "SQUEEZE": elements.reshape,
    "STRIDED_SLICE": movement.strided_slice,
    "SUB": elements.sub,
    "TRANSPOSE": movement.transpose,
    "TRANSPOSE_CONV": products.transpose_conv,
    "UNPACK": movement.unpack,
    **functions.READERS,
    **reductions.READERS,
    **dict.fromkeys(folding.CONSTANT_ONLY, folding.computed),
}
#: operators that only stand at the borders, between real numbers and codes
BORDERS = ("QUANTIZE", "DEQUANTIZE")


def load(path: str | os.PathLike[str]) -> Graph:
    """Read a .tflite file.

    Raises FileError for a damaged file, UnsupportedError naming every operator that edgeq does not have, and ToolError
    where the package `tflite` is missing.
    """
    path = Path(path)
    model = read(path)
    with naming(path):
        return import_model(model)


def from_bytes(data: bytes, name: str) -> Graph:
    """The network in the bytes of a file; `name` stands for it in errors."""
    with naming(name):
        return import_model(parse(data, name))


def import_model(model: Model) -> Graph:
    """The graph of a parsed file."""
    _check_operators(model)
    b = Building(model, GraphBuilder(model.name or "network"))
    calls = list(model.operations)
    _inputs(b, calls)
    outputs = _outputs(b, calls)
    for call in calls:
        if not folding.fold(b, call):
            READERS[call.op](b, call)
    names = []
    for index in outputs:
        if index not in b.names:
            raise DamagedError(f"output {model.tensors[index].name} is not computed")
        names.append(b.names[index])
    return optimise(b.builder.build(names))


def _check_operators(model: Model) -> None:
    """Name everything that cannot be read at once, so that nobody has to find it piece by piece."""
    missing: dict[str, list[str]] = {}
    for call in model.operations:
        if call.op not in READERS and call.op not in BORDERS:
            place = model.tensors[call.outputs[0]].name if call.outputs else "?"
            missing.setdefault(call.op, []).append(place)
    if missing:
        listed = "; ".join(f"{op} ({len(at)}: {', '.join(at[:3])})" for op, at in sorted(missing.items()))
        raise UnsupportedError(
            f"operators that edgeq does not read: {listed}. Replace them in the source network; read are "
            f"{', '.join(sorted({*READERS, *BORDERS}))}"
        )


def _inputs(b: Building, calls: list[Operation]) -> None:
    """Graph inputs; a QUANTIZE that alone reads a float input is the border itself."""
    for index in b.model.inputs:
        tensor = b.model.tensors[index]
        if tensor.type == "FLOAT32":
            readers = [c for c in calls if index in c.inputs]
            if not readers or any(c.op != "QUANTIZE" for c in readers):
                raise UnsupportedError(
                    f"input {tensor.name} is float and is not quantised; quantise the model to int8 (TFLiteConverter "
                    "with a representative dataset), or calibrate it here (edgeq.load(path, calibrate=samples))"
                )
            for call in readers[1:]:
                if b.format(b.output(call)) != b.format(b.output(readers[0])):
                    raise UnsupportedError(f"input {tensor.name} is quantised in two ways; one is supported")
            first = b.output(readers[0])
            name = b.builder.input(tensor.name, batchless(first.shape), b.format(first))
            for call in readers:
                b.names[b.output(call).index] = name
                calls.remove(call)
        else:
            b.names[index] = b.builder.input(tensor.name, batchless(tensor.shape), b.format(tensor))


def _outputs(b: Building, calls: list[Operation]) -> list[int]:
    """Tensors that are the graph's outputs; a DEQUANTIZE at the end is the border itself."""
    found = []
    for index in b.model.outputs:
        maker = next((c for c in calls if c.op == "DEQUANTIZE" and index in c.outputs), None)
        if maker is None:
            found.append(index)
        else:
            found.append(b.tensor(maker, 0).index)
    for call in [c for c in calls if c.op == "DEQUANTIZE"]:
        inner = [c for c in calls if b.output(call).index in c.inputs]
        if inner:
            raise UnsupportedError(
                f"DEQUANTIZE {b.output(call).name}: {inner[0].op} computes with floats; quantise the whole model"
            )
        calls.remove(call)
    return found
