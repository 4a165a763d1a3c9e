"""Float model files to integer programs: the file as a torch module, prepared, calibrated with data, exported."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from edgeq.errors import FileError, InputError, ToolError

if TYPE_CHECKING:
    from torch import fx

    from edgeq.ir import Graph
    from edgeq.quant import Recipe

#: samples that go through the network at once
BATCH = 50
Arrays = tuple[npt.NDArray[Any], ...]


def float_module(path: str | os.PathLike[str]) -> fx.GraphModule:
    """A float .tflite or .onnx file as an ordinary torch module in eval mode, to be fine-tuned or prepared.

    Layers have the file's names (`model/conv2d` is `model.conv2d`) and its weights as parameters; the module takes and
    gives what the file takes and gives, in the file's layout, with any number of samples in a batch.
    Errors: FileError for a damaged file, UnsupportedError naming every operator that `edgeq.prepare` has no meaning for
    and networks that are quantised already, ToolError where torch or the package that reads the file is missing.
    """
    path = Path(path)
    try:
        import brevitas  # noqa: F401
        import torch  # noqa: F401
    except ImportError:
        raise ToolError("float networks need torch and Brevitas: pip install 'edgeq[torch]'") from None
    suffix = path.suffix.lower()
    if suffix == ".tflite":
        from edgeq.frontends._float_tflite import load

        return load(path)
    if suffix == ".onnx":
        from edgeq.frontends._float_onnx import load as load_onnx

        return load_onnx(path)
    raise FileError(f"{path}: a float network is a .tflite or .onnx file, not {suffix or 'one without suffix'}")


def load_calibrated(
    path: str | os.PathLike[str],
    data: Any,
    recipe: Recipe | Mapping[str, Any] | str | os.PathLike[str] | None = None,
    name: str | None = None,
) -> Graph:
    """The integer program of a float file: `float_module`, `edgeq.prepare`, `edgeq.calibrate`, `edgeq.export`.

    data: what `samples` takes. recipe: as for `edgeq.prepare`, or the YAML file of one; without one, weights and
    activations have 8 bits.
    name: of the graph; default: the file's.
    """
    from edgeq.frontends.torch import export
    from edgeq.quant import Recipe, calibrate, prepare

    path = Path(path)
    if isinstance(recipe, (str, os.PathLike)):
        recipe = Recipe.from_yaml(Path(recipe))
    module = float_module(path)
    arrays = samples(data, [str(n.target) for n in module.graph.nodes if n.op == "placeholder"])
    example = telling(arrays)
    try:
        prepared = calibrate(prepare(module, recipe, example), batches(arrays), correct_bias=True)
        return export(prepared, example, name=name or path.stem)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def samples(data: Any, inputs: Sequence[str]) -> Arrays:
    """Calibration data as one array for each input, samples along the first axis.

    data: an array or tensor (for a network of one input), a mapping of input names to arrays (what else is in it is
    left out), a tuple or list with an array for each input, or an iterable of batches, each an array or a tuple
    (inputs, labels, …) as data loaders give.
    """
    if isinstance(data, Mapping):
        found = _named(data, inputs)
    elif hasattr(data, "shape"):
        found = [data]
    elif isinstance(data, (tuple, list)) and len(data) == len(inputs) and all(hasattr(d, "shape") for d in data):
        found = list(data)
    else:
        found = _joined(data, len(inputs))
    if len(found) != len(inputs):
        raise InputError(
            f"calibration data for {len(found)} inputs; the network has {len(inputs)}: {', '.join(inputs)}"
        )
    arrays = tuple(_array(x, name) for x, name in zip(found, inputs, strict=True))
    if len({a.shape[0] for a in arrays}) > 1:
        raise InputError(f"calibration data: {[a.shape[0] for a in arrays]} samples of the inputs {', '.join(inputs)}")
    return arrays


def _named(data: Mapping[str, Any], inputs: Sequence[str]) -> list[Any]:
    """The arrays of a mapping; a network of one input takes the only one, or the one that is called x."""
    if set(inputs) <= set(data):
        return [data[name] for name in inputs]
    if len(inputs) == 1 and ("x" in data or len(data) == 1):
        return [data["x"] if "x" in data else next(iter(data.values()))]
    raise InputError(f"calibration data for {', '.join(map(str, data))}; the inputs are {', '.join(inputs)}")


def _joined(data: Any, count: int) -> list[npt.NDArray[Any]]:
    if not isinstance(data, Iterable) or isinstance(data, (str, bytes)):
        raise InputError(
            f"calibration data: {type(data).__name__} is not data; give an array of samples, or an iterable of batches"
        )
    parts: list[tuple[Any, ...]] = []
    for batch in data:
        items = tuple(batch) if isinstance(batch, (tuple, list)) else (batch,)
        parts.append(items[:count])
    if not parts:
        raise InputError("calibration data: holds no batch")
    if any(len(p) != count or not all(hasattr(x, "shape") for x in p) for p in parts):
        raise InputError(f"calibration data: a batch is not {count} arrays; give an array of samples for each input")
    try:
        return [np.concatenate([np.asarray(p[i]) for p in parts]) for i in range(count)]
    except ValueError as error:
        raise InputError(f"calibration data: the batches do not go together: {error}") from None


def _array(x: Any, name: str) -> npt.NDArray[Any]:
    array = np.asarray(x)
    if array.dtype.kind not in "fiub" or array.ndim < 2 or array.shape[0] < 1:
        raise InputError(
            f"calibration data for {name}: {array.dtype} of shape {array.shape}; give numbers with samples along the "
            "first axis"
        )
    return array.astype(np.float32)


def telling(arrays: Arrays) -> Arrays:
    """A few samples that show whether an input has negative elements."""
    chosen = {0, min(1, arrays[0].shape[0] - 1)}
    chosen |= {int(a.reshape(a.shape[0], -1).min(axis=1).argmin()) for a in arrays}
    return tuple(a[sorted(chosen)] for a in arrays)


def batches(arrays: Arrays) -> Iterable[Arrays]:
    """The samples in small batches."""
    for begin in range(0, arrays[0].shape[0], BATCH):
        yield tuple(a[begin : begin + BATCH] for a in arrays)


__all__ = ["float_module", "load_calibrated", "samples"]
