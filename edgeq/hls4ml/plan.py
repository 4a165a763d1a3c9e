"""Plan: a graph in hls4ml's words: its layer list, each layer with the types of all that it declares."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edgeq.errors import InputError, UnsupportedError
from edgeq.fpga.dataflow import identifier
from edgeq.hls4ml.precision import ApType, clamping, expect_roundable, holding, refusal, result_type, roundable, type_of
from edgeq.ir import Graph, Node, Value
from edgeq.ir.ranges import Ranges, analyse

#: option of the command -> hls4ml's IOType
IO_TYPES = {"parallel": "io_parallel", "stream": "io_stream"}
#: products that a layer makes at once; more are folded
PRODUCTS = 256


@dataclass(frozen=True)
class Layer:
    """One layer of hls4ml.

    kind, attributes: its `class_name` and the rest of its dictionary; inputs: names of layers.
    types:    `result`, `weight`, `bias`, `scale`, `accum`, whichever it declares.
    value:    the graph's value that it computes, or None for a step between.
    matrix:   terms and results of the product that it makes for each position, which decide how it is folded.
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    types: Mapping[str, ApType]
    value: str | None = None
    matrix: tuple[int, int] = (0, 0)

    def to_dict(self) -> dict[str, Any]:
        """The entry of hls4ml's layer list."""
        return {"name": self.name, "class_name": self.kind, "inputs": list(self.inputs), **self.attributes}

    def config(self) -> dict[str, Any]:
        """Its entry of hls4ml's configuration."""
        fold = folding(*self.matrix)
        return {
            "Precision": {key: str(kind) for key, kind in self.types.items()},
            "ReuseFactor": fold,
            "Strategy": "Resource" if fold > 1 and not self.kind.startswith("Depthwise") else "Latency",
            "Trace": self.value is not None,
        }


def folding(terms: int, results: int) -> int:
    """The least reuse factor with at most `PRODUCTS` at once that hls4ml's dense product takes (it asserts that).

    It has to divide the terms, or be a multiple of them that divides the whole. hls4ml corrects others, but not those
    of pointwise convolutions.
    """
    whole = terms * results
    if whole <= PRODUCTS:
        return 1
    least = -(-whole // PRODUCTS)
    return next(f for f in range(least, whole + 1) if whole % f == 0 and (terms % f == 0 or f % terms == 0))


@dataclass
class Plan:
    """The layers of a graph in order; `at`: value -> its layer and the type of what that layer gives."""

    graph: Graph
    io: str
    ranges: Ranges
    layers: list[Layer] = field(default_factory=list)
    at: dict[str, tuple[str, ApType]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name of hls4ml's project and top function."""
        return identifier(self.graph.name)

    @property
    def inputs(self) -> list[str]:
        """Layers of the graph's inputs, in order."""
        return [self.at[name][0] for name in self.graph.inputs]

    @property
    def outputs(self) -> list[str]:
        """Layers of the graph's outputs; two outputs of the same elements are one."""
        return list(dict.fromkeys(self.at[name][0] for name in self.graph.outputs))

    @property
    def stream(self) -> bool:
        """Whether layers hand on elements through streams."""
        return self.io == "stream"

    def type_at(self, value: str) -> ApType:
        """The type in which hls4ml has a value."""
        return self.at[value][1]

    def add(
        self,
        kind: str,
        what: str,
        inputs: Sequence[str],
        attributes: Mapping[str, Any],
        types: Mapping[str, ApType],
        value: str | None = None,
        matrix: tuple[int, int] = (0, 0),
    ) -> str:
        """Append a layer that reads the layers `inputs`, and note that it computes `value`; returns its name."""
        name = f"v{len(self.layers)}_{re.sub(r'[^A-Za-z0-9_]', '_', what)}"
        self.layers.append(Layer(name, kind, tuple(inputs), attributes, types, value, matrix))
        if value is not None:
            self.at[value] = (name, types["result"])
        return name

    def arithmetic(
        self,
        kind: str,
        node: Node,
        inputs: Sequence[str],
        attributes: Mapping[str, Any],
        types: Mapping[str, ApType],
        matrix: tuple[int, int] = (0, 0),
        exact: ApType | None = None,
    ) -> None:
        """Append the layer of an arithmetic node: its result type rounds and saturates; a clip may have to follow.

        exact: the type that is converted to the result's, where it is not the accumulator.
        """
        out = self.graph.values[node.outputs[0]]
        result, clip = result_type(node, out)
        types = {**types, "result": result}
        if exact is None:
            types["accum"] = roundable(types["accum"], result)
        else:
            expect_roundable(node, exact, result)
        if clip is None:
            self.add(kind, out.name, inputs, attributes, types, out.name, matrix)
            return
        source = self.add(kind, f"{out.name}_unclipped", inputs, attributes, types, None, matrix)
        steps = clamping(result, clip)
        for i, (add, wide) in enumerate(steps, 1):
            value = out.name if i == len(steps) else None
            source = self.shifted(value or f"{out.name}_clip{i}", source, out, add, wide, value)

    def shifted(self, what: str, source: str, like: Value, add: int, kind: ApType, value: str | None) -> str:
        """Append a normalisation that adds so many grid steps to every element; returns its name."""
        bias = holding(min(add, 0), max(add, 0), kind.frac)
        types = {"scale": holding(0, 1, 0), "bias": bias, "result": kind}
        channels = like.shape[-1]
        attributes = {
            "n_in": like.size,
            "n_filt": channels if len(like.shape) > 1 else -1,
            "scale_data": np.ones(channels),
            "bias_data": np.full(channels, np.ldexp(float(add), -kind.frac)),
        }
        return self.add("BatchNormalization", what, [source], attributes, types, value)

    def alias(self, value: str, of: str) -> None:
        """Say that a value is the elements of another one: hls4ml has no layer for it."""
        self.at[value] = self.at[of]


def make_plan(graph: Graph, io: str | None = None) -> Plan:
    """Translate a graph; UnsupportedError names the first layer that hls4ml has no exact equal for.

    io: "parallel" (every element a wire) or "stream" (pixel after pixel); by default "stream" where windows slide.
    """
    from edgeq.hls4ml.layers import LAYERS

    slides = any(node.op in ("conv", "max_pool", "average_pool") for node in graph.nodes)
    io = io or ("stream" if slides else "parallel")
    if io not in IO_TYPES:
        raise InputError(f"--io {io}: choose {' or '.join(IO_TYPES)}")
    refuse_outputs(graph)
    for node in graph.nodes:
        if node.op not in LAYERS:
            raise refusal(node, f"is not given to hls4ml; what is: {', '.join(sorted(LAYERS))}")
    plan = Plan(graph, io, analyse(graph))
    for name in graph.inputs:
        value = graph.values[name]
        plan.add("InputLayer", name, [], {"input_shape": list(value.shape)}, {"result": type_of(value)}, name)
    for node in graph.nodes:
        LAYERS[node.op](plan, node)
    return plan


def refuse_outputs(graph: Graph) -> None:
    """UnsupportedError where an output is an input as it came in, which hls4ml has no project for."""
    for name in graph.outputs:
        if graph.values[name].constant or name in graph.inputs:
            raise UnsupportedError(f"hls4ml: output {name}: no layer computes it")


def operand(plan: Plan, node: Node, position: int) -> Value:
    """An operand that is computed; constants are refused where hls4ml takes none."""
    value = plan.graph.values[node.inputs[position]]
    if value.constant:
        raise refusal(node, f"its operand {value.name} is constant, which this layer of hls4ml does not take")
    return value
