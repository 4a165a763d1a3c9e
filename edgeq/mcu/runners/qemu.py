"""Running an image in QEMU's system emulation of a board."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from edgeq.boards import Board
from edgeq.errors import ToolError
from edgeq.mcu.runners.plugin import build_plugin, interface_version
from edgeq.mcu.runners.profile import make_counts, marker, read_histogram, skip_ranges
from edgeq.mcu.runners.result import DEFAULT_TIMEOUT_S, Counts, RunResult, last_line, make_result
from edgeq.mcu.toolchains.elf import Image, read_image

MAX_TEXT = 64 * 1024  # bytes of printed text that are kept
RESULT_FILES = ("edgeq_out.bin", "edgeq_trace.bin", "edgeq_stats.bin")
COUNT_FILE = "edgeq_counts.txt"


def qemu_present(board: Board) -> bool:
    """Say whether the QEMU that `board` names is on the PATH."""
    return board.qemu is not None and shutil.which(f"qemu-system-{board.qemu.system}") is not None


class QemuRunner:
    """QEMU for one board; the semihosting files live in a temporary folder, which is QEMU's working directory."""

    name = "qemu"

    def __init__(self, board: Board) -> None:
        if board.qemu is None:
            raise ToolError(f"board {board.name}: has no [qemu] table, so QEMU cannot emulate it")
        if not qemu_present(board):
            raise ToolError(f"board {board.name}: qemu-system-{board.qemu.system} is not installed")
        self.board = board
        self._program = f"qemu-system-{board.qemu.system}"

    def run(
        self,
        elf: Path,
        inputs: bytes,
        trace: bool = False,
        count: bool = False,
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> RunResult:
        """Run the image over all samples in `inputs`; see `Runner.run`."""
        image = read_image(elf)
        where = f"{self.board.name} (QEMU)"
        with tempfile.TemporaryDirectory(prefix="edgeq-qemu-") as scratch:
            folder = Path(scratch)
            (folder / "edgeq_in.bin").write_bytes(inputs)
            exit_code, text = self._emulate(elf.absolute(), image, folder, where, count, timeout_s)
            files = {name: (folder / name).read_bytes() for name in RESULT_FILES if (folder / name).is_file()}
            counts = self._counts(folder, image) if count and exit_code == 0 else None
        return make_result(where, image, files, exit_code, text, trace, counts)

    def _command(self, elf: Path, image: Image, count: bool) -> list[str]:
        assert self.board.qemu is not None
        command = [self._program, "-M", self.board.qemu.machine, *self.board.qemu.flags]
        command += ["-nographic", "-monitor", "none", "-serial", "none"]
        command += ["-semihosting-config", "enable=on,target=native"]
        if count:
            command += ["-plugin", self._plugin(image)]
        if self.board.qemu.machine == "none":  # a core and memory; it takes no -kernel
            return [*command, "-device", f"loader,file={_escaped(elf)},cpu-num=0"]
        return [*command, "-kernel", str(elf)]

    def _plugin(self, image: Image) -> str:
        library = build_plugin(interface_version(self._program))
        words = [f"file={_escaped(library)}", f"out={COUNT_FILE}"]
        words += [
            f"start={marker(image, 'edgeq_mark_start'):#x}",
            f"stop={marker(image, 'edgeq_mark_stop'):#x}",
        ]
        words += [f"skip={low:#x}-{high:#x}" for low, high in skip_ranges(image)]
        layer = image.symbols.get("edgeq_mark_layer")
        if layer is not None:
            words += [f"layer={layer.address:#x}-{layer.address + layer.size:#x}"]
            words += [f"base={marker(image, '_eq_flash_start'):#x}"]
        return ",".join(words)

    def _emulate(
        self, elf: Path, image: Image, folder: Path, where: str, count: bool, timeout_s: float
    ) -> tuple[int, str]:
        """Run QEMU; returns the exit status of the firmware and what was printed."""
        printed = folder / "printed.txt"
        with printed.open("wb") as stream:
            try:
                done = subprocess.run(
                    self._command(elf, image, count),
                    cwd=folder,
                    stdin=subprocess.DEVNULL,
                    stdout=stream,
                    stderr=subprocess.STDOUT,
                    timeout=timeout_s,
                    check=False,
                )
            except subprocess.TimeoutExpired as error:
                raise ToolError(
                    f"{where}: no end after {timeout_s:g} s; the network loops for ever or needs a longer time limit"
                ) from error
            except OSError as error:
                raise ToolError(f"{self._program}: cannot be started ({error.strerror})") from error
        with printed.open("rb") as stream:
            text = stream.read(MAX_TEXT).decode("utf-8", "replace")
        if done.returncode < 0:
            locked = next((line for line in text.splitlines() if "Lockup" in line), None)
            fact = f"the processor locked up ({locked.strip()})" if locked else f"killed by signal {-done.returncode}"
            raise ToolError(f"{where}: {fact}: {last_line(text)}" if not locked else f"{where}: {fact}")
        if done.returncode == 1 and f"{self._program}:" in text:
            complaint = next(line for line in text.splitlines() if f"{self._program}:" in line)
            raise ToolError(f"{where}: {complaint.strip()}")
        return done.returncode, text

    def _counts(self, folder: Path, image: Image) -> Counts:
        path = folder / COUNT_FILE
        if not path.is_file():
            raise ToolError(f"{self._program}: the instruction counter wrote nothing; does this QEMU have plugins?")
        return make_counts(read_histogram(path), image, self.board, "QEMU plugin", exact=True)


def _escaped(path: Path) -> str:
    """A path as the value of one of QEMU's options."""
    return str(path).replace(",", ",,")
