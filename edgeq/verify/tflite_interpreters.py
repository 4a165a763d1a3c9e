"""TensorFlow Lite's interpreters as executors: an imported network beside the file that it came from."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.errors import InputError, ToolError
from edgeq.ir import Graph
from edgeq.verify import tflite_worker
from edgeq.verify.executors import Executor, TraceFunction
from edgeq.verify.tflite_worker import PACKAGES

#: names a Python that has tflite-runtime, which shares no environment with edgeq
PYTHON_VARIABLE = "EDGEQ_TFLITE_PYTHON"
TIMEOUT_S = 3600


def tflite_interpreter(graph: Graph, path: str | os.PathLike[str], kind: str = "tflite-micro") -> Executor:
    """An executor that runs the .tflite file `path`, from which `graph` was imported, in an interpreter.

    kind: "tflite-micro" (what runs on microcontrollers, and what edgeq equals), "litert" (ai-edge-litert, its own
          kernels) or "tflite-runtime" (the same of 2023; needs numpy below 2: the environment variable
          EDGEQ_TFLITE_PYTHON names the Python that has it).

    Tensors are compared by the names of the file. Those that a pass changed, and those that the interpreter does not
    show, are skipped and listed; tflite-runtime computes some in place, so of it only outputs are compared. Raises
    ToolError where the interpreter is not there.
    """
    from edgeq.frontends import tflite_tensors

    if kind not in PACKAGES:
        raise InputError(f"verify: no interpreter {kind!r}; there are {', '.join(PACKAGES)}")
    python = _python(kind)
    path = Path(path)
    tensors, border = tflite_tensors(path)
    places = _places(graph, tensors)
    if kind == "tflite-runtime":
        places = {name: index for name, index in places.items() if name in graph.outputs}

    def trace(inputs: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
        fed = [
            graph.values[name].format.decode(inputs[name]).astype(np.float32) if real else inputs[name]
            for name, real in zip(graph.inputs, border, strict=True)
        ]
        found = _run(kind, python, path, sorted(set(places.values())), fed)
        count = len(fed[0])
        return {
            value: found[index].reshape(count, *graph.values[value].shape)
            for value, index in places.items()
            if index in found
        }

    return TraceFunction(kind, trace, may_skip=True)


def _places(graph: Graph, tensors: Mapping[str, tuple[int, tuple[int, ...]]]) -> dict[str, int]:
    """Computed value -> index of the tensor that it is: the last value made for the tensor, unless its size differs."""
    last = {node.source: node.outputs[0] for node in graph.nodes}
    found: dict[str, int] = {}
    for source, value in last.items():
        index, shape = tensors.get(source, (-1, ()))
        if index >= 0 and prod(shape) == graph.values[value].size:
            found[value] = index
    missing = [name for name in graph.outputs if name not in found and name not in graph.inputs]
    if missing:
        raise InputError(
            f"verify: output {missing[0]} of the network is no tensor of the file; is it the same network?"
        )
    return found


def _python(kind: str) -> str | None:
    """None where the interpreter can be imported here, else the Python that has it."""
    if importlib.util.find_spec(PACKAGES[kind]) is not None and kind != "tflite-runtime":
        return None
    if kind != "tflite-runtime":
        package = PACKAGES[kind].replace("_", "-")
        raise ToolError(f"{kind}: the package {package} is not installed; pip install {package}")
    python = os.environ.get(PYTHON_VARIABLE)
    if not python:
        raise ToolError(
            f"tflite-runtime needs numpy below 2 and so an environment of its own: python3.11 -m venv tflite; "
            f"tflite/bin/pip install tflite-runtime 'numpy<2'; export {PYTHON_VARIABLE}=$PWD/tflite/bin/python"
        )
    return python


def _run(
    kind: str, python: str | None, model: Path, tensors: Sequence[int], inputs: Sequence[npt.NDArray[Any]]
) -> dict[int, npt.NDArray[Any]]:
    if python is None:
        try:
            return tflite_worker.run(kind, str(model), list(tensors), list(inputs))
        except (RuntimeError, ValueError, TypeError) as error:
            raise ToolError(f"{kind}: {model}: {' '.join(str(error).split())[:300]}") from None
    with tempfile.TemporaryDirectory(prefix="edgeq-tflite-") as folder:
        request, answer = Path(folder, "request.npz"), Path(folder, "answer.npz")
        np.savez(request, tensors=np.asarray(tensors), **{f"input{i}": x for i, x in enumerate(inputs)})  # type: ignore[arg-type]
        command = [python, tflite_worker.__file__, kind, str(model.absolute()), str(request), str(answer)]
        try:
            done = subprocess.run(command, capture_output=True, timeout=TIMEOUT_S, check=False, cwd=folder)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ToolError(f"{kind}: {python}: {error}") from None
        if done.returncode != 0:
            told = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["no message"]
            raise ToolError(f"{kind}: {python}: {told[-1][:300]}")
        with np.load(answer) as found:
            return {int(name[1:]): found[name] for name in found.files}
