"""Options of the commands that build firmware: how the network is scheduled and packed, and sizes in bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from edgeq.boards import Board

_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20}

Schedule = Annotated[
    str,
    typer.Option(
        "--schedule",
        metavar="KIND",
        help="layers: node after node; rows: row by row where that takes less RAM; patches: blocks and stretches of "
        "layers by patches, too, whose borders are computed again; auto: the first that fits the budget or the board.",
    ),
]
PushRows = Annotated[
    bool, typer.Option("--push-rows", help="The input arrives by rows, as from a camera, and is never stored whole.")
]

Packing = Annotated[
    str,
    typer.Option(
        "--packing",
        metavar="KIND",
        help="Which codes of up to 4 bits share bytes in RAM. fast: where no kernel gets slower; all; none; auto: "
        "fast, and where that does not fit the budget or the board as many more as it takes.",
    ),
]


def size(text: str) -> int:
    """Bytes of "65536", "64k" or "1M" (powers of 1024)."""
    number, unit = text.strip().lower().removesuffix("b"), ""
    if number[-1:] in ("k", "m"):
        number, unit = number[:-1], number[-1]
    if not number.isdecimal():
        raise typer.BadParameter(f"{text!r} is no size; give bytes, or 64k, or 1M")
    return int(number) * _UNITS[unit]


Budget = Annotated[
    int | None,
    typer.Option(metavar="BYTES", parser=size, help="Fail if more is needed, naming what holds most; 64k is 65536."),
]


MacFactor = Annotated[
    float | None,
    typer.Option(
        metavar="F", help="The least RAM for F times the network's multiply-accumulates at most, by rows and patches."
    ),
]


def chosen(
    schedule: str, push_rows: bool, packing: str, budget_ram: int | None, mac_factor: float | None
) -> dict[str, Any]:
    """The options that differ from what a build takes by itself."""
    kinds = {key: kind for key, kind in (("schedule", schedule), ("packing", packing)) if kind != "auto"}
    budget = {} if budget_ram is None else {"budget_ram": budget_ram}
    factor = {} if mac_factor is None else {"mac_factor": mac_factor}
    return kinds | ({"push_rows": True} if push_rows else {}) | budget | factor


def refuse_on_hardware(board: Board, given: dict[str, Any]) -> None:
    """InputError where the options of firmware, those that are set among `given`, are meant for an FPGA."""
    from edgeq.errors import InputError

    named = [f"--{name.replace('_', '-')}" for name, value in given.items() if value]
    if named:
        raise InputError(
            f"board {board.name}: runs no firmware, so {', '.join(named)} says nothing there; leave it out"
        )
