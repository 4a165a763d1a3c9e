"""Damaged and hostile net.edgeq files: one FileError that names the file and the fact, in little time and memory."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ir.graphs import every_kind
from ir.mutate import PREFIX, damaged, edited, header_of, sealed, with_header

from edgeq.emulator import reference
from edgeq.errors import FileError
from edgeq.ir import Graph
from edgeq.ir.file import from_bytes, load, to_bytes
from edgeq.verify.random_graphs import random_graph, random_inputs

GOOD = to_bytes(every_kind())


def one_line(message: str, path: Path) -> None:
    """What every message has to be."""
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    assert len(message) < 800


def refused(path: Path, data: bytes) -> None:
    """Reading `data` must raise FileError with one line that begins with the path."""
    path.write_bytes(data)
    with pytest.raises(FileError) as info:
        load(path)
    one_line(str(info.value), path)


def put(*keys: Any, value: Any) -> Callable[[Any], None]:
    """An edit that sets header[keys[0]][keys[1]]… = value."""

    def edit(header: Any) -> None:
        for key in keys[:-1]:
            header = header[key]
        header[keys[-1]] = value

    return edit


def named(header: Any, kind: str, name: str) -> Any:
    return next(item for item in header[kind] if item["name"] == name)


def of(kind: str, name: str, key: str, value: Any) -> Callable[[Any], None]:
    """An edit of one field of a value or node."""

    def edit(header: Any) -> None:
        named(header, kind, name)[key] = value

    return edit


def fixed(**changes: Any) -> dict[str, Any]:
    """The JSON of an 8-bit format with some fields changed."""
    return {"kind": "fixed", "width": 8, "point": 0, "sign": True, "axis": None, **changes}


PREFIX_DAMAGE: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is not a net.edgeq"),
    "text": (b"PK\x03\x04" + GOOD[4:], "is not a net.edgeq"),
    "line ends translated": (GOOD.replace(b"\r\n", b"\n", 1), "is not a net.edgeq"),
    "only magic": (GOOD[:8], "is cut off: 8 bytes"),
    "cut in the prefix": (GOOD[:55], "is cut off: 55 bytes"),
    "version 0": (GOOD[:8] + bytes(4) + GOOD[12:], "has layout version 0; edgeq .* reads version 1. Export .* convert"),
    "version 2": (GOOD[:8] + b"\2\0\0\0" + GOOD[12:], "has layout version 2;"),
    "cut at the end": (GOOD[:-1], f"is cut off: {len(GOOD) - 1} bytes, it says {len(GOOD)}"),
    "more at the end": (GOOD + b"\0", f"is too long: {len(GOOD) + 1} bytes, it says {len(GOOD)}"),
    "flipped bit": (GOOD[:-9] + bytes([GOOD[-9] ^ 1]) + GOOD[-8:], "its checksum differs"),
    "flipped checksum": (GOOD[:30] + bytes([GOOD[30] ^ 1]) + GOOD[31:], "its checksum differs"),
    "endless header": (sealed(GOOD[:12] + b"\xff" * 4 + GOOD[16:]), "header of 4294967295 bytes does not fit"),
    "header past the end": (sealed(GOOD[:12] + len(GOOD).to_bytes(4, "little") + GOOD[16:]), "does not fit"),
    "no header": (sealed(GOOD[:12] + bytes(4) + GOOD[16:]), "header: is not JSON"),
    "constants cut off": (sealed(GOOD[:-8]), "constant 'exp': needs bytes .*"),
    "constants left over": (sealed(GOOD + bytes(8)), r"bytes of constants, its header names"),
    "filling not zero": (sealed(GOOD[:-1] + b"\1"), "bytes that fill it up are not zero"),
}

RAW_HEADERS: dict[str, tuple[bytes, str]] = {
    "not JSON": (b"{", "header: is not JSON"),
    "not UTF-8": (b'{"graph":"\xff"}', "header: is not JSON"),
    "no object": (b"[]", "header must be an object with graph"),
    "deep lists": (b"[" * 100_000 + b"]" * 100_000, "header: is nested too deeply"),
    "deep objects": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "header: is nested too deeply"),
    "NaN": (b'{"graph":NaN}', "header: NaN is not a whole number"),
    "infinity": (b'{"graph":-Infinity}', "header: -Infinity is not a whole number"),
    "float": (b'{"graph":1e9}', "header: 1e9 is not a whole number"),
    "digits": (b'{"graph":' + b"9" * 100_000 + b"}", "header: number 99999999999999999999… is too large"),
    "repeated key": (b'{"graph":"a","graph":"b"}', "a key stands twice in one object .graph"),
    "other keys": (b'{"graph":"a"}', "header must be an object with graph, inputs, outputs, layouts, values, nodes"),
}

EDITS: dict[str, tuple[Callable[[Any], None], str]] = {
    "graph name": (put("graph", value=3), "graph name must be text"),
    "graph name empty": (put("graph", value=""), "graph name '' must be text of 1"),
    "extra key": (put("code", value="import os"), "header must be an object with"),
    "values no list": (put("values", value={}), "values must be a list"),
    "nodes no list": (put("nodes", value="abc"), "nodes must be a list"),
    "node no object": (put("nodes", 0, value=[]), "node 0 must be an object with op, name"),
    "no inputs": (put("inputs", value=[]), "needs at least one input"),
    "input twice": (put("inputs", value=["image", "image"]), "input 'image' is not a value of its own"),
    "input a constant": (put("inputs", value=["one"]), "input 'one' is not a value of its own"),
    "output unknown": (put("outputs", value=["nothing"]), "output 'nothing' is not computed"),
    "output a constant": (put("outputs", value=["one"]), "output 'one' is not computed"),
    "layout": (put("layouts", value={"image": [0, 0, 1]}), "layout .* of 'image' does not name each axis"),
    "layout of a stranger": (put("layouts", value={"stem": [0, 1, 2]}), "layout of 'stem'"),
    "layout a word": (put("layouts", value={"image": "hwc"}), "layout of 'image' must be a list"),
    "layout number": (put("layouts", value={"image": [0, 1, 1 << 63]}), "layout of 'image' must be a whole number"),
    "value twice": (lambda h: h["values"].append(h["values"][0]), "value 'image' stands twice"),
    "shape zero": (of("values", "image", "shape", [5, 0, 2]), "shape .* is not one that a network can have"),
    "shape negative": (of("values", "image", "shape", [-5, -5, 2]), "is not one that a network can have"),
    "shape huge": (of("values", "image", "shape", [1 << 31, 1 << 31, 1 << 31]), "is not one that a network can have"),
    "shape product": (of("values", "image", "shape", [1 << 20, 1 << 20]), "is not one that a network can have"),
    "shape deep": (of("values", "image", "shape", [1] * 7), "is not one that a network can have"),
    "shape long": (of("values", "image", "shape", [1] * 100_000), "is not one that a network can have"),
    "shape bool": (of("values", "image", "shape", [True]), "shape of 'image' must be a whole number"),
    "shape other": (of("values", "image", "shape", [5, 5, 3]), "conv stem: 1 groups do not fit"),
    "constant larger than file": (of("values", "one", "shape", [1 << 29]), "constant 'one': needs bytes"),
    "constant smaller": (of("values", "act.table", "shape", [4]), "constant 'fc.weight': begins at .*, must begin at"),
    "offset back": (of("values", "one", "offset", 0), "constant 'one': begins at 0, must begin at"),
    "offset negative": (of("values", "stem.weight", "offset", -8), "begins at -8"),
    "type": (of("values", "one", "type", "float32"), "type 'float32' is not one of int8"),
    "type of python": (of("values", "one", "type", "object"), "type 'object' is not one of int8"),
    "code outside": (of("values", "one", "format", fixed(width=2)),
                     r"constant 'one': code 4 is outside -2\.\.1"),
    "data of an input": (lambda h: named(h, "values", "image").update(type="int8", offset=0),
                         "constant 'image': the bytes that"),
    "value never computed": (lambda h: h["nodes"].pop(), "output 'p' is not computed"),
    "format kind": (of("values", "image", "format", {"kind": "bfloat"}), "value 'image': format description"),
    "format no object": (of("values", "image", "format", 8), "format of 'image' is not an object"),
    "format empty": (of("values", "image", "format", {}), "format description"),
    "name with a line": (of("values", "one", "name", "a\nb"), "must be printable"),
    "name that ends a comment": (of("values", "one", "name", "a*/b"), "must be printable, without"),
    "name long": (of("values", "one", "name", "n" * 301), "must be text of 1 to 300"),
    "lone surrogate": (of("values", "one", "name", "\ud800"), "must be printable"),
    "operator": (of("nodes", "fc", "op", "exec"), "node fc: operator 'exec' is not one of edgeq's"),
    "operator long": (of("nodes", "fc", "op", "x" * 100_000), "is not one of edgeq's"),
    "node twice": (lambda h: h["nodes"].append(h["nodes"][0]), "node name 'stem' stands twice"),
    "cycle": (of("nodes", "stem", "inputs", ["act", "stem.weight"]), "input 'act' is not computed before"),
    "missing input": (of("nodes", "stem", "inputs", ["image"]), "takes 2..3 inputs, has 1"),
    "unknown input": (of("nodes", "stem", "inputs", ["image", "x"]), "input 'x' is not computed"),
    "no output": (of("nodes", "stem", "outputs", []), "makes 1 output, has 0"),
    "two outputs": (of("nodes", "stem", "outputs", ["stem", "act"]), "makes 1 output, has 2"),
    "output onto a constant": (of("nodes", "stem", "outputs", ["one"]), "output 'one' is computed twice"),
    "attribute missing": (of("nodes", "stem", "attrs", {}), "attribute '.*' is missing"),
    "attribute unknown": (of("nodes", "fc", "attrs", {"evil": 1}), "attribute 'evil' is not one of its own"),
    "attribute float": (of("nodes", "fc", "attrs", {"lo": True}), "attribute 'lo' of node 'fc' must be a whole number"),
    "attribute null": (of("nodes", "fc", "attrs", {"lo": None}), "must be a whole number"),
    "attributes a list": (of("nodes", "fc", "attrs", []), "its attributes are not an object"),
    "bounds crossed": (of("nodes", "shift", "attrs", {"lo": 5, "hi": 4}), r"output bounds 5\.\.4"),
    "bounds off grid": (of("nodes", "fc", "attrs", {"hi": 17}), r"output bounds .*17 are not values"),
    "rounding": (of("nodes", "fc", "attrs", {"rounding": "up"}), "rounding 'up' is not one of half_up"),
    "too wide": (of("values", "image", "format", fixed(point=-60)),
                 "binary point|needs .* bits"),
}  # fmt: skip


def edit_attribute(node: str, key: str, value: Any) -> Callable[[Any], None]:
    """An edit of one attribute."""

    def edit(header: Any) -> None:
        named(header, "nodes", node)["attrs"][key] = value

    return edit


EDITS |= {
    "stride zero": (edit_attribute("stem", "stride", [0, 1]), "stride .* must be 2 ints of 1"),
    "stride huge": (edit_attribute("stem", "stride", [1 << 62, 1]), "has a number that 63 bits do not hold"),
    "padding huge": (edit_attribute("stem", "padding", [1 << 40, 0, 0, 0]), "padding .* must be 4 ints of 0 to 65535"),
    "groups zero": (edit_attribute("stem", "groups", 0), "0 groups do not fit"),
    "groups a list": (edit_attribute("stem", "groups", [1]), "attribute 'groups' must be an int"),
    "axis outside": (edit_attribute("p", "axis", 9), "axis 9 is not one of"),
    "reshape": (edit_attribute("flat", "shape", [1 << 40]), "does not hold the 12 elements"),
    "function text": (edit_attribute("act", "function", "*/ system()"), "must be printable, without"),
}
for place, bad in {
    "width 0": {"width": 0}, "width 33": {"width": 33}, "width bool": {"width": True}, "width text": {"width": "8"},
    "point huge": {"point": 1025}, "point text": {"point": "a"}, "point list": {"point": [[1]]}, "sign 1": {"sign": 1},
    "axis text": {"axis": "c"}, "axis negative": {"point": [0], "axis": -1}, "axis alone": {"axis": 0},
    "no axis": {"point": [0, 1]}, "empty points": {"point": [], "axis": 0},
    "too many points": {"point": [0, 1, 0], "axis": 2},
}.items():  # fmt: skip
    EDITS[f"fixed {place}"] = (of("values", "image", "format", fixed(**bad)), "value 'image'")
for place, bad in {
    "exponent 9": {"exponent": 9}, "bits 9": {"exponent": 5, "mantissa": 3}, "mantissa -1": {"mantissa": -1},
    "bias null": {"bias": None}, "bias bool": {"bias": True}, "bias huge": {"bias": 10**6}, "ocp": {"specials": "ocp"},
    "specials list": {"specials": []}, "scale": {"scale": "x"}, "exponent text": {"exponent": "2"},
}.items():  # fmt: skip
    changed = {
        "kind": "minifloat",
        "exponent": 2,
        "mantissa": 1,
        "bias": 1,
        "specials": "none",
        "scale": 0,
        "axis": None,
    }
    EDITS[f"minifloat {place}"] = (of("values", "image", "format", changed | bad), "value 'image'")


@pytest.mark.parametrize("case", PREFIX_DAMAGE)
def test_prefix(case: str, tmp_path: Path) -> None:
    data, fact = PREFIX_DAMAGE[case]
    refused(tmp_path / "bad.edgeq", data)
    with pytest.raises(FileError, match=fact):
        load(tmp_path / "bad.edgeq")


@pytest.mark.parametrize("case", RAW_HEADERS)
def test_raw_header(case: str, tmp_path: Path) -> None:
    header, fact = RAW_HEADERS[case]
    refused(tmp_path / "bad.edgeq", with_header(GOOD, header))
    with pytest.raises(FileError, match=fact):
        load(tmp_path / "bad.edgeq")


@pytest.mark.parametrize("case", EDITS)
def test_edited_header(case: str, tmp_path: Path) -> None:
    edit, fact = EDITS[case]
    header = header_of(GOOD)
    edit(header)
    refused(tmp_path / "bad.edgeq", with_header(GOOD, header))
    with pytest.raises(FileError, match=fact):
        load(tmp_path / "bad.edgeq")


def test_the_unedited_header_is_read(tmp_path: Path) -> None:
    """The tools of these tests do no damage of their own."""
    path = tmp_path / "good.edgeq"
    path.write_bytes(with_header(GOOD, header_of(GOOD)))
    assert load(path) == every_kind()


@pytest.mark.parametrize("length", range(0, len(GOOD), 97))
def test_every_kind_of_cut(length: int, tmp_path: Path) -> None:
    refused(tmp_path / "cut.edgeq", GOOD[:length])
    if length >= PREFIX:
        refused(tmp_path / "cut.edgeq", sealed(GOOD[:length]))


def small(graph: Graph) -> bool:
    """Whether running a graph takes little memory."""
    windows = [n.attrs[k] for n in graph.nodes for k in ("padding", "dilation", "stride") if k in n.attrs]
    widest = max((max(w) for w in windows if isinstance(w, tuple) and w), default=0)
    return widest < 300 and sum(v.size for v in graph.values.values()) < 200_000


def attempt(data: bytes, path: Path) -> bool:
    """Read damaged bytes: FileError, or a graph that runs and whose codes exist. Returns whether it was a graph."""
    path.write_bytes(data)
    try:
        graph = load(path)
    except FileError as error:
        one_line(str(error), path)
        return False
    if small(graph):
        for name, codes in reference(graph, random_inputs(graph, np.random.default_rng(0), 2)).items():
            value = graph.values[name]
            assert codes.shape == (2, *value.shape)
            value.format.check_codes(codes, name)
            value.format.to_grid(codes)
    return True


def bases() -> list[bytes]:
    """Real files to damage."""
    kinds = ("fixed", "mixed", "minifloat")
    graphs = [random_graph(np.random.default_rng(s), formats=kinds[s % 3]) for s in range(24)]
    return [GOOD, *map(to_bytes, graphs)]


def seeded_damage(count: int, seed: int, path: Path) -> int:
    """Read `count` damaged real files; returns how many were still graphs (an edit may be harmless)."""
    rng, files = random.Random(seed), bases()
    graphs = 0
    for i in range(count):
        data = rng.choice(files)
        bad = damaged(data, rng) if i % 3 == 0 else with_header(data, edited(header_of(data), rng))
        graphs += attempt(bad, path)
    return graphs


def test_seeded_damage(tmp_path: Path) -> None:
    """Thousands of damaged real files: nothing but FileError, and what still passes is a graph that runs."""
    assert 100 < seeded_damage(4000, 5, tmp_path / "bad.edgeq") < 2000


@pytest.mark.heavy
@pytest.mark.parametrize("seed", range(4))
def test_much_seeded_damage(seed: int, tmp_path: Path) -> None:
    assert 200 < seeded_damage(8000, 100 + seed, tmp_path / "bad.edgeq") < 4000


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 1 << 32), edits=st.integers(1, 4))
def test_edits_on_edits(seed: int, edits: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    rng = random.Random(seed)
    header = header_of(GOOD)
    for _ in range(edits):
        header = edited(header, rng)
    attempt(with_header(GOOD, header), tmp_path_factory.getbasetemp() / "edits.edgeq")


@settings(max_examples=150, deadline=None)
@given(data=st.binary(max_size=300), with_magic=st.booleans())
def test_arbitrary_bytes(data: bytes, with_magic: bool) -> None:
    path_bytes = sealed(GOOD[:12] + data + bytes(max(0, PREFIX - 12 - len(data)))) if with_magic else data
    with pytest.raises(Exception, match=r".") as info:
        from_bytes(path_bytes)
    assert type(info.value).__name__ == "_DamagedError"


LIMITED = """
import resource, signal, sys
from pathlib import Path
import numpy
import edgeq.ir.file as file
from edgeq.errors import FileError
used = int(next(l for l in open("/proc/self/status") if l.startswith("VmSize")).split()[1]) << 10
resource.setrlimit(resource.RLIMIT_AS, (used + (256 << 20),) * 2)
slowest = 0.0
import time
for path in sys.argv[1:]:
    signal.alarm(20)
    begin = time.process_time()
    try:
        file.load(path)
        print("read", path)
    except FileError as error:
        print("refused", error)
    slowest = max(slowest, time.process_time() - begin)
