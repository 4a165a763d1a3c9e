"""Budgets: whether a network fits the RAM and flash it is given, and if not, which layers are to blame."""

from __future__ import annotations

from edgeq.errors import BudgetError
from edgeq.ir.names import short_name
from edgeq.mcu.program import Program
from edgeq.schedule import Stretch
from edgeq.schedule.patch import whole_name

_SOME_ROWS, _PART = "rows of ", "a patch of "  # a value, where only some of it is kept
_NAMED = 4  # layers or arrays that a message names


def peak_text(program: Program) -> str:
    """The values that hold the peak of the arena, with their layers and bytes."""
    plan, held = program.plan, _held(program)
    parts = []
    for name, size in held[:_NAMED]:
        whole = name.removeprefix(_SOME_ROWS).removeprefix(_PART)
        value = program.graph.values.get(whole)  # None: scratch, whose name says of which step
        layer = f" (layer {short_name(value.source)})" if value is not None and value.source not in ("", whole) else ""
        parts.append(f"{short_name(name)}{layer} {size} bytes")
    rest = len(held) - _NAMED
    more = f" and {rest} more" if rest > 0 else ""
    return f"the peak is at {short_name(plan.label(plan.peak))}: {', '.join(parts)}{more}"


def _held(program: Program) -> list[tuple[str, int]]:
    """What holds bytes at the peak, most first; of a stretch by rows each value, and what kernels or patches take."""
    found: list[tuple[str, int]] = []
    for name, size in program.plan.peak_values():
        stretch = program.plan.stretch(name.removeprefix("scratch of "))
        if stretch is None:
            found.append((name, size))
        else:
            found += [(_SOME_ROWS + n, r.bytes) for n, r in stretch.rows.items() if r.offset is not None]
            found += _kernels(stretch)
    return sorted(found, key=lambda pair: (-pair[1], pair[0]))


def _kernels(stretch: Stretch) -> list[tuple[str, int]]:
    """What the largest patch of a stretch holds at its peak, or the scratch of its kernels."""
    patches = max(stretch.fused, key=lambda patches: patches.bytes, default=None)
    if patches is None or patches.bytes < stretch.scratch:
        return [("scratch of kernels", stretch.scratch)] if stretch.scratch else []
    values = patches.graph.values
    return [(_PART + whole_name(values[n]) if n in values else n, size) for n, size in patches.plan.peak_values()]


def weights_text(program: Program) -> str:
    """The largest constant arrays, with their layers and bytes."""
    largest = sorted(program.constants, key=lambda c: -c.bytes)[:_NAMED]
    named = ", ".join(f"{c.c_name} (layer {short_name(c.layer)}) {c.bytes} bytes" for c in largest)
    return f"the largest arrays are {named}" if named else "it has no weights"


def check_ram(program: Program, limit: int | None, needed: int, what: str, name: str) -> None:
    """BudgetError if `needed` bytes of RAM (made up as `what` says) exceed `limit`, which `name` names."""
    if limit is not None and needed > limit:
        raise BudgetError(
            f"{program.graph.name}: {name} is {limit} bytes of RAM, the network needs {needed} ({what}); "
            f"{peak_text(program)}; use fewer bits or channels there, a smaller input, or stride earlier"
        )


def check_flash(program: Program, limit: int | None, needed: int, what: str, name: str) -> None:
    """BudgetError if `needed` bytes of flash (made up as `what` says) exceed `limit`, which `name` names."""
    if limit is not None and needed > limit:
        raise BudgetError(
            f"{program.graph.name}: {name} is {limit} bytes of flash, the network needs {needed} ({what}); "
            f"{weights_text(program)}; use fewer bits for these weights, fewer channels, or optimise for size (-Os)"
        )
