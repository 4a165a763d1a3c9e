"""The recorded instruction counts: the comparison finds a rise, and no figure has risen since it was recorded."""

from __future__ import annotations

import copy
import json
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks import baseline

ROW: dict[str, Any] = {
    "macs": 1000,
    "instructions": 2000,
    "flash": 500,
    "ram": 300,
    "arena": 200,
    "stack": 100,
    "layers": {"00 conv 4x4x8": ["conv_dsp", 1500], "01 linear 10": ["linear", 400]},
}


def recorded() -> dict[str, Any]:
    if not baseline.BASELINE.is_file():
        pytest.skip("benchmarks/baseline.json is not there; python benchmarks/baseline.py --update makes it")
    return json.loads(baseline.BASELINE.read_text("utf-8"))  # type: ignore[no-any-return]


def lines(new: dict[str, Any]) -> list[str]:
    return list(baseline.rises("net on board", ROW, new))


@pytest.mark.parametrize("key", baseline.FIGURES)
def test_a_rise_of_a_figure_is_found(key: str) -> None:
    assert lines({**ROW, key: ROW[key] * 101 // 100}) == []
    (line,) = lines({**ROW, key: ROW[key] * 102 // 100})
    assert line.startswith(f"net on board: {key}: {ROW[key]:,} -> ")
    assert lines({**ROW, key: 1}) == []


def test_a_rise_of_a_layer_is_found_though_the_whole_fell() -> None:
    new = copy.deepcopy(ROW)
    new["instructions"], new["layers"]["01 linear 10"] = 1900, ["linear_dsp", 405]
    (line,) = lines(new)
    assert "01 linear 10 (linear -> linear_dsp): 400 -> 405 (+1.2 %)" in line


def test_a_layer_that_the_record_lacks_is_no_rise() -> None:
    new = copy.deepcopy(ROW)
    new["layers"]["02 add 4"] = ["add", 100]
    assert lines(new) == []


def test_what_is_written_is_read_back() -> None:
    data = {"command": "c", "compilers": {"cortex-m4": "gcc 1"}, "figures": {"a b": {"cortex-m4": ROW}, "c": {}}}
    assert json.loads(baseline.written(data)) == data


def test_words_choose_networks_and_boards() -> None:
    assert baseline.wanted("dscnn scaled", "cortex-m4", [])
    assert baseline.wanted("dscnn scaled", "cortex-m4", ["scaled", "cortex-m4"])
    assert not baseline.wanted("dscnn scaled", "cortex-m0", ["scaled", "cortex-m4"])
    assert not baseline.wanted("dscnn", "cortex-m4", ["scaled"])


def test_another_compiler_is_no_rise() -> None:
    data = {"compilers": dict.fromkeys(baseline.BOARDS, "another compiler"), "figures": {"dscnn": {}}}
    compared, rose, left = baseline.check(data)
    assert (compared, rose, len(left)) == (0, [], len(baseline.BOARDS))


def compare(words: list[str], data: dict[str, Any] | None = None) -> list[str]:
    compared, rose, left = baseline.check(data or recorded(), words=words, say=lambda line: None)
    if not compared:
        pytest.skip("; ".join(left))
    return rose


def test_nothing_rose_on_a_cortex_m4() -> None:
    data = recorded()
    assert compare(["dscnn scaled", "cortex-m4"], data) == []
    # Had less been recorded, the same measurement would be an error.
    row = data["figures"]["dscnn scaled"]["cortex-m4"]
    row["instructions"] = row["instructions"] * 98 // 100
    (line,) = compare(["dscnn scaled", "cortex-m4"], data)
    assert line.startswith("dscnn scaled on cortex-m4: instructions: ")


@pytest.mark.heavy
@pytest.mark.parametrize("board", baseline.BOARDS)
def test_nothing_rose(board: str) -> None:
    assert compare([board]) == []
