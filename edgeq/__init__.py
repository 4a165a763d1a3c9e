"""edgeq: one trained network as MCU firmware, FPGA project and Python emulator, equal to the bit.

The names below are loaded when they are first used, so that `import edgeq` is quick and torch is imported only by
those who train.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

#: public name -> the module that has it; `verify` is a package that can be called
_HOMES = {
    "prepare": "edgeq.quant",
    "calibrate": "edgeq.quant",
    "Recipe": "edgeq.quant",
    "export": "edgeq.frontends.torch",
    "from_keras": "edgeq.frontends.keras",
    "load": "edgeq.frontends",
    "build": "edgeq.builds",
    "bench": "edgeq.mcu.bench",
    "Graph": "edgeq.ir",
    "FixedPoint": "edgeq.formats",
    "Minifloat": "edgeq.formats",
}

__all__ = [
    "FixedPoint",
    "Graph",
    "Minifloat",
    "Recipe",
    "bench",
    "build",
    "calibrate",
    "export",
    "from_keras",
    "load",
    "prepare",
    "verify",
]

if TYPE_CHECKING:
    from edgeq.builds import build
    from edgeq.formats import FixedPoint, Minifloat
    from edgeq.frontends import load
    from edgeq.frontends.keras import from_keras
    from edgeq.frontends.torch import export
    from edgeq.ir import Graph
    from edgeq.mcu.bench import bench
    from edgeq.quant import Recipe, calibrate, prepare
    from edgeq.verify.run import verify


def __getattr__(name: str) -> Any:
    if name == "verify":
        return importlib.import_module("edgeq.verify")
    if name not in _HOMES:
        raise AttributeError(f"module 'edgeq' has no attribute {name!r}")
    found = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
