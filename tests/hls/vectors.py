"""Expected numbers of the benches: the conformance vectors and the project's own reference."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

VECTORS = Path(__file__).parents[1] / "formats" / "vectors"


def lines(file: str, start: str) -> Iterator[list[str]]:
    """The words of each vector of a file that begins with `start`, without these."""
    for line in (VECTORS / file).read_text().splitlines():
        if line.startswith(start + " "):
            yield line[len(start) :].split()


def scale_vectors(rule: str, bits: int) -> list[tuple[int, int, int, int]]:
    """(multiplier, shift, number, result) of a rule, where the number fits `bits` bits."""
    found = []
    for name, *numbers in lines("scale.txt", "scale"):
        multiplier, shift, number, result = map(int, numbers)
        if name == rule and -(1 << (bits - 1)) <= number < 1 << (bits - 1):
            found.append((multiplier, shift, number, result))
    assert len(found) > 50, f"hardly any vector of {rule} fits {bits} bits"
    return found
