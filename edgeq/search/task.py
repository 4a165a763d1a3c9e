"""Task: the float network that a search is about, the data that calibrate it and the data that judge it.

A task is named by plain text, so that a worker on another machine can load it again.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from edgeq.errors import EdgeqError, FileError, InputError, UnsupportedError

#: function of a Python file that is called where none is named
DEFAULT_FUNCTION = "network"
#: what a probability that was rounded to zero counts as
LEAST_PROBABILITY = 1e-6
#: samples that go through the network at once
BATCH = 128


@dataclass(frozen=True)
class Source:
    """Where a task comes from.

    model:       `file.py`, `file.py:function` or `package.module:function`, whose function returns (float model,
                 calibration data, test data); or a float .tflite or .onnx file, with the data below.
    calibration: .npy or .npz file of samples, in the layout of the file; test: samples that judge; labels: their
                 classes. Without a test the calibration samples judge, without labels the float network does.
    """

    model: str
    calibration: str | None = None
    test: str | None = None
    labels: str | None = None

    def to_json(self) -> dict[str, str | None]:
        """Plain data."""
        return asdict(self)


@dataclass(frozen=True)
class Task:
    """A float network in eval mode, and tensors of samples.

    calibration: what widths and binary points are chosen from; test, labels: what judges them.
    judged_by: "labels" or "float": whether classes are given, or those of the float network count.
    probabilities: whether the network ends in a softmax, so that its outputs are probabilities already.
    """

    name: str
    model: nn.Module
    calibration: Tensor
    test: Tensor
    labels: Tensor
    judged_by: str
    probabilities: bool = False

    def scores(self, found: Tensor) -> Tensor:
        """Outputs as numbers whose softmax are the probabilities."""
        return torch.log(found.clamp_min(LEAST_PROBABILITY)) if self.probabilities else found

    def batches(self) -> list[Tensor]:
        """The calibration samples in batches."""
        return parts(self.calibration)

    def accuracy(self, model: nn.Module) -> float:
        """Share of test samples whose greatest output is the class, in eval mode."""
        return float((classes(model, self.test) == self.labels).double().mean())

    @functools.cached_property
    def float_classes(self) -> Tensor:
        """The float network's class of each test sample."""
        return classes(self.model, self.test)

    @functools.cached_property
    def digest(self) -> str:
        """A hash of weights and data, by which finished results are known again."""
        made = hashlib.sha256()
        tensors = [*self.model.state_dict().values(), self.calibration, self.test, self.labels]
        for tensor in tensors:
            made.update(str(tuple(tensor.shape)).encode())
            made.update(tensor.detach().cpu().contiguous().numpy().tobytes())
        return made.hexdigest()[:16]


def parts(x: Tensor, size: int = BATCH) -> list[Tensor]:
    """Samples in batches."""
    return [x[begin : begin + size] for begin in range(0, len(x), size)]


@torch.no_grad()
def outputs(model: nn.Module, x: Tensor) -> Tensor:
    """Outputs of all samples, (N, classes); InputError for anything else."""
    model.eval()
    try:
        found = torch.cat([model(part) for part in parts(x)])
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        fact = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(f"search: the network does not take the data: {fact}") from error
    if found.ndim != 2 or found.shape[1] < 2:
        raise InputError(
            f"search: outputs of shape {tuple(found.shape)}; widths are judged by classes, (samples, classes)"
        )
    return found


def classes(model: nn.Module, x: Tensor) -> Tensor:
    """The class with the greatest output, of all samples."""
    return outputs(model, x).argmax(dim=1)


@functools.lru_cache(maxsize=2)
def load_task(source: Source) -> Task:
    """Load a task. FileError or InputError in one line for what is not there, empty, or not finite."""
    if Path(source.model).suffix.lower() in (".tflite", ".onnx"):
        return _of_file(source)
    if Path(source.model).suffix.lower() == ".edgeq":
        raise UnsupportedError(
            f"{source.model}: holds integers already; a search needs the float network: a Python file, a float .onnx "
            "or .tflite"
        )
    return _of_python(source)


def make_task(name: str, model: nn.Module, calibration: Any, test: Any = None) -> Task:
    """A task from a float module and data: arrays, (samples, classes) or loaders of such batches."""
    model.eval()
    x, y = _joined(calibration, "calibration data")
    tested, labels = (x, y) if test is None else _joined(test, "test data")
    judged = "labels" if labels is not None else "float"
    known = classes(model, tested) if labels is None else labels
    some = outputs(model, x[:BATCH])
    softmax = bool((some >= 0).all()) and bool((some.sum(dim=1) - 1).abs().max() < 1e-3)
    return Task(name, model, x, tested, known, judged, softmax)


