"""Running an image in unicorn, a CPU emulator in a Python package: no system program is needed."""

from __future__ import annotations

import importlib.util
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgeq.boards import Board
from edgeq.errors import ToolError
from edgeq.mcu.runners.profile import Histogram, block_addresses, make_counts, marker, skip_ranges
from edgeq.mcu.runners.result import DEFAULT_TIMEOUT_S, Counts, RunResult, make_result
from edgeq.mcu.runners.semihost import Semihost
from edgeq.mcu.toolchains.elf import Image, read_image

PAGE = 4096
SYSTEM_SPACE = 0xE000E000  # the core's own registers (CPACR among them), plain memory here
MAX_MEMORY = 64 * 1024 * 1024  # bytes of one emulated memory


def unicorn_present(board: Board) -> bool:
    """Say whether unicorn is installed and has a model of `board`'s core."""
    return board.unicorn_cpu is not None and importlib.util.find_spec("unicorn") is not None


class UnicornRunner:
    """Unicorn for one board: the core and its memories, no peripherals; files are kept in memory."""

    name = "unicorn"

    def __init__(self, board: Board) -> None:
        if board.unicorn_cpu is None:
            raise ToolError(f"board {board.name}: unicorn has no model of its core ({board.core}); use QEMU")
        if not unicorn_present(board):
            raise ToolError(f"board {board.name}: unicorn is not installed; pip install unicorn")
        self.board = board

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
        where = f"{self.board.name} (unicorn)"
        machine = _Machine(self.board, image, inputs)
        counter = _Counter(machine.uc, image) if count else None
        machine.run(where, timeout_s)
        counts = counter.counts(image, self.board) if counter and machine.host.exit_code == 0 else None
        host = machine.host
        assert host.exit_code is not None
        return make_result(where, image, host.files, host.exit_code, host.text, trace, counts)


