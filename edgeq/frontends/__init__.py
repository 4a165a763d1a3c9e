"""Where networks come from: `load` reads a model file, whatever its kind; `torch_fx` exports a prepared module."""

from __future__ import annotations

import os
from pathlib import Path

from edgeq.errors import FileError, UnsupportedError
from edgeq.ir.graph import Graph

#: suffix -> what to do with a model that this version does not read yet
_LATER = {
    ".onnx": "ONNX",
}


def load(path: str | os.PathLike[str]) -> Graph:
    """Read a network by its suffix: .edgeq, or .tflite (needs the extra `tflite`).

    Raises FileError for a file that is missing, damaged or of no known kind, UnsupportedError for a kind that this
    version does not read.
    """
    suffix = Path(path).suffix.lower()
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
