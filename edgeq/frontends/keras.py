"""Keras networks: TensorFlow's converter makes an int8 .tflite file of them, and that is read as any other."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeq.errors import EdgeqError, FileError, InputError, ToolError, UnsupportedError
from edgeq.frontends._samples import Arrays, samples

if TYPE_CHECKING:
    from edgeq.ir import Graph
    from edgeq.quant import Recipe

#: samples that the converter looks at; more cost time and change little
MOST_SAMPLES = 500


def from_keras(
    model: Any,
    calibrate: Any,
    *,
    recipe: Recipe | Mapping[str, Any] | str | os.PathLike[str] | None = None,
    name: str | None = None,
) -> Graph:
    """The integer program of a trained Keras network (extra `edgeq[keras]`).

    model:     a `keras.Model`, or the path of a saved one (.keras, .h5).
    calibrate: samples in the layout that the model takes: an array, a dict by input name, a tuple with one for each
               input, or batches as a data loader gives them.
    recipe:    None: TensorFlow's converter quantises to int8, and the graph computes what TensorFlow Lite Micro does
               with that file (`keras_to_tflite`), byte for byte. With a recipe: edgeq's own formats, as `edgeq.prepare`
               and `edgeq.calibrate` choose them (extra `edgeq[torch]` too).
    name:      of the graph; default: the model's.

    Errors: ToolError where TensorFlow or torch is missing; InputError for calibration data that do not fit;
    UnsupportedError for what the converter or edgeq does not have.
    """
    network = _network(model)
    chosen = name or str(network.name)
    if recipe is not None:
        from edgeq.frontends.floating import quantised
        from edgeq.frontends.floating.tflite import from_bytes as float_from_bytes

        inputs = _inputs(network)
        module = float_from_bytes(_convert(network, None), chosen)
        return quantised(module, _samples(calibrate, inputs), recipe, chosen)
    from edgeq.frontends.tflite import from_bytes

    return from_bytes(keras_to_tflite(network, calibrate), chosen)


def keras_to_tflite(model: Any, calibrate: Any) -> bytes:
    """The int8 .tflite file of a Keras network, inputs and outputs int8 too; arguments as for `from_keras`."""
    network = _network(model)
    return _convert(network, _samples(calibrate, _inputs(network)))


def _tensorflow() -> Any:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        import tensorflow
    except ImportError:
        raise ToolError("reading Keras networks needs TensorFlow: pip install 'edgeq[keras]'") from None
    return tensorflow


def _network(model: Any) -> Any:
    """The model, from its file where it is a path."""
    tensorflow = _tensorflow()
    if isinstance(model, (str, os.PathLike)):
        path = Path(model)
        if not path.is_file():
            raise FileError(f"{path}: cannot be read: there is no such file")
        try:
            model = tensorflow.keras.models.load_model(path, compile=False)
        except Exception as error:
            raise FileError(f"{path}: Keras does not read it: {_line(error)}") from None
    if not isinstance(model, tensorflow.keras.Model):
        raise InputError(f"from_keras takes a keras.Model or the path of one, not {type(model).__name__}")
    if not getattr(model, "inputs", None):
        raise InputError(f"Keras model {model.name}: its inputs are not known yet; call model.build(shape) first")
    return model


def _inputs(network: Any) -> dict[str, tuple[int, ...]]:
    """Input names, in order, and their shapes without the batch."""
    found = {}
    for index, value in enumerate(network.inputs):
        shape = tuple(value.shape)[1:]
        if not shape or any(n is None for n in shape):
            raise UnsupportedError(f"input {value.name}: shape {shape}; build the model with fixed sizes")
        found[str(value.name).split(":")[0] or f"input_{index}"] = shape
    return found


def _samples(data: Any, inputs: Mapping[str, tuple[int, ...]]) -> Arrays:
    arrays = samples(data, list(inputs))
    for array, (name, shape) in zip(arrays, inputs.items(), strict=True):
        if array.shape[1:] != shape:
            raise InputError(f"calibration data for {name}: samples of {array.shape[1:]}; the network takes {shape}")
        if not np.isfinite(array).all():
            raise InputError(f"calibration data for {name}: hold NaN or infinity; remove them from the data")
    return arrays


def _convert(network: Any, arrays: Arrays | None) -> bytes:
    """The file: int8 with samples, float without."""
    tensorflow = _tensorflow()
    lite = tensorflow.lite
    try:
        # The converter prints what it saved.
        with contextlib.redirect_stdout(io.StringIO()):
            converter = lite.TFLiteConverter.from_keras_model(network)
            if arrays is not None:
                converter.optimizations = [lite.Optimize.DEFAULT]
                converter.representative_dataset = lambda: _each(arrays, list(_inputs(network)))
                converter.target_spec.supported_ops = [lite.OpsSet.TFLITE_BUILTINS_INT8]
                converter.inference_input_type = tensorflow.int8
                converter.inference_output_type = tensorflow.int8
            return bytes(converter.convert())
    except EdgeqError:
        raise
    except Exception as error:
        raise UnsupportedError(
            f"Keras model {network.name}: TensorFlow's converter does not take it: {_line(error)}"
        ) from None


def _each(arrays: Arrays, inputs: list[str]) -> Iterator[Any]:
    """Samples one by one, spread over the data."""
    count = arrays[0].shape[0]
    for i in range(0, count, -(-count // MOST_SAMPLES)):
        one = [a[i : i + 1] for a in arrays]
        # A list of several is taken in the converter's own order, which is not the model's.
        yield one if len(one) == 1 else dict(zip(inputs, one, strict=True))


def _line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]


__all__ = ["from_keras", "keras_to_tflite"]
