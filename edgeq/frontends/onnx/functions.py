"""ONNX functions of one variable, in float64: what tables are made of."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.frontends.onnx.file import Operation

Reals = npt.NDArray[np.float64]


def _sigmoid(x: Reals) -> Any:
    return 1.0 / (1.0 + np.exp(-x))


def _erf(x: Reals) -> Any:
    return np.vectorize(math.erf, otypes=[np.float64])(x)


def _exponential(x: Reals, alpha: float) -> Any:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def _gelu(call: Operation, x: Reals) -> Any:
    if call.text("approximate", "none") == "tanh":
        return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    return 0.5 * x * (1 + _erf(x / math.sqrt(2)))


def _hard_sigmoid(call: Operation, x: Reals) -> Any:
    return np.clip(call.real("alpha", 0.2) * x + call.real("beta", 0.5), 0, 1)


def _selu(call: Operation, x: Reals) -> Any:
    return call.real("gamma", 1.05070102214813232) * _exponential(x, call.real("alpha", 1.67326319217681884765625))


def _softplus(x: Reals) -> Any:
    return np.logaddexp(x, 0.0)


#: operator -> its function, given the node for its attributes
FUNCTIONS: dict[str, Callable[[Operation, Reals], Any]] = {
    "Abs": lambda call, x: np.abs(x),
    "Atan": lambda call, x: np.arctan(x),
    "Ceil": lambda call, x: np.ceil(x),
    "Cos": lambda call, x: np.cos(x),
    "Elu": lambda call, x: _exponential(x, call.real("alpha", 1.0)),
    "Erf": lambda call, x: _erf(x),
    "Exp": lambda call, x: np.exp(x),
    "Floor": lambda call, x: np.floor(x),
    "Gelu": _gelu,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": lambda call, x: x * np.clip(x / 6 + 0.5, 0, 1),
    "LeakyRelu": lambda call, x: np.where(x < 0, call.real("alpha", 0.01) * x, x),
    "Mish": lambda call, x: x * np.tanh(_softplus(x)),
    "Neg": lambda call, x: -x,
    "Round": lambda call, x: np.rint(x),
    "Selu": _selu,
    "Sigmoid": lambda call, x: _sigmoid(x),
    "Sign": lambda call, x: np.sign(x),
    "Sin": lambda call, x: np.sin(x),
    "Softplus": lambda call, x: _softplus(x),
    "Softsign": lambda call, x: x / (1 + np.abs(x)),
    "Sqrt": lambda call, x: np.sqrt(np.maximum(x, 0)),
    "Swish": lambda call, x: x * _sigmoid(call.real("alpha", 1.0) * x),
    "Tanh": lambda call, x: np.tanh(x),
    "ThresholdedRelu": lambda call, x: np.where(x > call.real("alpha", 1.0), x, 0),
}
