"""Small quantised .onnx models, written node by node, and the interpreters that they are compared with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

Array = npt.NDArray[Any]
_KINDS = {np.dtype(np.int8): TensorProto.INT8, np.dtype(np.uint8): TensorProto.UINT8}


class Writer:
    """Nodes and constants of a model under construction; scales and zero points are constants of their own."""

    def __init__(self, opset: int = 17) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.opset = opset

    def constant(self, array: Any, name: str = "") -> str:
        """An initializer."""
        name = name or f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def node(self, op: str, inputs: list[str], name: str, domain: str = "", outputs: int = 1, **attrs: Any) -> str:
        """A node named after its output."""
        made = [name, *(f"{name}.{i}" for i in range(1, outputs))]
        self.nodes.append(helper.make_node(op, inputs, made, name=name, domain=domain, **attrs))
        return name

    def numbers(self, scale: Any, zero: Any, dtype: Any = np.int8) -> list[str]:
        """Constants of a scale and a zero point."""
        return [self.constant(np.asarray(scale, np.float32)), self.constant(np.asarray(zero, dtype))]

    def dequantised(self, codes: Any, scale: Any, zero: Any, axis: int = 0) -> str:
        """A constant behind DequantizeLinear."""
        codes = np.asarray(codes)
        zeros = np.full(np.shape(scale), zero, codes.dtype)
        ins = [self.constant(codes), *self.numbers(scale, zeros, codes.dtype)]
        return self.node("DequantizeLinear", ins, f"w{len(self.nodes)}", axis=axis)

    def quantised(self, x: str, scale: float, zero: int, dtype: Any = np.int8) -> str:
        """QuantizeLinear and DequantizeLinear behind a tensor."""
        ins = self.numbers(scale, zero, dtype)
        codes = self.node("QuantizeLinear", [x, *ins], f"{x}_q")
        return self.node("DequantizeLinear", [codes, *ins], f"{x}_dq")

    def save(self, path: Path, inputs: dict[str, tuple[Any, tuple[Any, ...]]], outputs: dict[str, Any]) -> Path:
        """Write the model: inputs by name with dtype and shape, outputs by name with dtype."""

        def kind(dtype: Any) -> int:
            return int(_KINDS.get(np.dtype(dtype), helper.np_dtype_to_tensor_dtype(np.dtype(dtype))))

        ins = [helper.make_tensor_value_info(n, kind(d), s) for n, (d, s) in inputs.items()]
        outs = [helper.make_tensor_value_info(n, kind(d), None) for n, d in outputs.items()]
        graph = helper.make_graph(self.nodes, "made", ins, outs, self.constants)
        domains = [helper.make_opsetid("", self.opset), helper.make_opsetid("com.microsoft", 1)]
        model = helper.make_model(graph, opset_imports=domains, ir_version=9)
        path.write_bytes(model.SerializeToString())
        return path


def onnxruntime_run(path: Path, *inputs: Array, optimised: bool = True) -> list[Array]:
    """The outputs of each sample, stacked; onnxruntime runs one at a time. optimised: with its own fusions."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    if not optimised:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [i.name for i in session.get_inputs()]
    found = []
    for sample in range(len(inputs[0])):
        feeds = {n: x[sample : sample + 1] for n, x in zip(names, inputs, strict=True)}
        found.append(session.run(None, feeds))
    return [np.concatenate([f[i] for f in found]) for i in range(len(found[0]))]


def calibrated(source: Path, target: Path, samples: Array, **options: Any) -> Path:
    """onnxruntime's static quantisation of a float model with one input."""
    import logging

    from onnxruntime.quantization import CalibrationDataReader, quantize_static

    name = onnx.load(source).graph.input[0].name

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.left = [{name: x[None]} for x in samples]

        def get_next(self) -> Any:
            return self.left.pop() if self.left else None

    logging.disable(logging.WARNING)
    try:
        quantize_static(str(source), str(target), Reader(), **options)
    finally:
        logging.disable(logging.NOTSET)
    return target


def codes_out(net: Any, x: Any) -> list[Array]:
    """The codes of a network's outputs, in the layout of the source."""
    trace = net.trace(x)
    found = []
    for name in net.outputs:
        codes = np.asarray(trace[name])
        layout = net.layouts.get(name, tuple(range(codes.ndim - 1)))
        found.append(codes.transpose(0, *(1 + layout.index(i) for i in range(len(layout)))))
    return found
