"""benchmarks/fpga_estimate.py: random networks that can be built and are not fitted to, errors kept."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.fpga_estimate import (
    BOARDS,
    FITTED,
    FITTED_MINIFLOATS,
    MINIFLOAT_DESIGNS,
    OF_MINIFLOATS,
    errors,
    merged,
    random_cases,
    record,
)
from edgeq.boards import load_board
from edgeq.fpga.estimate import MINIFLOAT_STAGE, _wide_product, cost_key, costs, estimate, stage_usage
from edgeq.fpga.lower import lower
from edgeq.fpga.protocol import network_id
from edgeq.fpga.toolchain import Usage


def test_random_networks_can_be_built_and_differ() -> None:
    cases = random_cases(12)
    seen = set()
    for case in cases:
        graph = case.network()
        assert network_id(graph) == network_id(case.network()), "the same each time"
        seen.add(network_id(graph))
        for family in case.families:
            board = load_board(BOARDS[family])
            flow = lower(graph, board, **case.options)
            used = sum(estimate(flow, board).values(), Usage())
            assert used.luts > 500, case.name
    assert len(seen) == len(cases)
    assert not seen & {network_id(case.network()) for case in FITTED}
    assert {family for case in cases for family in case.families} == BOARDS.keys()
    assert {case.options.get("style") for case in cases} == {None, "lut"}


def test_minifloats_have_costs_of_their_own_that_no_other_fit_touches() -> None:
    """Of all families; the designs that are compared are not those that costs are fitted to."""
    known = costs()
    assert all(set(OF_MINIFLOATS) <= known[family].keys() for family in BOARDS)
    (fitted,) = FITTED_MINIFLOATS
    board = load_board(BOARDS["ecp5"])
    flow = lower(fitted.network(), board, **fitted.options)
    found = {key: [s for s in flow.stages if cost_key(s) == key] for key in OF_MINIFLOATS}
    assert {key: len(stages) for key, stages in found.items()} == dict.fromkeys(OF_MINIFLOATS, 10)
    assert len({s.integer("OUT_BITS") for s in found["eq_decode"]}) == 5
    assert network_id(fitted.network()) not in {network_id(case.network()) for case in MINIFLOAT_DESIGNS}
    stage = found[MINIFLOAT_STAGE][4]
    integers = replace(stage, params={**stage.params, "EXPONENT": 0})
    assert stage_usage(flow, stage, "ecp5").luts > 1.5 * stage_usage(flow, integers, "ecp5").luts
    made = {"ecp5": {key: {"luts": {"one": 1.0}} for key in (*OF_MINIFLOATS, "eq_mvu", "other")}}
    for only in (True, False):
        changed = {k for k, v in merged(dict(known), made, only)["ecp5"].items() if v != known["ecp5"][k]}
        assert changed == (set(OF_MINIFLOATS) if only else {"eq_mvu", "other"})


def test_wide_products_take_the_blocks_that_yosys_gives_them() -> None:
    """Of 19 x 5, 19 x 19, 34 x 8 and 10 x 10 bits, as synthesis of eq_mul alone counts them."""
    widths = ((19, 5), (19, 19), (34, 8), (10, 10))
    found = {family: [_wide_product(a, b, family) for a, b in widths] for family in BOARDS}
    assert found == {"ecp5": [1, 1, 2, 1], "gowin": [1, 1, 2, 1], "ice40": [1, 3, 2, 1], "xilinx": [1, 2, 2, 1]}


def test_rows_replace_their_older_ones(tmp_path: Path) -> None:
    path = tmp_path / "errors.json"

    def row(design: str, luts: float, dsps: float | None) -> dict[str, object]:
        return {"design": design, "family": "ecp5", "error": {"luts": luts, "ffs": 0.0, "dsps": dsps, "brams": 0.0}}

    for one in (row("a", 0.5, 0.0), row("b", -0.3, None), row("a", 0.1, 0.0)):
        record(path, one)
    found = json.loads(path.read_text("utf-8"))
    assert [r["design"] for r in found["designs"]] == ["b", "a"]
    assert found["errors"]["ecp5"]["luts"] == {"mean": 0.2, "largest": 0.3, "designs": 2}
    assert found["errors"]["ecp5"]["dsps"]["designs"] == 1
    assert found["errors"]["gowin"] == errors([]) == {}
    assert errors([row("c", -0.4, 0.0)])["luts"]["mean"] == pytest.approx(0.4)
