"""Where networks come from: `load` reads a model file, whatever its kind; `torch_fx` exports a prepared module."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeq.errors import FileError, InputError
from edgeq.ir.graph import Graph

if TYPE_CHECKING:
    from torch import fx

    from edgeq.quant import Recipe


def load(
    path: str | os.PathLike[str],
    *,
    calibrate: Any = None,
    recipe: Recipe | Mapping[str, Any] | str | os.PathLike[str] | None = None,
) -> Graph:
    """Read a network by its suffix: .edgeq, .tflite (needs the extra `tflite`) or .onnx (extra `onnx`).

    calibrate: samples for a float .tflite or .onnx network, which is quantised after training: an array in the layout
               that the file takes, a dict by name or a tuple with one for each input, or batches as a data loader gives
               them. Needs the extra `torch`.
    recipe:    its number formats, as for `edgeq.prepare`, or a YAML file with them; default: 8 bits.

    Raises FileError for a file that is missing, damaged or of no known kind, UnsupportedError for what edgeq does not
    have.
    """
    suffix = Path(path).suffix.lower()
    if calibrate is not None and suffix != ".edgeq":
        from edgeq.frontends.floating import load_calibrated

        return load_calibrated(path, calibrate, recipe)
    if calibrate is not None or recipe is not None:
        raise InputError(f"{path}: a recipe and calibration data are for float networks, and go together")
    if suffix == ".tflite":
        from edgeq.frontends.tflite import load as load_tflite

        return load_tflite(path)
    if suffix == ".onnx":
        from edgeq.frontends.onnx import load as load_onnx

        return load_onnx(path)
    if suffix != ".edgeq":
        raise FileError(f"{path}: a model is a .edgeq, .tflite or .onnx file, not {suffix or 'one without suffix'}")
    from edgeq.ir.file import load as load_edgeq

    return load_edgeq(path)


def tflite_tensors(path: str | os.PathLike[str]) -> tuple[dict[str, tuple[int, tuple[int, ...]]], list[bool]]:
    """Computed tensors of a .tflite file, name -> (index, shape), and for each input whether it takes real numbers."""
    from edgeq.frontends.tflite.file import read

    model = read(Path(path))
    named = {t.name: (t.index, t.shape) for t in model.tensors if t.data is None}
    return named, [model.tensors[i].type == "FLOAT32" for i in model.inputs]


def float_module(path: str | os.PathLike[str]) -> fx.GraphModule:
    """A float .tflite or .onnx file as a torch module: see `edgeq.frontends.floating.float_module`."""
    from edgeq.frontends import floating as calibrated

    return calibrated.float_module(path)
