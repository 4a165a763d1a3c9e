"""Sensitivities: how much each option of each choice is expected to hurt. Registry, one file each.

Each takes a `Ladder` and gives, for each choice, an array with a figure for each option, zero for no harm.
"""

from __future__ import annotations

from collections.abc import Callable

from edgeq.search.ladder import Ladder
from edgeq.search.problem import Array
from edgeq.search.sensitivity.entropy import entropy
from edgeq.search.sensitivity.fisher import fisher
from edgeq.search.sensitivity.hessian import hessian
from edgeq.search.sensitivity.measured import measured
from edgeq.search.sensitivity.mse import mse

#: name -> sensitivity
SENSITIVITIES: dict[str, Callable[[Ladder], list[Array]]] = {
    "entropy": entropy,
    "mse": mse,
    "hessian": hessian,
    "fisher": fisher,
    "measured": measured,
}

__all__ = ["SENSITIVITIES"]
