"""What the demo found, as data: one row for each variant of the network."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Variant:
    """One quantised network.

    name: "W8A8"; accuracies are shares of the test set: of the float network, the trained quantised module, the
    emulator, and the firmware on the emulated board. Comparisons: tensors in each inference, values in all, how
    many of them differ, over `samples` inferences. flash, ram (arena, static data, stack) in bytes; instructions
    of one inference, counted by `counted_by` (exactly or not); page and project: where the report and the firmware lie.
    """

    name: str
    accuracy_float: float
    accuracy_quantised: float
    accuracy_emulator: float
    accuracy_device: float
    samples: int
    tensors: int
    values: int
    differing: int
    macs: int
    flash: int
    ram: int
    instructions: int
    cycles_estimated: int | None
    counted_by: str
    counted_exactly: bool
    page: Path
    project: Path
    model: Path

    @property
    def good(self) -> bool:
        """Whether everything that was compared is equal."""
        return self.differing == 0 and self.values > 0


@dataclass(frozen=True)
class Outcome:
    """All variants, and where they ran."""

    board: str
    runner: str
    toolchain: str
    seconds: float
    variants: tuple[Variant, ...]

    @property
    def good(self) -> bool:
        """Whether every variant is equal everywhere."""
        return bool(self.variants) and all(variant.good for variant in self.variants)

    def to_json(self) -> dict[str, Any]:
        """The object that `edgeq demo --json` prints."""
        return {**asdict(self), "good": self.good}
