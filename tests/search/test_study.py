"""The study of formats: its points, its arithmetic by hand, and the same result when it is stopped or spread."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("brevitas")

from edgeq.errors import InputError, ToolError  # noqa: E402
from edgeq.quant import Recipe, calibrate, prepare  # noqa: E402
from edgeq.search import study as studies  # noqa: E402
from edgeq.search import sweep  # noqa: E402
from edgeq.search.draw import table_text, write_all  # noqa: E402
from edgeq.search.methods import ptq_methods, recipe_keys  # noqa: E402
from edgeq.search.store import Store  # noqa: E402
from edgeq.search.study import Plan, Point, Row, better_format, formats, front, study, wilson  # noqa: E402
from edgeq.search.task import Source, load_task  # noqa: E402


@pytest.fixture(scope="module")
def plan(network_file: Path) -> Plan:
    """Three points: two widths of integers, one minifloat."""
    return Plan(
        Source(str(network_file)), (3, 8, "e2m1"), (3, 8, "e2m1"), ("mse",), same=True, counting="none", luts=False
    )


def test_the_points_are_the_product(network_file: Path) -> None:
    source = Source(str(network_file))
    whole = Plan(source, (4, "e2m1"), (8, 4), ("max", "mse+bias"))
    assert [(p.weights, p.activations, p.method) for p in whole.points] == [
        (w, a, m) for w in (4, "e2m1") for a in (4, 8) for m in ("max", "mse+bias")
    ]
    assert [p.family for p in whole.points[::4]] == ["integer", "mixed"]
    assert whole.points[-1].name == "E2M1/int8"
    with pytest.raises(InputError, match="no format is among both"):
        Plan(source, (4,), (8,), same=True)
    assert set(range(3, 9)) | {"e2m1", "e2m3", "e3m2", "e4m3", "e5m2"} <= set(formats())


def test_methods_are_parts_joined_by_plus() -> None:
    """What they set in a recipe, and what is refused."""
    assert {"mse", "max+bias", "percentile", "gptq"} <= set(ptq_methods())
    assert recipe_keys("mse") == {"statistics": "mse"}
    assert recipe_keys("gptq + equalise+bias") == {"ptq": ["equalise", "gptq", "bias_correction"]}
    assert recipe_keys("max+clipping") == {"statistics": "max", "ptq": ["clipping"]}
    for wrong, fact in (
        ("mse+luck", "method 'luck' is unknown"),
        ("mse+max", "mse and max both choose binary points"),
        ("gptq+gpfq", "both choose how weights are rounded"),
        ("bias+bias", "bias_correction is named twice"),
        ("", "method '' is unknown"),
    ):
        with pytest.raises(InputError, match=fact):
            recipe_keys(wrong)


def test_a_point_is_what_the_user_gets(plan: Plan) -> None:
    """The study's accuracy and bytes against prepare, calibrate and export by hand."""
    from edgeq.frontends.torch import export
    from edgeq.report.layers import packed_bytes

    found = study(plan)
    task = load_task(plan.source)
    for row in found.rows:
        prepared = prepare(
            task.model, Recipe(weights=row.point.weights, activations=row.point.activations, input=8, statistics="mse"),
            task.calibration,
        )  # fmt: skip
        calibrate(prepared, [task.calibration], "mse")
        with torch.no_grad():
            classes = prepared(task.test).argmax(dim=1)
        assert row.accuracy == pytest.approx(float((classes == task.labels).double().mean()))
        graph = export(prepared, task.calibration[:4])
        assert row.weight_bytes == sum(packed_bytes(v) for v in graph.values.values() if v.constant)
    assert found.float_accuracy > 0.5, "the network has learned something, so formats can differ"
    assert found.rows[-1].point.weights == 8
    assert (found.rows[-1].as_float or 0.0) > 0.9


def test_the_interval_is_wilsons() -> None:
    """Of 81 in 263: Newcombe, Statistics in Medicine 17 (1998), table I."""
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson(20, 20)[1] == 1.0


def made(name: tuple[object, object], accuracy: float | None, cost: int | None, spread: float = 0.01) -> Row:
    low, high = (None, None) if accuracy is None else (accuracy - spread, accuracy + spread)
    return Row(Point(*name, "mse"), accuracy, low, high, accuracy, cost, None, None)  # type: ignore[arg-type]


def test_the_front_is_what_no_cheaper_point_betters() -> None:
    rows = [
        made((8, 8), 0.9, 80), made((4, 4), 0.9, 40), made((3, 3), 0.7, 30), made((5, 5), 0.8, 50),
        made(("e2m1", "e2m1"), None, None), made((6, 6), 0.95, None), made((7, 7), 0.91, 70),
    ]  # fmt: skip
    assert front(rows, "weight_bytes") == [2, 1, 6]
    assert front(rows, "luts") == []


def test_formats_are_compared_at_equal_width() -> None:
    rows = [
        made((4, 4), 0.80, 1), made(("e2m1", "e2m1"), 0.85, 1), made((8, 8), 0.90, 1), made(("e4m3", "e4m3"), 0.905, 1),
        made((4, "e2m1"), 0.99, 1), made((4, 8), 0.99, 1),
    ]  # fmt: skip
    found = better_format(rows)
    assert [(f["bits"], f["clear"]) for f in found] == [(4, True), (8, False)]
    assert found[0]["minifloat"].accuracy == 0.85


