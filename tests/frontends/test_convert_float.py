"""`edgeq convert --calibrate`: float model files and calibration data from the shell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import edgeq
from edgeq.cli import main
from edgeq.errors import FileError
from edgeq.verify.archives import read_arrays

onnx = pytest.importorskip("onnx", reason="reading .onnx needs the extra edgeq[onnx]")
pytest.importorskip("brevitas", reason="float networks need the extra edgeq[torch]")


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    kind = onnx.TensorProto.FLOAT
    rng = np.random.default_rng(0)
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Gemm", ["data", "w"], ["y"])],
        "net",
        [onnx.helper.make_tensor_value_info("data", kind, ("n", 6))],
        [onnx.helper.make_tensor_value_info("y", kind, ("n", 3))],
        [onnx.numpy_helper.from_array(rng.normal(size=(6, 3)).astype("f4"), "w")],
    )
    opset = [onnx.helper.make_opsetid("", 17)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=9), "net.onnx")
    np.savez("data.npz", x=rng.normal(size=(20, 6)), y=np.arange(20))
    np.save("data.npy", rng.normal(size=(20, 6)))
    Path("recipe.yaml").write_text("weights: 4\n", encoding="utf-8")


def test_a_float_file_becomes_a_program() -> None:
    for data in ("data.npz", "data.npy"):
        assert main(["convert", "net.onnx", "--calibrate", data, "-o", "net.edgeq"]) == 0
        assert edgeq.load("net.edgeq") == edgeq.load("net.onnx", calibrate=read_arrays(data))
    assert main(["convert", "net.onnx", "--calibrate", "data.npz", "--recipe", "recipe.yaml", "-o", "net.edgeq"]) == 0
    net = edgeq.load("net.edgeq")
    assert net.values[net.nodes[0].inputs[1]].format.bits == 4


@pytest.mark.parametrize(
    ("options", "fact"),
    [
        (["--recipe", "recipe.yaml"], "--calibrate"),
        (["--calibrate", "none.npz"], "none.npz"),
        (["--calibrate", "recipe.yaml"], "not a readable"),
        (["--calibrate", "data.npz", "--recipe", "none.yaml"], "none.yaml"),
    ],
)
def test_what_is_wrong_is_said(options: list[str], fact: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", "net.onnx", *options, "-o", "net.edgeq"]) != 0
    said = capsys.readouterr().err
    assert fact in said
    assert len(said.strip().splitlines()) == 1
    assert not Path("net.edgeq").exists()


def test_damaged_archives_are_refused() -> None:
    whole = Path("data.npz").read_bytes()
    rng = np.random.default_rng(1)
    refused = 0
    for i in range(200):
        data = bytearray(whole[: rng.integers(len(whole))] if i % 2 else whole)
        for _ in range(3):
            if data:
                data[rng.integers(len(data))] = rng.integers(256)
        Path("bad.npz").write_bytes(data)
        try:
            read_arrays("bad.npz")
        except FileError as error:
            refused += "\n" not in str(error)
    assert refused > 100
    np.savez("objects.npz", x=np.array([{}], dtype=object))
    with pytest.raises(FileError, match=r"objects\.npz"):
        read_arrays("objects.npz")
