"""hls/cpp keeps its calling convention: a function for each stage, the Verilog module's parameters in their order."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hls.harness import RTL
from hls_cpp.harness import LIBRARY, head

import edgeq.fpga

HEADERS = sorted(LIBRARY.glob("eq_*.hpp"))
#: parameters that Verilog takes as one number and C++ does not: lists, and numbers as wide as a layer
OTHER = {("eq_concat", "BEATS"): "COUNTS", ("eq_mvc", "DIGITS"): None}
#: parameters that the compiler deduces
OWN = ("OUT_WIDTH", "OUTS", "STREAMS")


def placed() -> set[str]:
    """Modules that lowering places as stages; eq_fifo is a stream."""
    texts = [path.read_text("utf-8") for path in Path(edgeq.fpga.__file__).parent.rglob("*.py")]
    found = {
        name
        for text in texts
        for name in re.findall(r'(?:stage\(\s*|module = |module, cycles = |_fork_i", )"(eq_\w+)"', text)
    }
    return found - {"eq_fifo", "eq_stall"}


STAGES = sorted(placed())


def verilog_parameters(module: str) -> list[tuple[str, str]]:
    """Names and defaults in the order of the module."""
    text = (RTL / f"{module}.v").read_text()
    declared = text[text.index(f"\nmodule {module} ") : text.index(";\n", text.index(f"\nmodule {module} "))]
    return re.findall(r"parameter\s+(?:integer\s+|signed\s+|\[[^\]]*\]\s*)*(\w+)\s*=\s*(.+?),?\n", declared)


def test_all_stages_are_known() -> None:
    assert {"eq_window", "eq_mvu", "eq_fork", "eq_scale", "eq_shift", "eq_softmax_lines"} <= set(STAGES)
    assert len(STAGES) >= 24


@pytest.mark.parametrize("module", STAGES)
def test_parameters_are_those_of_the_verilog(module: str) -> None:
    awaited = []
    for name, default in verilog_parameters(module):
        name = OTHER.get((module, name), name)
        if name and default != '""':  # "": a memory, which is an argument here
            awaited.append(name)
    names = [name for name, _ in head(module)]
    assert names[0] == "BEATS"
    assert [name for name in names[1:] if name not in (*OWN, "STAGE")] == awaited


def test_what_outlives_a_call_has_a_stage_number() -> None:
    """Two stages with the same parameters would share it otherwise."""
    for module in STAGES:
        text = (LIBRARY / f"{module}.hpp").read_text()
        assert ("STAGE" in [name for name, _ in head(module)]) == bool(
            re.search(r"^\s+static (?!_assert)\w", text, re.M)
        )


@pytest.mark.parametrize("module", STAGES)
def test_defaults_are_those_of_the_verilog(module: str) -> None:
    """Where the Verilog has a plain number or a text; defaults here are never expressions."""
    known = dict(head(module))
    for name, default in verilog_parameters(module):
        if text := re.fullmatch(r'"(\w+)"', default):
            assert known[name] == f"EQ_{text[1].upper()}"
        elif re.fullmatch(r"-?\d+", default) and known.get(name):
            assert int(known[name]) == int(default), name
    assert all(re.fullmatch(r"-?\d+|EQ_[A-Z]+|", default) for default in known.values())


@pytest.mark.parametrize("path", HEADERS, ids=lambda path: path.stem)
def test_header_names_everything(path: Path) -> None:
    text = path.read_text()
    comment = text[: text.index("#ifndef")]
    assert all(line.startswith("//") for line in comment.splitlines())
    guard = f"{path.stem.upper()}_HPP"
    assert f"#ifndef {guard}\n#define {guard}\n" in text
    assert all(len(line) <= 132 for line in text.splitlines())
    if path.stem in STAGES:
        names = [name for name, _ in head(path.stem) if name not in OWN]
        assert not [name for name in names if not re.search(rf"\b{name}\b", comment)]


def test_every_header_is_in_the_list() -> None:
    listed = (LIBRARY / "eq_all.hpp").read_text()
    assert not [path.name for path in HEADERS if path.stem != "eq_all" and f'"{path.name}"' not in listed]
    readme = (LIBRARY.parent / "README.md").read_text()
    assert not [path.stem for path in HEADERS if f"`{path.stem}" not in readme]


def test_only_small_loops_are_unrolled() -> None:
    """What is unrolled are lanes, PE, SIMD, digits of a weight; all else is a loop. (eq_mvc: rows, see there.)"""
    for path in HEADERS:
        lines = path.read_text().splitlines()
        for at, line in enumerate(lines):
            if "HLS UNROLL" in line:
                allowed = r"< (LANES|PE|SIMD|MH|TERMS);" if path.stem == "eq_mvc" else r"< (LANES|PE|SIMD|TERMS);"
                assert re.search(allowed, lines[at - 1]), f"{path.name}:{at}"


def test_products_of_digits_are_shifts_and_adds() -> None:
    text = (LIBRARY / "eq_khot.hpp").read_text()
    body = re.sub(r"//.*", "", text[text.index("eq_choice<EQ_KHOT>)") :])
    assert "<<" in body
    assert "*" not in body
    assert "/" not in body.replace("W / TERMS", "")
