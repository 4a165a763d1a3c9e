"""Sums beyond 63 bits in C: a fault in any word of the accumulator, or in the bits below a tie, is found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgeq.emulator import reference
from tests.differential.batch import run_on_host, write_batch
from tests.differential.cases import Case, made_case
from tests.differential.executors import plain_host
from tests.differential.test_proof import replaced
from tests.wide_sums import rounding

WIDE, SUMS = "edgeq/edgeq_wide.h", "edgeq/edgeq_acc.h"
#: what is wrong -> file, its text, and what stands there instead
FAULTS = {
    "nothing": (WIDE, "sticky", "sticky"),
    "the bits below the half are lost": (WIDE, "half && (sticky || ", "half && ("),
    "the lower word of them is": (WIDE, "((uint64_t)lost.high << 1 | lost.low)", "((uint64_t)lost.high << 1)"),
    "no carry between the words": (WIDE, "(low < a.low ? 1 : 0)", "0"),
    "no carry within a product": (WIDE, "above + eq_asr64(below, 16)", "above"),
    "a product loses its lowest bits": (WIDE, "((uint64_t)below & 0xFFFFu)", "0u"),
    "the lowest 32 bits of a sum are lost": (SUMS, "(uint32_t)a.narrow};", "0u};"),
    "what is beyond 64 bits is not": (WIDE, "v.high == eq_asr64((int64_t)v.low, 63)", "v.high == v.high"),
    "what wraps saturates": (WIDE, "(rule & EQ_OVER_WRAP) != 0 && !clamps", "false && !clamps"),
    "no minifloat is too great": (WIDE, "m.high != 0 || m.low >> 40 != 0u", "m.high == 1"),
}


def case() -> Case:
    graph, inputs = rounding(("half_even",), ("half_up",))
    return made_case(graph, inputs)


def wrong(folder: Path, mutate: Callable[[str, str], str]) -> list[str]:
    """Values that C under a fault makes otherwise."""
    made = case()
    golden, compiler = reference(made.graph, made.inputs), plain_host()[0]
    (found,) = run_on_host(write_batch([made], folder, mutate=mutate), compiler.cc, ("-O1",))  # type: ignore[attr-defined]
    return [name for name, codes in found.items() if not np.array_equal(codes, golden[name])]


@pytest.mark.skipif(not plain_host(), reason="needs gcc or clang")
@pytest.mark.sample(2)
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found(name: str, tmp_path: Path) -> None:
    found = wrong(tmp_path, replaced(*FAULTS[name]))
    assert bool(found) == (name != "nothing"), found
