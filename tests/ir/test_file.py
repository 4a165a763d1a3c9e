"""net.edgeq: what is saved reads back equal, equal graphs make equal bytes, writing is all or nothing."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from ir.graphs import every_kind
from ir.mutate import header_of
from strategies import Case, cases

from edgeq.emulator import reference
from edgeq.errors import FileError, GraphError
from edgeq.formats import FixedPoint
from edgeq.frontends import load as load_model
from edgeq.ir import Graph, GraphBuilder
from edgeq.ir.file import from_bytes, load, save, to_bytes

GOLDEN = Path(__file__).parent / "corpus" / "every_kind.v1.edgeq"


def test_reads_back_equal(tmp_path: Path) -> None:
    graph = every_kind()
    save(graph, tmp_path / "net.edgeq")
    again = load(tmp_path / "net.edgeq")
    assert again == graph
    assert again.values["stem.weight"].format == graph.values["stem.weight"].format
    assert not again.values["stem.weight"].data.flags.writeable


def test_a_changed_weight_is_another_graph_and_another_file() -> None:
    graph = every_kind()
    weight = graph.values["fc.weight"]
    codes = weight.data.copy()
    codes[3, 11] ^= 1
    changed = graph.replace(
        values={
            **graph.values,
            "fc.weight": type(weight)(weight.name, weight.shape, weight.format, codes, weight.source),
        }
    )
    assert changed != graph
    assert to_bytes(changed) != to_bytes(graph)
    assert from_bytes(to_bytes(changed)) == changed


def test_equal_graphs_make_equal_bytes() -> None:
    graph = every_kind()
    turned = graph.replace(
        values=dict(reversed(list(graph.values.items()))), layouts=dict(reversed(list(graph.layouts.items())))
    )
    assert list(turned.values) != list(graph.values)
    assert to_bytes(turned) == to_bytes(graph)


def test_version_1_stays_readable_and_written_the_same() -> None:
    """The committed file was written by the first version of the layout."""
    assert load(GOLDEN) == every_kind()
    assert GOLDEN.read_bytes() == to_bytes(every_kind())


def test_constants_take_the_smallest_type() -> None:
    types = {v["name"]: v["type"] for v in header_of(to_bytes(every_kind()))["values"] if "type" in v}
    assert types == {
        "stem.weight": "int8",
        "stem.bias": "int32",
        "act.table": "int16",
        "fc.weight": "int8",
        "one": "int8",
        "exp": "uint16",
    }


@pytest.mark.parametrize(
    ("low", "high", "kind"),
    [
        (-128, 127, "int8"),
        (0, 255, "uint8"),
        (-129, 0, "int16"),
        (-1, 255, "int16"),
        (0, 65535, "uint16"),
        (-(1 << 31), 65536, "int32"),
        (0, (1 << 32) - 1, "uint32"),
    ],
)
def test_types_at_their_edges(low: int, high: int, kind: str) -> None:
    b = GraphBuilder("edge")
    x = b.input("x", (2,), FixedPoint(8))
    c = b.constant("c", [low, high], FixedPoint(32, 0, low < 0))
    graph = b.build([b.node("add", "y", (x, c), FixedPoint(8))])
    data = to_bytes(graph)
    assert [v["type"] for v in header_of(data)["values"] if "type" in v] == [kind]
    assert from_bytes(data) == graph


@settings(max_examples=60, deadline=None)
@given(cases(max_nodes=8))
def test_random_graphs_read_back_equal_and_run_the_same(case: Case) -> None:
    graph, codes = case
    data = to_bytes(graph)
    again = from_bytes(data)
    assert again == graph
    assert to_bytes(again) == data
    before, after = reference(graph, codes), reference(again, codes)
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_a_failed_write_leaves_the_old_file_and_no_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "net.edgeq"
    path.write_bytes(b"old")

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(FileError, match=r"net\.edgeq: cannot be written: No space left"):
        save(every_kind(), path)
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["net.edgeq"]


def test_what_check_refuses_is_not_written(tmp_path: Path) -> None:
    graph = every_kind().replace(outputs=("nowhere",))
    with pytest.raises(GraphError, match="nowhere"):
        save(graph, tmp_path / "net.edgeq")
    assert not list(tmp_path.iterdir())


def test_missing_folder_and_wrong_kinds_of_file(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"nowhere/net\.edgeq: cannot be written: No such file"):
        save(every_kind(), tmp_path / "nowhere" / "net.edgeq")
    with pytest.raises(FileError, match=r"none\.edgeq: cannot be read: No such file"):
        load(tmp_path / "none.edgeq")
    with pytest.raises(FileError, match="is not a regular file"):
        load(tmp_path)
    with pytest.raises(FileError, match="cannot be read"):
        load("a\0b.edgeq")
    os.mkfifo(tmp_path / "pipe.edgeq")
    with pytest.raises(FileError, match="is not a regular file"):
        load(tmp_path / "pipe.edgeq")


def test_dispatch_on_the_suffix(tmp_path: Path) -> None:
    graph: Graph = every_kind()
    graph.save(tmp_path / "NET.EDGEQ")
    assert load_model(tmp_path / "NET.EDGEQ") == graph
    with pytest.raises(FileError, match=r"a\.onnx: cannot be read: No such file"):
        load_model("a.onnx")
    with pytest.raises(FileError, match=r"a\.tflite: cannot be read: No such file"):
        load_model(Path("a.tflite"))
    with pytest.raises(FileError, match="not one without suffix"):
        load_model("model")
