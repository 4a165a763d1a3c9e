"""docs/adding-an-operator.md: its example is an operator, and a bound that is too tight is found."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from ir.test_ranges import assert_sound

from edgeq.emulator import reference
from edgeq.formats import FixedPoint
from edgeq.ir import OPERATORS, Graph, GraphBuilder
from edgeq.ir.docs import operators_markdown

PAGE = Path(__file__).parents[2] / "docs" / "adding-an-operator.md"
CODES = {"x": np.arange(-8, 8)[:, None]}


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The page's Python block as a module, registered for one test."""
    found = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    module = ModuleType("absolute_example")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile(found[1], str(PAGE), "exec"), module.__dict__)
    monkeypatch.setitem(OPERATORS, "absolute", module.Absolute())
    return module


def graph() -> Graph:
    b = GraphBuilder("absolute")
    return b.build([b.node("absolute", "y", (b.input("x", (1,), FixedPoint(4, 1)),), FixedPoint(4, 0), "layer")])


def test_the_example_works(example: ModuleType) -> None:
    made = graph()
    assert reference(made, CODES)["y"].ravel().tolist() == [4, 4, 3, 3, 2, 2, 1, 1, 0, 1, 1, 2, 2, 3, 3, 4]
    assert assert_sound(made, CODES) > 0
    assert "## absolute\n\n|x|.\n" in operators_markdown()


def test_a_bound_that_is_too_tight_is_found(example: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    right = example.Absolute.bounds

    def tight(*args: object) -> object:
        bounds = right(*args)
        return type(bounds)(bounds.lo, (bounds.hi[0] - 1,), bounds.frac)

    monkeypatch.setattr(example.Absolute, "bounds", tight)
    with pytest.raises(AssertionError, match="above"):
        assert_sound(graph(), CODES)