def _of_python(source: Source) -> Task:
    """Call the user's function."""
    place, _, function = source.model.rpartition(":")
    if not place:
        place, function = source.model, DEFAULT_FUNCTION
    if source.calibration or source.test or source.labels:
        raise InputError(
            f"{source.model}: a Python function gives the data itself; leave --calibration, --test, --labels"
        )
    module = _python_file(Path(place)) if place.endswith(".py") else _python_module(place)
    if not callable(getattr(module, function, None)):
        raise InputError(f"{place}: has no function {function}(); name it after a colon: {place}:FUNCTION")
    found = getattr(module, function)()
    if not isinstance(found, tuple) or len(found) not in (2, 3) or not isinstance(found[0], nn.Module):
        raise InputError(
            f"{source.model}: {function}() must return (float model, calibration data, test data), each data (samples, "
            "classes) or a loader of such batches"
        )
    return make_task(Path(place).stem if place.endswith(".py") else function, *found)


def _python_file(path: Path) -> ModuleType:
    """A Python file as a module of its own; files beside it can be imported."""
    if not path.is_file():
        raise FileError(f"{path}: there is no such file")
    name = f"_edgeq_search_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    sys.path.insert(0, str(path.resolve().parent))
    try:
        spec.loader.exec_module(module)
    except EdgeqError:
        raise
    except Exception as error:  # the user's code may raise anything
        raise InputError(f"{path}: raises {type(error).__name__} when it is imported: {error}") from error
    finally:
        sys.path.remove(str(path.resolve().parent))
    return module


def _python_module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise InputError(
            f"{name}: is neither a .py, .tflite or .onnx file nor a Python module that can be imported ({error})"
        ) from None


def _of_file(source: Source) -> Task:
    """A float model file and its data."""
    from edgeq.frontends import float_module

    path = Path(source.model)
    if source.calibration is None:
        raise InputError(f"{path}: needs samples to calibrate with: --calibration x.npy")
    if source.labels is not None and source.test is None:
        raise InputError(f"{path}: --labels are the classes of the --test samples; give both")
    module = float_module(path)
    labels = None if source.labels is None else _array(source.labels)
    test = None if source.test is None else (_array(source.test), labels)
    return make_task(path.stem, module, _array(source.calibration), test)


def _array(path: str) -> Any:
    """The one array of a .npy or .npz file."""
    from edgeq.verify.archives import read_arrays

    found = read_arrays(path)
    if isinstance(found, dict):
        if "x" not in found and len(found) != 1:
            raise InputError(f"{path}: holds {', '.join(found)}; a search takes networks of one input, called x")
        return found.get("x", next(iter(found.values())))
    return found


def _joined(data: Any, place: str) -> tuple[Tensor, Tensor | None]:
    """Samples and classes as one tensor each."""
    if hasattr(data, "shape"):
        data = (data, None)
    pair = isinstance(data, (tuple, list)) and len(data) == 2 and hasattr(data[0], "shape")
    batches = [data] if pair else list(_pairs(data, place))
    if not batches:
        raise InputError(f"search: {place}: holds no batch")
    try:
        x = torch.cat([torch.as_tensor(x).float() for x, _ in batches])
        y = [None if label is None else torch.as_tensor(label).reshape(-1) for _, label in batches]
        labels = None if any(label is None for label in y) else torch.cat([label for label in y if label is not None])
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"search: {place}: the batches do not go together: {error}") from None
    return _checked(x, labels, place)


def _pairs(data: Any, place: str) -> Iterator[tuple[Any, Any]]:
    """Batches of a loader."""
    if isinstance(data, (str, bytes)) or not hasattr(data, "__iter__"):
        raise InputError(f"search: {place}: {type(data).__name__} is not data; give an array, a pair or a loader")
    for batch in data:
        items = tuple(batch) if isinstance(batch, (tuple, list)) else (batch, None)
        if len(items) not in (1, 2) or not hasattr(items[0], "shape"):
            raise InputError(f"search: {place}: a batch must be samples, or (samples, classes)")
        yield items[0], items[1] if len(items) == 2 else None


def _checked(x: Tensor, labels: Tensor | None, place: str) -> tuple[Tensor, Tensor | None]:
    if x.ndim < 2 or x.numel() == 0:
        raise InputError(f"search: {place}: is empty or has no axis of samples, shape {tuple(x.shape)}")
    if not torch.isfinite(x).all():
        raise InputError(f"search: {place}: holds NaN or infinity; remove them from the data")
    if labels is not None:
        if labels.is_floating_point() or len(labels) != len(x) or int(labels.min()) < 0:
            raise InputError(f"search: {place}: classes must be {len(x)} integers from 0 up, one for each sample")
        labels = labels.long()
    return x, labels
