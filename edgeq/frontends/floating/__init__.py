"""Float model files to integer programs: the file as a torch module, prepared, calibrated with data, exported."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeq.errors import EdgeqError, FileError, ToolError
from edgeq.frontends._samples import Arrays, samples

if TYPE_CHECKING:
    from torch import fx

    from edgeq.ir import Graph
    from edgeq.quant import Recipe

#: samples that go through the network at once
BATCH = 50


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
        from edgeq.frontends.floating.tflite import load

        return load(path)
    if suffix == ".onnx":
        from edgeq.frontends.floating.onnx import load as load_onnx

        return load_onnx(path)
    raise FileError(f"{path}: a float network is a .tflite or .onnx file, not {suffix or 'one without suffix'}")


def load_calibrated(
    path: str | os.PathLike[str],
    data: Any,
    recipe: Recipe | Mapping[str, Any] | str | os.PathLike[str] | None = None,
    name: str | None = None,
) -> Graph:
    """The integer program of a float file: `float_module`, `edgeq.prepare`, `edgeq.calibrate`, `edgeq.export`.

    data: an array in the layout that the file takes, a dict by name or a tuple with one for each input, or batches.
    recipe: as for `edgeq.prepare`, or the YAML file of one; without one, weights and activations have 8 bits.
    name: of the graph; default: the file's.
    """
    path = Path(path)
    module = float_module(path)
    arrays = samples(data, [str(n.target) for n in module.graph.nodes if n.op == "placeholder"])
    try:
        return quantised(module, arrays, recipe, name or path.stem)
    except EdgeqError as error:
        raise type(error)(f"{path}: {error}") from None


def quantised(
    module: fx.GraphModule,
    arrays: Arrays,
    recipe: Recipe | Mapping[str, Any] | str | os.PathLike[str] | None,
    name: str,
) -> Graph:
    """The integer program of a float module, calibrated with an array for each input."""
    from edgeq.frontends.torch import export
    from edgeq.quant import Recipe, calibrate, prepare

    if isinstance(recipe, (str, os.PathLike)):
        recipe = Recipe.from_yaml(Path(recipe))
    example = telling(arrays)
    prepared = prepare(module, recipe, example)
    recipe_of: Any = prepared.recipe
    calibrate(prepared, batches(arrays), ptq=recipe_of.ptq or "bias_correction")
    return export(prepared, example, name=name)


def telling(arrays: Arrays) -> Arrays:
    """A few samples that show whether an input has negative elements."""
    chosen = {0, min(1, arrays[0].shape[0] - 1)}
    chosen |= {int(a.reshape(a.shape[0], -1).min(axis=1).argmin()) for a in arrays}
    return tuple(a[sorted(chosen)] for a in arrays)


def batches(arrays: Arrays) -> Iterable[Arrays]:
    """The samples in small batches."""
    for begin in range(0, arrays[0].shape[0], BATCH):
        yield tuple(a[begin : begin + BATCH] for a in arrays)


__all__ = ["float_module", "load_calibrated", "quantised"]
