"""Lowering for Cortex-M cores with Helium (MVE): what every kernel needs."""

from __future__ import annotations

from edgeq.mcu.select import Context, Foreign

MVE = "mve"


def has_mve(ctx: Context) -> str | None:
    """A reason why the board cannot run these kernels."""
    return None if MVE in ctx.features else Foreign("the core has no Helium")
