"""How fast a routed design is by nextpnr's timing report: in all, and the longest path that ends in each part."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeq.errors import ToolError


@dataclass(frozen=True)
class Speed:
    """fmax: clock net -> MHz reached.

    slowest: the parts that the worst path within one clock starts and ends in. parts: part -> MHz of the longest path
    that ends in one of its registers; only parts that have such registers.
    """

    fmax: Mapping[str, float]
    slowest: tuple[str, str]
    parts: Mapping[str, float]


def read_speed(path: Path, part: Callable[[str], str]) -> Speed:
    """What the report of nextpnr says; part: name of a cell -> its part, or "".

    The report gives bounds of the arrival at every register, and set-up times for the worst path only, which stand for
    all: a part may be a few per cent faster than said. Raises ToolError when it is no such report.
    """
    try:
        report: dict[str, Any] = json.loads(path.read_text("utf-8"))
        fmax = {str(name): float(clock["achieved"]) for name, clock in report["fmax"].items()}
        paths = [p["path"] for p in report["critical_paths"] if _one_clock(p["from"], p["to"]) and p["path"]]
        setup = max((_setup(steps) for steps in paths), default=0.0)
        worst = max(paths, key=_length, default=None)
        ends = ("", "") if worst is None else (part(worst[0]["from"]["cell"]), part(worst[-1]["to"]["cell"]))
        longest: dict[str, float] = {}
        for cell, delay in _arrivals(report):
            name = part(cell)
            longest[name] = max(longest.get(name, 0.0), delay)
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise ToolError(f"{path}: is not a timing report of nextpnr ({error!r})") from error
    return Speed(fmax, ends, {name: 1e3 / (delay + setup) for name, delay in longest.items() if delay + setup > 0})


def _one_clock(start: str, end: str) -> bool:
    return start == end and start.startswith("posedge")


def _length(steps: list[dict[str, Any]]) -> float:
    return sum(float(step["delay"]) for step in steps)


def _setup(steps: list[dict[str, Any]]) -> float:
    return sum(float(step["delay"]) for step in steps if step["type"] == "setup")


def _arrivals(report: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Cell and latest arrival in ns at each input of a register that its own clock drives."""
    for net in report["detailed_net_timings"]:
        for end in net["endpoints"]:
            if _one_clock(net["event"], end["event"]):
                yield str(end["cell"]), float(end["delay"][1])
