"""A serial port whose other end is a simulated design: `SimulatedPort`, in simulated time; and a pty to it."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

HERE = Path(__file__).parent
RTL = HERE.parents[1] / "hls" / "rtl"

needs_verilator = pytest.mark.skipif(
    not (shutil.which("verilator") and shutil.which("g++")), reason="verilator or g++ is not installed"
)


@dataclass(frozen=True)
class Design:
    """A simulator's program for a design with a serial line, its clock and the line's rate."""

    program: Path
    clock_hz: int
    baud: int


def build(
    folder: Path,
    top: str,
    sources: Iterable[Path],
    clock_hz: int,
    baud: int,
    parameters: Mapping[str, int | str] | None = None,
    ports: Mapping[str, str] | None = None,
) -> Design:
    """Compile a design with Verilator.

    sources: Verilog files beside those of hls/rtl; memory files are read from `folder` when it runs.
    ports: names of the design's ports CLOCK, RX, TX and RESET (leave RESET out where there is none).
    """
    names = dict(ports or {"CLOCK": "clk", "RX": "rx", "TX": "tx", "RESET": "rst"})
    (folder / "design.h").write_text("".join(f"#define {key} {name}\n" for key, name in names.items()))
    command = ["verilator", "--cc", "--exe", "--build", "-O3", "-Wno-fatal", "-Wno-lint", "-Wno-style"]
    command += ["--top-module", top, "--prefix", "Vdesign", "-Mdir", "obj"]
    command += ["-y", str(RTL), "--default-language", "1364-2005"]
    command += ["-CFLAGS", f"-O1 -I{folder}"]
    command += [f"-G{name}={value}" for name, value in (parameters or {}).items()]
    command += [str(path) for path in sources] + [str(HERE / "uart_bench.cpp")]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return Design(folder / "obj" / "Vdesign", clock_hz, baud)


class SimulatedPort:
    """A `Port` of `edgeq.fpga.host`; time passes only in `read`.

    slower: how much longer a bit of this end is than the design's (the two ends have clocks of their own).
    """

    def __init__(self, design: Design, slower: float = 0.0) -> None:
        self.name = "simulated"
        self.design = design
        self.cycles = 0
        bit = design.clock_hz / design.baud * (1 + slower)
        self.process = subprocess.Popen(
            [design.program, f"{bit:.6f}"],
            cwd=design.program.parents[1],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def _say(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def write(self, data: bytes) -> None:
        if data:
            self._say(f"send {data.hex()}")

    def read(self, timeout: float) -> bytes:
        self._say(f"run {max(1, round(timeout * self.design.clock_hz))}")
        assert self.process.stdout is not None
        cycles, data = self.process.stdout.readline().rstrip("\n").split(" ")
        self.cycles += int(cycles)
        return bytes.fromhex(data)

    def clock(self) -> float:
        return self.cycles / self.design.clock_hz

    def reset(self) -> None:
        """Press the design's reset."""
        self._say("reset")

    def low(self, cycles: int) -> None:
        """Hold the line to the design low, from now on."""
        self._say(f"low {cycles}")

    def close(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


class Pty:
    """A pseudo terminal that programs open like a serial port, with a `SimulatedPort` behind it."""

    def __init__(self, port: SimulatedPort) -> None:
        self.port = port
        self.master, slave = os.openpty()
        self.path = os.ttyname(slave)
        self.slave = slave  # kept open: a pty that nobody has open reports an error to its master
        self.stop = False
        os.set_blocking(self.master, False)
        self.thread = threading.Thread(target=self._pump, daemon=True)
        self.thread.start()

    def _pump(self) -> None:
        while not self.stop:
            with contextlib.suppress(BlockingIOError):
                self.port.write(os.read(self.master, 4096))
            if arrived := self.port.read(0.002):
                os.write(self.master, arrived)

    def close(self) -> None:
        self.stop = True
        self.thread.join()
        os.close(self.master)
        os.close(self.slave)
