"""Damaged and hostile .onnx files: one clear error that names the file, quickly and in little memory."""

from __future__ import annotations

import random
import resource
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeq.errors import EdgeqError, FileError, UnsupportedError
from edgeq.frontends.onnx import load

onnx = pytest.importorskip("onnx", reason="the extra onnx is not installed")

from frontends.onnx_models import Writer  # noqa: E402
from onnx import TensorProto, helper  # noqa: E402


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A network of the operators that read most options."""
    w, rng = Writer(), np.random.default_rng(0)
    x = w.quantised("x", 0.0625, 0)
    weight = w.dequantised(rng.integers(-99, 99, (4, 3, 3, 3)).astype(np.int8), np.full(4, 0.125), 0)
    w.node("Conv", [x, weight], "conv", pads=[1, 1, 1, 1], strides=[1, 1], dilations=[1, 1], group=1)
    w.node("Relu", ["conv"], "relu")
    y = w.quantised("relu", 0.25, 0)
    w.node("MaxPool", [y], "pool", kernel_shape=[2, 2], strides=[2, 2])
    w.node("Shape", ["pool"], "shape")
    w.node("Gather", ["shape", w.constant(np.array([0]))], "batch", axis=0)
    w.node("Concat", ["batch", w.constant(np.array([-1]))], "wanted", axis=0)
    w.node("Reshape", ["pool", "wanted"], "flat")
    weight = w.dequantised(rng.integers(-99, 99, (5, 36)).astype(np.int8), 0.125, 0)
    w.node("Gemm", ["flat", weight], "gemm", transB=1)
    w.quantised("gemm", 1.0, 0)
    path = tmp_path_factory.mktemp("damage") / "sound.onnx"
    w.save(path, {"x": (np.float32, (1, 3, 6, 6))}, {"gemm_dq": np.float32})
    assert len(load(path).nodes) >= 4
    return path.read_bytes()


def refused(path: Path, match: str, error: type[EdgeqError] = FileError) -> None:
    with pytest.raises(error, match=match) as found:
        load(path)
    assert str(path) in str(found.value)
    assert "\n" not in str(found.value)


def survives(data: bytes, path: Path) -> bool:
    """Whether the bytes load; anything but a network or one of our errors fails the test."""
    path.write_bytes(data)
    try:
        load(path)
    except EdgeqError as error:
        text = str(error)
    else:
        return True
    assert "\n" not in text
    assert len(text) < 2000
    return False


def mutants(sound: bytes, count: int, seed: int) -> Any:
    """Bytes changed, cut out, repeated or moved."""
    rng = random.Random(seed)
    for _ in range(count):
        data = bytearray(sound)
        for _ in range(rng.choice([1, 1, 2, 4])):
            at, size = rng.randrange(len(data)), rng.randrange(1, 9)
            kind = rng.randrange(5)
            if kind == 0:
                data[at] ^= 1 << rng.randrange(8)
            elif kind == 1:
                data[at] = rng.choice([0, 1, 0x7F, 0x80, 0xFF])
            elif kind == 2:
                del data[at : at + size]
            elif kind == 3:
                data[at:at] = data[at : at + size]
            else:
                data[at : at + size] = rng.randbytes(size)
        yield bytes(data)


def fuzz(sound: bytes, tmp_path: Path, count: int, seed: int) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    loaded = sum(survives(data, tmp_path / "m.onnx") for data in mutants(sound, count, seed))
    assert 0 < loaded < count, "some mutants are harmless, not all"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1 << 20, "more than a GB of memory"


def test_mutated_files(sound: bytes, tmp_path: Path) -> None:
    fuzz(sound, tmp_path, 250, 1)


@pytest.mark.heavy
def test_many_mutated_files(sound: bytes, tmp_path: Path) -> None:
    fuzz(sound, tmp_path, 8000, 2)


def test_truncated_files(sound: bytes, tmp_path: Path) -> None:
    path = tmp_path / "cut.onnx"
    loaded = [n for n in range(0, len(sound), max(1, len(sound) // 150)) if survives(sound[:n], path)]
    # Only the list of operator sets stands behind the graph.
    assert all(n > len(sound) - 60 for n in loaded)
    path.write_bytes(b"")
    refused(path, "is not an ONNX model")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" * 9)
    refused(path, "is not an ONNX model, or is cut off")


def model(nodes: list[Any], tensors: list[Any], path: Path, shape: tuple[Any, ...] = (1, 4), out: str = "y") -> Path:
    ins = [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)]
    outs = [helper.make_tensor_value_info(out, TensorProto.FLOAT, None)]
    graph = helper.make_graph(nodes, "hostile", ins, outs, tensors)
    path.write_bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]).SerializeToString())
    return path


def tensor(name: str, array: Any) -> Any:
    return onnx.numpy_helper.from_array(np.asarray(array), name)


SCALE = tensor("s", np.float32(0.5))


def q(x: str, y: str) -> Any:
    return helper.make_node("QuantizeLinear", [x, "s"], [y], name=y)


def dq(x: str, y: str) -> Any:
    return helper.make_node("DequantizeLinear", [x, "s"], [y], name=y)


def test_cycles_and_disorder(tmp_path: Path) -> None:
    nodes = [dq("b", "a"), q("a", "b"), dq("b", "y")]
    refused(model(nodes, [SCALE], tmp_path / "cycle.onnx"), r"DequantizeLinear a reads 'b', which nothing before it")
    nodes = [q("x", "a"), q("x", "a"), dq("a", "y")]
    refused(model(nodes, [SCALE], tmp_path / "twice.onnx"), r"QuantizeLinear a makes 'a', which exists already")
    refused(model([q("x", "a")], [SCALE], tmp_path / "none.onnx"), "output y is not computed")


def test_huge_shapes(tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    refused(model([q("x", "a"), dq("a", "y")], [SCALE], path, (1, 1 << 40)), r"'x': shape .* a network can have")
    huge = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1 << 30, 1 << 30])
    refused(model([q("x", "a"), dq("a", "y")], [SCALE, huge], path), "tensor w: shape .* a network can have")
    short = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1 << 20], raw_data=b"1234")
    refused(model([q("x", "a"), dq("a", "y")], [SCALE, short], path), "tensor w: its data do not fit FLOAT")
    grown = [
        helper.make_node("ConstantOfShape", ["n"], ["big"], name="big"),
        helper.make_node("Add", ["x", "big"], ["z"], name="z"), q("z", "a"), dq("a", "y"),
    ]  # fmt: skip
    refused(
        model(grown, [SCALE, tensor("n", [1 << 20, 1 << 20])], path), "ConstantOfShape big: makes a constant of more"
    )
    tiled = [helper.make_node("Tile", ["s2", "n"], ["s"], name="t"), q("x", "a"), dq("a", "y")]
    refused(model(tiled, [tensor("s2", [0.5]), tensor("n", [1 << 40])], path), "Tile t: makes a constant of more than")
    padded = [
        q("x", "a"),
        dq("a", "d"),
        helper.make_node("Pad", ["d", "n"], ["p"], name="p"),
        q("p", "b"),
        dq("b", "y"),
    ]
    refused(model(padded, [SCALE, tensor("n", [0, 0, 0, 1 << 40])], path), "Pad p: makes .* a network can have")


def test_external_data_stays_beside_the_model(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "secret").write_bytes(b"\0" * 64)
    (folder / "weights").write_bytes(np.float32(0.5).tobytes() * 4)
    (folder / "link").symlink_to(tmp_path / "secret")

    def outside(**entries: str) -> Path:
        scale = TensorProto(name="s", data_type=TensorProto.FLOAT, data_location=TensorProto.EXTERNAL)
        for key, value in entries.items():
            scale.external_data.add(key=key, value=value)
        return model([q("x", "a"), dq("a", "y")], [scale], folder / "a.onnx")

    assert load(outside(location="weights", offset="4", length="4")).outputs
    for place in ("../secret", str(tmp_path / "secret"), "link", "", "/etc/passwd", "."):
        refused(outside(location=place), "outside the model's folder")
    refused(outside(location="nothing"), "external data 'nothing' are missing")
    refused(outside(location="weights", offset="12", length="400"), "bytes 12 to 412 of 'weights', which has 16")
    refused(outside(location="weights", offset="-4", length="4"), "bytes -4 to 0")
    refused(outside(location="weights", offset="4", length="8"), "its data do not fit")


def test_numbers_that_cannot_be(tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    for scale in (0.0, -1.0, float("nan"), float("inf")):
        refused(model([q("x", "a"), dq("a", "y")], [tensor("s", np.float32(scale))], path), "not a positive number")
    two = [tensor("s", np.float32([0.5, 0.25, 1, 2]))]
    refused(model([q("x", "a"), dq("a", "y")], two, path), "has a scale per channel", UnsupportedError)


def test_what_is_no_file(tmp_path: Path) -> None:
    refused(tmp_path / "none.onnx", "cannot be read: No such file")
    (tmp_path / "folder.onnx").mkdir()
    refused(tmp_path / "folder.onnx", "is not a regular file")
