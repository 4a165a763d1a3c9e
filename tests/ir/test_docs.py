"""docs/operators.md is current, and every operator has its file in every wing."""

from __future__ import annotations

import inspect
from importlib import import_module
from pathlib import Path

import pytest

from edgeq.emulator.ops import FAST, REFERENCE
from edgeq.ir import OPERATORS
from edgeq.ir.docs import PAGE, c_kernels, fast_twin, hardware, operators_markdown
from edgeq.mcu.ops import KERNELS, SCALED

ROOT = Path(__file__).parents[2]
#: operators that only rename a buffer need no C; shared twins of the emulator live in one file
NO_C = {"reshape"}
SHARED_TWIN = {"gather", "reshape", "resize_nearest", "slice", "transpose"}


def test_the_committed_page_is_current() -> None:
    assert PAGE == ROOT / "docs" / "operators.md"
    assert PAGE.read_text(encoding="utf-8") == operators_markdown(), "run python -m edgeq.ir.docs"


def test_the_registry_is_what_lies_in_the_folder() -> None:
    files = {p.stem for p in (ROOT / "edgeq" / "ir" / "ops").glob("[a-z]*.py")}
    assert files == OPERATORS.keys()


@pytest.mark.parametrize("name", sorted(OPERATORS))
def test_every_wing_has_the_operator(name: str) -> None:
    op = OPERATORS[name]
    assert op.name == name
    assert inspect.getdoc(type(op)), "its class must state its meaning"
    module = import_module(f"edgeq.ir.ops.{name}")
    assert (module.__doc__ or "").startswith(f"{name}: ")
    assert type(op).__module__ == module.__name__
    # The C wing: lowering of the same name, and the kernels that it calls.
    assert (ROOT / "edgeq" / "mcu" / "ops" / f"{name}.py").is_file()
    assert bool(KERNELS[name]) == (name not in NO_C)
    for variant in KERNELS[name]:
        assert (ROOT / "firmware" / "kernels" / f"{variant.kernel}.h").is_file()
    # The fast emulator: a twin, or named as one that needs none.
    assert (name in FAST) != (name in REFERENCE)
    if name in FAST and name not in SHARED_TWIN:
        assert FAST[name].__module__ == f"edgeq.emulator.ops.{name}"


def test_no_kernel_is_an_orphan() -> None:
    called = {variant.kernel for table in (KERNELS, SCALED) for variants in table.values() for variant in variants}
    assert {p.stem for p in (ROOT / "firmware" / "kernels").glob("*.h")} == called


def test_a_wing_that_lacks_an_operator_says_so() -> None:
    assert c_kernels("no such operator") == "–"
    assert c_kernels("reshape") == "costs nothing"
    assert fast_twin("no such operator") == "runs the reference"
    assert fast_twin("conv") == "twin"
    assert hardware("no such operator") == "–"
    assert hardware("softmax") == "Verilog, C++"
    assert hardware("conv") == "Verilog, C++, hls4ml"
