"""Reading the tables of an FPGA board's file: device, what it holds, pins by function."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from edgeq.boards.board import Board, Fpga, Pin
from edgeq.boards.table import Table

FAMILIES = ("ecp5", "ice40", "gowin")
#: clock: the crystal; uart_rx: the FPGA receives; uart_tx: it sends; led: on while it is out of reset; high, low:
#: pins that must be held at a level for the board to work
PIN_FUNCTIONS = ("clock", "uart_rx", "uart_tx", "led", "high", "low")
_NEEDED = ("clock", "uart_rx", "uart_tx")
_SEVERAL = ("high", "low")
_PULLS = ("up", "down", "none")
#: these texts go into constraint files and command lines
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./:-]*")


def word(table: Table, key: str) -> str:
    """A text that may stand in a script."""
    text = table.text(key)
    if not _WORD.fullmatch(text):
        raise table.fail(key, f"is {text!r}; give letters, digits and . _ / : - only")
    return text


def optional_word(table: Table, key: str) -> str | None:
    """The same, or None where the field is not there."""
    table.known.add(key)
    return word(table, key) if key in table.data else None


def _read_pin(table: Table) -> Pin:
    function = table.text("function", PIN_FUNCTIONS)
    site, io = word(table, "site"), optional_word(table, "io")
    table.known |= {"pull", "active_low"}
    pull = table.text("pull", _PULLS) if "pull" in table.data else None
    active_low = table.flag("active_low")
    table.done()
    return Pin(function, site, io, pull, active_low)


def _read_pins(root: Table) -> tuple[Pin, ...]:
    tables = root.tables("pin")
    pins: list[Pin] = []
    for table in tables:
        pin = _read_pin(table)
        for other in pins:
            if other.site == pin.site:
                raise table.fail("site", f"site {pin.site} has the function {other.function} already")
            if other.function == pin.function and pin.function not in _SEVERAL:
                raise table.fail("function", f"function {pin.function!r} is there twice")
        pins.append(pin)
    for function in _NEEDED:
        if all(pin.function != function for pin in pins):
            raise root.fail("pin", f"no pin has the function {function!r}; an fpga board needs it")
    return tuple(pins)


def read_fpga(root: Table, common: Mapping[str, Any]) -> Board:
    """An FPGA board from its table; `common` are the fields that every board has."""
    clock_hz = root.integer("clock_hz", 1_000_000, 400_000_000)
    table = root.table("fpga")
    if table is None:
        raise root.fail("fpga", "missing; give a table with family, part, device and target_hz")
    has, program = table.table("has"), table.table("program")
    if has is None or program is None:
        raise table.fail("has" if has is None else "program", "missing; give a table")
    family = table.text("family", FAMILIES)
    package, speed = optional_word(table, "package"), optional_word(table, "speed")
    if package is None and family != "gowin":
        raise table.fail("package", "missing; give the name that nextpnr uses")
    device = Fpga(
        family,
        word(table, "part"),
        word(table, "device"),
        package,
        speed,
        table.integer("target_hz", 1_000_000, 400_000_000),
        has.integer("luts", 1, 10**7),
        has.integer("ffs", 1, 10**7),
        has.integer("dsps", 0, 10**5),
        has.integer("brams", 0, 10**5),
        has.integer("bram_bits", 1, 10**7),
        word(program, "board"),
        table.integer("baud", 1200, 12_000_000),
        _read_pins(root),
    )
    for part in (has, program, table, root):
        part.done()
    return Board(**common, clock_hz=clock_hz, fpga=device)
