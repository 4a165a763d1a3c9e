"""Sensitivities against closed forms: curvature of quadratics, Fisher information of a softmax, counted entropies."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("brevitas")

from edgeq.quant import prepare  # noqa: E402
from edgeq.search.ladder import Ladder, floating, make_ladder  # noqa: E402
from edgeq.search.sensitivity import SENSITIVITIES  # noqa: E402
from edgeq.search.sensitivity.entropy import bits  # noqa: E402
from edgeq.search.sensitivity.hessian import hutchinson  # noqa: E402
from edgeq.search.space import make_space  # noqa: E402
from edgeq.search.task import Source, Task, load_task, make_task  # noqa: E402


@pytest.fixture(scope="module")
def task(network_file: Path) -> Task:
    return load_task(Source(str(network_file)))


@pytest.fixture(scope="module")
def ladder(task: Task) -> Ladder:
    return make_ladder(task, make_space(task.model, task.calibration, (2, 4, 8)))


def linear_ladder(samples: int = 400) -> tuple[Ladder, torch.nn.Linear, torch.Tensor]:
    """A network of one linear layer: its weights are the only choice."""
    torch.manual_seed(1)
    layer = torch.nn.Linear(3, 2)
    x = torch.randn(samples, 3)
    model = torch.nn.Sequential(layer)
    return make_ladder(make_task("linear", model, x), make_space(model, x, (2, 3, 8))), layer, x


def test_hutchinson_is_exact_for_a_diagonal_quadratic() -> None:
    """Each v·Hv is the trace where H is diagonal, whatever the signs."""
    x, y = torch.randn(5, requires_grad=True), torch.randn(2, 3, requires_grad=True)
    diagonal = torch.tensor([1.0, -2.0, 0.5, 4.0, 0.0])
    loss = 0.5 * (diagonal * x * x).sum() + 3.0 * (y * y).sum()
    found = hutchinson(loss, [x, y], 2, torch.Generator().manual_seed(0))
    assert found.tolist() == pytest.approx([3.5, 36.0])


def test_hutchinson_converges_to_the_trace_of_a_full_quadratic() -> None:
    torch.manual_seed(2)
    matrix = torch.randn(6, 6)
    matrix = matrix @ matrix.T
    x = torch.randn(6, requires_grad=True)
    loss = 0.5 * x @ matrix @ x
    found = hutchinson(loss, [x], 1000, torch.Generator().manual_seed(0))
    # the estimator's variance is 2 * (sum of squares off the diagonal)
    off = float((matrix.square().sum() - matrix.diagonal().square().sum()) * 2 / 1000) ** 0.5
    assert abs(float(found[0]) - float(matrix.trace())) < 4 * off
    one = hutchinson(0.5 * x @ matrix @ x, [x], 1, torch.Generator().manual_seed(0))
    assert abs(float(one[0]) - float(matrix.trace())) > 1e-3, "one vector is not enough, so this test can fail"


def test_a_loss_without_curvature_has_none() -> None:
    x = torch.randn(4, requires_grad=True)
    assert hutchinson((3 * x).sum(), [x], 2, torch.Generator()).tolist() == [0.0]


def test_fisher_is_that_of_a_softmax() -> None:
    """For one linear layer, E[g²] of the weight of class c and input i is the mean of p_c (1 - p_c) x_i²."""
    ladder, layer, x = linear_ladder()
    found = SENSITIVITIES["fisher"](ladder)
    assert [choice.name for choice in ladder.space.choices] == ["0 weights"]
    with torch.no_grad():
        p = torch.softmax(layer(x[:64]), dim=1)
        information = ((p * (1 - p))[:, :, None] * x[:64, None, :].square()).mean(dim=0)
        wanted = [0.5 * float((information * (layer.weight - ladder.weight("0", k)).square()).sum()) for k in range(3)]
    assert found[0].tolist() == pytest.approx(wanted, rel=0.25)
    assert found[0][0] > found[0][1] > found[0][2] > 0


def test_hessian_is_that_of_a_softmax(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loss is the divergence from the network itself, whose Hessian is the Fisher information."""
    monkeypatch.setattr(sys.modules["edgeq.search.sensitivity.hessian"], "VECTORS", 300)
    ladder, layer, x = linear_ladder(256)
    found = SENSITIVITIES["hessian"](ladder)
    with torch.no_grad():
        p = torch.softmax(layer(x), dim=1)
        trace = float(((p * (1 - p)).sum(dim=1) * x.square().sum(dim=1)).mean())
        errors = [float((layer.weight - ladder.weight("0", k)).square().sum()) for k in range(3)]
    assert found[0].tolist() == pytest.approx([0.5 * trace / 6 * e for e in errors], rel=0.1)


