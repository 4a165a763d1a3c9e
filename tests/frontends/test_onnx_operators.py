"""Generated .onnx models of single operators equal onnxruntime, code for code, where scales are powers of two."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeq.emulator import reference
from edgeq.formats import Affine, FixedPoint
from edgeq.frontends.onnx import load

pytest.importorskip("onnx", reason="the extra onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime, the oracle, is not installed")

from frontends.onnx_models import Writer, codes_out, onnxruntime_run

from tests.mcu.kernel_driver import run_graphs

RNG = np.random.default_rng
SAMPLES = 12


def bytes_of(seed: int, shape: tuple[int, ...], dtype: Any = np.int8) -> np.ndarray:
    """Codes of the whole range, extremes among them."""
    info = np.iinfo(dtype)
    x = RNG(seed).integers(info.min, info.max + 1, (SAMPLES, *shape)).astype(dtype)
    x[0], x[1] = info.min, info.max
    return x


def same(path: Path, *inputs: np.ndarray, optimised: bool = True) -> Any:
    """Load, run both, compare every code; the network is returned."""
    net = load(path)
    wanted = onnxruntime_run(path, *inputs, optimised=optimised)
    got = codes_out(net, list(inputs) if len(inputs) > 1 else inputs[0])
    for w, g in zip(wanted, got, strict=True):
        assert len(np.unique(w)) > 2, "the test would compare constants"
        np.testing.assert_array_equal(g.reshape(w.shape), w)
    return net


def qlinear_conv(path: Path, seed: int, zero: bool) -> tuple[Path, tuple[int, ...]]:
    """A QLinearConv with drawn options; with zero points, or without (then its formats are fixed point)."""
    rng = RNG(seed)
    spatial = int(rng.integers(1, 3))
    groups = int(rng.choice([1, 1, 2, 4]))
    channels, outputs = groups * int(rng.integers(1, 4)), groups * int(rng.integers(1, 4))
    if rng.integers(0, 3) == 0:
        groups = channels = outputs = int(rng.integers(2, 6))
    kernel = rng.integers(1, 4, spatial)
    attrs: dict[str, Any] = {
        "group": groups,
        "strides": rng.integers(1, 3, spatial).tolist(),
        "dilations": rng.integers(1, 3, spatial).tolist(),
        "kernel_shape": kernel.tolist(),
    }
    auto = rng.choice(["NOTSET", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"])
    if auto != "NOTSET":
        attrs |= {"auto_pad": str(auto), "dilations": [1] * spatial}
    else:
        attrs["pads"] = rng.integers(0, 3, 2 * spatial).tolist()
    w = Writer()
    weight = rng.integers(-127, 128, (outputs, channels // groups, *kernel)).astype(np.int8)
    scales = 2.0 ** -rng.integers(5, 9, outputs) if rng.integers(0, 2) else np.array(2.0**-7)
    ins = ["x", *w.numbers(2.0**-4, int(rng.integers(-20, 20)) if zero else 0), w.constant(weight)]
    ins += w.numbers(scales, np.zeros(scales.shape))
    ins += w.numbers(2.0 ** -int(rng.integers(0, 4)), int(rng.integers(-20, 20)) if zero else 0)
    if rng.integers(0, 2):
        ins.append(w.constant(rng.integers(-3000, 3000, outputs).astype(np.int32)))
    w.node("QLinearConv", ins, "conv", **attrs)
    shape = (channels, *rng.integers(6, 10, spatial).tolist())
    return w.save(path, {"x": (np.int8, (1, *shape))}, {"conv": np.int8}), shape


@pytest.mark.parametrize("zero", [False, True], ids=["fixed", "zero_points"])
@pytest.mark.parametrize("seed", range(12))
def test_convolutions(tmp_path: Path, seed: int, zero: bool) -> None:
    path, shape = qlinear_conv(tmp_path / "conv.onnx", seed, zero)
    net = same(path, bytes_of(seed, shape))
    kinds = {type(v.format) for v in net.values.values()}
    assert kinds == ({Affine} if zero and Affine in kinds else {FixedPoint})
    assert net.nodes[-1].name == "conv"


@pytest.mark.heavy
@pytest.mark.parametrize("zero", [False, True], ids=["fixed", "zero_points"])
def test_many_convolutions(tmp_path: Path, zero: bool) -> None:
    for seed in range(100, 700):
        path, shape = qlinear_conv(tmp_path / "conv.onnx", seed, zero)
        try:
            same(path, bytes_of(seed, shape))
        except AssertionError as error:
            raise AssertionError(f"seed {seed}") from error


def qdq(path: Path, body: Any, shapes: dict[str, tuple[int, ...]], scale: float, zero: int, **more: Any) -> Path:
    """A float operator between dequantised inputs of scale 1/16 and a quantised output."""
    w = Writer(**more)
    names = []
    for name in shapes:
        names.append(w.node("DequantizeLinear", [name, *w.numbers(2.0**-4, zero)], f"{name}_dq"))
    made = body(w, *names)
    w.node("QuantizeLinear", [made, *w.numbers(scale, zero)], "y")
    return w.save(path, {n: (np.int8, s) for n, s in shapes.items()}, {"y": np.int8})


MAP = (1, 3, 8, 6)
#: name -> operator between numbers, shapes of its inputs, scale of the output
CASES: dict[str, tuple[Any, dict[str, tuple[int, ...]], float]] = {
    "add": (lambda w, a, b: w.node("Add", [a, b], "n"), {"a": MAP, "b": MAP}, 2.0**-3),
    "sub": (lambda w, a, b: w.node("Sub", [a, b], "n"), {"a": MAP, "b": (1, 3, 1, 1)}, 2.0**-2),
    "mul": (lambda w, a, b: w.node("Mul", [a, b], "n"), {"a": MAP, "b": MAP}, 2.0**-1),
    "add_constant": (
        lambda w, a: w.node("Add", [a, w.dequantised(np.arange(-3, 3, dtype=np.int8), 0.25, 0)], "n"),
        {"a": MAP}, 2.0**-3,
    ),
    "relu": (lambda w, a: w.node("Relu", [a], "n"), {"a": MAP}, 2.0**-4),
    "clip": (
        lambda w, a: w.node("Clip", [a, w.constant(np.float32(-1)), w.constant(np.float32(2.5))], "n"),
        {"a": MAP}, 2.0**-5,
    ),
    "max_pool": (
        lambda w, a: w.node("MaxPool", [a], "n", kernel_shape=[3, 2], strides=[2, 1], pads=[1, 0, 1, 1]),
        {"a": MAP}, 2.0**-4,
    ),
    "max_pool_ceil": (
        lambda w, a: w.node("MaxPool", [a], "n", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1), {"a": MAP}, 2.0**-4
    ),
    "average_pool": (
        lambda w, a: w.node("AveragePool", [a], "n", kernel_shape=[2, 2], strides=[2, 2]), {"a": MAP}, 2.0**-4
    ),
    "average_pool_rescaled": (
        lambda w, a: w.node("AveragePool", [a], "n", kernel_shape=[2, 2], strides=[2, 2]), {"a": MAP}, 2.0**-5
    ),
    "global_average_pool": (
        lambda w, a: w.node("GlobalAveragePool", [a], "n"), {"a": (1, 3, 8, 8)}, 2.0**-5
    ),
    "global_max_pool": (lambda w, a: w.node("GlobalMaxPool", [a], "n"), {"a": MAP}, 2.0**-4),
    "reduce_mean": (
        lambda w, a: w.node("ReduceMean", [a], "n", axes=[1, 3], keepdims=0), {"a": (1, 4, 5, 8)}, 2.0**-5
    ),
    "concat": (lambda w, a, b: w.node("Concat", [a, b], "n", axis=1), {"a": MAP, "b": (1, 2, 8, 6)}, 2.0**-4),
    "concat_rescaled": (
        lambda w, a, b: w.node("Concat", [a, b], "n", axis=-1), {"a": MAP, "b": (1, 3, 8, 2)}, 2.0**-3
    ),
    "pad": (
        lambda w, a: w.node("Pad", [a, w.constant(np.array([0, 1, 0, 2, 0, 0, 3, 0]))], "n"), {"a": MAP}, 2.0**-4
    ),
    "pad_reflect": (
        lambda w, a: w.node("Pad", [a, w.constant(np.array([0, 0, 1, 2, 0, 0, 3, 1]))], "n", mode="reflect"),
        {"a": MAP}, 2.0**-4,
    ),
    "slice": (
        lambda w, a: w.node("Slice", [a, *(w.constant(np.array(v)) for v in ([1, 7], [3, 0], [1, 2], [1, -2]))], "n"),
        {"a": MAP}, 2.0**-4,
    ),
    "transpose": (lambda w, a: w.node("Transpose", [a], "n", perm=[0, 3, 1, 2]), {"a": MAP}, 2.0**-4),
    "reshape": (
        lambda w, a: w.node("Reshape", [a, w.constant(np.array([0, -1, 12]))], "n"), {"a": MAP}, 2.0**-4
    ),
    "flatten": (lambda w, a: w.node("Flatten", [a], "n"), {"a": MAP}, 2.0**-4),
    "squeeze": (
        lambda w, a: w.node("Squeeze", [a, w.constant(np.array([2]))], "n"), {"a": (1, 3, 1, 6)}, 2.0**-4
    ),
    "unsqueeze": (lambda w, a: w.node("Unsqueeze", [a, w.constant(np.array([2]))], "n"), {"a": (1, 3, 6)}, 2.0**-4),
    "gather": (
        lambda w, a: w.node("Gather", [a, w.constant(np.array([2, 0, 2]))], "n", axis=1), {"a": MAP}, 2.0**-4
    ),
    "resize": (
        lambda w, a: w.node("Resize", [a, "", w.constant(np.array([1, 1, 2, 3], np.float32))], "n",
                            coordinate_transformation_mode="asymmetric", nearest_mode="floor"),
        {"a": MAP}, 2.0**-4,
    ),
    "resize_by_the_factor_that_was_meant": (
        lambda w, a: w.node("Resize", [a, "", w.constant(np.array([1, 1, 1, 0.6], np.float32))], "n",
                            nearest_mode="floor"),
        {"a": MAP}, 2.0**-4,
    ),
    "resize_linear": (
        lambda w, a: w.node("Resize", [a, "", w.constant(np.array([1, 1, 2, 0.5], np.float32))], "n", mode="linear"),
        {"a": MAP}, 2.0**-4,
    ),
    "resize_corners": (
        lambda w, a: w.node("Resize", [a, "", "", w.constant(np.array([1, 3, 15, 11]))], "n", mode="linear",
                            coordinate_transformation_mode="align_corners"),
        {"a": MAP}, 2.0**-4,
    ),
    "depth_to_space": (
        lambda w, a: w.node("DepthToSpace", [a], "n", blocksize=2, mode="CRD"), {"a": (1, 8, 3, 5)}, 2.0**-4
    ),
    "matmul": (
        lambda w, a: w.node(
            "MatMul", [a, w.dequantised(RNG(1).integers(-99, 99, (6, 5)).astype(np.int8), 0.25, 0)], "n"
        ),
        {"a": (1, 7, 6)}, 2.0**2,
    ),
    "matmul_computed": (
        lambda w, a, b: w.node("MatMul", [a, b], "n"), {"a": (1, 7, 6), "b": (1, 6, 5)}, 2.0**0
    ),
    "gemm": (
        lambda w, a: w.node("Gemm", [a, w.dequantised(RNG(2).integers(-99, 99, (5, 6)).astype(np.int8), 0.125, 0),
                                     w.dequantised(RNG(3).integers(-999, 999, 5).astype(np.int32), 2.0**-7, 0)],
                            "n", transB=1),
        {"a": (1, 6)}, 2.0**0,
    ),
    "conv_transpose": (
        lambda w, a: w.node("ConvTranspose", [a, w.dequantised(RNG(4).integers(-99, 99, (4, 3, 3, 2)).astype(np.int8),
                                                               0.125, 0)], "n", group=2, strides=[2, 1],
                            pads=[1, 0, 0, 1], output_padding=[1, 0]),
        {"a": (1, 4, 5, 6)}, 2.0**0,
    ),
}  # fmt: skip


@pytest.mark.parametrize("zero", [0, -7])
@pytest.mark.parametrize("name", CASES)
def test_operators_between_quantised_tensors(tmp_path: Path, name: str, zero: int) -> None:
    body, shapes, scale = CASES[name]
    path = qdq(tmp_path / f"{name}.onnx", body, shapes, scale, zero)
    inputs = [bytes_of(i, s[1:]) for i, s in enumerate(shapes.values())]
    net = same(path, *inputs, optimised=False)
    if zero == 0:
        # With an odd zero point onnxruntime's fused sums round ties the other way than its QuantizeLinear.
        same(path, *inputs)
    affine = {isinstance(v.format, Affine) for v in net.values.values()}
    assert (True in affine) == (zero != 0)


@pytest.mark.parametrize("keep", [0, 1])
@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("shape", [MAP, (1, 1, 5), (1, 7)])
def test_argmax_along_every_axis(tmp_path: Path, shape: tuple[int, ...], axis: int, keep: int) -> None:
    """The batch, of one, is an axis as well: its greatest is the first."""
    w = Writer()
    real = w.node("DequantizeLinear", ["x", *w.numbers(2.0**-4, 3)], "real")
    w.node("ArgMax", [real], "y", axis=axis, keepdims=keep)
    path = w.save(tmp_path / "a.onnx", {"x": (np.int8, shape)}, {"y": np.int64})
    found = np.concatenate([onnxruntime_run(path, x[None])[0].reshape(1, -1) for x in bytes_of(5, shape[1:])])
    made = codes_out(load(path), bytes_of(5, shape[1:]))[0]
    np.testing.assert_array_equal(made.reshape(found.shape), found)
    assert (found.max() > 0) == (axis != 0 and shape[axis] > 1)


@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_resizes_of_old_files_are_asymmetric(tmp_path: Path, mode: str) -> None:
    """Opset 10 has no coordinates to choose from."""

    def body(w: Writer, a: str) -> str:
        return w.node("Resize", [a, w.constant(np.array([1, 1, 2, 3], np.float32))], "n", mode=mode)

    path = qdq(tmp_path / "old.onnx", body, {"a": MAP}, 2.0**-4, 0, opset=10)
    if mode == "nearest":
        same(path, bytes_of(3, MAP[1:]), optimised=False)
        return
    # Thirds are no shares of 2^-8, so a tie may go either way.
    net, x = load(path), bytes_of(3, MAP[1:])
    (wanted,) = onnxruntime_run(path, x, optimised=False)
    apart = np.abs(codes_out(net, x)[0].astype(int) - wanted)
    assert apart.max() <= 1
    assert (apart != 0).mean() < 0.2


@pytest.mark.parametrize("op", ["Sigmoid", "Tanh", "LeakyRelu", "HardSigmoid", "HardSwish", "Elu"])
def test_functions_are_tables(tmp_path: Path, op: str) -> None:
    """Every code of the input; onnxruntime computes in float32, which shows at ties only: there is none here."""
    path = qdq(tmp_path / "f.onnx", lambda w, a: w.node(op, [a], "n"), {"a": (1, 256)}, 2.0**-6, 0)
    x = np.arange(-128, 128, dtype=np.int8)[None]
    net = load(path)
    assert [n.op for n in net.nodes] == ["table"]
    (wanted,) = onnxruntime_run(path, x, optimised=False)
    np.testing.assert_array_equal(codes_out(net, x)[0], wanted)


def test_a_relu_is_the_bound_of_the_convolution_before_it(tmp_path: Path) -> None:
    w = Writer()
    x = w.node("DequantizeLinear", ["x", *w.numbers(0.0625, 0)], "xd")
    weight = w.dequantised(RNG(0).integers(-99, 99, (4, 3, 3, 3)).astype(np.int8), np.full(4, 0.125), 0)
    w.node("Conv", [x, weight], "conv", pads=[1, 1, 1, 1])
    w.node("Relu", ["conv"], "relu")
    w.node("MaxPool", ["relu"], "pool", kernel_shape=[2, 2], strides=[2, 2])
    w.node("QuantizeLinear", ["pool", *w.numbers(0.5, 0)], "y")
    path = w.save(tmp_path / "a.onnx", {"x": (np.int8, (1, 3, 6, 6))}, {"y": np.int8})
    net = same(path, bytes_of(0, (3, 6, 6)))
    assert [(n.op, n.name) for n in net.nodes] == [("conv", "conv"), ("max_pool", "pool")]
    assert net.nodes[0].attrs["lo"] == 0


def test_real_scales_are_within_one_code_and_mostly_equal(tmp_path: Path) -> None:
    """The factor is float32, as onnxruntime's; its product with a sum is rounded there once more."""
    rng, w = RNG(5), Writer()
    weight = rng.integers(-127, 128, (8, 4, 3, 3)).astype(np.int8)
    ins = ["x", *w.numbers(0.0173, 3), w.constant(weight), *w.numbers(rng.uniform(0.001, 0.01, 8), np.zeros(8))]
    w.node("QLinearConv", [*ins, *w.numbers(0.0391, -11)], "conv")
    path = w.save(tmp_path / "a.onnx", {"x": (np.int8, (1, 4, 12, 12))}, {"conv": np.int8})
    x = RNG(6).integers(-128, 128, (60, 4, 12, 12)).astype(np.int8)
    (wanted,) = onnxruntime_run(path, x)
    apart = codes_out(load(path), x)[0].astype(int) - wanted
    assert np.abs(apart).max() <= 1
    assert (apart != 0).mean() <= 1e-4