def test_a_sweep_that_was_stopped_goes_on_with_the_same_result(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = study(plan, Store(tmp_path / "whole.jsonl"))
    calls = []
    real = studies.accuracy_of

    def stops(*arguments: object) -> dict[str, object]:
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*arguments)  # type: ignore[arg-type]

    path = tmp_path / "parts.jsonl"
    monkeypatch.setattr(studies, "accuracy_of", stops)
    with pytest.raises(KeyboardInterrupt):
        study(plan, Store(path))
    assert len(Store(path)) == 1
    again = study(plan, Store(path))
    assert len(calls) == 4, "one was finished, one was stopped, two are left"
    assert again == whole
    assert path.read_text("utf-8") == (tmp_path / "whole.jsonl").read_text("utf-8")


def test_what_cannot_be_done_is_a_reason_and_is_tried_again(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store()

    def missing(weights: object, activations: object) -> dict[str, object]:
        raise ToolError("yosys is missing")

    monkeypatch.setattr(studies, "luts_of", missing)
    found = study(replace(plan, luts=True), store)
    assert [row.luts for row in found.rows] == [None] * 3
    assert found.rows[0].notes == ("luts: yosys is missing",)
    monkeypatch.setattr(studies, "luts_of", lambda w, a: {"luts": 7, "tools": "a tool"})
    again = study(replace(plan, luts=True), store)
    assert [row.luts for row in again.rows] == [7] * 3


def test_the_files_say_what_was_found(plan: Plan, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    found = study(plan)
    paths = write_all(found, tmp_path / "study")
    assert sorted(p.name for p in (tmp_path / "study").iterdir()) == sorted(p.name for p in paths.values())
    rows = list(csv.DictReader(paths["csv"].open(encoding="utf-8")))
    assert [float(r["accuracy"]) for r in rows] == [r.accuracy for r in found.rows]
    assert [r["luts"] for r in rows] == [""] * 3
    page = paths["html"].read_text("utf-8")
    assert "E2M1/E2M1" in page
    assert page.count("<svg") == 1
    assert "<script" not in page
    assert table_text(found) == paths["csv"].read_text("utf-8")
    assert paths["png"].read_bytes()[:4] == b"\x89PNG"
    json.dumps(found.to_json(), allow_nan=False)


def test_another_network_each_time_is_said(tmp_path: Path) -> None:
    text = "import torch\ndef network():\n    return torch.nn.Linear(3, 2), torch.randn(8, 3), torch.randn(8, 3)\n"
    path = tmp_path / "changing.py"
    path.write_text(text, "utf-8")
    source = Source(str(path))
    load_task(source)
    with pytest.raises(InputError, match="gives another network or other data each time"):
        studies.accuracy_of(source, "another digest", Recipe(), Point(8, 8, "mse"))


def test_a_cluster_that_is_not_there_is_said(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr(sweep, "TIMEOUT", 1)
    with pytest.raises(ToolError, match="cannot be reached"):
        study(plan, cluster="tcp://127.0.0.1:1")
    with pytest.raises(InputError, match="0 workers"):
        study(plan, workers=0)


@pytest.mark.heavy
def test_a_local_cluster_and_processes_give_the_same(plan: Plan) -> None:
    distributed = pytest.importorskip("distributed")
    alone = study(plan)
    assert study(plan, workers=2) == alone
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        assert study(plan, cluster=cluster.scheduler_address) == alone


@pytest.mark.heavy
def test_a_program_that_is_killed_goes_on(network_file: Path, tmp_path: Path) -> None:
    """Killed as soon as the first result is there; what it leaves is whole, and the end that of an undisturbed run."""
    command = [
        *(sys.executable, "-m", "edgeq", "search", "pareto", str(network_file), "--formats", "3,4,6,8", "--same"),
        *("--instructions", "none", "--no-luts"),
    ]
    folder = tmp_path / "killed"
    run = subprocess.Popen([*command, "-o", str(folder)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 300
    while not (folder / "points.jsonl").exists():
        assert run.poll() is None, run.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.02)
    run.kill()
    run.wait()
    before = len(Store(folder / "points.jsonl"))
    assert 1 <= before <= 4
    for place in (folder, tmp_path / "whole"):
        subprocess.run([*command, "-o", str(place)], check=True, stdout=subprocess.DEVNULL)
    for name in ("study.csv", "points.jsonl"):
        assert (folder / name).read_text("utf-8") == (tmp_path / "whole" / name).read_text("utf-8")


@pytest.mark.heavy
def test_engines_grow_with_their_formats() -> None:
    from edgeq.fpga.toolchain.toolset import available_toolsets
    from edgeq.search.engines import BOARD, SIZE, engine, synthesised

    if not available_toolsets("ecp5"):
        pytest.skip("no FPGA tools are installed")
    assert BOARD == "ulx3s-85f"
    assert engine(4, 4).nodes[0].op == "linear"
    small, large = (synthesised(bits, bits)[0] for bits in (3, 6))
    assert small.dsps == large.dsps == 0
    assert 1.5 * small.luts < large.luts
    assert small.luts > SIZE
    floats = synthesised("e2m1", "e2m1")[0]
    assert floats.dsps == 0
    assert small.luts < floats.luts
