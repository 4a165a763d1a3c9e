"""Patches decided for each input: the rule, both branches' codes, what runs, what it takes, and the command."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edgeq.boards import load_board
from edgeq.emulator import trace
from edgeq.errors import GraphError
from edgeq.mcu.build import build
from edgeq.mcu.execute import measure
from edgeq.mcu.execute import trace as executed
from edgeq.mcu.host import available_host_compilers
from edgeq.search.at_run_time import narrow_sample, wide_sample
from edgeq.search.patch_costs import rows
from edgeq.search.patches import Mixed, Settings, bitops, search_patches
from edgeq.verify import compare_traces
from tests.search.test_patches import _can_count, network, samples


def bright(count: int = 12, size: int = 16) -> np.ndarray:
    """Codes of which some have a bright spot in the upper left or the lower right corner, and some none."""
    x = samples(network(size=size), count)
    x[: count // 2, :2, :2] = 120
    x[: count // 4, -2:, -2:] = 250
    return x


def found(size: int = 16, grid: tuple[int, int] = (2, 2), **settings: object) -> Mixed:
    asked = {"split": "join", "phi": 4.0, "lam": 0.2, "share": 0.9, "at_run_time": True, **settings}
    return search_patches(network(size=size), bright(size=size), Settings(grid, **asked))  # type: ignore[arg-type]


def test_a_patch_is_narrow_where_no_value_is_beyond_the_threshold() -> None:
    mixed, x = found(), bright()
    assert mixed.choice is not None
    reach = mixed.settings.phi * x.std()
    outside = (x > x.mean() + reach) | (x < x.mean() - reach)
    seen = trace(mixed.graph, x)
    for place, twin in mixed.choice.twins.items():
        rows_of, columns = mixed.branches.regions[mixed.branches.nodes[place][0]]
        patch = outside[:, rows_of.begin : rows_of.end, columns.begin : columns.end]
        want = ~patch.reshape(len(x), -1).any(axis=1)
        assert np.array_equal(seen[twin.condition][:, 0] == 1, want)
        assert np.array_equal(mixed.choice.narrow[place], want)
        assert mixed.choice.shares[place] == want.mean()
    assert 0 < np.mean(list(mixed.choice.shares.values())) < 1


def test_each_input_gets_the_codes_of_the_branch_that_it_takes() -> None:
    """Of 8 bits: those of the network itself; narrow: those of the narrow branch, whose maps are narrow."""
    mixed, x = found(), bright()
    assert mixed.choice is not None
    whole, seen = trace(mixed.whole, x), trace(mixed.graph, x)
    for place, twin in mixed.choice.twins.items():
        first = mixed.branches.nodes[place]
        for name in first:
            part = mixed.branches.regions[name]
            want = whole[mixed.branches.origin[name]]
            assert np.array_equal(seen[name], want[:, part[0].begin : part[0].end, part[1].begin : part[1].end])
            assert mixed.graph.values[name].format.bits == 8
        select = next(n for n in mixed.graph.nodes if n.op == "select" and n.inputs[0] == twin.condition)
        narrow = mixed.choice.narrow[place].reshape(-1, 1, 1, 1)
        assert np.array_equal(seen[select.outputs[0]], np.where(narrow, seen[select.inputs[1]], seen[select.inputs[2]]))
        assert min(mixed.graph.values[name].format.bits for name in twin.nodes if name in mixed.graph.values) < 8
    dark = np.full_like(x[:2], 100)
    dark[:, 0, 0] = dark[:, -1, -1] = dark[:, 0, -1] = dark[:, -1, 0] = 255
    assert np.array_equal(trace(mixed.graph, dark)["fc"], trace(mixed.whole, dark)["fc"])


def test_a_place_that_is_hardly_ever_narrow_keeps_8_bits() -> None:
    mixed = found(share=0.4)
    assert mixed.choice is not None
    assert [patch for patch, held in mixed.outliers.items() if held] == [(0, 0)]
    assert set(mixed.choice.twins) == {(0, 1), (1, 0), (1, 1)}
    assert not any("@0.0n" in node.name for node in mixed.graph.nodes)


def test_widths_come_from_the_samples_that_are_narrow() -> None:
    """The bright corner, which 8 bits answer, does not spread the narrow branch's binary point."""
    mixed = found()
    x = bright()
    seen = trace(mixed.whole, x)["stem"][:, :5, :5]
    assert mixed.choice is not None
    narrow = mixed.choice.narrow[0, 0]
    assert seen[~narrow].max() > seen[narrow].max()


def test_constants_are_shared_and_weights_may_be_narrow() -> None:
    mixed = found(weights=4, joint=True)
    weights = [v for v in mixed.graph.constants() if v.name.endswith(".w") and v.name != "fc.w"]
    assert {v.name for v in weights} == {f"{layer}.w" for layer in ("stem", "expand", "depthwise", "project", "down")}
    assert {v.format.bits for v in weights if v.name != "down.w"} == {4}


def test_what_cannot_be_is_said() -> None:
    with pytest.raises(GraphError, match="a single patch has no places to choose for"):
        found(grid=(1, 1))
    with pytest.raises(GraphError, match="no patch is ever narrow"):
        found(phi=0.0)


