"""The files of a project that a board decides: top module, clock, pin constraints, Makefile, README."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from edgeq import __version__
from edgeq.boards import Board, Pin
from edgeq.errors import InputError
from edgeq.fpga.protocol import check_baud
from edgeq.fpga.toolchain.families import Files, device_of, family_of
from edgeq.fpga.toolchain.pll import Clock
from edgeq.fpga.toolchain.toolset import Toolset
from edgeq.templating import fill

TOP = "top"
#: line rate where the board's USB bridge is not known to take more
SAFE_BAUD = 115_200


@dataclass(frozen=True)
class Port:
    """A port of the top module: its pin, and what drives an output that is not the UART's."""

    name: str
    direction: str
    pin: Pin
    value: str | None = None


def board_files(
    board: Board, clock: Clock, net: str, core: str, host: Mapping[str, int], tools: Toolset
) -> Iterator[tuple[str, str]]:
    """Name and text of each file.

    net: the network's name; core: its Verilog module; host: parameters of `eq_uart_host` (`protocol.rtl_parameters`)
    and, where the core's streams are wider than one element, `in_lanes` and `out_lanes`.
    Raises InputError where the clock is too slow for the UART.
    """
    fpga, family = device_of(board), family_of(board)
    baud = choose_baud(board, clock.hz)
    context = {
        "version": f"edgeq {__version__}",
        "board": board,
        "fpga": fpga,
        "clock": clock,
        "net": net,
        "core": core,
        "baud": baud,
        "ports": top_ports(board),
        "constraints": f"{TOP}{family.constraints}",
        "bitstream": f"{TOP}{family.bitstream}",
        "rx": fpga.pin("uart_rx"),
        "tx": fpga.pin("uart_tx"),
        "in_lanes": 1,
        "out_lanes": 1,
        **{key.lower(): value for key, value in host.items()},
        "programs": {name: Path(getattr(tools, name)).name for name in ("yosys", "nextpnr", "pack")},
        "route": " ".join(family.route(fpga, TOP, Files(), clock.hz / 1e6)),
        "pack": " ".join(family.pack(fpga, TOP, Files())),
    }
    yield f"{TOP}.v", fill("fpga/top.v.j2", context)
    yield "clock.v", fill("fpga/clock_crystal.v.j2" if clock.is_crystal else f"fpga/clock_{family.name}.v.j2", context)
    yield f"{TOP}{family.constraints}", fill(f"fpga/constraints{family.constraints}.j2", context)
    yield "Makefile", fill("fpga/Makefile.j2", context)
    yield "README.md", fill("fpga/README.md.j2", context)


def top_ports(board: Board) -> list[Port]:
    """The ports of a board's top module, those that every board has first."""
    ports = []
    for pin in device_of(board).pins:
        if pin.function in ("clock", "uart_rx"):
            ports.append(Port(pin.function, "input", pin))
        elif pin.function == "uart_tx":
            ports.append(Port(pin.function, "output", pin))
        elif pin.function == "led":
            ports.append(Port("led", "output", pin, "!busy" if pin.active_low else "busy"))
        else:
            ports.append(Port(f"{pin.function}_{pin.site}", "output", pin, f"1'b{int(pin.function == 'high')}"))
    return ports


def choose_baud(board: Board, clock_hz: int) -> int:
    """The line rate: the board's own, else the safe one; InputError where the clock reaches neither."""
    for baud in (device_of(board).baud, SAFE_BAUD):
        try:
            check_baud(clock_hz, baud)
            return baud
        except InputError as error:
            complaint = error
    raise complaint
