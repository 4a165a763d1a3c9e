"""The C primitives read the vectors of the numbers contract, and notice when one is wrong."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.mcu.kernel_driver import FIRMWARE, SANITIZE, WARNINGS, compilers

VECTORS = sorted((Path(__file__).resolve().parents[1] / "formats" / "vectors").glob("*.txt"))


def build(cc: str, folder: Path) -> Path:
    binary = folder / f"conformance-{cc}"
    source = FIRMWARE / "tests" / "conformance.c"
    subprocess.run([cc, *WARNINGS, *SANITIZE, f"-I{FIRMWARE / 'include'}", source, "-o", binary], check=True)
    return binary


@pytest.mark.parametrize("cc", compilers())
def test_primitives_agree_with_the_vectors(cc: str, tmp_path: Path) -> None:
    done = subprocess.run([build(cc, tmp_path), *VECTORS], capture_output=True, text=True, check=False)
    counts = re.fullmatch(r"(\d+) vectors, (\d+) checks, 0 failures", done.stdout.strip())
    assert done.returncode == 0, done.stdout + done.stderr
    assert counts is not None
    lines = [t for path in VECTORS for t in path.read_text().splitlines() if t and not t.startswith("#")]
    assert int(counts[1]) == len(lines) > 1000
    assert int(counts[2]) > len(lines)


@pytest.mark.parametrize("path", VECTORS, ids=lambda p: p.stem)
def test_a_wrong_vector_is_found(path: Path, tmp_path: Path) -> None:
    lines = path.read_text().splitlines()
    at = next(i for i in range(len(lines) // 2, len(lines)) if not lines[i].endswith("invalid"))
    head, last = lines[at].rsplit(" ", 1)
    lines[at] = f"{head} {int(last) ^ 1}"
    wrong = tmp_path / path.name
    wrong.write_text("\n".join(lines) + "\n")
    done = subprocess.run([build("gcc", tmp_path), wrong], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert lines[at] in done.stdout


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    damaged = tmp_path / "v.txt"
    damaged.write_text("encode fixed 8 0 1 half_up 12\n")
    done = subprocess.run([build("gcc", tmp_path), damaged], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (
        2,
        "conformance: line ends too early: encode fixed 8 0 1 half_up 12\n",
    )
