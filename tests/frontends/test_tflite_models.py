"""Published .tflite models equal TensorFlow Lite Micro's interpreter to the byte; skipped where either is not here."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

import edgeq
import edgeq.errors
from edgeq.ir import Graph
from edgeq.mcu.build import build
from edgeq.mcu.execute import trace as device_trace
from edgeq.mcu.ops import SCALED

MODELS = Path(__file__).resolve().parents[3] / "shared" / "models"
NAMES = ("hello_world_int8", "ad01_int8", "kws_dscnn_int8", "micro_speech_quantized", "streaming_wakeword_int8")
LARGE = ("resnet8_cifar10_int8",)

pytest.importorskip("tflite", reason="reading .tflite needs the extra edgeq[tflite]")


def model(name: str) -> Path:
    path = MODELS / f"{name}.tflite"
    if not path.is_file():
        pytest.skip(f"the published model {name} is not here")
    return path


def samples(graph: Graph, count: int, seed: int = 1) -> np.ndarray:
    """Input codes: the ends, the zero point, a quarter of extremes, the rest random."""
    value = graph.values[graph.inputs[0]]
    lo, hi = value.format.code_range
    rng = np.random.default_rng(seed)
    x = rng.integers(lo, hi + 1, (count, *value.shape))
    for i in range(count // 4):
        x[i] = rng.choice([lo, hi], value.shape)
    x[0], x[1], x[2] = lo, hi, value.format.zero_point  # type: ignore[attr-defined]
    return x


def interpreter(path: Path, x: np.ndarray) -> np.ndarray:
    """Output codes of every sample by TensorFlow Lite Micro."""
    runtime = pytest.importorskip(
        "tflite_micro.python.tflite_micro.runtime", reason="the oracle tflite-micro is not installed"
    )
    found = runtime.Interpreter.from_file(str(path), arena_size=1 << 20)
    shape = found.get_input_details(0)["shape"]
    outputs = []
    for sample in x:
        found.set_input(sample.reshape(shape).astype(np.int8), 0)
        found.invoke()
        outputs.append(np.array(found.get_output(0)))
    return np.concatenate(outputs)


def compare(name: str, count: int) -> None:
    graph = edgeq.load(model(name))
    compare_on(name, graph, samples(graph, count))


def compare_on(name: str, graph: Graph, x: np.ndarray) -> None:
    path = model(name)
    want = interpreter(path, x)
    found = graph.run(x)
    assert len(np.unique(want)) > 5
    np.testing.assert_array_equal(found.reshape(want.shape), want)
    # The comparison can fail: the other samples' answers are others.
    assert not np.array_equal(found.reshape(want.shape), np.roll(want, 1, axis=0))


@pytest.mark.parametrize("name", NAMES)
def test_equals_the_interpreter(name: str) -> None:
    compare(name, 200)


def test_equals_the_interpreter_on_resnet8() -> None:
    compare(LARGE[0], 24)


@pytest.mark.heavy
@pytest.mark.parametrize("name", [*NAMES, *LARGE])
def test_equals_the_interpreter_on_many(name: str) -> None:
    compare(name, 1200)


@pytest.mark.parametrize("count", [20, pytest.param(1000, marks=pytest.mark.heavy)])
def test_equals_the_interpreter_on_photographs(count: int) -> None:
    """ResNet-8 on test images of CIFAR-10, decoded from their JPEG copy."""
    image = pytest.importorskip("PIL.Image", reason="reading the JPEG copy of CIFAR-10 needs pillow")
    path = MODELS.parent / "data" / "cifar10_test_jpeg_packed.npz"
    if not path.is_file():
        pytest.skip("CIFAR-10 is not here")
    found = np.load(path)
    offsets, raw = found["offsets"], found["jpeg"].tobytes()
    pictures = [image.open(io.BytesIO(raw[offsets[i] : offsets[i + 1]])).convert("RGB") for i in range(count)]
    x = np.stack([np.asarray(p) for p in pictures]).astype(np.int64) - 128
    compare_on(LARGE[0], edgeq.load(model(LARGE[0])), x)


def test_equals_the_interpreter_on_speech() -> None:
    """The wake word's network on the published features, and on each of them moved by a frame."""
    path = MODELS / "streaming_wakeword_calibration_samples.npz"
    if not path.is_file():
        pytest.skip("the features of the wake word are not here")
    graph = edgeq.load(model("streaming_wakeword_int8"))
    features = np.load(path)["specs"]
    features = np.concatenate([np.roll(features, k, axis=1) for k in range(23)])
    assert len(features) > 1000
    compare_on("streaming_wakeword_int8", graph, np.asarray(graph.trace(features)[graph.inputs[0]]))


@pytest.mark.parametrize("name", [*NAMES, *LARGE])
def test_generated_c_equals_the_emulator(name: str, tmp_path: Path) -> None:
    """Every tensor, on this computer."""
    graph = edgeq.load(model(name))
    x = samples(graph, 12)
    result = build(graph, "host", tmp_path / name, optimize="-O1")
    assert result.warnings == ()
    assert {row["kernel"] for row in result.variants} & {v.kernel for vs in SCALED.values() for v in vs}
    inputs = {graph.inputs[0]: x}
    want = graph.trace(x)
    for value, codes in device_trace(result, inputs).items():
        np.testing.assert_array_equal(codes, want[value], err_msg=value)


@pytest.mark.parametrize("name", NAMES[:1])
def test_real_numbers_at_the_borders(name: str) -> None:
    """hello_world is a sine: floats in, floats out, off by its own error at most."""
    graph = edgeq.load(model(name))
    x = np.linspace(0, 2 * np.pi, 200)[:, None]
    assert np.abs(graph.run(x) - np.sin(x)).max() < 0.12


def test_the_file_comes_back(tmp_path: Path) -> None:
    graph = edgeq.load(model(NAMES[2]))
    graph.save(tmp_path / "net.edgeq")
    assert edgeq.load(tmp_path / "net.edgeq") == graph


def test_a_float_model_is_refused_with_a_way_out() -> None:
    with pytest.raises(edgeq.errors.UnsupportedError, match="quantise the model to int8"):
        edgeq.load(model("resnet8_cifar10_float"))
