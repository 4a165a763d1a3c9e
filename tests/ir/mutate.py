"""Damage for net.edgeq files: bytes, lengths, and headers edited under a checksum that holds."""

from __future__ import annotations

import copy
import hashlib
import json
import random
from typing import Any

PREFIX = 56


def sealed(data: bytes) -> bytes:
    """The bytes with the file length and checksum that they should have, so that the inner checks are reached."""
    head = data[:16] + len(data).to_bytes(8, "little")
    digest = hashlib.sha256(head + bytes(32) + data[PREFIX:]).digest()
    return head + digest + data[PREFIX:]


def header_of(data: bytes) -> Any:
    """The parsed header."""
    return json.loads(data[PREFIX : PREFIX + int.from_bytes(data[12:16], "little")])


def with_header(data: bytes, header: Any) -> bytes:
    """The file with another header (an object, or raw bytes), lengths and checksum made right."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode("utf-8", "surrogatepass")
    rest = data[PREFIX + int.from_bytes(data[12:16], "little") :]
    return sealed(data[:12] + len(text).to_bytes(4, "little") + data[16:PREFIX] + text + rest)


#: what a number, word or list may be replaced by
ODDITIES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 7, 63, 64, 127, 128, 255, 256, 1023, 1025, 65535, 65536, 1 << 31, -(1 << 31)),
    *(1 << 32, 1 << 62, -(1 << 62), 1 << 63, 1 << 64, 10**19, 10**40, 1.5, -0.0, 1e300, float("nan"), float("inf")),
    *(
        "",
        "x",
        "\n",
        "\x00",
        "\ud800",
        '"',
        "a" * 1000,
        "..\\..\\",
        "*/",
        "int8",
        "int64",
        "conv",
        "wrap",
        "floor",
        "ocp",
    ),
    *([], [0], [-1], [[0]], [None], ["x"], [1] * 7, [1 << 31] * 2, [0] * 1000, {}, {"": 0}, {"kind": "fixed"}),
    {"kind": "fixed", "width": 8, "point": 0, "sign": True, "axis": None},
    {"kind": "fixed", "width": 32, "point": 1024, "sign": True, "axis": None},
    {"kind": "fixed", "width": 8, "point": [0, 1], "sign": True, "axis": 0},
    {"kind": "minifloat", "exponent": 5, "mantissa": 2, "bias": 15, "specials": "ocp", "scale": 0, "axis": None},
)


def _spots(tree: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) of a JSON tree."""
    found: list[tuple[Any, Any]] = []
    stack = [tree]
    while stack:
        at = stack.pop()
        keys = list(at) if isinstance(at, dict) else range(len(at)) if isinstance(at, list) else ()
        found += [(at, key) for key in keys]
        stack += [at[key] for key in keys]
    return found


def _odd_edit(tree: Any, rng: random.Random) -> None:
    """One edit of any kind: an odd value, a part deleted, repeated, moved or renamed."""
    spots = _spots(tree)
    at, key = rng.choice(spots)
    other, other_key = rng.choice(spots)
    kind = rng.randrange(6)
    if kind == 0:
        del at[key]
    elif kind == 1 and isinstance(at, list):
        at.insert(key, copy.deepcopy(at[key]))
    elif kind == 2:
        at[key] = copy.deepcopy(other[other_key])
    elif kind == 3:
        # Deep copies: a part swapped into itself would have no end.
        at[key], other[other_key] = copy.deepcopy(other[other_key]), copy.deepcopy(at[key])
    elif kind == 4 and isinstance(at, dict):
        at[rng.choice(("extra", "type", "offset", str(other_key)))] = at.pop(key)
    else:
        at[key] = copy.deepcopy(rng.choice(ODDITIES))


def _fitting_edit(tree: Any, rng: random.Random) -> None:
    """One edit that keeps the type, so that it reaches the rules about numbers and names."""
    spots = [(at, key) for at, key in _spots(tree) if isinstance(at[key], (int, str))]
    at, key = rng.choice(spots)
    same = [where[k] for where, k in spots if type(where[k]) is type(at[key])]
    if isinstance(at[key], str) or rng.random() < 0.3:
        at[key] = rng.choice(same)
    elif rng.random() < 0.5:
        at[key] = int(at[key]) + rng.choice((-8, -2, -1, 1, 2, 8, 256, 1 << 16, 1 << 32))
    else:
        at[key] = rng.choice([odd for odd in ODDITIES if type(odd) is int])


def edited(header: Any, rng: random.Random) -> Any:
    """The header with one to three edits."""
    tree = copy.deepcopy(header)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        if any(isinstance(at[key], int) for at, key in _spots(tree)):
            (_odd_edit if rng.random() < 0.3 else _fitting_edit)(tree, rng)
    return tree


def damaged(data: bytes, rng: random.Random) -> bytes:
    """The file with flipped bits, lost or foreign bytes; half the time with length and checksum made right."""
    raw = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8))):
        at = rng.randrange(len(raw)) if rng.random() < 0.6 else rng.randrange(min(len(raw), 64))
        kind = rng.randrange(6)
        if kind == 0:
            raw[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            raw[at] = rng.randrange(256)
        elif kind == 2:
            del raw[at : at + rng.choice((1, 2, 4, 8, 100, len(raw)))]
        elif kind == 3:
            raw[at:at] = bytes(rng.randrange(256) for _ in range(rng.choice((1, 4, 8, 64))))
        elif kind == 4:
            field = rng.choice((slice(8, 12), slice(12, 16), slice(16, 24)))
            number = rng.choice((0, 1, 1 << 31, (1 << 32) - 1, len(raw), len(raw) + 1))
            raw[field] = number.to_bytes(8, "little")[: field.stop - field.start]
        else:
            raw[at : at + 8] = rng.choice((b"\x00", b"\xff", b"[", b'"', b"9")) * 8
        if not raw:
            break
    spoiled = bytes(raw)
    return sealed(spoiled) if rng.random() < 0.5 and len(spoiled) >= PREFIX else spoiled
