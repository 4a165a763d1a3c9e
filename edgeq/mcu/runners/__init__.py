"""Emulators that run a firmware image here: QEMU and unicorn, with one result type and instruction counts."""

from edgeq.mcu.runners.pick import available_runners, pick_runner
from edgeq.mcu.runners.qemu import QemuRunner
from edgeq.mcu.runners.result import Counts, Runner, RunResult
from edgeq.mcu.runners.unicorn import UnicornRunner

__all__ = [
    "Counts",
    "QemuRunner",
    "RunResult",
    "Runner",
    "UnicornRunner",
    "available_runners",
    "pick_runner",
]