class _Machine:
    """One emulated core with its memories filled from the image."""

    def __init__(self, board: Board, image: Image, inputs: bytes) -> None:
        import unicorn
        from unicorn import arm_const

        assert board.unicorn_cpu is not None
        model = getattr(arm_const, board.unicorn_cpu, None)
        if model is None:
            raise ToolError(f"board {board.name}: this unicorn has no {board.unicorn_cpu}; upgrade it or use QEMU")
        self.image = image
        self.uc: Any = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS)
        self.uc.ctl_set_cpu_model(model)
        for memory in (board.flash, board.ram):
            if memory.size > MAX_MEMORY:
                raise ToolError(f"board {board.name}: memory {memory.name} is too large to emulate in unicorn")
            low = memory.origin // PAGE * PAGE
            high = -(-(memory.origin + memory.size) // PAGE) * PAGE
            self.uc.mem_map(low, high - low)
        self.uc.mem_map(SYSTEM_SPACE, PAGE)
        for segment in image.segments:
            if not board.flash.holds(segment.address):
                raise ToolError(f"{image.path}: has a segment at {segment.address:#x}, outside {board.name}'s flash")
            self.uc.mem_write(segment.address, segment.data)
        self.host = Semihost(self.uc.mem_read, self.uc.mem_write, {"edgeq_in.bin": inputs})
        self._sp, self._pc = arm_const.UC_ARM_REG_SP, arm_const.UC_ARM_REG_PC
        self._lr, self._r0, self._r1 = (
            arm_const.UC_ARM_REG_LR,
            arm_const.UC_ARM_REG_R0,
            arm_const.UC_ARM_REG_R1,
        )
        vectors = bytes(self.uc.mem_read(board.flash.origin, 8))
        self.uc.reg_write(self._sp, int.from_bytes(vectors[:4], "little"))
        self._reset = int.from_bytes(vectors[4:], "little") | 1
        self._failure: Exception | None = None
        trap = image.symbols.get("eq_semihost_call")
        if trap is not None:
            self.uc.hook_add(unicorn.UC_HOOK_CODE, self._on_semihost, begin=trap.address, end=trap.address)

    def _on_semihost(self, uc: Any, address: int, size: int, data: object) -> None:
        """Answer a semihosting call in place of its trap instruction, then return to the caller."""
        try:
            result = self.host.call(uc.reg_read(self._r0), uc.reg_read(self._r1))
        except Exception as error:  # an exception must not cross unicorn's C code
            self._failure = error
            uc.emu_stop()
            return
        if self.host.exit_code is not None:
            uc.emu_stop()
            return
        uc.reg_write(self._r0, result & 0xFFFFFFFF)
        uc.reg_write(self._pc, uc.reg_read(self._lr))

    def run(self, where: str, timeout_s: float) -> None:
        """Emulate until the firmware exits; `ToolError` for a fault or when the time is over."""
        import unicorn

        try:
            self.uc.emu_start(self._reset, 0xFFFFFFFE, timeout=max(1, int(timeout_s * 1e6)))
        except unicorn.UcError as error:
            pc = self.uc.reg_read(self._pc)
            raise ToolError(
                f"{where}: fault at pc {pc:#010x} in {self.image.function_at(pc)}: {error}; "
                "look at that function's memory accesses"
            ) from error
        if self._failure is not None:
            raise ToolError(f"{where}: bad semihosting call: {self._failure}") from self._failure
        if self.host.exit_code is None:
            pc = self.uc.reg_read(self._pc)
            raise ToolError(
                f"{where}: no end after {timeout_s:g} s (now in {self.image.function_at(pc)}); "
                "the network loops for ever or needs a longer time limit"
            )


class _Counter:
    """Counts executed blocks between the markers.

    Unicorn tells when a block starts, not how much of it ran, and the exact count of blocks depends on how it
    cuts code, so the figure is given as approximate.
    """

    def __init__(self, uc: Any, image: Image) -> None:
        import unicorn
        from unicorn import arm_const

        self.histogram = Histogram()
        self._now: dict[tuple[int, int], int] = defaultdict(int)
        self._steps: dict[int, dict[tuple[int, int], int]] = defaultdict(lambda: defaultdict(int))
        self._active = False
        self._region = 0
        self._r0 = arm_const.UC_ARM_REG_R0
        self._image = image
        self._skips = skip_ranges(image)
        self._lengths: dict[tuple[int, int], int] = {}
        uc.hook_add(unicorn.UC_HOOK_BLOCK, self._on_block)
        self._watch(uc, marker(image, "edgeq_mark_start"), self._on_start)
        self._watch(uc, marker(image, "edgeq_mark_stop"), self._on_stop)
        if "edgeq_mark_layer" in image.symbols:
            self._watch(uc, marker(image, "edgeq_mark_layer"), self._on_layer)

    @staticmethod
    def _watch(uc: Any, address: int, call: Callable[[Any, int, int, object], None]) -> None:
        import unicorn

        uc.hook_add(unicorn.UC_HOOK_CODE, call, begin=address, end=address)

    def _on_block(self, uc: Any, address: int, size: int, data: object) -> None:
        if self._active:
            self._now[address, size] += 1

    def _on_start(self, uc: Any, address: int, size: int, data: object) -> None:
        self._active = True
        self._region = 0
        self._now.clear()

    def _on_stop(self, uc: Any, address: int, size: int, data: object) -> None:
        self._close(-1)
        self._active = False
        self.histogram.regions.append(self._region)

    def _on_layer(self, uc: Any, address: int, size: int, data: object) -> None:
        self._close(uc.reg_read(self._r0))

    def _length(self, block: tuple[int, int]) -> int:
        if block not in self._lengths:
            skipped = any(low <= block[0] < high for low, high in self._skips)
            self._lengths[block] = 0 if skipped else len(block_addresses(self._image, *block))
        return self._lengths[block]

    def _close(self, step: int) -> None:
        """Credit the blocks since the last marker to `step`."""
        for block, times in self._now.items():
            length = self._length(block)
            if length:
                self._steps[step][block] += times
                self._region += times * length
        self._now.clear()

    def counts(self, image: Image, board: Board) -> Counts:
        """Spread the blocks over their instructions and sum up."""
        for step, blocks in self._steps.items():
            cells = self.histogram.cells[step]
            for block, times in blocks.items():
                for pc in block_addresses(image, *block):
                    cells[pc] += times
        return make_counts(self.histogram, image, board, "unicorn block hook", exact=False)
