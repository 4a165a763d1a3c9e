"""Calibration data in any of the forms that people have them, as one array for each input."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.errors import InputError

Arrays = tuple[npt.NDArray[Any], ...]


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


__all__ = ["Arrays", "samples"]