def test_the_table_weighs_bitops_by_what_the_data_take() -> None:
    mixed = found()
    assert mixed.choice is not None
    board = load_board("cortex-m4")
    *eight, best, usual, worst = rows(mixed, board, counted=False)
    assert [row.way for row in eight] == ["layer by layer", "by rows", "planned to fit", "patches"]
    assert (best.narrow, worst.narrow) == (1.0, 0.0)
    assert usual.narrow == pytest.approx(np.mean(list(mixed.choice.shares.values())))
    assert worst.bitops == eight[-1].bitops == bitops(mixed.baseline)
    assert worst.macs == eight[-1].macs
    assert best.bitops is not None
    assert usual.bitops is not None
    assert best.bitops < usual.bitops < worst.bitops  # type: ignore[operator]
    each = [
        sum(
            bitops(mixed.graph, twin.nodes if mixed.choice.narrow[place][i] else mixed.branches.nodes[place])
            for place, twin in mixed.choice.twins.items()
        )
        for i in range(12)
    ]
    assert usual.stage_bitops == pytest.approx(np.mean(each), abs=1)
    # Both branches of a place share bytes: the arena is that of the patches of 8 bits, and the conditions.
    assert eight[-1].arena <= best.arena <= eight[-1].arena + 16  # type: ignore[operator]


def test_samples_of_one_kind() -> None:
    mixed = found()
    assert mixed.choice is not None
    for make, answer in ((narrow_sample, 1), (wide_sample, 0)):
        codes = make(mixed.branches, mixed.choice)
        seen = trace(mixed.graph, codes)
        assert [int(seen[twin.condition][0, 0]) for twin in mixed.choice.twins.values()] == [answer] * 4


@pytest.mark.skipif(not available_host_compilers(), reason="no C compiler on this computer")
def test_c_runs_one_branch_and_answers_as_the_emulator(tmp_path: Path) -> None:
    mixed, x = found(weights=4), bright()
    assert mixed.choice is not None
    made = build(mixed.graph, "host", tmp_path / "net", packing="all")
    have = executed(made, {"x": x})
    result = compare_traces(mixed.graph, have, trace(mixed.graph, x))
    assert result.equal, result.line()
    for place, twin in mixed.choice.twins.items():
        narrow = int(mixed.choice.narrow[place].sum())
        assert {result.left_out[name] for name in twin.nodes if name in result.left_out} == {12 - narrow} - {0}
        assert {result.left_out[name] for name in mixed.branches.nodes[place][1:] if narrow} <= {narrow}


@pytest.mark.heavy
@pytest.mark.skipif(not _can_count(), reason="no compiler or emulator of a Cortex-M4 on this computer")
def test_a_cortex_m4_runs_one_branch_only(tmp_path: Path) -> None:
    mixed, x = found(32), bright(size=32)
    assert mixed.choice is not None
    made = build(mixed.graph, "cortex-m4", tmp_path / "net")
    assert compare_traces(mixed.graph, executed(made, {"x": x}), trace(mixed.graph, x)).equal
    counted = {}
    for kind, codes in (("narrow", narrow_sample), ("wide", wide_sample)):
        found_counts = measure(made, {"x": codes(mixed.branches, mixed.choice)}, profile=True).counts
        assert found_counts is not None
        counted[kind] = found_counts
    for call in made.program.calls:
        if call.guard:
            ran = [counted[kind].per_layer.get(call.index, 0) for kind in ("narrow", "wide")]
            (_, code), *_ = call.guard
            assert ran[code] < 30 < ran[1 - code], (call.node.name, ran)
    baseline = build(mixed.baseline, "cortex-m4", tmp_path / "baseline")
    alone = measure(baseline, {"x": wide_sample(mixed.branches, mixed.choice)}).counts
    assert alone is not None
    assert counted["wide"].total < 1.1 * alone.total


def test_the_twin_of_a_network_decides_as_it_does() -> None:
    torch = pytest.importorskip("torch")
    from edgeq.quant.finetune import Twin

    mixed, codes = found(), bright()
    x = torch.from_numpy(mixed.graph.values["x"].format.decode(codes)).double()
    twin = Twin(mixed.graph).double()
    assert np.array_equal(twin(x).detach().numpy(), mixed.graph.run(x.numpy()))
    twin(x[:1]).sum().backward()
    grads = [p.grad for p in twin.parameters()]
    assert any(g is not None and bool((g != 0).any()) for g in grads)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from edgeq.cli import main
    from edgeq.frontends import load

    network(size=16).save(tmp_path / "net.edgeq")
    np.save(tmp_path / "x.npy", bright())
    model, x, made = (str(tmp_path / name) for name in ("net.edgeq", "x.npy", "mixed.edgeq"))
    args = ["search", "patches", model, "--calibration", x, "--grid", "2x2", "--split", "join", "--phi", "4"]
    args += ["--share", "0.9", "--at-run-time", "--no-count", "--board", "host", "-o", made]
    assert main([*args, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert len(told["at_run_time"]["share_of_calibration"]) == 4
    assert [row["narrow"] for row in told["rows"]][-3::2] == [1.0, 0.0]
    assert {"within", "select"} <= {node.op for node in load(made).nodes}
    assert main(args) == 0
    assert "4 patches decide for each input" in " ".join(capsys.readouterr().out.split())
