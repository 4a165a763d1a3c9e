"""Input data: random codes with samples aimed at the extremes, and arrays read from untrusted .npy files."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.errors import FileError, FormatError, InputError
from edgeq.ir import Graph, Node, Value

#: largest .npy file that is read, in bytes
MAX_ARRAY_FILE = 1 << 31

Codes = npt.NDArray[np.int64]


def random_inputs(graph: Graph, count: int, seed: int = 0) -> dict[str, Codes]:
    """`count` samples of input codes in the graph's layout; the same for the same seed.

    Random numbers alone miss what breaks: of every eight samples one each is all greatest, all least, tiny (where
    power-of-two scales make ties), alternating least and greatest, zero, mostly zero with extremes, and aimed at
    the widest sum of the first layer (greatest where a weight is positive, least where it is negative, or the other
    way round); the first is uniform over all codes of the format, so `count` 1 is a fair one. Where the graph asks
    whether all numbers of a part of an input lie between bounds, they do in every second sample, for some parts or all.
    """
    if count < 1:
        raise InputError(f"random samples: {count}; give 1 or more")
    rng = np.random.default_rng(seed)
    found = {name: _samples(graph, graph.values[name], count, rng) for name in graph.inputs}
    for node in graph.nodes:
        if node.op == "within":
            _bring_within(graph, node, found, rng)
    return found


def _bring_within(graph: Graph, node: Node, found: dict[str, Codes], rng: np.random.Generator) -> None:
    """Clip what a `within` looks at to its bounds, in every fourth sample, and in every other fourth by chance."""
    taken = graph.producer(node.inputs[0])
    name = node.inputs[0]
    part: tuple[slice, ...] = ()
    if taken is not None and taken.op == "slice":
        name = taken.inputs[0]
        ends = zip(taken.ints("begin"), taken.ints("end"), taken.ints("step"), strict=True)
        part = tuple(slice(*bounds) for bounds in ends)
    if name not in found:
        return
    fmt, codes = graph.values[name].format, found[name]
    for i in range(1, len(codes), 2):
        if i % 4 == 1 or rng.random() < 0.5:
            grid = np.clip(fmt.to_grid(codes[i][part]), node.integer("least"), node.integer("most"))
            codes[i][part] = fmt.from_grid(grid)


def _samples(graph: Graph, value: Value, count: int, rng: np.random.Generator) -> Codes:
    codes = finite_codes(value)
    grid = value.format.to_grid(codes)
    order = np.argsort(grid, kind="stable")
    least, greatest = int(codes[order[0]]), int(codes[order[-1]])
    zero = int(codes[np.argmin(np.abs(grid))])
    near = codes[np.argsort(np.abs(grid), kind="stable")[: min(5, codes.size)]]
    out = np.empty((count, value.size), dtype=np.int64)
    for i in range(count):
        kind = i % 8
        uniform = codes[rng.integers(0, codes.size, value.size)]
        if kind == 1:
            uniform[:] = greatest
        elif kind == 2:
            uniform[:] = least
        elif kind == 3:
            uniform = near[rng.integers(0, near.size, value.size)]
        elif kind == 4:
            uniform = np.where(rng.random(value.size) < 0.5, least, greatest)
        elif kind == 5:
            uniform[:] = zero
        elif kind == 6:
            spikes = np.where(rng.random(value.size) < 0.5, least, greatest)
            uniform = np.where(rng.random(value.size) < 0.1, spikes, zero)
        elif kind == 7:
            signs = widest_sum(graph, value, rng)
            uniform = np.where(signs > 0, greatest, np.where(signs < 0, least, uniform))
        out[i] = uniform
    return out.reshape(count, *value.shape)


def widest_sum(graph: Graph, value: Value, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Which elements of an input to push up (1) or down (-1) for the widest sums of the layer that reads it.

    Takes one output channel at random. A convolution gets the signs of that channel's weights side by side, so that
    some windows meet them exactly; the ones in between see a shifted pattern. 0 where no weights are known.
    """
    readers = [n for n in graph.consumers(value.name) if n.op in ("conv", "linear") and n.inputs[0] == value.name]
    if not readers:
        return np.zeros(value.size, dtype=np.int64)
    weight = graph.values[readers[0].inputs[1]]
    assert weight.data is not None
    signs = np.sign(weight.format.to_grid(weight.data)) * int(rng.choice((-1, 1)))
    channel = int(rng.integers(signs.shape[0]))
    if readers[0].op == "linear":
        return np.asarray(np.broadcast_to(signs[channel], value.shape).reshape(-1))
    groups = readers[0].integer("groups")
    per_group = signs.shape[0] // groups
    # Channel k of each group: its weights lie over the input channels of that group.
    window = np.concatenate([signs[g * per_group + channel % per_group] for g in range(groups)], axis=-1)
    dilation, begin = readers[0].ints("dilation"), readers[0].ints("padding")[::2]
    for axis, (n, d, p) in enumerate(zip(value.shape[:-1], dilation, begin, strict=True)):
        index = ((np.arange(n) + p) // d) % window.shape[axis]
        window = window.take(index, axis=axis)
    return np.asarray(window.reshape(-1))


def finite_codes(value: Value) -> Codes:
    """Every code of the value's format that stands for a number; an even sample of them above 16 bits."""
    lo, hi = value.format.code_range
    if hi - lo >= 1 << 16:
        spread = np.linspace(lo, hi, 1 << 12).astype(np.int64)
        return np.unique(np.concatenate([spread, np.arange(max(lo, -64), 65), [lo, lo + 1, hi - 1, hi]]))
    codes = np.arange(lo, hi + 1, dtype=np.int64)
    good = np.ones(codes.size, dtype=bool)
    if value.format.kind != "fixed":
        for i, code in enumerate(codes):
            try:
                value.format.to_grid_scalar(int(code))
            except FormatError:
                good[i] = False
    return codes[good]


def read_array(path: str | Path) -> npt.NDArray[Any]:
    """Read a .npy file of numbers; FileError in one line for anything damaged, hostile or of another kind."""
    path = Path(path)
    try:
        size = path.stat().st_size
    except OSError as error:
        raise FileError(f"input {path}: cannot be read ({error.strerror})") from None
    if size > MAX_ARRAY_FILE:
        raise FileError(f"input {path}: {size} bytes, more than the {MAX_ARRAY_FILE} that are read; split the batch")
    try:
        _check_header(path, size)
        array: npt.NDArray[Any] = np.load(path, allow_pickle=False)
    except FileError:
        raise
    except Exception as error:  # the header is parsed as Python: a hostile one raises nearly anything
        text = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise FileError(f"input {path}: is not a readable .npy file ({text})") from None
    return array


def _check_header(path: Path, size: int) -> None:
    """Refuse what is not one plain numeric array, before memory for it is asked for."""
    with path.open("rb") as file:
        version = np.lib.format.read_magic(file)
        if version not in ((1, 0), (2, 0), (3, 0)):
            raise FileError(f"input {path}: .npy version {version} is unknown; save it with numpy.save")
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(file)
        if dtype.hasobject or dtype.kind not in "iuf":
            raise FileError(f"input {path}: holds {dtype}; give floats (real values) or integers (codes)")
        elements = 1
        for n in shape:
            elements *= int(n)
        if min(shape, default=0) < 0 or elements * dtype.itemsize > size - file.tell():
            raise FileError(f"input {path}: is cut off: {shape} of {dtype} does not fit into its {size} bytes")


def write_array(path: str | Path, array: npt.NDArray[Any]) -> None:
    """Write a .npy file beside its place and rename it, so that no half-written file is ever seen."""
    path = Path(path)
    try:
        descriptor, scratch = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise FileError(f"output {path}: cannot be written ({error.strerror}); does its folder exist?") from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            np.save(file, array, allow_pickle=False)
        os.chmod(scratch, 0o666 & ~_umask())
        os.replace(scratch, path)
    except OSError as error:
        raise FileError(f"output {path}: cannot be written ({error.strerror})") from None
    finally:
        Path(scratch).unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
