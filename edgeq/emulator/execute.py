"""Executing a graph in Python: borders, the reference, and `run` and `trace` on the fast executor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.emulator.fast import executor
from edgeq.errors import InputError
from edgeq.formats import DEFAULT_RULE
from edgeq.ir import Graph, Value, operator

Codes = npt.NDArray[Any]
#: value name -> codes, batch first, for every value that is not constant
Trace = dict[str, Codes]


def encode_inputs(graph: Graph, x: Any) -> tuple[dict[str, Codes], bool]:
    """User arrays to input codes in the graph's layout, batch first; and whether they were floats.

    x: one array, a sequence in the order of the inputs, or a dict by name; each with a leading batch dimension
    (added where it is missing) in the layout of the source model. Floats are quantised, integers are codes.
    """
    arrays = _by_name(graph, x)
    found: dict[str, Codes] = {}
    floats = False
    for name, array in arrays.items():
        value = graph.values[name]
        array = _laid_out(graph, value, np.asarray(array))
        if array.dtype.kind == "f":
            floats = True
            found[name] = value.format.quantize(array, DEFAULT_RULE, f"input {name}")
        elif array.dtype.kind in "iu":
            value.format.check_codes(array, f"input {name}")
            value.format.to_grid(array)
            found[name] = array.astype(np.int64)
        else:
            raise InputError(f"input {name}: {array.dtype} array; give floats (real values) or integers (codes)")
    if len({a.shape[0] for a in found.values()}) > 1:
        raise InputError(f"inputs have different batch sizes { ({k: a.shape[0] for k, a in found.items()}) }")
    return found, floats


def _by_name(graph: Graph, x: Any) -> dict[str, Any]:
    if isinstance(x, Mapping):
        arrays = dict(x)
    elif isinstance(x, Sequence):
        if isinstance(x, (str, bytes)) or len(x) != len(graph.inputs):
            raise InputError(
                f"this network takes {len(graph.inputs)} inputs: {', '.join(graph.inputs)}; a list or tuple has one "
                f"array for each, and this one has {len(x)} (for a batch in nested lists give numpy.asarray(x))"
            )
        arrays = dict(zip(graph.inputs, x, strict=True))
    else:
        arrays = {graph.inputs[0]: x}
    if set(arrays) != set(graph.inputs):
        raise InputError(f"this network takes {len(graph.inputs)} inputs: {', '.join(graph.inputs)}")
    return {name: arrays[name] for name in graph.inputs}


def _laid_out(graph: Graph, value: Value, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    layout = graph.layouts.get(value.name, tuple(range(len(value.shape))))
    user_shape = tuple(value.shape[layout.index(i)] for i in range(len(layout)))
    if array.shape == user_shape:
        array = array[None]
    if array.shape[1:] != user_shape or array.ndim != len(user_shape) + 1:
        want = "(batch, " + ", ".join(map(str, user_shape)) + ")"
        raise InputError(f"input {value.name}: array of shape {array.shape}, expected {want}")
    if array.shape[0] == 0:
        raise InputError(f"input {value.name}: the batch is empty; give at least one sample")
    return array.transpose(0, *(p + 1 for p in layout))


def decode_outputs(graph: Graph, codes: Mapping[str, Codes], floats: bool) -> Any:
    """Output codes in the layout of the source model, decoded where the inputs were floats."""
    found = []
    for name in graph.outputs:
        value, array = graph.values[name], codes[name]
        layout = graph.layouts.get(name, tuple(range(len(value.shape))))
        array = array.transpose(0, *(layout.index(i) + 1 for i in range(len(layout))))
        found.append(value.format.decode(array) if floats else array)
    return found[0] if len(found) == 1 else found


def reference(graph: Graph, inputs: Mapping[str, Codes]) -> Trace:
    """The slow, obvious path: every operator's own int64 meaning; inputs are codes in the graph's layout."""
    codes: dict[str, Codes] = {v.name: v.data for v in graph.constants() if v.data is not None}
    codes.update(inputs)
    for node in graph.nodes:
        outs = operator(node.op, node.name).evaluate(
            node, graph.ins(node), graph.outs(node), [codes[name] for name in node.inputs]
        )
        codes.update(zip(node.outputs, outs, strict=True))
    return {name: array for name, array in codes.items() if not graph.values[name].constant}


def trace(graph: Graph, x: Any) -> Trace:
    """Run and keep the codes of every value; x as `Graph.run` takes it.

    Each array has the narrowest integer type that holds its format: widen it before doing arithmetic on codes.
    """
    return executor(graph).trace(encode_inputs(graph, x)[0])


def run(graph: Graph, x: Any) -> Any:
    """Run one batch: floats in, floats out; codes in, codes (int64) out."""
    inputs, floats = encode_inputs(graph, x)
    codes = {name: array.astype(np.int64) for name, array in executor(graph).outputs(inputs).items()}
    return decode_outputs(graph, codes, floats)
