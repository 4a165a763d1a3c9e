"""Speed by nextpnr's timing report: in all and by part."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgeq.errors import ToolError
from edgeq.fpga.toolchain.timing import read_speed

CLOCK = "posedge clk"


def part(cell: str) -> str:
    return cell.split(".")[1] if cell.startswith("core.") else ""


def report() -> dict[str, Any]:
    """Two registers of part a, one of b, one of no part; paths to and from pins."""

    def step(kind: str, delay: float, start: str, end: str) -> dict[str, Any]:
        return {"type": kind, "delay": delay, "from": {"cell": start}, "to": {"cell": end}}

    def net(start: str, *ends: tuple[str, str, float]) -> dict[str, Any]:
        return {"event": start, "endpoints": [{"cell": c, "event": e, "delay": [0.0, d]} for c, e, d in ends]}

    return {
        "fmax": {"clk": {"achieved": 80.0, "constraint": 60.0}},
        "critical_paths": [
            {"from": "<async>", "to": CLOCK, "path": [step("setup", 99.0, "pin", "core.a.x")]},
            {
                "from": CLOCK,
                "to": CLOCK,
                "path": [step("routing", 12.0, "core.b.y", "core.a.z"), step("setup", 0.5, "core.a.z", "core.a.z")],
            },
        ],
        "detailed_net_timings": [
            net(CLOCK, ("core.a.x", CLOCK, 7.5), ("core.a.z", CLOCK, 12.0), ("core.b.y", CLOCK, 4.5)),
            net(CLOCK, ("uart", CLOCK, 9.5), ("core.b.y", "<async>", 50.0)),
            net("<async>", ("core.b.y", CLOCK, 60.0)),
        ],
    }


def test_a_part_is_as_fast_as_the_longest_path_into_it(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text(json.dumps(report()), "utf-8")
    speed = read_speed(path, part)
    assert speed.fmax == {"clk": 80.0}
    assert speed.slowest == ("b", "a")
    assert speed.parts == {"a": 80.0, "b": 200.0, "": 100.0}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"fmax": {"clk": {}}}'])
def test_a_damaged_report_is_one_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "report.json"
    path.write_text(text, "utf-8")
    with pytest.raises(ToolError, match=r"^.*report\.json: is not a timing report of nextpnr"):
        read_speed(path, part)
