"""The demo's borders: what it needs is asked first, and a difference is a failure. `test_wheel` runs all of it."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import pytest

from edgeq.cli import main
from edgeq.commands.demo_tools import check_tools
from edgeq.demo import demo
from edgeq.demo.outcome import Outcome, Variant
from edgeq.errors import FileError, InputError, ToolError

VARIANT = Variant(
    "W8A8", 0.99, 0.98, 0.98, 0.98, 10, 3, 300, 0, 1000, 2000, 300, 5000, 6000, "a counter", True,
    Path("page.html"), Path("firmware"), Path("net.edgeq"),
)  # fmt: skip


def outcome(differing: int) -> Outcome:
    return Outcome("cortex-m4", "an emulator", "a compiler", 1.0, (VARIANT, replace(VARIANT, differing=differing)))


@pytest.mark.parametrize(("differing", "status"), [(0, 0), (1, 1)])
def test_a_difference_is_exit_code_1(
    differing: int, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "run_demo", lambda *args: outcome(differing))
    monkeypatch.setattr("edgeq.commands.demo_tools.check_tools", lambda board: None)
    assert main(["demo", "--json"]) == status
    found = json.loads(capsys.readouterr().out)
    assert found["good"] is (differing == 0)
    assert found["variants"][1]["differing"] == differing
    assert main(["demo"]) == status
    shown = capsys.readouterr().out
    assert "values that differ" in shown
    assert "99.00 %" in shown
    assert "page.html" in shown


def test_nothing_compared_is_not_good() -> None:
    assert not replace(VARIANT, values=0).good
    assert not Outcome("b", "r", "t", 1.0, ()).good


def test_missing_packages_are_named_before_anything_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "brevitas" else real(name))
    with pytest.raises(ToolError, match=r"brevitas missing; pip install 'edgeq\[demo\]'"):
        check_tools("cortex-m4")
    with pytest.raises(InputError, match="give a microcontroller"):
        check_tools("host")


class ClaimedError(Exception):
    """Raised where the demo would begin to work."""


def test_only_a_folder_of_its_own_is_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def begin() -> None:
        raise ClaimedError

    monkeypatch.setattr("edgeq.demo.digits.load", begin)
    mine, own, ended = tmp_path / "mine", tmp_path / "own", tmp_path / "ended"
    for folder, name in ((mine, "thesis.txt"), (own, "w8a8"), (ended, "notes.txt"), (ended, "demo.json")):
        folder.mkdir(exist_ok=True)
        (folder / name).write_text("")
    with pytest.raises(FileError, match=r"mine: holds 'thesis.txt', which no demo left there; choose another folder"):
        demo.run_demo(mine)
    with pytest.raises(FileError, match=r"cannot be written \(.*\); choose another folder"):
        demo.run_demo(mine / "thesis.txt" / "below")
    assert [path.name for path in mine.iterdir()] == ["thesis.txt"]
    for folder in (own, ended, tmp_path / "new" / "one"):
        with pytest.raises(ClaimedError):
            demo.run_demo(folder)


@pytest.mark.heavy
def test_the_same_seed_gives_the_same_figures(tmp_path: Path) -> None:
    """Accuracies, sizes and instruction counts of two runs are equal; only the time differs."""
    runs = [demo.run_demo(tmp_path / name).to_json() for name in ("one", "two")]
    for run in runs:
        run["seconds"] = 0
        for variant in run["variants"]:
            for key in ("page", "project", "model"):
                variant[key] = None
    assert runs[0] == runs[1]
    first, second = ((tmp_path / name / "w4a4" / "net.edgeq").read_bytes() for name in ("one", "two"))
    assert first == second
