"""Keras networks through TensorFlow's converter: a trained net equals TensorFlow Lite Micro to the byte."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgeq
from edgeq.errors import FileError, InputError, ToolError, UnsupportedError
from edgeq.frontends.keras import from_keras, keras_to_tflite

ABSENT = "TensorFlow is not installed (extra edgeq[keras])"


def test_without_tensorflow_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(ToolError, match=r"edgeq\[keras\]"):
        edgeq.from_keras("net.keras", np.zeros((4, 8)))


@pytest.fixture(scope="module")
def trained() -> tuple[Any, np.ndarray, np.ndarray]:
    """A small convolutional net on scikit-learn's digits, and the test digits."""
    tensorflow = pytest.importorskip("tensorflow", reason=ABSENT)
    datasets = pytest.importorskip("sklearn.datasets", reason="scikit-learn is not installed")
    digits = datasets.load_digits()
    x = (digits.images[..., None] / 16).astype(np.float32)
    layers = tensorflow.keras.layers
    tensorflow.keras.utils.set_random_seed(1)
    net = tensorflow.keras.Sequential(
        [
            layers.Input((8, 8, 1)),
            layers.Conv2D(12, 3, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.DepthwiseConv2D(3, strides=2, padding="same", activation="relu6"),
            layers.Conv2D(24, 1, activation="relu"),
            layers.Flatten(),
            layers.Dense(10, activation="softmax"),
        ],
        name="digits",
    )
    net.compile("adam", "sparse_categorical_crossentropy")
    net.fit(x[:1400], digits.target[:1400], epochs=8, batch_size=64, verbose=0)
    return net, x, digits.target


def test_a_trained_net_equals_the_interpreter(trained: tuple[Any, np.ndarray, np.ndarray]) -> None:
    runtime = pytest.importorskip(
        "tflite_micro.python.tflite_micro.runtime", reason="the oracle tflite-micro is not installed"
    )
    net, x, y = trained
    data = keras_to_tflite(net, x[:200])
    graph = edgeq.from_keras(net, x[:200])
    assert graph.name == "digits"
    codes = graph.values[graph.inputs[0]].format.quantize(x[1400:])
    found = graph.run(codes)
    device = runtime.Interpreter.from_bytes(data, arena_size=1 << 18)
    wanted = []
    for sample in codes:
        device.set_input(sample[None].astype(np.int8), 0)
        device.invoke()
        wanted.append(np.array(device.get_output(0)))
    np.testing.assert_array_equal(found, np.concatenate(wanted))
    assert not np.array_equal(found, np.roll(found, 1, axis=0))
    real = graph.run(x[1400:])
    kept = (real.argmax(1) == y[1400:]).mean()
    assert kept > 0.85
    assert abs(kept - (net.predict(x[1400:], verbose=0).argmax(1) == y[1400:]).mean()) < 0.02


def test_a_recipe_takes_the_formats_of_edgeq(trained: tuple[Any, np.ndarray, np.ndarray]) -> None:
    pytest.importorskip("brevitas", reason="a recipe needs the extra edgeq[torch]")
    net, x, y = trained
    graph = from_keras(net, x[:200], recipe={"weights": 6})
    assert (graph.run(x[1400:]).argmax(1) == y[1400:]).mean() > 0.85


def test_a_saved_model_and_several_inputs(tmp_path: Path) -> None:
    tensorflow = pytest.importorskip("tensorflow", reason=ABSENT)
    layers = tensorflow.keras.layers
    image, vector = layers.Input((6, 6, 2), name="image"), layers.Input((4,), name="vector")
    y = layers.Conv2D(4, 3, activation="relu", padding="same")(image)
    z = layers.Reshape((1, 1, 4))(layers.Dense(4, activation="sigmoid")(vector))
    joined = layers.Multiply()([y, z])
    outputs = [layers.Dense(3, name="scores")(layers.Flatten()(joined)), layers.MaxPooling2D()(joined)]
    net = tensorflow.keras.Model([image, vector], outputs)
    path = tmp_path / "net.keras"
    net.save(path)
    rng = np.random.default_rng(3)
    data = {"image": rng.normal(size=(60, 6, 6, 2)).astype("f4"), "vector": rng.normal(size=(60, 4)).astype("f4")}
    graph = from_keras(path, data)
    assert len(graph.inputs) == len(graph.outputs) == 2
    sizes = {graph.values[n].shape: n for n in graph.inputs}
    found = graph.run({sizes[(6, 6, 2)]: data["image"], sizes[(4,)]: data["vector"]})
    wanted = {w.shape: np.asarray(w) for w in net([data["image"], data["vector"]])}
    for f in found:
        w = wanted[f.shape]
        assert np.abs(f - w).max() < 0.1 * np.abs(w).max()
        assert np.abs(w).max() > 0.1


def test_errors_are_one_line(tmp_path: Path, trained: tuple[Any, np.ndarray, np.ndarray]) -> None:
    net, x, _ = trained
    cases: list[tuple[Any, Any, type[Exception], str]] = [
        (tmp_path / "none.keras", x, FileError, "no such file"),
        (5, x, InputError, "keras.Model"),
        (net, 5, InputError, "int is not data"),
        (net, x[:, :4], InputError, "takes"),
        (net, x * np.nan, InputError, "NaN"),
    ]
    for model, data, error, fact in cases:
        with pytest.raises(error, match=fact) as raised:
            from_keras(model, data)
        assert "\n" not in str(raised.value)
    import tensorflow

    layers = tensorflow.keras.layers
    recurrent = tensorflow.keras.Sequential([layers.Input((5, 3)), layers.LSTM(4)])
    with pytest.raises(UnsupportedError) as raised:
        from_keras(recurrent, np.zeros((4, 5, 3), np.float32))
    assert "\n" not in str(raised.value)
