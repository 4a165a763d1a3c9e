"""Tracing a float module into a torch.fx graph that keeps the user's names, with errors that name the line."""

from __future__ import annotations

import copy
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import fx, nn

from edgeq.errors import UnsupportedError
from edgeq.quant.resampling import LinearResize, Picked

_TORCH = Path(torch.__file__).parent
_EDGEQ = Path(__file__).parent.parent


class _Tracer(fx.Tracer):
    """Symbolic tracer that remembers in which of the user's modules each node was made (`node.meta["scope"]`)."""

    def __init__(self) -> None:
        super().__init__()
        self.paths: list[str] = [""]

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Modules of torch, and subclasses of them that keep their forward, are not looked into."""
        if super().is_leaf_module(m, module_qualified_name) or isinstance(m, (LinearResize, Picked)):
            return True
        inherited = type(m).forward
        bases = [b for b in type(m).__mro__[1:] if b.__module__.startswith("torch.nn.modules") and b is not nn.Module]
        return any(getattr(b, "forward", None) is inherited for b in bases if b is not nn.Sequential)

    def call_module(self, m: nn.Module, forward: Any, args: Any, kwargs: Any) -> Any:
        self.paths.append(self.path_of_module(m))
        made = super().call_module(m, forward, args, kwargs)
        # Left in place by an error, so that the message can name the module.
        self.paths.pop()
        return made

    def create_node(self, *args: Any, **kwargs: Any) -> fx.Node:
        node = super().create_node(*args, **kwargs)
        node.meta["scope"] = self.paths[-1]
        return node

    def iter(self, obj: fx.Proxy) -> Iterator[Any]:
        """`for part in x.chunk(3)`: how many there are is known."""
        node = obj.node
        if str(getattr(node.target, "__name__", node.target)) == "chunk":
            count = node.kwargs.get("chunks", node.args[1] if len(node.args) > 1 else None)
            if isinstance(count, int):
                parts: Any = obj
                return iter([parts[i] for i in range(count)])
        return super().iter(obj)


def trace(model: nn.Module) -> fx.GraphModule:
    """A copy of `model` as a graph of calls; UnsupportedError names the module and line that cannot be traced."""
    if not isinstance(model, nn.Module):
        raise UnsupportedError(f"prepare takes a torch.nn.Module, not {type(model).__name__}")
    name = type(model).__name__
    model = copy.deepcopy(model)
    if type(model).__module__.startswith("torch.nn.modules") and not isinstance(model, nn.Sequential):
        model = nn.Sequential(model)
    tracer = _Tracer()
    try:
        graph = tracer.trace(model)
    except Exception as error:
        raise UnsupportedError(_explain(name, tracer, error)) from error
    module = fx.GraphModule(model, graph, class_name=name)
    module.train(model.training)
    return module


def _explain(name: str, tracer: _Tracer, error: Exception) -> str:
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not _internal(f.filename)]
    where = f"{frames[-1].filename}:{frames[-1].lineno} ({frames[-1].line})" if frames else "its forward"
    module = f" in module {tracer.paths[-1]}" if tracer.paths[-1] else ""
    fact = str(error).strip().splitlines()[0].split(". ")[0] if str(error).strip() else type(error).__name__
    return (
        f"{name}: cannot be traced{module} at {where}: {fact}; "
        "a network must take the same path for every input, so move choices that depend on tensor values out of it"
    )


def _internal(filename: str) -> bool:
    path = Path(filename)
    return _TORCH in path.parents or _EDGEQ in path.parents or filename.startswith("<")
