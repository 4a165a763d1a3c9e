"""Where networks come from: `load` reads a model file, whatever its kind; `torch_fx` exports a prepared module."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeq.errors import FileError, InputError, UnsupportedError
from edgeq.ir.graph import Graph

if TYPE_CHECKING:
    from torch import fx

    from edgeq.quant import Recipe

#: suffix -> what to do with a model that this version does not read yet
_LATER = {
    ".onnx": "ONNX",
}


def load(
    path: str | os.PathLike[str], *, calibrate: Any = None, recipe: Recipe | Mapping[str, Any] | None = None
) -> Graph:
    """Read a network by its suffix: .edgeq, or .tflite (needs the extra `tflite`).

    calibrate: samples for a float network, which is quantised after training (`edgeq.prepare` with `recipe`,
               `edgeq.calibrate`): an array in the layout that the file takes, a dict by name or a tuple of one for each
               input, or batches as a data loader gives them. Needs the extra `torch`.

    Raises FileError for a file that is missing, damaged or of no known kind, UnsupportedError for a kind that this
    version does not read.
    """
    suffix = Path(path).suffix.lower()
    if calibrate is not None and suffix != ".edgeq":
        from edgeq.frontends.calibrated import load_calibrated

        return load_calibrated(path, calibrate, recipe)
    if calibrate is not None or recipe is not None:
        raise InputError(f"{path}: a recipe and calibration data are for float networks, and go together")
    if suffix in _LATER:
        raise UnsupportedError(
            f"{path}: this version reads .edgeq and .tflite, not {_LATER[suffix]} ({suffix}); make one from the "
            "PyTorch module: edgeq.export(edgeq.prepare(model), example).save('net.edgeq')"
        )
    if suffix == ".tflite":
        from edgeq.frontends.tflite import load as load_tflite

        return load_tflite(path)
    if suffix != ".edgeq":
        raise FileError(f"{path}: a model is a .edgeq or .tflite file, not {suffix or 'one without suffix'}")
    from edgeq.ir.file import load as load_edgeq

    return load_edgeq(path)


def tflite_tensors(path: str | os.PathLike[str]) -> tuple[dict[str, tuple[int, tuple[int, ...]]], list[bool]]:
    """Computed tensors of a .tflite file, name -> (index, shape), and for each input whether it takes real numbers."""
    from edgeq.frontends._tflite_file import read

    model = read(Path(path))
    named = {t.name: (t.index, t.shape) for t in model.tensors if t.data is None}
    return named, [model.tensors[i].type == "FLOAT32" for i in model.inputs]


def float_module(path: str | os.PathLike[str]) -> fx.GraphModule:
    """A float .tflite or .onnx file as a torch module: see `edgeq.frontends.calibrated.float_module`."""
    from edgeq.frontends import calibrated

    return calibrated.float_module(path)