print("slowest", slowest)
"""


def bombs() -> dict[str, bytes]:
    """Small files that ask for much memory or time."""
    found = {}
    for name, shape in {"input": [1 << 29], "flat": [1, 1, 1 << 28, 2]}.items():
        header = header_of(GOOD)
        named(header, "values", "image")["shape"] = shape
        found[f"huge {name}"] = with_header(GOOD, header)
    pool = {"kernel": [1], "stride": [1], "padding": [0, 0], "dilation": [1]}
    chain = {
        "graph": "chain", "inputs": ["x"], "outputs": ["y"], "layouts": {},
        "values": [{"name": n, "shape": [1 << 29, 1], "source": "", "format": header_of(GOOD)["values"][0]["format"]}
                   for n in ("x", "y")],
        "nodes": [{"op": "max_pool", "name": "y", "inputs": ["x"], "outputs": ["y"], "attrs": pool, "source": ""}],
    }  # fmt: skip
    empty = GOOD[: PREFIX + int.from_bytes(GOOD[12:16], "little")]
    found["pool over half a billion"] = with_header(empty, chain)
    rows = 1 << 16
    wide = {**chain, "values": [], "nodes": [], "outputs": ["y0"]}
    fmt = header_of(GOOD)["values"][0]["format"]
    wide["values"] = [{"name": "x", "shape": [1], "source": "", "format": fmt}]
    wide["values"].append({"name": "w", "shape": [rows, 1], "source": "", "format": fmt, "type": "int8", "offset": 0})
    for i in range(5000):
        wide["values"].append({"name": f"y{i}", "shape": [rows], "source": "", "format": fmt})
        node = {"op": "linear", "name": f"y{i}", "inputs": ["x", "w"], "outputs": [f"y{i}"], "attrs": {}, "source": ""}
        wide["nodes"].append(node)
    found["shared rows"] = sealed(with_header(empty, wide) + bytes(rows))
    found["brackets"] = with_header(GOOD, b"[" + b"[]," * 2_000_000 + b"[]]")
    found["objects"] = with_header(GOOD, b"[" + b'{"a":1},' * 900_000 + b"1]")
    found["numbers"] = with_header(GOOD, b"[" + b"1," * 4_000_000 + b"1]")
    found["key"] = with_header(GOOD, b'{"' + b"k" * 8_000_000 + b'":1}')
    return found


def test_memory_and_time_are_bounded(tmp_path: Path) -> None:
    """In a process that may take 256 MiB more than an idle one, each bomb ends in a few seconds with one line."""
    paths = []
    for name, data in bombs().items():
        paths.append(tmp_path / f"{name}.edgeq")
        paths[-1].write_bytes(data)
    run = subprocess.run(
        [sys.executable, "-c", LIMITED, *map(str, paths)], capture_output=True, text=True, timeout=200, check=False
    )
    assert run.returncode == 0, run.stderr[-2000:]
    lines = run.stdout.splitlines()
    assert [line.split()[0] for line in lines[:-1]] == [
        "read" if "half a billion" in path.name else "refused" for path in paths
    ], run.stdout
    assert float(lines[-1].split()[1]) < 10


def test_the_memory_limit_of_these_tests_bites(tmp_path: Path) -> None:
    """A reader that trusted a declared size would have failed the test above."""
    greedy = LIMITED.replace("file.load(path)", "numpy.ones(1 << 29, dtype=numpy.int8)")
    run = subprocess.run([sys.executable, "-c", greedy, "x"], capture_output=True, text=True, timeout=100, check=False)
    assert run.returncode != 0
    assert "MemoryError" in run.stderr or "Unable to allocate" in run.stderr