def test_mse_and_measured_are_what_the_quantisers_do() -> None:
    ladder, layer, x = linear_ladder(50)
    mse, measured = SENSITIVITIES["mse"](ladder)[0], SENSITIVITIES["measured"](ladder)[0]
    with torch.no_grad():
        log = torch.log_softmax(layer(x).double(), dim=1)
        for k in range(3):
            rounded = ladder.weight("0", k)
            wanted = (layer.weight - rounded).double().square().sum() / layer.weight.double().square().sum()
            assert mse[k] == pytest.approx(float(wanted))
            other = torch.log_softmax((x @ rounded.T + layer.bias).double(), dim=1)
            assert measured[k] == pytest.approx(float((log.exp() * (log - other)).sum(dim=1).mean()), rel=1e-4)


def test_entropy_counts_values() -> None:
    assert bits({0.0: 8}) == 0.0
    assert bits({0.0: 4, 1.0: 4}) == 1.0
    assert bits({0.0: 2, 1.0: 1, 2.0: 1}) == 1.5


@pytest.mark.parametrize("name", list(SENSITIVITIES))
def test_narrower_options_are_expected_to_hurt_more(ladder: Ladder, name: str) -> None:
    found = SENSITIVITIES[name](ladder)
    assert len(found) == len(ladder.space.choices)
    for choice, losses in zip(ladder.space.choices, found, strict=True):
        assert len(losses) == 3
        assert np.isfinite(losses).all()
        assert losses[0] > losses[1] > losses[2] >= 0, (name, choice.name)


def test_random_estimates_are_the_same_each_time(ladder: Ladder) -> None:
    first, second = (SENSITIVITIES["hessian"](ladder) for _ in range(2))
    assert [line.tolist() for line in first] == [line.tolist() for line in second]


def test_the_float_pass_is_the_float_network(task: Task, ladder: Ladder) -> None:
    x = task.calibration[:16]
    with torch.no_grad():
        wanted = task.model(x)
        assert torch.allclose(ladder.run(x)[0], wanted, atol=1e-4)
        quantised = ladder.rungs[0](x)
    assert not torch.allclose(quantised, wanted, atol=1e-2), "rounded to two bits it is another"


def test_floating_leaves_the_module_as_it_was(task: Task) -> None:
    prepared = prepare(task.model, {"weights": 3}, task.calibration[:4]).eval()
    before = prepared.get_submodule("stem").quantised_weight()
    with floating(prepared):
        assert torch.equal(prepared.get_submodule("stem").quantised_weight(), prepared.get_submodule("stem").weight)
    assert torch.equal(prepared.get_submodule("stem").quantised_weight(), before)
    assert not torch.equal(before, prepared.get_submodule("stem").weight)


def test_a_softmax_at_the_end_is_not_taken_twice() -> None:
    """A network whose outputs are probabilities has the sensitivities of the one without its softmax."""
    _, layer, x = linear_ladder(60)
    both = [torch.nn.Sequential(layer), torch.nn.Sequential(layer, torch.nn.Softmax(dim=1))]
    tasks = [make_task("linear", model, x) for model in both]
    assert [task.probabilities for task in tasks] == [False, True]
    ladders = [make_ladder(task, make_space(task.model, x, (2, 8))) for task in tasks]
    for name in ("measured", "fisher", "hessian"):
        plain, ended = (SENSITIVITIES[name](ladder)[0] for ladder in ladders)
        assert ended == pytest.approx(plain, rel=1e-3), name
