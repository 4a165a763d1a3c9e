"""Input data: aimed random samples, and .npy files that nobody vouches for."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from edgeq.errors import FileError, InputError
from edgeq.formats import NAMED, FixedPoint
from edgeq.ir import GraphBuilder, Value
from edgeq.verify import random_inputs, read_array, write_array
from edgeq.verify.data import finite_codes
from tests.verify.nets import minifloat_net, residual_net


def test_random_samples_repeat_and_hit_the_extremes() -> None:
    net = residual_net()
    data = random_inputs(net, 16, seed=4)["image"]
    assert np.array_equal(data, random_inputs(net, 16, seed=4)["image"])
    assert not np.array_equal(data, random_inputs(net, 16, seed=5)["image"])
    assert data.shape == (16, 8, 8, 3)
    assert (data[1] == 127).all()
    assert (data[2] == -128).all()
    assert (abs(data[3]) <= 2).all()
    assert set(np.unique(data[4])) == {-128, 127}
    assert (data[5] == 0).all()
    assert len(np.unique(data[0])) > 50


def test_a_sample_reaches_the_widest_sum_of_the_first_layer() -> None:
    """Sample 7 drives one channel of a linear or convolutional layer to an end of its proved range."""
    rng = np.random.default_rng(3)
    for op in ("linear", "conv"):
        b = GraphBuilder(op)
        shape = (3, 5) if op == "linear" else (6, 6, 4)
        x = b.input("x", shape, FixedPoint(8, 0))
        w = b.constant("w", rng.integers(-99, 100, (4, 5) if op == "linear" else (4, 3, 3, 2)), FixedPoint(8, 0), "y")
        window = {"stride": (1, 1), "padding": (1, 1, 1, 1), "dilation": (1, 1), "groups": 2} if op == "conv" else {}
        net = b.build([b.node(op, "y", (x, w), FixedPoint(32, 0), "y", **window)])
        found = net.trace(random_inputs(net, 16, seed=1)["x"])["y"]
        grid = net.values["w"].data
        assert grid is not None
        flat = grid.reshape(4, -1)
        most = np.where(flat > 0, flat * 127, flat * -128).sum(axis=1)
        least = np.where(flat > 0, flat * -128, flat * 127).sum(axis=1)
        for sample in (7, 15):
            reached = found[sample].reshape(-1, 4)
            assert ((reached.max(axis=0) == most) | (reached.min(axis=0) == least)).any(), (op, sample)


def test_random_codes_of_a_minifloat_are_numbers() -> None:
    net = minifloat_net()
    data = random_inputs(net, 64)["x"]
    net.values["x"].format.to_grid(data)  # raises on a NaN
    assert (data[2] == 0xFE).all()  # -448
    assert finite_codes(net.values["x"]).size == 254


@pytest.mark.parametrize("fmt", [FixedPoint(1, 0, False), FixedPoint(2, 0), FixedPoint(32, 16), NAMED["e2m1"]])
def test_every_format_has_codes(fmt) -> None:  # type: ignore[no-untyped-def]
    codes = finite_codes(Value("x", (1,), fmt))
    fmt.check_codes(codes, "x")
    lo, hi = fmt.grid_range
    assert {lo, hi} <= set(fmt.to_grid(codes).tolist())


def test_no_samples_is_an_error() -> None:
    with pytest.raises(InputError, match="give 1 or more"):
        random_inputs(residual_net(), 0)


def test_arrays_come_back_and_replace_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "y.npy"
    path.write_bytes(b"old")
    array = np.arange(12, dtype=np.int16).reshape(3, 4)
    write_array(path, array)
    assert np.array_equal(read_array(path), array)
    assert read_array(path).dtype == np.int16
    assert os.listdir(tmp_path) == ["y.npy"]


def _npy(array: np.ndarray, tmp_path: Path) -> bytes:
    path = tmp_path / "good.npy"
    np.save(path, array, allow_pickle=True)
    return path.read_bytes()


def test_bad_files_get_one_line(tmp_path: Path) -> None:
    good = _npy(np.zeros((4, 4)), tmp_path)
    bad = {
        "empty": b"",
        "text": b"hello",
        "cut header": good[:40],
        "cut data": good[:-8],
        "other magic": b"\x93NUMPZ" + good[6:],
        "other version": good[:6] + b"\x09" + good[7:],
        "hostile header": good.replace(b"{'descr'", b"['descr'"),
        "objects": _npy(np.array([{}, []], dtype=object), tmp_path),
        "texts": _npy(np.array(["a"]), tmp_path),
        "complex": _npy(np.zeros(3, dtype=complex), tmp_path),
        "truth": _npy(np.zeros(3, dtype=bool), tmp_path),
        "pickle": pickle.dumps([1, 2]),
        "zip": b"PK\x03\x04" + bytes(60),
    }
    bad["huge"] = good.replace(b"'shape': (4, 4), }  ", b"'shape': (4, 4e9)} ")
    bad["giant"] = good.replace(b"(4, 4), }            ", b"(4, 4000000000000), }")
    assert bad["giant"] != good
    for name, content in bad.items():
        path = tmp_path / "bad.npy"
        path.write_bytes(content)
        with pytest.raises(FileError, match=r"input .*bad\.npy") as caught:
            read_array(path)
        assert "\n" not in str(caught.value), name


def test_mutated_files_never_escape(tmp_path: Path) -> None:
    good = _npy(np.arange(20.0), tmp_path)
    rng = np.random.default_rng(0)
    path = tmp_path / "fuzz.npy"
    read = 0
    for _ in range(500):
        content = bytearray(good)
        for _ in range(int(rng.integers(1, 4))):
            content[int(rng.integers(0, 128))] = int(rng.integers(0, 256))
        path.write_bytes(content)
        try:
            read_array(path)
            read += 1
        except FileError as error:
            assert "\n" not in str(error)  # noqa: PT017
    assert read < 500


def test_missing_and_unwritable_places(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot be read"):
        read_array(tmp_path / "none.npy")
    with pytest.raises(FileError, match="does its folder exist"):
        write_array(tmp_path / "none" / "y.npy", np.zeros(1))
    with pytest.raises(FileError, match=r"cannot be read|not a readable"):
        read_array(tmp_path)
