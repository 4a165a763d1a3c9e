"""`docs/boards.md`, made from the board files."""

from __future__ import annotations

from edgeq.boards.find import all_boards


def _kib(size: int) -> str:
    return f"{size // 1024} KiB" if size < 2**20 else f"{size // 2**20} MiB"


def boards_markdown() -> str:
    """Return the text of `docs/boards.md`, made from the board files."""
    lines = [
        "# Boards",
        "",
        "Made from `boards/` by `python -m edgeq.boards`; do not edit by hand. Adding one: [adding a board]"
        "(adding-a-board.md).",
        "",
        "`host` runs the same C on this computer, `emulator` runs the golden execution in Python.",
        "",
        "| board | also called | core | ISA | flash | RAM | clock | QEMU machine | unicorn | compilers |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    mcus = [board for board in all_boards() if board.kind == "mcu"]
    for board in mcus:
        compilers = [f"{board.gcc.prefix}gcc"] if board.gcc else []
        compilers += ["zig"] if board.zig else []
        cells = [
            f"`{board.name}`",
            ", ".join(f"`{alias}`" for alias in board.aliases),
            board.core or "",
            ", ".join(board.isa) or "–",
            f"{_kib(board.flash.size)} at {board.flash.origin:#010x}",
            f"{_kib(board.ram.size)} at {board.ram.origin:#010x}",
            f"{(board.clock_hz or 0) / 1e6:g} MHz",
            f"`{board.qemu.machine}`" if board.qemu else "–",
            "yes" if board.unicorn_cpu else "–",
            ", ".join(compilers),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", *_fpga_lines(), "", *_hls_lines(), "", "## What they are and where the facts come from", ""]
    lines += [f"- **{board.name}**: {board.description}. {board.source}." for board in all_boards()]
    return "\n".join(lines) + "\n"


def _fpga_lines() -> list[str]:
    """The table of FPGA boards; a DSP is the family's own multiplier block (`edgeq.boards.Fpga`)."""
    lines = [
        "## FPGA boards",
        "",
        "The bitstream is made with the open tools of `pip install edgeq[fpga]`. A DSP is a MULT18X18D (ECP5), an "
        "SB_MAC16 (iCE40) or a 9-bit multiplier (Gowin). The clock is the board's crystal, the target the clock that a "
        "build tries first.",
        "",
        "| board | also called | part | LUTs | DSPs | block RAMs | clock | target | UART in, out | openFPGALoader |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for board in all_boards():
        fpga = board.fpga
        if fpga is None:
            continue
        uart = ", ".join(pin.site for name in ("uart_rx", "uart_tx") if (pin := fpga.pin(name)))
        cells = [
            f"`{board.name}`",
            ", ".join(f"`{alias}`" for alias in board.aliases),
            fpga.part,
            f"{fpga.luts:,}",
            f"{fpga.dsps}",
            f"{fpga.brams} of {fpga.bram_bits / 1024:g} kbit",
            f"{(board.clock_hz or 0) / 1e6:g} MHz",
            f"{fpga.target_hz / 1e6:g} MHz",
            uart,
            f"`{fpga.programmer}`",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _hls_lines() -> list[str]:
    """The table of boards that the vendor's high-level synthesis serves."""
    lines = [
        "## Boards for the vendor's tools",
        "",
        "edgeq writes the project, C++ for HLS and scripts ([from PyTorch to Vitis](hls.md)), and simulates the C++; "
        "bitstreams are made with Vitis HLS and Vivado. LUTs have six inputs, a DSP is a DSP48, a block RAM has "
        "18 kbit (half of a RAMB36). The clock is what the processing system gives the logic.",
        "",
        "| board | also called | part | processing system | LUTs | flip-flops | DSPs | block RAMs | clock | streams |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for board in all_boards():
        hls = board.hls
        if hls is None:
            continue
        cells = [
            f"`{board.name}`",
            ", ".join(f"`{alias}`" for alias in board.aliases),
            hls.part,
            {"zynq7": "Zynq-7000", "zynqmp": "Zynq UltraScale+"}[hls.processor],
            f"{hls.luts:,}",
            f"{hls.ffs:,}",
            f"{hls.dsps:,}",
            f"{hls.brams:,}",
            f"{hls.target_hz / 1e6:g} MHz",
            f"{hls.dma_bits} bits",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines
