"""docs/operators.md from the registry: what each operator means and which wings run it. `python -m edgeq.ir.docs`."""

from __future__ import annotations

import inspect
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from edgeq.ir.operator import OUTPUT_STAGE, Arithmetic, Movement, Operator
from edgeq.ir.ops import OPERATORS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "operators.md"

_HEAD = """\
# Operators

Made from `edgeq/ir/ops` by `python -m edgeq.ir.docs`; do not edit by hand. How numbers are rounded and accumulated:
[arithmetic](arithmetic.md). Adding one: [adding an operator](adding-an-operator.md).

Shapes are those of values: channels-last, without the batch axis. Every operator has one output. The golden emulator
runs all of them by their own meaning; the columns on the right say what else does. Hardware is Verilog and its twin in
C++ for Vitis HLS, stage by stage ([FPGAs](fpga.md), [Vitis](hls.md)).

"""

_MINIFLOATS = (
    "Minifloats in hardware (E2M1 to E5M2, every other one, mixed with fixed point, and weights with group scales):",
    "*in*, as operands; *out*, as what an operator makes. What has no *out* makes integers by its meaning. hls4ml",
    "takes none. Limits of widths stand under [FPGAs](fpga.md#stages).",
    "",
)

_STAGE = """\
## The output stage

Operators of the kind *arithmetic* compute exactly, round once and saturate. They share these optional attributes:

"""

_ONLY_STAGE = "Attributes: those of the [output stage](#the-output-stage)."

_KINDS = {
    "arithmetic": "computes exactly, then the output stage; output in any format with one grid",
    "movement": "moves codes; the output has the input's format",
    "selection": "no arithmetic on numbers; its own rule for the output's format",
}


def kind(op: Operator) -> str:
    """A key of `_KINDS`."""
    return "arithmetic" if isinstance(op, Arithmetic) else "movement" if isinstance(op, Movement) else "selection"


def _registry(module: str, name: str) -> dict[str, Any]:
    """A wing's table of operators; empty where this installation lacks the wing."""
    try:
        return dict(getattr(import_module(module), name))
    except ModuleNotFoundError:
        return {}


#: operators whose output is an integer by their meaning, whatever comes in
INTEGER_OUTPUTS = ("argmax", "sigmoid_lines", "softmax_lines", "softmax_reciprocal")


def minifloats(op: str) -> str:
    """Where hardware has minifloats: wherever the operator may have them (tests/fpga/test_hardware_formats.py)."""
    if op not in _registry("edgeq.fpga.ops", "LOWERINGS"):
        return "–"
    return "in" if op in INTEGER_OUTPUTS else "in, out"


def c_kernels(op: str) -> str:
    """The C kernels of an operator, best first."""
    found = _registry("edgeq.mcu.ops", "KERNELS").get(op)
    if found is None:
        return "–"
    found = (*found, *_registry("edgeq.mcu.ops", "SCALED").get(op, ()))
    return ", ".join(f"`{v.kernel}` ({v.name})" for v in found) or "costs nothing"


def fast_twin(op: str) -> str:
    """Whether the emulator has a fast twin of an operator."""
    return "twin" if op in _registry("edgeq.emulator.ops", "FAST") else "runs the reference"


def hardware(op: str) -> str:
    """What makes hardware of an operator: Verilog and C++, and hls4ml where it is fed from the graph."""
    made = ["Verilog, C++"] if op in _registry("edgeq.fpga.ops", "LOWERINGS") else []
    made += ["hls4ml"] if op in _registry("edgeq.hls4ml.layers", "LAYERS") else []
    return ", ".join(made) or "–"


def _operand(text: str) -> str:
    name = text.rstrip("?*")
    return f"`{name}`" + (" (optional)" if text.endswith("?") else " (one or more)" if text.endswith("*") else "")


def _table(attributes: dict[str, str]) -> list[str]:
    lines = ["| attribute | meaning |", "|---|---|"]
    for key, meaning in attributes.items():
        optional = key.startswith("[") or key in OUTPUT_STAGE or key == "value"
        lines.append(f"| `{key.lstrip('[')}`{' (optional)' if optional else ''} | {meaning} |")
    return lines


def _section(op: Operator) -> list[str]:
    summary = inspect.getdoc(sys.modules[type(op).__module__]) or ""
    meaning = inspect.getdoc(type(op)) or ""
    own = {key: text for key, text in op.attributes.items() if key not in OUTPUT_STAGE}
    lines = [f"## {op.name}", "", _sentence(summary.removeprefix(f"{op.name}: ")), "", "```text", meaning, "```", ""]
    lines += [f"Operands: {', '.join(map(_operand, op.operands))}. Kind: {kind(op)}. C: {c_kernels(op.name)}.", ""]
    if own:
        lines += [*_table(own), ""]
    if kind(op) == "arithmetic":
        lines += ["And those of the [output stage](#the-output-stage)." if own else _ONLY_STAGE, ""]
    return lines


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def operators_markdown() -> str:
    """The whole page."""
    lines = [
        "| operator | kind | C kernels | fast emulator | hardware | minifloats in hardware |",
        "|---|---|---|---|---|---|",
    ]
    for name, op in sorted(OPERATORS.items()):
        wings = (kind(op), c_kernels(name), fast_twin(name), hardware(name), minifloats(name))
        lines.append(f"| [{name}](#{name}) | {' | '.join(wings)} |")
    lines += ["", *_MINIFLOATS, *(f"- *{name}*: {meaning}" for name, meaning in _KINDS.items()), ""]
    stage = [*_table(dict(OUTPUT_STAGE)), ""]
    sections = [line for _, op in sorted(OPERATORS.items()) for line in _section(op)]
    return _HEAD + "\n".join(lines) + "\n" + _STAGE + "\n".join([*stage, *sections]).rstrip() + "\n"


if __name__ == "__main__":
    PAGE.write_text(operators_markdown(), encoding="utf-8", newline="\n")