@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
def test_padded_pools_of_real_scales_run_in_c(tmp_path: Path, dtype: Any) -> None:
    """Windows that see one to nine elements; the same scale behind them, and another one."""
    w, zero = Writer(), 0 if dtype == np.int8 else 128
    ins = w.numbers(0.0731, zero + 3, dtype)
    w.node("DequantizeLinear", ["x", *ins], "real")
    w.node("AveragePool", ["real"], "pool", kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 1])
    w.node("QuantizeLinear", ["pool", *ins], "same")
    w.node("AveragePool", ["real"], "other", kernel_shape=[2, 3], auto_pad="SAME_LOWER")
    w.node("QuantizeLinear", ["other", *w.numbers(0.0317, zero - 7, dtype)], "finer")
    path = w.save(tmp_path / "a.onnx", {"x": (dtype, (1, 3, 8, 7))}, dict.fromkeys(("same", "finer"), dtype))
    net, x = load(path), bytes_of(8, (3, 8, 7), dtype)
    assert {n.text("rounding") for n in net.nodes if n.op == "average_pool"} == {"half_even"}
    # A tie of the mean is beside it in float32; a mean that is rounded at its input's scale is 1.2 finer steps away.
    for most, wanted, got in zip((1, 2), onnxruntime_run(path, x), codes_out(net, x), strict=True):
        assert len(np.unique(wanted)) > 100
        assert np.abs(got.reshape(wanted.shape).astype(int) - wanted).max() <= most
    codes = {net.inputs[0]: x.astype(np.int64).transpose(0, *(1 + a for a in net.layouts[net.inputs[0]]))}
    want = reference(net, codes)
    (found,) = run_graphs([(net, codes)], tmp_path / "c")
    for name in net.outputs:
        np.testing.assert_array_equal(found[name], want[name])


