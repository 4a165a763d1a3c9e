"""What each node of a traced network is for quantisation, whichever of torch's spellings it uses.

Modules, functions, methods and operators of one name mean the same: nn.ReLU, F.relu, torch.relu and x.relu() are
all "relu". `kind` puts a canonical name into one of the classes below; what is not in any is not supported.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from edgeq.errors import UnsupportedError
from edgeq.quant.layers import FLOAT_LAYERS
from edgeq.quant.resampling import LinearResize, Picked, TorchResize

#: spellings that differ from the canonical name
_ALIASES = {
    "iadd": "add", "isub": "sub", "imul": "mul", "itruediv": "div", "truediv": "div", "true_divide": "div",
    "divide": "div", "subtract": "sub", "multiply": "mul", "rsub": "rsub", "concat": "cat", "concatenate": "cat",
    "clip": "clamp", "bmm": "matmul", "mm": "matmul", "swapaxes": "transpose", "swapdims": "transpose",
    "absolute": "abs", "negative": "neg",
    "upsample": "interpolate", "expit": "sigmoid",
    "zeropad1d": "pad", "zeropad2d": "pad", "constantpad1d": "pad",
    "constantpad2d": "pad", "reflectionpad1d": "pad", "reflectionpad2d": "pad", "replicationpad1d": "pad",
    "replicationpad2d": "pad", "circularpad1d": "pad", "circularpad2d": "pad", "upsamplingnearest2d": "interpolate",
    "upsamplingbilinear2d": "interpolate", "linearresize": "interpolate",
    "adaptivemaxpool1d": "adaptive_max_pool1d", "adaptivemaxpool2d": "adaptive_max_pool2d",
    "maxpool1d": "max_pool1d", "maxpool2d": "max_pool2d", "avgpool1d": "avg_pool1d", "avgpool2d": "avg_pool2d",
    "adaptiveavgpool1d": "adaptive_avg_pool1d", "adaptiveavgpool2d": "adaptive_avg_pool2d",
    "leakyrelu": "leaky_relu", "logsigmoid": "logsigmoid", "softmax2d": "softmax", "alphadropout": "dropout",
    "dropout1d": "dropout", "dropout2d": "dropout", "featuredropout": "dropout", "alpha_dropout": "dropout",
}  # fmt: skip

#: layers of our own, which float networks of model files have
OWN = (LinearResize, Picked)
#: give their input's codes on, possibly in other places
MOVEMENT = {
    "view", "reshape", "flatten", "unflatten", "permute", "transpose", "squeeze", "unsqueeze", "chunk", "split",
    "getitem", "max_pool1d", "max_pool2d", "adaptive_max_pool1d", "adaptive_max_pool2d", "pad", "interpolate",
    "narrow", "select", "picked",
}  # fmt: skip
#: do nothing to the numbers
IDENTITY = {"identity", "contiguous", "clone", "detach", "float"}
#: make numbers about shapes, not tensors
SIZES = {"size", "dim", "numel"}
BINARY = {"add", "sub", "mul", "rsub", "div", "matmul", "maximum", "minimum"}

#: name -> float function, for functions that need no argument
_PLAIN: dict[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": torch.sigmoid, "tanh": torch.tanh, "silu": F.silu, "hardswish": F.hardswish,
    "hardsigmoid": F.hardsigmoid, "mish": F.mish, "selu": F.selu, "softsign": F.softsign, "logsigmoid": F.logsigmoid,
    "tanhshrink": F.tanhshrink, "abs": torch.abs, "exp": torch.exp, "sqrt": torch.sqrt, "log": torch.log,
    "sin": torch.sin, "cos": torch.cos, "reciprocal": torch.reciprocal, "rsqrt": torch.rsqrt, "erf": torch.erf,
    "neg": torch.neg, "square": torch.square,
}  # fmt: skip
#: name -> (float function, its arguments by name and default, as torch has them)
_WITH_ARGUMENTS: dict[str, tuple[Callable[..., Tensor], dict[str, Any]]] = {
    "gelu": (F.gelu, {"approximate": "none"}),
    "leaky_relu": (F.leaky_relu, {"negative_slope": 0.01}),
    "elu": (F.elu, {"alpha": 1.0}),
    "celu": (F.celu, {"alpha": 1.0}),
    "softplus": (F.softplus, {"beta": 1, "threshold": 20}),
    "hardshrink": (F.hardshrink, {"lambd": 0.5}),
    "softshrink": (F.softshrink, {"lambd": 0.5}),
}
#: functions whose values are never negative
NON_NEGATIVE = {"sigmoid", "hardsigmoid", "softplus", "abs", "exp", "sqrt", "square", "rsqrt"}
#: functions with values in -1 .. 1: their binary point is known
UNIT_RANGE = {"sigmoid", "hardsigmoid", "tanh", "softsign", "sin", "cos", "erf"}
#: known names that a person will try, with the way out
_WAYS_OUT = {
    "log_softmax": "leave it to the loss function; the device needs softmax or argmax only",
    "layernorm": "use BatchNorm, which folds into the layer before it",
    "groupnorm": "use BatchNorm, which folds into the layer before it",
    "instancenorm2d": "use BatchNorm, which folds into the layer before it",
    "multiheadattention": "write the attention out with Linear, matmul and softmax",
    "lstm": "unroll it into layers, or use a convolutional network",
    "gru": "unroll it into layers, or use a convolutional network",
    "conv2d": "use the module nn.Conv2d, so that the layer has a name and weights of its own",
    "conv1d": "use the module nn.Conv1d, so that the layer has a name and weights of its own",
    "linear": "use the module nn.Linear, so that the layer has a name and weights of its own",
    "conv3d": "reshape to two spatial axes",
    "batch_norm": "use the module nn.BatchNorm, so that it can be folded",
}


@dataclass(frozen=True)
class Clip:
    """Bounds of a ReLU, ReLU6, Hardtanh or clamp."""

    low: float
    high: float


def canonical(node: fx.Node, modules: dict[str, nn.Module]) -> str:
    """The one name of what a node does."""
    if node.op == "call_module":
        module = modules[str(node.target)]
        known = (c for c in type(module).__mro__ if c.__module__.startswith("torch.nn") or c in OWN)
        name = next(known).__name__.lower()
    elif node.op == "call_method":
        name = str(node.target).rstrip("_").lower()
    else:
        target: Any = node.target
        name = getattr(target, "__name__", str(target)).rstrip("_").lower()
    return _ALIASES.get(name, name)


def argument(node: fx.Node, position: int, name: str, default: Any = None) -> Any:
    """An argument of a call, however it was passed; position 0 is the tensor itself."""
    if name in node.kwargs:
        return node.kwargs[name]
    return node.args[position] if position < len(node.args) else default


def is_weighted(node: fx.Node, modules: dict[str, nn.Module]) -> bool:
    """Whether the node is a convolution or linear layer."""
    return node.op == "call_module" and isinstance(modules[str(node.target)], FLOAT_LAYERS)


def is_batch_norm(node: fx.Node, modules: dict[str, nn.Module]) -> bool:
    """Whether the node is a batch normalisation."""
    kinds = (nn.BatchNorm1d, nn.BatchNorm2d)
    return node.op == "call_module" and isinstance(modules[str(node.target)], kinds)


def clip_of(node: fx.Node, modules: dict[str, nn.Module]) -> Clip | None:
    """Bounds, if the node only clips."""
    name = canonical(node, modules) if node.op.startswith("call") else ""
    if name == "relu":
        return Clip(0.0, math.inf)
    if name == "relu6":
        return Clip(0.0, 6.0)
    if name == "hardtanh":
        if node.op == "call_module":
            module: Any = modules[str(node.target)]
            return Clip(float(module.min_val), float(module.max_val))
        return Clip(float(argument(node, 1, "min_val", -1.0)), float(argument(node, 2, "max_val", 1.0)))
    if name in ("clamp", "clamp_min", "clamp_max"):
        return _clamp(node, name)
    return None


def _clamp(node: fx.Node, name: str) -> Clip:
    low = argument(node, 1, "min") if name != "clamp_max" else None
    high = argument(node, 1 if name == "clamp_max" else 2, "max") if name != "clamp_min" else None
    for bound in (low, high):
        if bound is not None and not isinstance(bound, (int, float)):
            raise UnsupportedError(f"{node.name}: clamp to a computed bound; give it as a number")
    return Clip(-math.inf if low is None else float(low), math.inf if high is None else float(high))


def resize_of(node: fx.Node, modules: dict[str, nn.Module]) -> tuple[TorchResize | LinearResize, Any] | None:
    """Linear resizing: its rule, and the size of the output where the network computes it; None for other nodes."""
    if not node.op.startswith("call") or canonical(node, modules) != "interpolate":
        return None
    module = modules[str(node.target)] if node.op == "call_module" else None
    if isinstance(module, LinearResize):
        return module, None

    def get(position: int, key: str, default: Any = None) -> Any:
        return argument(node, position, key, default) if module is None else getattr(module, key, default)

    mode = str(get(3, "mode", "nearest"))
    place = place_of(node, "interpolate") if module is None else str(node.target)
    if mode in ("nearest", "nearest-exact"):
        return None
    if mode not in ("linear", "bilinear") or get(6, "antialias", False):
        way = {"area": "use adaptive_avg_pool2d"}
        fact = f"resizes by {mode!r}" + (" with antialias" if get(6, "antialias", False) else "")
        raise UnsupportedError(f"{place}: {fact}; {way.get(mode, 'use mode bilinear or nearest without antialias')}")
    size, factor = get(1, "size"), get(2, "scale_factor")
    computed = bool(_nodes(size))
    if _nodes(factor):
        raise UnsupportedError(f"{place}: resizes by a computed factor; give it as a number, or give the size")
    recompute = bool(get(5, "recompute_scale_factor", False))
    rule = TorchResize(None if computed else size, factor, bool(get(4, "align_corners", False)), recompute)
    return rule, size if computed else None


def _nodes(value: Any) -> list[fx.Node]:
    """The nodes in an argument."""
    found: list[fx.Node] = []
    fx.node.map_arg(value, found.append)
    return found


def function_of(node: fx.Node, modules: dict[str, nn.Module]) -> Callable[[Tensor], Tensor] | None:
    """The float function, if the node is an element-wise function that becomes a table."""
    name = canonical(node, modules)
    if name in _PLAIN:
        return _PLAIN[name]
    if name not in _WITH_ARGUMENTS:
        return None
    function, defaults = _WITH_ARGUMENTS[name]
    chosen = {}
    for position, (key, default) in enumerate(defaults.items(), start=1):
        if node.op == "call_module":
            chosen[key] = getattr(modules[str(node.target)], key)
        else:
            chosen[key] = argument(node, position, key, default)
    return lambda x: function(x, **chosen)


def unsupported(node: fx.Node, modules: dict[str, nn.Module]) -> UnsupportedError:
    """The error for a node that has no integer meaning here."""
    name = canonical(node, modules)
    what = type(modules[str(node.target)]).__name__ if node.op == "call_module" else name
    layer = str(node.target) if node.op == "call_module" else place_of(node, name)
    way = _WAYS_OUT.get(name, "see docs/quantisation.md for what is supported")
    return UnsupportedError(f"{layer}: {what} is not supported; {way}")


def place_of(node: fx.Node, name: str) -> str:
    """Where a functional operation stands: the module it was called in, and its name."""
    scope = node.meta.get("scope", "")
    return f"{scope}.{name}" if scope else name
