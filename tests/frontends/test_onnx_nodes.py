"""ONNX's own tests of single nodes: none is answered wrongly, and as many are answered as were before."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="the extra onnx is not installed")

from frontends import onnx_nodes
from frontends.onnx_nodes import Outcome, count, names, outcome


def run(tmp_path: Path, floats: bool) -> dict[str, Outcome]:
    """Outcomes of all tests, with their counts printed."""
    found = {name: outcome(name, tmp_path, floats) for name in names()}
    print(f"\nonnx node tests: {dict(count(found))}")
    return found


def test_quantised_and_moved_numbers_exactly(tmp_path: Path) -> None:
    found = run(tmp_path, floats=False)
    assert not {name: o.why for name, o in found.items() if o.status == "wrong"}
    assert count(found)["exact"] >= 171
    for name in ("qlinearconv", "qlinearmatmul_3D_int8_float32", "convinteger_with_padding", "quantizelinear"):
        assert found[f"test_{name}"].status == "exact"


@pytest.mark.heavy
def test_floats_closely(tmp_path: Path) -> None:
    pytest.importorskip("brevitas", reason="the extra torch is not installed")
    found = run(tmp_path, floats=True)
    assert not {name: o.why for name, o in found.items() if o.status == "wrong"}
    assert count(found)["close"] >= 78


def test_a_wrong_answer_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The suite's own comparisons: a demanded output that is changed in one place is told."""
    honest = onnx_nodes._arrays

    def changed(folder: Path, kind: str, count: int) -> list[np.ndarray]:
        arrays = honest(folder, kind, count)
        if kind == "output":
            arrays[0] = arrays[0].copy()
            arrays[0].flat[0] += 1
        return arrays

    monkeypatch.setattr(onnx_nodes, "_arrays", changed)
    for name in ("test_qlinearconv", "test_maxpool_2d_default", "test_slice", "test_matmulinteger"):
        assert outcome(name, tmp_path).status == "wrong", name
