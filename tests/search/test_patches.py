"""Patches with widths of their own: what keeps 8 bits, what stays equal, and that firmware answers the same codes."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from edgeq.emulator import reference, trace
from edgeq.errors import BudgetError, GraphError, InputError
from edgeq.formats import FixedPoint
from edgeq.ir import Graph, GraphBuilder
from edgeq.mcu.build import build
from edgeq.mcu.execute import trace as executed
from edgeq.mcu.host import available_host_compilers
from edgeq.schedule.branches import split_patches
from edgeq.search.patches import Settings, bitops, search_patches
from edgeq.search.reformat import groups, with_formats, with_weights, without_left_shifts
from tests.schedule.test_plan import random_inputs
from tests.schedule.test_stream import maps

U8, S8 = FixedPoint(8, 8, False), FixedPoint(8, 4)


def network(seed: int = 0, size: int = 12) -> Graph:
    """A strided layer, an inverted residual and a classifier, all of 8 bits."""
    rng = np.random.default_rng(seed)
    g = GraphBuilder("small")
    one = {"stride": (1, 1), "padding": (0, 0, 0, 0), "dilation": (1, 1)}

    def conv(name: str, x: str, out: int, kernel: int, groups: int = 1, stride: int = 1, lo: int | None = 0) -> str:
        channels = g.values[x].shape[-1]
        w = g.constant(f"{name}.w", rng.integers(-60, 60, (out, kernel, kernel, channels // groups)), FixedPoint(8, 7))
        frac = 7 + int(g.values[x].format.frac)  # type: ignore[call-overload]
        b = g.constant(f"{name}.b", rng.integers(-300, 300, out), FixedPoint(16, frac))
        pad = (kernel // 2,) * 4
        window = {**one, "stride": (stride, stride), "padding": pad}
        bounds = {} if lo is None else {"lo": lo, "hi": 6 << 4}
        return g.node("conv", name, [x, w, b], S8, groups=groups, **window, **bounds)

    x = g.input("x", (size, size, 3), U8)
    stem = conv("stem", x, 8, 3, stride=2)
    wide = conv("depthwise", conv("expand", stem, 16, 1), 16, 3, groups=16)
    join = g.node("add", "join", [conv("project", wide, 8, 1, lo=None), stem], S8)
    down = conv("down", join, 8, 3, stride=2)
    pool = g.node("mean", "pool", [down], S8, axes=(0, 1), keep_axes=0)
    w = g.constant("fc.w", rng.integers(-60, 60, (10, 8)), FixedPoint(8, 7))
    return g.build([g.node("linear", "fc", [pool, w], FixedPoint(8, 3))])


def samples(graph: Graph, count: int = 12, seed: int = 1) -> np.ndarray:
    """Codes around the middle, with a bright spot in the upper left corner."""
    shape = graph.values["x"].shape
    codes = np.random.default_rng(seed).normal(100, 20, (count, *shape)).clip(40, 160).round().astype(np.int64)
    codes[:, :2, :2] = 250
    return codes


def test_patches_with_outliers_keep_8_bits_and_equal_the_network() -> None:
    graph = network(size=32)
    x = samples(graph, 4)
    found = search_patches(graph, x, Settings((2, 2), split="join", phi=4.0, lam=0.2))
    assert [patch for patch, held in found.outliers.items() if held] == [(0, 0)]
    whole, mixed = trace(graph, x), trace(found.graph, x)
    for name, origin in found.branches.origin.items():
        rows, columns = found.branches.regions[name]
        part = whole[origin][:, rows.begin : rows.end, columns.begin : columns.end]
        if "@0.0" in name:
            assert found.graph.values[name].format == graph.values[origin].format
            assert np.array_equal(mixed[name], part)
    narrow = {v.format.bits for v in found.graph.values.values() if not v.constant}
    assert narrow & {2, 4}
    assert bitops(found.graph, found.stage) < bitops(found.baseline, found.stage)
    assert bitops(found.baseline) > bitops(graph)  # the halo is computed again


def test_an_input_with_a_sign_is_counted_right() -> None:
    graph = network()
    signed = graph.replace(
        values={**graph.values, "x": dataclasses.replace(graph.values["x"], format=FixedPoint(8, 8))}
    )
    x = samples(graph) - 128
    found = search_patches(signed, x, Settings((2, 2), split="stem"))
    assert found.model.mean == pytest.approx(x.mean())
    assert found.model.deviation == pytest.approx(x.std())


def test_all_patches_with_outliers_change_nothing() -> None:
    graph = network()
    x = samples(graph)
    found = search_patches(graph, x, Settings((2, 2), phi=0.0))
    assert all(found.outliers.values())
    assert found.chosen == {}
    assert np.array_equal(trace(found.graph, x)["fc"], trace(graph, x)["fc"])


def test_weights_are_shared_and_one_width_may_serve_all_patches() -> None:
    graph = network()
    found = search_patches(graph, samples(graph), Settings((2, 3), split="join", phi=9.0, lam=0.1, joint=True))
    weights = [v.name for v in found.graph.constants() if v.name.endswith(".w")]
    assert weights == [v.name for v in graph.constants() if v.name.endswith(".w")]
    for name, width in found.chosen.items():
        parts = [n for n, origin in found.branches.origin.items() if origin == name]
        assert {found.graph.values[n].format.bits for n in parts} == {width}


def test_less_memory_means_narrower_maps_and_too_little_is_said() -> None:
    graph = network(size=24)
    x = samples(graph, 4)
    free = search_patches(graph, x, Settings((2, 2), split="down", phi=9.0, lam=1.0))
    assert set(free.chosen.values()) == {8}
    tight = search_patches(graph, x, Settings((2, 2), split="down", phi=9.0, lam=1.0, ram=2900))
    assert min(tight.chosen.values()) < 8
    with pytest.raises(BudgetError, match="more than the 500 allowed"):
        search_patches(graph, x, Settings((2, 2), split="down", phi=9.0, ram=500))


def test_the_rest_may_get_widths_too() -> None:
    graph = network()
    found = search_patches(graph, samples(graph), Settings((2, 2), split="join", phi=9.0, lam=0.0, rest=True))
    assert found.graph.values["pool"].format.bits == 2
    assert found.graph.values["join"].format == S8


def test_other_formats_move_bounds_and_round_biases() -> None:
    graph = network()
    stem = next(g for g in groups(graph) if "stem" in g)
    made = with_formats(graph, dict.fromkeys(stem, FixedPoint(4, 1, False)))
    node = made.producer("stem")
    assert node is not None
    assert (node.attrs.get("lo"), node.attrs["hi"]) == (None, 12)  # 6.0, and zero is where the format begins
    reader = made.producer("expand")
    assert reader is not None
    bias, old = made.values[reader.inputs[2]], graph.values["expand.b"]
    assert bias.format.frac == 8
    assert old.data is not None
    assert bias.data is not None
    assert np.array_equal(bias.data, (old.data + 4) >> 3)


def test_weights_get_a_binary_point_of_their_own_for_each_channel() -> None:
    graph = network()
    made = with_weights(graph, 4, {"stem"})
    old, new = graph.values["stem.w"], made.values["stem.w"]
    assert old.data is not None
    assert new.data is not None
    assert np.abs(new.data).max() <= 7
    assert made.values["expand.w"] == graph.values["expand.w"]
    assert isinstance(new.format.frac, tuple)
    for have, want, frac in zip(new.data, old.data, new.format.frac, strict=True):
        errors = [((np.clip((want + ((1 << d) >> 1)) >> d, -7, 7) * 2**d - want) ** 2).sum() for d in range(8)]
        assert ((have * 2 ** (7 - frac) - want) ** 2).sum() == min(errors)


def test_no_output_is_finer_than_its_products() -> None:
    graph = network()
    stem = next(g for g in groups(graph) if "stem" in g)
    coarse = with_formats(graph, dict.fromkeys(stem, FixedPoint(2, -4, False)))
    made = without_left_shifts(coarse, graph)
    assert made.values["expand"].format == FixedPoint(8, 3)  # products of 2^-(7 - 4)
    assert made.values["depthwise"].format == graph.values["depthwise"].format
    assert without_left_shifts(graph, graph) is graph


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"split": "fc"}, "no patch stage can end there; it can at stem"),
        ({"grid": (40, 1), "split": "stem"}, "40 x 1 patches of a map of 6 x 6"),
        ({"lam": 3.0}, "lambda"),
        ({"widths": (4, 2)}, "from 8 down"),
        ({"weights": 9}, "weights of 9 bits"),
    ],
)
def test_what_cannot_be_is_said(asked: dict, message: str) -> None:
    graph = network()
    with pytest.raises((InputError, GraphError), match=message):
        search_patches(graph, samples(graph, 2), Settings(**{"grid": (2, 2), "phi": 9.0, **asked}))


@pytest.mark.skipif(not available_host_compilers(), reason="no C compiler on this computer")
@pytest.mark.parametrize(
    ("seed", "grid", "packing"),
    [
        (1, (2, 1), "all"),
        pytest.param(0, (2, 2), "all", marks=pytest.mark.heavy),
        pytest.param(3, (3, 1), "fast", marks=pytest.mark.heavy),
        pytest.param(2, (1, 2), "fast", marks=pytest.mark.heavy),
    ],
)
def test_c_answers_as_the_emulator(tmp_path: Path, seed: int, grid: tuple[int, int], packing: str) -> None:
    graph = network(seed)
    x = samples(graph, 3, seed)
    found = search_patches(graph, x, Settings(grid, phi=4.0, lam=0.2, joint=seed == 1, weights=4 if seed else 8))
    made = build(found.graph, "host", tmp_path / "net", packing=packing)
    want, have = trace(found.graph, x), executed(made, {"x": x})
    assert set(want) == set(have)
    assert [name for name in want if not np.array_equal(want[name], have[name])] == []
    # the weights of a layer stand once for each way in which kernels read them, whatever the number of patches
    stem = [c for c in made.program.constants if c.bytes >= 100 and "stem" in c.layer]
    assert len(stem) == 1


@pytest.mark.heavy
@pytest.mark.skipif(not available_host_compilers(), reason="no C compiler on this computer")
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(graph=maps(), grid=st.tuples(st.integers(1, 3), st.integers(1, 2)), data=st.data())
def test_random_graphs_grids_and_widths_in_c(
    tmp_path_factory: pytest.TempPathFactory, graph: Graph, grid: tuple[int, int], data: st.DataObject
) -> None:
    try:
        split = split_patches(graph, graph.nodes, grid).graph
    except GraphError:
        assume(False)
    formats = {}
    for names in groups(split):
        width = data.draw(st.sampled_from([8, 4, 2]))
        fmt = FixedPoint(width, 4 - data.draw(st.integers(0, 8 - width)), data.draw(st.booleans()))
        formats |= dict.fromkeys(names, fmt)
    mixed = with_formats(split, formats)
    packing = data.draw(st.sampled_from(["fast", "all"]))
    made = build(mixed, "host", tmp_path_factory.mktemp("patches") / "net", packing=packing)
    x = random_inputs(mixed)
    want, have = reference(mixed, x), executed(made, x)
    assert [name for name in want if not np.array_equal(want[name], have[name])] == []


def _can_count() -> bool:
    from edgeq.boards import load_board
    from edgeq.mcu.runners import available_runners
    from edgeq.mcu.toolchains import available_toolchains

    board = load_board("cortex-m4")
    return bool(available_runners(board) and available_toolchains(board))


@pytest.mark.heavy
@pytest.mark.skipif(not _can_count(), reason="no compiler or emulator of a Cortex-M4 on this computer")
def test_a_cortex_m4_answers_as_the_emulator(tmp_path: Path) -> None:
    graph = network(3)
    x = samples(graph, 2, 3)
    found = search_patches(graph, x, Settings((2, 1), split="join", phi=4.0, lam=0.3, weights=4))
    made = build(found.graph, "cortex-m4", tmp_path / "net", packing="fast")
    want, have = trace(found.graph, x), executed(made, {"x": x})
    assert [name for name in want if not np.array_equal(want[name], have[name])] == []


def test_the_command_writes_the_network_and_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from edgeq.cli import main
    from edgeq.frontends import load

    graph = network()
    graph.save(tmp_path / "net.edgeq")
    np.save(tmp_path / "x.npy", samples(graph, 4))
    np.save(tmp_path / "y.npy", trace(graph, samples(graph, 4))["fc"].argmax(axis=1))
    model, x, made = (str(tmp_path / name) for name in ("net.edgeq", "x.npy", "mixed.edgeq"))
    judged = ("--test", x, "--labels", str(tmp_path / "y.npy"))
    args = ("--calibration", x, "--grid", "2x1", "--split", "join", "--phi", "9", "--no-count", "-o", made)
    assert main(["search", "patches", model, *args, *judged, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["way"] for row in found["rows"]][:4] == ["layer by layer", "by rows", "planned to fit", "patches"]
    eight, mixed = found["rows"][3:5]
    assert eight["accuracy"] == 1.0
    assert mixed["bitops"] < eight["bitops"]
    assert eight["arena"] > 0
    assert load(made).values["join"].format == graph.values["join"].format
    assert main(["search", "patches", model, *args, "--grid", "2xx"]) == 2
    assert "is no grid" in capsys.readouterr().err
    assert main(["search", "patches", model, *args, "--ram", "300"]) == 1
    assert "more than the 300 allowed" in capsys.readouterr().err
