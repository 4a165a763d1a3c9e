"""Graphs written as QONNX: read back, and run by qonnx's own executor, they give the same numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from fpga.networks import Net, residual
from fpga.test_hardware_minifloats import network

from edgeq import load
from edgeq.cli import main
from edgeq.errors import UnsupportedError
from edgeq.formats import NAMED, Affine, FixedPoint
from edgeq.frontends.onnx.write import WRITERS, qonnx_model, wide_sums, write_qonnx
from edgeq.ir import Graph, GraphBuilder
from edgeq.verify.random_graphs import random_graph, random_inputs

onnx = pytest.importorskip("onnx", reason="the onnx package is not installed")


def reals(graph: Graph, count: int, seed: int = 0) -> dict[str, npt.NDArray[np.float32]]:
    """Inputs that the formats hold exactly."""
    codes = random_inputs(graph, np.random.default_rng(seed), count)
    found = {}
    for name, c in codes.items():
        layout = graph.layouts.get(name, tuple(range(c.ndim - 1)))
        users = [0, *(1 + layout.index(axis) for axis in range(len(layout)))]
        found[name] = graph.values[name].format.decode(c).astype(np.float32).transpose(users)
    return found


def elsewhere(path: Path, inputs: list[npt.NDArray[np.float32]]) -> list[npt.NDArray[np.float32]]:
    """What qonnx's own executor gives, every output, sample by sample."""
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.core.onnx_exec import execute_onnx
    from qonnx.transformation.infer_shapes import InferShapes

    model = ModelWrapper(str(path))
    for port in model.graph.input:  # the executor wants a number
        port.type.tensor_type.shape.dim[0].dim_value = 1
    model = model.transform(InferShapes())
    names = [port.name for port in model.graph.input]
    ends = [port.name for port in model.graph.output]
    rows = [
        execute_onnx(model, {name: x[i : i + 1] for name, x in zip(names, inputs, strict=True)})
        for i in range(len(inputs[0]))
    ]
    return [np.concatenate([row[end] for row in rows]) for end in ends]


def written(graph: Graph, path: Path) -> Path:
    write_qonnx(graph, path)
    onnx.checker.check_model(str(path))
    return path


@pytest.mark.parametrize(
    "graph",
    [residual(2, stride=2), network(NAMED["e2m1"], NAMED["e2m1"]), network(NAMED["e2m3"], NAMED["e3m2"])],
    ids=["fixed point", "e2m1", "e2m3 and e3m2"],
)
def test_a_network_comes_back_and_runs_elsewhere(graph: Graph, tmp_path: Path) -> None:
    pytest.importorskip("qonnx", reason="qonnx, an oracle, is not installed")
    path = written(graph, tmp_path / "net.onnx")
    assert not wide_sums(graph)
    (x,) = reals(graph, 6).values()
    wanted = graph.run(x)
    assert len(np.unique(wanted)) > 4
    assert np.array_equal(load(path).run(x), wanted)
    assert np.array_equal(elsewhere(path, [x[:2]])[0], wanted[:2])


def test_every_rule_of_rounding(tmp_path: Path) -> None:
    """Ties and their neighbours, in fixed point and to a minifloat."""
    pytest.importorskip("qonnx", reason="qonnx, an oracle, is not installed")
    x = (np.arange(-40, 40, dtype=np.float32) / 8).reshape(1, 80)
    for rule in ("half_up", "half_even", "floor", "half_down", "half_away", "half_to_zero", "to_zero"):
        for fmt in (FixedPoint(5, 1), NAMED["e2m1"]):
            b = GraphBuilder("rules")
            graph = b.build([b.node("requantise", "y", [b.input("x", (80,), FixedPoint(9, 3))], fmt, rounding=rule)]) \
                if rule in ("half_even", "floor", "half_up") or isinstance(fmt, FixedPoint) else None  # fmt: skip
            if graph is None:
                continue
            if rule == "half_up" and fmt == NAMED["e2m1"]:
                with pytest.raises(UnsupportedError, match="half_up to a minifloat"):
                    qonnx_model(graph)
                continue
            assert np.array_equal(elsewhere(written(graph, tmp_path / "y.onnx"), [x])[0], graph.run(x)), (rule, fmt)


