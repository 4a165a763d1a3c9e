"""The search of mixed widths: its space, its costs against real graphs, its table, and going on where it stopped."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("brevitas")

import edgeq  # noqa: E402
from edgeq.errors import BudgetError, FileError, InputError, UnsupportedError  # noqa: E402
from edgeq.frontends.torch import export  # noqa: E402
from edgeq.ir import operator  # noqa: E402
from edgeq.quant import Recipe, calibrate, prepare  # noqa: E402
from edgeq.report.layers import packed_bytes  # noqa: E402
from edgeq.search.costs import COSTS  # noqa: E402
from edgeq.search.network import Network  # noqa: E402
from edgeq.search.sensitivity import SENSITIVITIES  # noqa: E402
from edgeq.search.space import Space, checked_options, make_space  # noqa: E402
from edgeq.search.store import Store  # noqa: E402
from edgeq.search.task import Source, Task, load_task, make_task  # noqa: E402
from edgeq.search.widths import Settings, budget_of, search_widths, write_recipe  # noqa: E402


@pytest.fixture(scope="module")
def task(network_file: Path) -> Task:
    return load_task(Source(str(network_file)))


@pytest.fixture(scope="module")
def space(task: Task) -> Space:
    return make_space(task.model, task.calibration, (2, 4, 8))


@pytest.fixture(scope="module")
def network(task: Task, space: Space) -> Network:
    return Network(task, space)


def test_the_space_joins_what_an_addition_reads(task: Task, space: Space) -> None:
    """stem and inner meet in the addition; classify reaches the output, whose width the user decides."""
    assert [c.name for c in space.choices] == [
        "stem weights", "inner weights", "classify weights",
        "stem+inner activations", "add activations", "mean activations",
    ]  # fmt: skip
    free = make_space(task.model, task.calibration, (2, 4, 8), joins="free")
    assert [c.name for c in free.choices if "+" in c.name] == []
    assert len(free.choices) == len(space.choices) + 1


def test_what_the_base_recipe_fixes_is_no_choice(task: Task) -> None:
    base = Recipe(first={"weights": 8}, layers={"inner": {"activations": 6}})
    names = [c.name for c in make_space(task.model, task.calibration, (2, 4), base).choices]
    assert "stem weights" not in names
    assert "stem activations" in names
    assert not any("inner activations" in name for name in names)


def test_the_recipe_of_an_assignment_gives_its_widths(task: Task, space: Space) -> None:
    recipe = space.recipe((0, 1, 2, 1, 0, 2))
    prepared = prepare(task.model, recipe, task.calibration[:4])
    found = {n: q.spec.bits for n, q in edgeq.quant.preparation.quantisers(prepared).items()}
    assert [found[f"{n}.weight_quant"] for n in ("stem", "inner", "classify")] == [2, 4, 8]
    outputs = ("input", "stem", "inner", "add", "mean", "classify")
    names = {n.removesuffix(".output_quant"): bits for n, bits in found.items() if n.endswith("output_quant")}
    assert [names.get(n, names.get("x")) for n in outputs] == [8, 4, 4, 2, 8, 8]


@pytest.mark.parametrize("assignment", [(0, 1, 2, 1, 0, 2), (2, 0, 1, 0, 2, 1), (1, 1, 1, 1, 1, 1)])
def test_bytes_and_bitops_are_those_of_the_exported_graph(
    task: Task, space: Space, network: Network, assignment: tuple[int, ...]
) -> None:
    prepared = calibrate(
        prepare(task.model, space.recipe(assignment), task.calibration[:4]), task.calibration[:4], "max"
    )
    graph = export(prepared, task.calibration[:4], optimise=False)
    assert COSTS["bytes"].rows(network)[0].of(assignment) == sum(
        packed_bytes(v) for v in graph.values.values() if v.constant
    )
    bitops = 0
    for node in graph.nodes:
        ins = graph.ins(node)
        if node.op in ("conv", "linear"):
            macs = operator(node.op).macs(node, ins, graph.outs(node))
            bitops += macs * ins[0].format.bits * ins[1].format.bits
    assert COSTS["bitops"].rows(network)[0].of(assignment) == bitops


def test_ram_is_that_of_the_plan(space: Space, network: Network) -> None:
    from edgeq.boards import load_board
    from edgeq.mcu.program import make_program

    plan = make_program(network.widest, load_board("cortex-m4")).plan
    rows = COSTS["ram"].rows(network)
    widest = (len(space.options) - 1,) * len(space.choices)
    assert max(row.of(widest) for row in rows) == plan.lower_bound


def test_ram_falls_with_the_bits_of_packed_codes(space: Space, network: Network) -> None:
    """Activations of 4 and of 2 bits: a half and a quarter of the bytes, as far as the planner aligns."""
    from edgeq.boards import load_board
    from edgeq.mcu.program import make_program
    from edgeq.search.costs.ram import SCHEDULE

    rows, options = COSTS["ram"].rows(network), space.options
    found = {}
    for k, option in enumerate(options):
        graph = network.graph(len(options) - 1, k)
        assignment = tuple(k if c.key == "activations" else len(options) - 1 for c in space.choices)
        plan = make_program(graph, load_board("cortex-m4"), SCHEDULE).plan
        found[option] = max(row.of(assignment) for row in rows)
        assert found[option] == plan.lower_bound
    assert len(set(found.values())) == len({1 if o > 4 else 2 if o > 2 else 3 for o in options})


@pytest.mark.parametrize("name", ["instructions", "luts"])
def test_estimates_are_those_of_uniform_graphs(space: Space, network: Network, name: str) -> None:
    """Where all widths are equal, the rows say what the backend says of that graph."""
    from edgeq.boards import load_board
    from edgeq.fpga.estimate import estimate
    from edgeq.fpga.lower import lower
    from edgeq.search.costs.instructions import estimated
    from edgeq.search.costs.luts import BOARD, DEFAULT_DSPS

    row = COSTS[name].rows(network)[0]
    last = len(space.options) - 1
    cycles = lower(network.graph(last, last), load_board(BOARD), dsps=DEFAULT_DSPS, style="lut").cycles
    for w in range(len(space.options)):  # of narrower activations the fixed input's share would be another
        graph = network.graph(w, last)
        if name == "instructions":
            wanted = sum(estimated(graph, load_board("cortex-m4"))[0].values())
        else:
            flow = lower(graph, load_board(BOARD), cycles=cycles, style="lut")
            wanted = sum(used.luts for used in estimate(flow, load_board(BOARD)).values())
        assignment = tuple(w if choice.key == "weights" else last for choice in space.choices)
        assert row.of(assignment) == wanted


def test_the_table_has_every_pair_and_the_baselines(task: Task, tmp_path: Path) -> None:
    settings = Settings(
        "45%", options=(2, 4, 8), sensitivities=("mse", "measured"), allocators=("greedy", "ilp", "pareto")
    )
    store = Store(tmp_path / "results.jsonl")
    found = search_widths(task, settings, store)
    pairs = [(r.sensitivity, r.allocator) for r in found.rows]
    assert pairs == [
        *product(("mse", "measured"), ("greedy", "ilp", "pareto")),
        ("–", "uniform"),
        *[("–", "random")] * 3,
    ]
    assert all(r.costs["bytes"] <= found.budget for r in found.rows)
    assert all(0 <= (r.accuracy or -1) <= 1 for r in found.rows)
    by_name = dict(zip(pairs, found.rows, strict=True))
    for sensitivity in ("mse", "measured"):
        exact = [by_name[sensitivity, name] for name in ("ilp", "pareto")]
        assert exact[0].exact
        assert exact[0].loss == pytest.approx(exact[1].loss)
        assert by_name[sensitivity, "greedy"].loss >= exact[0].loss - 1e-12
    assert found.best.divergence == min(r.divergence for r in found.rows)
    write_recipe(found, tmp_path / "recipe.yaml")
    recipe = Recipe.from_yaml(tmp_path / "recipe.yaml")
    assert recipe == found.recipe
    prepare(task.model, recipe, task.calibration[:4])
    json.dumps(found.to_json(), allow_nan=False)


def test_a_search_goes_on_where_it_stopped(task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(
        "45%", options=(2, 8), sensitivities=("mse", "entropy"), allocators=("greedy",), baselines=False
    )
    whole = search_widths(task, settings, Store(tmp_path / "whole.jsonl"))

    def stopped(ladder: object) -> list[np.ndarray]:
        raise KeyboardInterrupt

    path = tmp_path / "parts.jsonl"
    with monkeypatch.context() as patch:
        patch.setitem(SENSITIVITIES, "entropy", stopped)
        with pytest.raises(KeyboardInterrupt):
            search_widths(task, settings, Store(path))
    assert len(path.read_text("utf-8").splitlines()) == 1
    with monkeypatch.context() as patch:
        patch.setitem(SENSITIVITIES, "mse", stopped)  # would be noticed
        again = search_widths(task, settings, Store(path))
    assert again.rows == whole.rows
    assert path.read_text("utf-8") == (tmp_path / "whole.jsonl").read_text("utf-8")


def test_budgets_are_read(network: Network, space: Space) -> None:
    rows = COSTS["bytes"].rows(network)
    at = [rows[0].of((k,) * len(space.choices)) for k in range(3)]
    assert budget_of("1234", rows, space) == 1234
    assert budget_of("1.5k", rows, space) == 1500
    assert budget_of("50%", rows, space) == at[2] / 2
    assert budget_of("4bit", rows, space) == at[1]
    for wrong in ("", "0", "-3", "many", "1.2.3", "3bit", "nan", "5 apples"):
        with pytest.raises(InputError, match="budget"):
            budget_of(wrong, rows, space)


def test_what_cannot_be_is_said(task: Task) -> None:
    with pytest.raises(BudgetError, match="no assignment of widths fits the budget of 10"):
        search_widths(task, Settings("10", options=(2, 8), sensitivities=("mse",), baselines=False))
    with pytest.raises(InputError, match="sensitivity 'luck' is unknown"):
        Settings("4bit", sensitivities=("luck",))
    with pytest.raises(InputError, match="method 'luck' is unknown"):
        Settings("4bit", method="luck")
    with pytest.raises(InputError):
        checked_options([1])
    assert checked_options([8, "e2m1", 4, 4]) == (4, "e2m1", 8)


def test_minifloats_are_options_and_have_no_luts(task: Task) -> None:
    space = make_space(task.model, task.calibration, ("e2m1", "e4m3", 8))
    with pytest.raises(UnsupportedError, match="the estimate is fitted to fixed point"):
        COSTS["luts"].rows(Network(task, space))
    settings = Settings("70%", options=("e2m1", "e4m3", 8), sensitivities=("mse",), baselines=False)
    found = search_widths(task, settings)
    assert found.best.costs["bytes"] <= found.budget
    assert {"e2m1"} <= set(found.best.widths.values())


@pytest.mark.parametrize(
    ("calibration", "test", "fact"),
    [
        (torch.zeros(0, 3), None, "is empty"),
        (torch.full((4, 3), torch.nan), None, "NaN or infinity"),
        ([], None, "holds no batch"),
        ("words", None, "is not data"),
        (torch.zeros(4, 3), (torch.zeros(4, 3), torch.zeros(3, dtype=torch.int64)), "classes must be 4 integers"),
        (torch.zeros(4, 5), None, "does not take the data"),
    ],
)
def test_data_that_say_nothing_are_refused(calibration: object, test: object, fact: str) -> None:
    with pytest.raises(InputError, match=fact):
        make_task("linear", torch.nn.Linear(3, 2), calibration, test)


def test_data_come_as_arrays_pairs_or_loaders() -> None:
    model = torch.nn.Linear(3, 2)
    x, y = torch.randn(6, 3), torch.tensor([0, 1, 0, 1, 0, 1])
    loader = [(x[:4], y[:4]), (x[4:], y[4:])]
    for data in (x, (x.numpy(), y.numpy()), loader, [(part,) for part, _ in loader]):
        found = make_task("linear", model, data)
        assert torch.equal(found.test, x)
        assert found.judged_by == ("float" if data is x or len(data[0]) == 1 else "labels")
    assert make_task("linear", model, x).accuracy(model) == 1.0


def test_damaged_results_are_said(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    store = Store(path)
    store.put("a", {"x": 1.5})
    assert Store(path).get("a") == {"x": 1.5}
    path.write_text('{"key": "a"}\n{"key": ', "utf-8")
    with pytest.raises(FileError, match="line 2 is no result"):
        Store(path)
