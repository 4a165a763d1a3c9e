"""Damaged .tflite files give one clear error, whatever is wrong with them; skipped where the models are not here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgeq.errors import EdgeqError, FileError
from edgeq.frontends import load
from edgeq.frontends.tflite.file import DamagedError, parse

MODELS = Path(__file__).resolve().parents[3] / "shared" / "models"
SMALL = MODELS / "hello_world_int8.tflite"

pytest.importorskip("tflite", reason="reading .tflite needs the extra edgeq[tflite]")
pytestmark = pytest.mark.skipif(not SMALL.is_file(), reason="the published models are not here")


def attempt(data: bytes, path: Path) -> str:
    """The message of the error that a file gives, "" where it is read; anything but an EdgeqError fails the test."""
    path.write_bytes(data)
    try:
        load(path)
    except EdgeqError as error:
        message = str(error)
        assert str(path) in message, message
        assert "\n" not in message
        assert len(message) < 2000
        return message
    return ""


def test_cut_off_anywhere(tmp_path: Path) -> None:
    data = SMALL.read_bytes()
    messages = [attempt(data[:n], tmp_path / "cut.tflite") for n in range(0, len(data), 37)]
    assert sum(m != "" for m in messages) > 0.9 * len(messages)


@pytest.mark.parametrize("seed", range(4))
def test_mutated_bytes(seed: int, tmp_path: Path) -> None:
    rng, data = np.random.default_rng(seed), SMALL.read_bytes()
    refused = 0
    for _ in range(60):
        mutant = bytearray(data)
        for at in rng.integers(0, len(data), rng.integers(1, 6)):
            mutant[at] = int(rng.choice([0, 0xFF, 0x7F, 0x80, rng.integers(256)]))
        refused += attempt(bytes(mutant), tmp_path / "mutant.tflite") != ""
    assert refused > 3


def test_words_out_of_range(tmp_path: Path) -> None:
    """Every aligned word in turn becomes huge or negative: offsets, lengths, shapes, indices."""
    data = SMALL.read_bytes()
    for at in range(0, len(data) - 4, 4 * 11):
        for word in (b"\xff\xff\xff\x7f", b"\xff\xff\xff\xff", b"\x00\x00\x00\x80"):
            attempt(data[:at] + word + data[at + 4 :], tmp_path / "word.tflite")


def test_what_is_no_model(tmp_path: Path) -> None:
    assert "not TFL3" in attempt(b"", tmp_path / "a.tflite")
    assert "not TFL3" in attempt(bytes(100), tmp_path / "b.tflite")
    assert "is damaged" in attempt(b"\xf0\xff\xff\xffTFL3", tmp_path / "c.tflite")
    with pytest.raises(DamagedError, match="schema version 0"):
        parse(b"\x00\x00\x00\x00TFL3" + bytes(8), "zeros")
    with pytest.raises(FileError, match="No such file"):
        load(tmp_path / "none.tflite")
    (tmp_path / "folder.tflite").mkdir()
    with pytest.raises(FileError, match="is not a regular file"):
        load(tmp_path / "folder.tflite")