def random_case(seed: int, path: Path) -> None:
    kind = ("fixed", "minifloat", "mixed")[seed % 3]
    graph = random_graph(np.random.default_rng([seed, 11]), ops=sorted(WRITERS), max_nodes=5, formats=kind)  # type: ignore[arg-type]
    if wide_sums(graph):
        pytest.skip(f"sums of {wide_sums(graph)[0]} need more than float32 holds")
    try:
        written(graph, path)
    except UnsupportedError as error:
        pytest.skip(str(error))
    inputs = reals(graph, 2, seed)
    wanted = graph.run(list(inputs.values()) if len(inputs) > 1 else next(iter(inputs.values())))
    for found, value in zip(
        elsewhere(path, list(inputs.values())), [wanted] if len(graph.outputs) == 1 else wanted, strict=True
    ):
        assert np.array_equal(found, value)


@pytest.mark.parametrize("seed", range(6))
def test_random_graphs(seed: int, tmp_path: Path) -> None:
    pytest.importorskip("qonnx", reason="qonnx, an oracle, is not installed")
    random_case(seed, tmp_path / "net.onnx")


def test_a_changed_weight_is_seen(tmp_path: Path) -> None:
    graph = residual(2, stride=2)
    path = written(graph, tmp_path / "net.onnx")
    model = onnx.load(str(path))
    (weights,) = [c for c in model.graph.initializer if c.name == "stem.w.real"]
    changed = onnx.numpy_helper.to_array(weights).copy()
    changed[0, :, 1, 1] += np.where(changed[0, :, 1, 1] < 0, 0.5, -0.5)  # one filter's middle
    weights.CopyFrom(onnx.numpy_helper.from_array(changed, weights.name))
    onnx.save(model, str(path))
    (x,) = reals(graph, 20).values()
    assert not np.array_equal(load(path).run(x), graph.run(x))


def test_what_has_no_word_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    net = Net()
    x = net.input((4, 4, 2))
    for attrs, said in (
        ({"overflow": "wrap"}, "overflows by wrap"),
        ({"multiplier": (3,), "shift": (2,)}, "scales that are no powers of two"),
    ):
        b = GraphBuilder("net")
        x = b.input("x", (8,), FixedPoint(12, 3))
        fmt = Affine(8, True, 0, 0.1) if "multiplier" in attrs else FixedPoint(8, 3)
        graph = b.build([b.node("requantise", "narrow", [x], fmt, **attrs)])  # type: ignore[arg-type]
        with pytest.raises(UnsupportedError, match=f"narrow.*{said}"):
            qonnx_model(graph)
    net = Net()
    best = net.b.node("argmax", "best", [net.input((5,))], FixedPoint(8, 0), axis=0, keep_axes=0)
    net.b.build([best]).save(tmp_path / "a.edgeq")
    assert main(["convert", str(tmp_path / "a.edgeq"), "-o", str(tmp_path / "a.onnx")]) == 2
    assert "operator argmax is not written as QONNX" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["a.edgeq"]


def test_convert_names_wide_sums(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    net = Net()
    w = net.constant("w", (2, 64), 16)
    y = net.b.node("linear", "wide", [net.input((64,), FixedPoint(16, 4)), w], FixedPoint(16, 4))
    net.b.build([y]).save(tmp_path / "a.edgeq")
    assert main(["convert", str(tmp_path / "a.edgeq"), "-o", str(tmp_path / "a.onnx")]) == 0
    assert "float32 may round" in capsys.readouterr().out
    assert (tmp_path / "a.onnx").is_file()
