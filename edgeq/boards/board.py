"""What edgeq knows of a target: frozen values, made by the readers of board files."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from edgeq.errors import InputError

KINDS = ("mcu", "fpga", "hls", "host", "emulator")


@dataclass(frozen=True)
class Memory:
    """One memory of a board: `origin` is the first byte address, `size` is in bytes."""

    name: str
    origin: int
    size: int

    def holds(self, address: int) -> bool:
        """Say whether `address` lies in this memory."""
        return self.origin <= address < self.origin + self.size


@dataclass(frozen=True)
class GccTarget:
    """How GCC builds for a board: the program prefix (`arm-none-eabi-`) and the machine flags."""

    prefix: str
    flags: tuple[str, ...]


@dataclass(frozen=True)
class ZigTarget:
    """How `zig cc` builds for a board: its `-target` and `-mcpu`."""

    target: str
    cpu: str


@dataclass(frozen=True)
class QemuMachine:
    """How QEMU emulates a board: `qemu-system-<system> -M <machine> <flags>`."""

    system: str
    machine: str
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pin:
    """One pin of an FPGA board.

    `function` is what the design uses it for (`PIN_FUNCTIONS` in `edgeq.boards.fpga`), `site` its name in the
    package, `io` the electrical standard, `pull` "up", "down" or "none"; `active_low`: 0 is on.
    """

    function: str
    site: str
    io: str | None = None
    pull: str | None = None
    active_low: bool = False


@dataclass(frozen=True)
class Fpga:
    """The device of an FPGA board.

    `family` chooses synthesis and packer; `part` is the maker's order code; `device`, `package` and `speed` are what
    place and route calls it. `luts`, `ffs`, `dsps`, `brams`: how many there are; a DSP is a MULT18X18D (ecp5), an
    SB_MAC16 (ice40) or a 9-bit multiplier (gowin: an 18-bit one counts as two); `bram_bits` is the size of one block
    RAM. `target_hz` is the clock that a build tries first; `programmer` the name that openFPGALoader knows;
    `baud` what its USB bridge carries.
    """

    family: str
    part: str
    device: str
    package: str | None
    speed: str | None
    target_hz: int
    luts: int
    ffs: int
    dsps: int
    brams: int
    bram_bits: int
    programmer: str
    baud: int
    pins: tuple[Pin, ...]

    def pin(self, function: str) -> Pin | None:
        """The first pin of that function, or None."""
        return next((pin for pin in self.pins if pin.function == function), None)


@dataclass(frozen=True)
class Hls:
    """The device of a board that the vendor's high-level synthesis serves: a processor and logic in one chip.

    `part` is the maker's order code, `board_part` the name of its preset (or None), `processor` the kind of processing
    system (`PROCESSORS` in `edgeq.boards.hls`). `luts` (of six inputs), `ffs`, `dsps` (DSP48), `brams` (halves of
    `bram_bits`, which is how the tools count): how many there are. `target_hz` is the clock that the processor
    gives the logic, `dma_bits` the width of the AXI streams between its memory and the network.
    """

    part: str
    board_part: str | None
    processor: str
    target_hz: int
    dma_bits: int
    luts: int
    ffs: int
    dsps: int
    brams: int
    bram_bits: int


@dataclass(frozen=True)
class Board:
    """Everything that edgeq knows of one target.

    An `mcu` board has a core, `isa` features (`ISA_FEATURES`), a memory named `flash` and one named `ram` (others are
    listed for the user but not used by the linker script), a clock in Hz and toolchain data; an `fpga` board has the
    clock of its crystal and `fpga`, an `hls` board the clock of its logic and `hls`; `host` and `emulator` have none of
    these. `source` says where the facts come from; `path` is the file.
    """

    name: str
    description: str
    kind: str
    source: str
    aliases: tuple[str, ...] = ()
    core: str | None = None
    isa: tuple[str, ...] = ()
    clock_hz: int | None = None
    memories: tuple[Memory, ...] = ()
    gcc: GccTarget | None = None
    zig: ZigTarget | None = None
    qemu: QemuMachine | None = None
    unicorn_cpu: str | None = None
    fpga: Fpga | None = None
    hls: Hls | None = None
    path: Path = field(default=Path(), compare=False)

    @property
    def is_arm(self) -> bool:
        """True for the Cortex-M cores."""
        return self.core is not None and self.core.startswith("cortex-")

    def memory(self, name: str) -> Memory:
        """Return the memory called `name`; `InputError` when the board has none of that name."""
        for memory in self.memories:
            if memory.name == name:
                return memory
        names = ", ".join(m.name for m in self.memories) or "none"
        raise InputError(f"board {self.name}: no memory {name!r} (it has {names})")

    @property
    def dsps(self) -> int:
        """Multipliers of a board with programmable logic; 0 for others."""
        device = self.fpga or self.hls
        return device.dsps if device is not None else 0

    @property
    def flash(self) -> Memory:
        """The memory that holds code and constants."""
        return self.memory("flash")

    @property
    def ram(self) -> Memory:
        """The memory that holds data, arena and stack."""
        return self.memory("ram")
