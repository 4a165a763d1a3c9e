"""reshape in C: nothing; the output is another name of the input's buffer."""

from __future__ import annotations

from edgeq.mcu.select import Variant

VARIANTS: tuple[Variant, ...] = ()
