"""Post-training quantisation: one file a method, one registry, one fixed order in which they are applied.

Only the registry is imported at once, so that a recipe can be checked without torch.
"""

from __future__ import annotations

from edgeq.quant.ptq.registry import METHODS, ROUNDING, Chosen, checked

__all__ = ["METHODS", "ROUNDING", "Chosen", "checked"]
