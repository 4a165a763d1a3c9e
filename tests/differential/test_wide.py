"""Sums beyond 63 bits in C: a lost carry of the accumulator, or lost bits below a tie, are found."""

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

WIDE = "edgeq/edgeq_wide.h"
#: what is wrong -> file, its text, and what stands there instead
FAULTS = {
    "nothing": (WIDE, "sticky", "sticky"),
    "the bits below the half are lost": (WIDE, "half && (sticky || ", "half && ("),
    "no carry between the words": (WIDE, "(low < a.low ? 1 : 0)", "0"),
    "no carry within a product": (WIDE, "above + eq_asr64(below, 16)", "above"),
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
