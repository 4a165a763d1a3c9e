"""How a network gets its numbers: recipes, Brevitas layers and quantisers, prepare, calibrate.

Only the recipe is imported at once; everything else needs torch and Brevitas and is imported when it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgeq.quant.recipe import LayerRecipe, Recipe

if TYPE_CHECKING:
    from edgeq.quant.calibration import calibrate
    from edgeq.quant.exactness import float32_exact, wide_sums
    from edgeq.quant.preparation import is_prepared, prepare, quantisers
    from edgeq.quant.widths import WidthPenalty, freeze_widths

_LAZY = {
    "calibrate": "edgeq.quant.calibration",
    "is_prepared": "edgeq.quant.preparation",
    "prepare": "edgeq.quant.preparation",
    "quantisers": "edgeq.quant.preparation",
    "float32_exact": "edgeq.quant.exactness",
    "wide_sums": "edgeq.quant.exactness",
    "WidthPenalty": "edgeq.quant.widths",
    "freeze_widths": "edgeq.quant.widths",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'edgeq.quant' has no attribute {name!r}")
    from importlib import import_module

    # The function is put in the place of the submodule of the same name, whichever was imported first.
    found = getattr(import_module(_LAZY[name]), name)
    globals()[name] = found
    return found


__all__ = [
    "LayerRecipe",
    "Recipe",
    "WidthPenalty",
    "calibrate",
    "float32_exact",
    "freeze_widths",
    "is_prepared",
    "prepare",
    "quantisers",
    "wide_sums",
]
