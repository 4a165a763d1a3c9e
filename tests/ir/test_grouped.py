"""Weights with group scales: their graphs mean what those of plain integers do, in every twin, pass and file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ir.graphs import S8
from ir.mutate import header_of, sealed, with_header

from edgeq.emulator import reference
from edgeq.emulator.fast import Executor
from edgeq.errors import FileError, GraphError, RangeError
from edgeq.formats import NAMED, FixedPoint, Format, Grouped, grouped
from edgeq.ir import Graph, GraphBuilder, Value
from edgeq.ir.file import from_bytes, load, to_bytes
from edgeq.passes import optimise
from edgeq.verify.random_graphs import random_graph, random_inputs

KINDS = ("minifloat", "fixed", "mixed")


def plain(value: Value) -> Value:
    """The same numbers as integers of 32 bits."""
    fmt = value.format
    if not isinstance(fmt, Grouped) or value.data is None:
        return value
    return replace(value, format=FixedPoint(32, fmt.frac, True, fmt.channel_axis), data=fmt.to_grid(value.data))


def has_groups(graph: Graph) -> bool:
    return any(isinstance(v.format, Grouped) for v in graph.values.values())


def cases(first: int, count: int) -> list[tuple[Graph, dict[str, Any]]]:
    """Random graphs of which each has group scales."""
    found: list[tuple[Graph, dict[str, Any]]] = []
    for seed in range(first, first + 4 * count):
        rng = np.random.default_rng([seed, 13])
        ops = ["conv", "linear", "conv_transpose", "requantise", "add"]
        graph = random_graph(rng, ops=ops, max_nodes=5, formats=KINDS[seed % 3], groups=True)  # type: ignore[arg-type]
        if has_groups(graph) and len(found) < count:
            found.append((graph, random_inputs(graph, rng, 3)))
    return found


def layer(fmt: Format | None = None, codes: Any = None, op: str = "linear", **attrs: Any) -> Graph:
    """One layer of six inputs and two outputs, in groups of four."""
    b = GraphBuilder("one")
    x = b.input("x", (6,), S8)
    fmt = grouped(NAMED["e2m1"], 4, [[0, 2], [1, 0]]) if fmt is None else fmt
    w = b.constant("fc.weight", np.arange(12).reshape(2, 6) if codes is None else codes, fmt, "fc")
    y = b.node(op, "fc", (x, w), FixedPoint(16, 6), "fc", **attrs)
    return b.build([y])


def test_random_graphs_equal_those_of_plain_integers() -> None:
    for graph, inputs in cases(0, 12):
        expanded = graph.replace(values={name: plain(value) for name, value in graph.values.items()})
        want, fast = reference(expanded, inputs), Executor(graph).trace(inputs)
        for name, codes in reference(graph, inputs).items():
            if not graph.values[name].constant:
                assert np.array_equal(codes, want[name]), name
                assert np.array_equal(codes, fast[name]), name


def test_passes_keep_the_outputs() -> None:
    for graph, inputs in cases(100, 12):
        want, better = reference(graph, inputs), optimise(graph)
        have = reference(better, inputs)
        for name, again in zip(graph.outputs, better.outputs, strict=True):
            assert np.array_equal(want[name], have[again])


def test_a_changed_exponent_is_another_network() -> None:
    graph = layer()
    value = graph.values["fc.weight"]
    assert isinstance(value.format, Grouped)
    other = replace(value, format=replace(value.format, shifts=(0, 2, 1, 1)))
    changed = graph.replace(values={**graph.values, "fc.weight": other})
    x = np.full((1, 6), 16)
    assert np.array_equal(graph.run(x)[0] == changed.run(x)[0], [True, False])
    assert to_bytes(graph) != to_bytes(changed)


def test_a_file_reads_back_equal_with_narrow_codes(tmp_path: Path) -> None:
    for graph, _ in (*cases(200, 6), (layer(), {})):
        graph.save(tmp_path / "net.edgeq")
        assert load(tmp_path / "net.edgeq") == graph
    assert from_bytes(to_bytes(layer())).values["fc.weight"].format == layer().values["fc.weight"].format


@pytest.mark.parametrize(
    ("key", "value", "fact"),
    [
        ("shifts", [0, 2, 1], "3 group scales do not fit"),
        ("shifts", [0, 2, 1, 40], "shifts 0..40 are outside"),
        ("shifts", [0, 2, 1, True], "tuple of ints"),
        ("shifts", {"0": 1}, "tuple of ints"),
        ("shifts", 5, "not readable"),
        ("group", 1 << 62, "4 group scales do not fit"),
        ("group", 0, "at least 1"),
        ("group", "4", "at least 1"),
        ("element", {"kind": "grouped"}, "not readable"),
        ("element", {"kind": []}, "not readable"),
        ("element", None, "not readable"),
    ],
)
def test_damaged_group_scales_are_refused(key: str, value: Any, fact: str, tmp_path: Path) -> None:
    data, path = to_bytes(layer()), tmp_path / "net.edgeq"
    header = header_of(data)
    next(v for v in header["values"] if v["name"] == "fc.weight")["format"][key] = value
    path.write_bytes(with_header(data, header))
    with pytest.raises(FileError, match=fact):
        load(path)


def test_random_damage_never_ends_in_another_error(tmp_path: Path) -> None:
    data, rng, refused = to_bytes(layer()), np.random.default_rng(3), 0
    for _ in range(200):
        bad = bytearray(data)
        bad[int(rng.integers(56, len(data)))] ^= 1 << int(rng.integers(8))
        path = tmp_path / "net.edgeq"
        path.write_bytes(sealed(bytes(bad)))
        try:
            load(path)
        except FileError:
            refused += 1
    assert refused > 100


def test_a_group_wider_than_a_row_is_one_group() -> None:
    graph = layer(Grouped(NAMED["e2m1"], 1 << 62, (0, 3)))
    assert graph.run(np.full((1, 6), 16)).shape == (1, 2)


def test_only_weights_have_group_scales() -> None:
    fmt = Grouped(FixedPoint(8, 4), 4, (0, 1))
    b = GraphBuilder("wrong")
    x = b.input("x", (6,), S8)
    y = b.node("add", "sum", (x, b.constant("c", np.arange(6), fmt)), S8)
    with pytest.raises(GraphError, match="add sum: c has group scales; only weights of conv, conv_transpose, linear"):
        b.build([y])
    b = GraphBuilder("wrong")
    b.input("x", (6,), fmt)
    with pytest.raises(GraphError, match="value 'x': only constants may have group scales"):
        b.build(["x"])
    with pytest.raises(GraphError, match=r"linear fc: weight fc\.weight has group scales, .* not a multiplier"):
        layer(multiplier=(3,), shift=(4,))
    with pytest.raises(GraphError, match=r"value .fc\.weight.: 4 group scales do not fit"):
        layer(Grouped(NAMED["e2m1"], 2, (0, 1, 2, 3)))
    b = GraphBuilder("wide")
    x = b.input("x", (6,), FixedPoint(32, 0))
    w = b.constant("w", np.full((1, 6), 0x7B), Grouped(NAMED["e5m2"], 6, (1,)))
    with pytest.raises(RangeError, match=r"linear fc: its sum needs 1\d\d bits"):
        b.build([b.node("linear", "fc", (x, w), FixedPoint(8, 50))])
