"""Networks from .tflite files beyond one operator: shape arithmetic, borders, several inputs, generated C."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tflite", reason="reading .tflite needs the extra edgeq[tflite]")

from frontends import test_tflite_movement as movements
from frontends import test_tflite_products as products
from frontends.tflite_oracle import Rng, compare, runtime
from frontends.tflite_writer import Call, Spec, write, write_model

from edgeq.emulator import reference
from edgeq.errors import EdgeqError, UnsupportedError
from edgeq.frontends import load
from edgeq.frontends.tflite import parts as _tflite_parts
from edgeq.frontends.tflite import products as reader
from edgeq.frontends.tflite import resize as _tflite_resize
from edgeq.ir import analyse
from edgeq.mcu.ops import lower
from tests.mcu.kernel_driver import run_graphs

MAKERS: dict[str, Callable[[Rng], bytes]] = {**movements.MAKERS, **products.MAKERS}
ints = movements.ints


def quantised(name: str, shape: tuple[int, ...], dtype: str = "i1", scale: float = 0.25, zero: int = 3) -> Spec:
    return Spec(name, shape, dtype, (scale,), zero)


def dynamic_reshape() -> bytes:
    """What converters make of x.reshape(x.shape[0], -1): SHAPE, STRIDED_SLICE, PACK, RESHAPE, with a batch of -1."""
    tensors = [
        quantised("x", (-1, 3, 4)),
        Spec("shape", (3,), "i4", ()),
        ints("zero", [0]),
        ints("one", [1]),
        Spec("batch", (), "i4", ()),
        ints("rest", 12),
        Spec("target", (2,), "i4", ()),
        quantised("y", (-1, 12)),
        quantised("z", (-1, 12)),
    ]
    calls = [
        Call("SHAPE", [0], [1], "ShapeOptions"),
        Call("STRIDED_SLICE", [1, 2, 3, 3], [4], "StridedSliceOptions", {"ShrinkAxisMask": 1}),
        Call("PACK", [4, 5], [6], "PackOptions", {"ValuesCount": 2}),
        Call("RESHAPE", [0, 6], [7]),
        Call("RELU", [7], [8]),
    ]
    return write_model(tensors, calls, [0], [8])


def test_shape_arithmetic_vanishes(tmp_path: Path) -> None:
    path = tmp_path / "x.tflite"
    path.write_bytes(dynamic_reshape())
    graph = load(path)
    assert {node.op for node in graph.nodes} <= {"reshape", "requantise"}
    assert graph.values[graph.inputs[0]].shape == (3, 4)
    x = np.random.default_rng(0).integers(-128, 128, (5, 3, 4))
    np.testing.assert_array_equal(graph.run(x), np.maximum(x, 3).reshape(5, 12))


FOLDED: dict[str, tuple[str, list[Any], str, dict[str, Any], Any]] = {
    "add": ("ADD", [[3, 4], [5, -4]], "AddOptions", {}, [8, 0]),
    "mul": ("MUL", [[3, 4], 2], "MulOptions", {}, [6, 8]),
    "floor_div": ("FLOOR_DIV", [[7, -7], [2, 2]], "", {}, [3, -4]),
    "reduce_prod": ("REDUCE_PROD", [[2, 3, 4], 0], "ReducerOptions", {}, 24),
    "concatenation": ("CONCATENATION", [[1, 2], [3]], "ConcatenationOptions", {"Axis": -1}, [1, 2, 3]),
    "gather": ("GATHER", [[5, 6, 7], [2, 0]], "GatherOptions", {}, [7, 5]),
    "range": ("RANGE", [2, 9, 3], "", {}, [2, 5, 8]),
    "fill": ("FILL", [[2], 7], "", {}, [7, 7]),
    "slice": ("SLICE", [[5, 6, 7], [1], [-1]], "", {}, [6, 7]),
    "transpose": ("TRANSPOSE", [[[1, 2, 3]], [1, 0]], "", {}, [[1], [2], [3]]),
    "strided_slice": ("STRIDED_SLICE", [[5, 6, 7], [-1], [-4], [-2]], "StridedSliceOptions", {}, [7, 5]),
    "new axis": ("STRIDED_SLICE", [[5, 6], [0, 1], [0, 2], [1, 1]], "StridedSliceOptions", {"NewAxisMask": 1}, [[6]]),
    "ellipsis": (
        *("STRIDED_SLICE", [[[[1, 2], [3, 4]]], [0, 1], [0, 2], [1, 1]], "StridedSliceOptions"),
        *({"EllipsisMask": 1}, [[[2], [4]]]),
    ),
}


@pytest.mark.parametrize("case", FOLDED)
def test_constant_arithmetic(case: str, tmp_path: Path) -> None:
    """The folded integers are places that a GATHER picks: another result is another network."""
    op, operands, options, fields, want = FOLDED[case]
    codes = np.array(want)
    constants = [ints(f"c{i}", operand) for i, operand in enumerate(operands)]
    last = len(constants)
    places = Spec("places", codes.shape, "i4", ())
    least = min(0, int(codes.min()))
    offset = ints("offset", -least)
    tensors = [*constants, places, quantised("x", (1, 40)), quantised("y", (1, *codes.shape)), offset]
    calls = [Call(op, range(last), [last], options, fields)]
    index = last
    if least:
        tensors.append(Spec("moved", codes.shape, "i4", ()))
        index = last + 4
        calls.append(Call("ADD", [last, last + 3], [index], "AddOptions"))
    calls.append(Call("GATHER", [last + 1, index], [last + 2], "GatherOptions", {"Axis": 1}))
    path = tmp_path / "x.tflite"
    path.write_bytes(write_model(tensors, calls, [last + 1], [last + 2]))
    graph = load(path)
    x = np.arange(40)[None]
    np.testing.assert_array_equal(graph.run(x).reshape(codes.shape), codes - least)


def test_several_pictures_are_refused_with_a_way_out(tmp_path: Path) -> None:
    x, y = (Spec(n, (2, 4, 4, 1), scales=(0.5,)) for n in "xy")
    path = tmp_path / "m.tflite"
    path.write_bytes(
        write("MAX_POOL_2D", [x, y], 1, "Pool2DOptions", StrideH=1, StrideW=1, FilterHeight=1, FilterWidth=1)
    )
    with pytest.raises(
        UnsupportedError, match=r"MAX_POOL_2D y: input \(2, 4, 4, 1\), .*; convert the network with a batch"
    ):
        load(path)


def test_a_computed_size_is_refused(tmp_path: Path) -> None:
    tensors = [quantised("x", (1, 4)), quantised("size", (2,)), quantised("y", (1, 4))]
    path = tmp_path / "x.tflite"
    path.write_bytes(write("TRANSPOSE", tensors, 2, "TransposeOptions"))
    with pytest.raises(UnsupportedError, match="input size is computed; it must be constant"):
        load(path)


@pytest.mark.parametrize("kinds", ["u1 i1", "i1 u1", "i2 i1", "i1 i2", "i2 i2"])
def test_requantise_between_widths(kinds: str, tmp_path: Path) -> None:
    ends = {"i1": 128, "u1": 256, "i2": 1}
    for seed in range(8):
        rng = np.random.default_rng(seed)
        specs = []
        for name, dtype in zip("xy", kinds.split(), strict=True):
            low = -128 if dtype == "i1" else 0
            scale = float(np.float32(rng.uniform(0.01, 0.5) if dtype != "i2" else rng.uniform(1e-4, 1e-3)))
            specs.append(quantised(name, (1, 64), dtype, scale, int(rng.integers(low, low + ends[dtype]))))
            if dtype == "i2":
                specs[-1].zero = 0
        seen = compare(write("QUANTIZE", specs, 1), tmp_path / "x.tflite", rng, f"{kinds} seed {seed}", 4)
        assert len(np.unique(seen)) > 5


def two_by_two() -> bytes:
    """Two inputs, one of them float; three outputs, one of them float and one that another node reads."""
    tensors = [
        Spec("float_in", (1, 6), "f4", ()),
        quantised("a", (1, 6), scale=0.125, zero=-5),
        quantised("b", (1, 6), scale=0.5, zero=9),
        quantised("sum", (1, 6), scale=0.5, zero=1),
        quantised("relu", (1, 6), scale=0.5, zero=1),
        Spec("float_out", (1, 6), "f4", ()),
        quantised("left", (1, 2), scale=0.5, zero=1),
        quantised("right", (1, 4), scale=0.5, zero=1),
        ints("sizes", [2, 4]),
        ints("axis", 1),
    ]
    calls = [
        Call("QUANTIZE", [0], [1]),
        Call("ADD", [1, 2], [3], "AddOptions"),
        Call("RELU", [3], [4]),
        Call("DEQUANTIZE", [4], [5]),
        Call("SPLIT_V", [3, 8, 9], [6, 7], "SplitVOptions", {"NumSplits": 2}),
    ]
    return write_model(tensors, calls, [0, 2], [5, 3, 7])


def test_several_inputs_and_outputs_with_floats_at_the_borders(tmp_path: Path) -> None:
    data, rng = two_by_two(), np.random.default_rng(0)
    (tmp_path / "x.tflite").write_bytes(data)
    graph = load(tmp_path / "x.tflite")
    device = runtime.Interpreter.from_bytes(data, arena_size=1 << 16)
    first = np.float32(rng.normal(0, 10, (20, 6)))
    second = rng.integers(-128, 128, (20, 6)).astype(np.int8)
    border = graph.values[graph.inputs[0]].format
    found = graph.run([border.quantize(first), second.astype(np.int64)])
    made = [graph.values[name].format for name in graph.outputs]
    for i in range(20):
        device.set_input(first[i : i + 1], 0)
        device.set_input(second[i : i + 1], 1)
        device.invoke()
        np.testing.assert_array_equal(made[0].decode(found[0][i]).astype(np.float32), device.get_output(0)[0])
        np.testing.assert_array_equal(found[1][i], device.get_output(1)[0])
        np.testing.assert_array_equal(found[2][i], device.get_output(2)[0])
    assert len(np.unique(found[1])) > 20


@pytest.mark.parametrize(
    ("op", "module", "name", "faulty"),
    [
        ("STRIDED_SLICE", _tflite_parts, "_range", lambda n, ends, *rest: range(n)),
        ("RESIZE_BILINEAR", _tflite_resize, "CODE_RULE", "half_up"),
        ("RESIZE_NEAREST_NEIGHBOR", _tflite_resize, "nearest", lambda n, m, corners, centers: np.arange(m) * n // m),
        ("TRANSPOSE_CONV", reader, "same_padding", lambda n, k, s, d: (k // 2, k // 2)),
        ("BATCH_MATMUL", reader, "product_factors", lambda x, w, y: [x * v / y * (1 + 1e-3) for v in w]),
    ],
)
def test_a_fault_is_found(
    op: str, module: Any, name: str, faulty: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, name, faulty)
    found = 0
    for seed in range(12):
        rng = np.random.default_rng([seed, *op.encode()])
        try:
            compare(MAKERS[op](rng), tmp_path / "x.tflite", rng, op, 4)
        except (AssertionError, EdgeqError):
            found += 1
    assert found > 0


def test_generated_c_equals_the_emulator(tmp_path: Path) -> None:
    """Some networks of every operator, every tensor, in one program."""
    cases = []
    for op, make in MAKERS.items():
        for seed in range(2):
            rng = np.random.default_rng([seed, *op.encode()])
            (tmp_path / "x.tflite").write_bytes(make(rng))
            graph = load(tmp_path / "x.tflite")
            if graph.nodes:
                inputs = {}
                for name in graph.inputs:
                    lo, hi = graph.values[name].format.code_range
                    inputs[name] = rng.integers(lo, hi + 1, (3, *graph.values[name].shape))
                cases.append((graph, inputs))
    kernels = {s.kernel for g, _ in cases for n in g.nodes if (s := lower(g, n, analyse(g))) is not None}
    assert {"gather", "resize_bilinear_scaled", "conv_transpose_scaled", "matmul_scaled", "pad", "slice"} <= kernels
    for (graph, inputs), trace in zip(cases, run_graphs(cases, tmp_path), strict=True):
        for name, want in reference(graph, inputs).items():
            np.testing.assert_array_equal(trace[name], want, err_msg=f"{graph.name} {name}")
