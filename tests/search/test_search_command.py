"""`edgeq search`: what it prints and writes, exit codes, and one clear line for what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edgeq.cli import main

pytest.importorskip("torch")
pytest.importorskip("brevitas")

from edgeq.quant import Recipe

QUICK = ("--widths", "2,8", "--sensitivity", "mse", "--allocator", "greedy")


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def call(*args: object) -> int:
    return main(["search", *(str(a) for a in args)])


def complaint(capsys: pytest.CaptureFixture[str], status: int, *args: object) -> str:
    """Run what must fail: nothing on stdout, one line on stderr."""
    assert call(*args) == status
    caught = capsys.readouterr()
    assert caught.out == ""
    assert caught.err.count("\n") == 1, caught.err
    return caught.err


def test_widths_writes_a_recipe_and_says_why(network_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("widths", network_file, "--budget", "60%", *QUICK, "-o", "mine.yaml", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    recipe = Recipe.from_yaml("mine.yaml")
    best = found["best"]
    assert best["costs"]["bytes"] <= found["budget"]
    # channels that two bits leave without weights are taken out, so it may be less
    assert 0 < found["exported"]["constant_bytes"] <= best["costs"]["bytes"]
    assert found["exported"]["arena_bytes"] > 0
    assert {recipe.layers[name]["weights"] for name in ("stem", "inner", "classify")} == {2, 8}
    assert [row["allocator"] for row in found["rows"]] == ["greedy", "uniform", "random", "random", "random"]
    assert call("widths", network_file, "--budget", "60%", *QUICK, "-o", "mine.yaml") == 0
    shown = capsys.readouterr().out
    assert "recipe: mine.yaml" in shown
    assert "expected loss" in shown


def test_pareto_writes_a_study(network_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    args = ("pareto", network_file, "--formats", "4,8", "--same", "--instructions", "estimated", "--no-luts")
    assert call(*args, "-o", "found", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in found["rows"]] == ["int4/int4", "int8/int8"]
    assert found["rows"][1]["accuracy"] > 0.5
    assert all(Path(path).is_file() for path in found["files"].values())
    for row in found["rows"]:
        known = row["instructions"] is not None
        assert known != any(note.startswith("instructions: ") for note in row["notes"]), "a figure, or a reason"


def test_a_float_file_is_searched(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("onnx")
    import torch

    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(64, 3))
    x = torch.randn(20, 1, 6, 6)
    torch.onnx.export(model, (x[:1],), "net.onnx", dynamo=False, input_names=["x"], dynamic_axes={"x": {0: "n"}})
    np.save("x.npy", x.numpy())
    np.save("y.npy", model(x).argmax(dim=1).numpy())
    files = ("--calibration", "x.npy", "--test", "x.npy", "--labels", "y.npy")
    assert call("widths", "net.onnx", *files, "--budget", "60%", *QUICK, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["float_accuracy"] == 1.0
    assert found["judged_by"] == "labels"
    assert "needs samples" in complaint(capsys, 2, "widths", "net.onnx", "--budget", "60%")
    assert "give both" in complaint(
        capsys, 2, "widths", "net.onnx", "--budget", "1k", "--calibration", "x.npy", "--labels", "y.npy"
    )


def test_a_budget_that_nothing_meets_is_exit_code_1(network_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = complaint(capsys, 1, "widths", network_file, "--budget", "10", *QUICK)
    assert "no assignment of widths fits the budget of 10" in line
    assert not Path("recipe.yaml").exists()


@pytest.mark.parametrize(
    ("model", "fact"),
    [
        ("nothing.py", "there is no such file"),
        ("net.edgeq", "a search needs the float network"),
        ("no.such:thing", "can be imported"),
        ("broken.py", "raises NameError when it is imported"),
        ("empty.py", "has no function network()"),
        ("wrong.py", "must return"),
        ("nan.py", "NaN or infinity"),
        ("scalar.py", "outputs of shape"),
    ],
)
def test_what_is_no_task_is_one_line(model: str, fact: str, capsys: pytest.CaptureFixture[str]) -> None:
    head = "import torch\ndef network():\n    "
    texts = {
        "broken.py": "undefined",
        "empty.py": "",
        "wrong.py": head + "return 3",
        "nan.py": head + "return torch.nn.Linear(3, 2), torch.full((4, 3), torch.nan)",
        "scalar.py": head + "return torch.nn.Linear(3, 1), torch.zeros(4, 3)",
    }
    if model in texts:
        Path(model).write_text(texts[model], "utf-8")
    assert fact in complaint(capsys, 2, "widths", model, "--budget", "4bit")


@pytest.mark.parametrize(
    ("options", "fact"),
    [
        (("--budget", "lots"), "budget 'lots'"),
        (("--budget", "1k", "--cost", "money"), "cost 'money' is unknown"),
        (("--budget", "1k", "--sensitivity", "luck"), "sensitivity 'luck' is unknown"),
        (("--budget", "1k", "--allocator", "luck"), "allocator 'luck' is unknown"),
        (("--budget", "1k", "--method", "luck"), "method 'luck' is unknown"),
        (("--budget", "1k", "--widths", "1"), "2 to 8 bits"),
        (("--budget", "1k", "--joins", "never"), "joins 'never'"),
    ],
)
def test_wrong_options_are_one_line(
    network_file: Path, options: tuple[str, ...], fact: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fact in complaint(capsys, 2, "widths", network_file, *options)