def test_integer_operators(tmp_path: Path) -> None:
    w = Writer()
    weight = RNG(1).integers(-127, 128, (5, 3, 3, 3)).astype(np.int8)
    zeros = [w.constant(np.int8(-4)), w.constant(np.int8(2))]
    w.node("ConvInteger", ["x", w.constant(weight), *zeros], "conv", pads=[1, 1, 1, 1])
    w.node("Flatten", ["conv"], "flat")
    path = w.save(tmp_path / "a.onnx", {"x": (np.int8, (1, 3, 5, 5))}, {"flat": np.int32})
    same(path, bytes_of(0, (3, 5, 5)))

    w = Writer()
    matrix = RNG(2).integers(0, 256, (6, 4)).astype(np.uint8)
    zeros = [w.constant(np.uint8(100)), w.constant(RNG(3).integers(0, 256, 4).astype(np.uint8))]
    w.node("MatMulInteger", ["x", w.constant(matrix), *zeros], "y")
    path = w.save(tmp_path / "b.onnx", {"x": (np.uint8, (1, 6))}, {"y": np.int32})
    same(path, bytes_of(0, (6,), np.uint8))


@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
def test_operators_on_codes(tmp_path: Path, dtype: Any) -> None:
    """The kinds of com.microsoft, one after another; even zero points, where ties are even before and after them."""
    w, ms = Writer(), "com.microsoft"
    z = 0 if dtype == np.int8 else 128
    a, half = w.numbers(0.0625, z + 3, dtype), w.numbers(0.5, z, dtype)
    w.node("QLinearAdd", ["x", *a, "x", *w.numbers(0.25, z, dtype), *half], "add", ms)
    w.node("QLinearMul", ["add", *half, "x", *a, *w.numbers(2.0, z - 8, dtype)], "mul", ms)
    two = w.numbers(2.0, z - 8, dtype)
    w.node("QLinearConcat", [*half, "add", *half, "mul", *two], "cat", ms, axis=1)
    w.node("QLinearAveragePool", ["cat", *half, *w.numbers(0.25, z, dtype)], "pool", ms, kernel_shape=[2, 2])
    w.node("QLinearGlobalAveragePool", ["cat", *half, *w.numbers(0.125, z, dtype)], "mean", ms)
    path = w.save(
        tmp_path / "a.onnx", {"x": (dtype, (1, 3, 4, 4))}, dict.fromkeys(("add", "mul", "cat", "pool", "mean"), dtype)
    )
    same(path, bytes_of(1, (3, 4, 4), dtype))


def test_the_comparison_can_fail(tmp_path: Path) -> None:
    """A model whose weights differ by one code from the one that is loaded is told from it."""
    path, shape = qlinear_conv(tmp_path / "conv.onnx", 3, False)
    x = bytes_of(3, shape)
    wanted = onnxruntime_run(path, x)[0]
    net = load(path)
    node = net.nodes[0]
    weight = net.values[node.inputs[1]]
    changed = weight.data.copy()  # type: ignore[union-attr]
    changed.flat[0] += 1 if changed.flat[0] < 127 else -1
    from dataclasses import replace

    other = net.replace(values={**net.values, weight.name: replace(weight, data=changed)})
    assert not np.array_equal(codes_out(other, x)[0], wanted)
