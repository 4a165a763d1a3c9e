"""Generated .tflite files of functions, reductions and choices equal TensorFlow Lite Micro to the byte."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tflite", reason="reading .tflite needs the extra edgeq[tflite]")

from frontends.tflite_oracle import Rng, compare
from frontends.tflite_writer import Spec, write

from edgeq.errors import FileError, UnsupportedError
from edgeq.frontends import load
from edgeq.frontends.tflite.curves import rescaled
from edgeq.frontends.tflite.numbers import quantised

SEEDS = 20


def scale(rng: Rng, low: float = 0.005, high: float = 0.5) -> tuple[float]:
    return (float(np.float32(np.exp(rng.uniform(np.log(low), np.log(high))))),)


def zero(rng: Rng) -> int:
    return int(rng.choice([-128, 127, 0, rng.integers(-128, 128)]))


def tensor(rng: Rng, name: str, shape: tuple[int, ...], low: float = 0.005, high: float = 0.5) -> Spec:
    return Spec(name, shape, scales=scale(rng, low, high), zero=zero(rng))


def shape_of(rng: Rng, least: int = 1, most: int = 4) -> tuple[int, ...]:
    first = 1 if rng.integers(4) else 2
    return (first, *(int(n) for n in rng.integers(1, 7, int(rng.integers(least, most + 1)) - 1)))


ALL = (1, 256)


def unary(op: str, low: float = 0.001, high: float = 1.0) -> Callable[[Rng], bytes]:
    """Input and output of any scale; a third of them of one."""

    def make(rng: Rng) -> bytes:
        x, y = tensor(rng, "x", ALL, low, high), tensor(rng, "y", ALL, low, high)
        if rng.integers(3) == 0:
            y.scales, y.zero = x.scales, x.zero
        return write(op, [x, y], 1)

    return make


def logistic(rng: Rng) -> bytes:
    return write("LOGISTIC", [tensor(rng, "x", ALL, 1e-4, 20), Spec("y", ALL, "i1", (1 / 256,), -128)], 1)


def tanh(rng: Rng) -> bytes:
    return write("TANH", [tensor(rng, "x", ALL, 1e-4, 20), Spec("y", ALL, "i1", (1 / 128,), 0)], 1)


def hard_swish(rng: Rng) -> bytes:
    x = tensor(rng, "x", ALL, 0.0005, 3)
    y = Spec("y", ALL, "i1", (float(np.float32(x.scales[0] * rng.uniform(0.01, 40))),), zero(rng))
    return write("HARD_SWISH", [x, y], 1, "HardSwishOptions")


def leaky_relu(rng: Rng) -> bytes:
    alpha = float(rng.choice([0.0, 0.1, 0.3, 1.0, 1.5, -0.25, rng.uniform(0, 1)]))
    return write("LEAKY_RELU", [tensor(rng, "x", ALL), tensor(rng, "y", ALL)], 1, "LeakyReluOptions", Alpha=alpha)


def reduction(op: str) -> Callable[[Rng], bytes]:
    def make(rng: Rng) -> bytes:
        shape = shape_of(rng, 2) if rng.integers(5) else (1, 7, 9, 13)
        axes = [int(a) for a in rng.permutation(len(shape))[: int(rng.integers(1, len(shape) + 1))]]
        keep = bool(rng.integers(2))
        out = tuple(1 if i in axes else n for i, n in enumerate(shape) if keep or i not in axes)
        x, y = tensor(rng, "x", shape), tensor(rng, "y", out, 0.002, 2.0)
        if rng.integers(3) == 0:
            y.scales, y.zero = x.scales, x.zero
        named = [a - len(shape) if rng.integers(2) else a for a in axes]
        named += named[:1] if rng.integers(4) == 0 else []
        a = Spec("a", (len(named),), "i4", (), data=np.array(named))
        return write(op, [x, a, y], 1, "ReducerOptions", KeepDims=keep)

    return make


def arg(op: str, options: str) -> Callable[[Rng], bytes]:
    def make(rng: Rng) -> bytes:
        shape = (1 if rng.integers(4) else 3, *shape_of(rng, 1, 3))
        axis = int(rng.integers(0, len(shape)))
        x = tensor(rng, "x", shape)
        a = Spec("a", (), "i4", (), data=np.array(axis - len(shape) if rng.integers(2) else axis))
        y = Spec("y", shape[:axis] + shape[axis + 1 :], "i4", ())
        return write(op, [x, a, y], 1, options, OutputType=2)

    return make


def choice(op: str) -> Callable[[Rng], bytes]:
    """Of one scale, or of several, which the kernel does not look at."""

    def make(rng: Rng) -> bytes:
        shape = (1, *(int(n) for n in rng.integers(1, 6, 3)))
        small = tuple(1 if rng.integers(3) == 0 else n for n in shape)[int(rng.integers(0, 4)) :]
        a, b, y = (tensor(rng, n, s) for n, s in (("a", shape), ("b", small), ("y", shape)))
        if rng.integers(3):
            for spec in (b, y):
                spec.scales, spec.zero = a.scales, a.zero
        if len(small) < 4 or rng.integers(2):
            b.data = rng.integers(-128, 128, small)
        pair = [a, b] if b.data is not None or rng.integers(2) else [b, a]
        return write(op, [*pair, y], 1 if b.data is not None else 2, "MaximumMinimumOptions")

    return make


def prelu(rng: Rng) -> bytes:
    """A slope for all, for each channel, for each element; computed ones too."""
    shape = (1, *(int(n) for n in rng.integers(1, 6, 3)))
    small = ((1, 1, 1), (1, 1, shape[3]), shape[1:], (1, *shape[1:]), (shape[3],))[int(rng.integers(5))]
    x, slope, y = tensor(rng, "x", shape), tensor(rng, "a", small), tensor(rng, "y", shape)
    if rng.integers(4):
        slope.data = rng.integers(-128, 128, small)
        return write("PRELU", [x, slope, y], 1)
    slope.shape = (1, *shape[1:])
    return write("PRELU", [x, slope, y], 2)


MAKERS: dict[str, Callable[[Rng], bytes]] = {
    "ABS": unary("ABS"),
    "ARG_MAX": arg("ARG_MAX", "ArgMaxOptions"),
    "ARG_MIN": arg("ARG_MIN", "ArgMinOptions"),
    "ELU": unary("ELU"),
    "HARD_SWISH": hard_swish,
    "LEAKY_RELU": leaky_relu,
    "LOGISTIC": logistic,
    "MAXIMUM": choice("MAXIMUM"),
    "MEAN": reduction("MEAN"),
    "MINIMUM": choice("MINIMUM"),
    "PRELU": prelu,
    "RELU": unary("RELU"),
    "RELU6": unary("RELU6"),
    "SUM": reduction("SUM"),
    "TANH": tanh,
}


UNARY = ("ABS", "ELU", "HARD_SWISH", "LEAKY_RELU", "LOGISTIC", "RELU", "RELU6", "TANH")


def differing(op: str, seeds: range, folder: Path) -> np.ndarray:
    values = []
    for seed in seeds:
        rng = np.random.default_rng([seed, *op.encode()])
        values.append(compare(MAKERS[op](rng), folder / f"{op.lower()}_{seed}.tflite", rng, f"{op} seed {seed}"))
    return np.unique(np.concatenate(values))


@pytest.mark.parametrize("op", MAKERS)
def test_equals_the_interpreter(op: str, tmp_path: Path) -> None:
    assert len(differing(op, range(SEEDS), tmp_path)) > (4 if op.startswith("ARG") else 50)


@pytest.mark.heavy
@pytest.mark.parametrize("op", MAKERS)
def test_equals_the_interpreter_often(op: str, tmp_path: Path) -> None:
    differing(op, range(SEEDS, SEEDS + 200), tmp_path)


@pytest.mark.parametrize("op", UNARY)
def test_every_code_of_a_function_is_seen(op: str, tmp_path: Path) -> None:
    """All 256 codes in a row: a table has no entry that the random samples above left out."""
    checked = 0
    for seed in range(30):
        rng = np.random.default_rng([seed, 1, *op.encode()])
        data = MAKERS[op](rng)
        (tmp_path / "m.tflite").write_bytes(data)
        graph = load(tmp_path / "m.tflite")
        if [n.op for n in graph.nodes] != ["table"]:
            continue  # one format: a clip
        runtime = pytest.importorskip("tflite_micro.python.tflite_micro.runtime")
        device = runtime.Interpreter.from_bytes(data, arena_size=1 << 16)
        device.set_input(np.arange(-128, 128, dtype=np.int8).reshape(ALL), 0)
        device.invoke()
        want = np.array(device.get_output(0)).reshape(-1)
        table = graph.values[graph.nodes[0].inputs[1]].data
        np.testing.assert_array_equal(table, want, err_msg=f"{op} {seed}")
        checked += 1
    assert checked > 10


@pytest.mark.parametrize(("op", "least", "most"), [("RELU_N1_TO_1", -1.0, 1.0), ("RELU_0_TO_1", 0.0, 1.0)])
def test_clips_that_the_interpreter_lacks(op: str, least: float, most: float, tmp_path: Path) -> None:
    """As RELU, with other ends: the interpreter has these only fused."""
    for seed in range(10):
        rng = np.random.default_rng(seed)
        x, y = tensor(rng, "x", ALL), tensor(rng, "y", ALL)
        (tmp_path / "m.tflite").write_bytes(write(op, [x, y], 1))
        codes = np.arange(-128, 128)
        found = load(tmp_path / "m.tflite").run(codes[None])[0]
        curve = rescaled(x.scales[0], y.scales[0])
        lo, hi = (max(-128, min(127, quantised(end, y.scales[0], y.zero))) for end in (least, most))
        assert found.tolist() == [min(max(curve(int(c) - x.zero) + y.zero, lo), hi) for c in codes]


def test_what_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    x, y = Spec("x", ALL, scales=(0.5,)), Spec("y", ALL, scales=(0.5,))
    axis = Spec("a", (1,), "i4", (), data=np.array([4]))
    for data, error, fact in (
        (write("LOGISTIC", [x, y], 1), UnsupportedError, "LOGISTIC y: output .* zero point has to be -128"),
        (write("HARD_SWISH", [x, Spec("y", ALL, scales=(0.001,))], 1), UnsupportedError, "HARD_SWISH y: .*too fine"),
        (write("LEAKY_RELU", [x, y], 1), FileError, "LEAKY_RELU y: its options are missing"),
        (write("MEAN", [x, axis, y], 1, "ReducerOptions"), FileError, r"MEAN y: axes \[4\] of \(1, 256\)"),
        (
            write("TANH", [x, Spec("y", ALL, "<i2")], 1),
            UnsupportedError,
            "TANH y: INT8 to INT16; INT8 and INT16 are supported",
        ),
    ):
        path.write_bytes(data)
        with pytest.raises(error, match=fact):
            load(path)
