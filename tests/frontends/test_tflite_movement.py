"""Generated .tflite files of movements equal TensorFlow Lite Micro to the byte; shape arithmetic vanishes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tflite", reason="reading .tflite needs the extra edgeq[tflite]")

from frontends.tflite_oracle import Rng, compare
from frontends.tflite_writer import Call, Spec, write, write_model

SEEDS = 20


def shape_of(rng: Rng, least: int = 1, most: int = 4) -> tuple[int, ...]:
    """One to four axes, mostly with a batch of one."""
    rank = int(rng.integers(least, most + 1))
    first = 1 if rng.integers(4) else 2
    return (first, *(int(n) for n in rng.integers(1, 7, rank - 1)))


def like(rng: Rng, name: str, shape: tuple[int, ...]) -> Spec:
    return Spec(name, shape, scales=(0.25,), zero=int(rng.integers(-128, 128)))


def ints(name: str, values: object) -> Spec:
    data = np.array(values, dtype=np.int32)
    return Spec(name, data.shape, "i4", (), data=data)


def made(x: Spec, name: str, shape: tuple[int, ...]) -> Spec:
    return Spec(name, shape, "i1", x.scales, x.zero)


def transpose(rng: Rng) -> bytes:
    x = like(rng, "x", shape_of(rng))
    order = rng.permutation(len(x.shape))
    y = made(x, "y", tuple(x.shape[i] for i in order))
    return write("TRANSPOSE", [x, ints("p", order), y], 1, "TransposeOptions")


def slice_(rng: Rng) -> bytes:
    x = like(rng, "x", shape_of(rng))
    begin = [int(rng.integers(0, n)) for n in x.shape]
    size = [int(rng.integers(1, n - b + 1)) for n, b in zip(x.shape, begin, strict=True)]
    asked = [-1 if s == n - b and rng.integers(2) else s for s, n, b in zip(size, x.shape, begin, strict=True)]
    return write("SLICE", [x, ints("b", begin), ints("s", asked), made(x, "y", tuple(size))], 1, "SliceOptions")


def strided_slice(rng: Rng) -> bytes:
    """Bounds drawn until they pick something, as Python's own slices say."""
    while True:
        x = like(rng, "x", shape_of(rng))
        rank = len(x.shape)
        begin, end = ([int(v) for v in rng.integers(-7, 8, rank)] for _ in "be")
        stride = [int(v) for v in rng.choice([1, 1, 1, 2, 3, -1, -2], rank)]
        masks = [int(v) for v in rng.integers(0, 1 << rank, 3)]
        masks[2] &= int(rng.integers(0, 1 << rank)) & int(rng.integers(0, 1 << rank))
        grid, where = np.empty(x.shape), []
        for i in range(rank):
            if masks[2] >> i & 1:
                begin[i], stride[i] = int(rng.integers(-x.shape[i], x.shape[i])), 1
                masks[0] &= ~(1 << i)
                where.append(slice(begin[i] % x.shape[i], begin[i] % x.shape[i] + 1))
                continue
            ends = (None if m >> i & 1 else v[i] for m, v in zip(masks, (begin, end), strict=False))
            where.append(slice(*ends, stride[i]))
        picked = grid[tuple(where)]
        if picked.size:
            break
    shape = tuple(n for i, n in enumerate(picked.shape) if not masks[2] >> i & 1)
    tensors = [x, ints("b", begin), ints("e", end), ints("s", stride), made(x, "y", shape)]
    fields = dict(zip(("BeginMask", "EndMask", "ShrinkAxisMask"), masks, strict=True))
    return write("STRIDED_SLICE", tensors, 1, "StridedSliceOptions", **fields)


def split(rng: Rng) -> bytes:
    x, parts = like(rng, "x", shape_of(rng)), int(rng.integers(1, 4))
    axis = int(rng.integers(len(x.shape)))
    each = x.shape[axis]
    x.shape = tuple(n * parts if i == axis else n for i, n in enumerate(x.shape))
    small = tuple(each if i == axis else n for i, n in enumerate(x.shape))
    outs = [made(x, f"y{i}", small) for i in range(parts)]
    where = axis - len(x.shape) if rng.integers(2) else axis
    call = Call("SPLIT", [0, 1], range(2, 2 + parts), "SplitOptions", {"NumSplits": parts})
    return write_model([ints("a", where), x, *outs], [call], [1], range(2, 2 + parts))


def split_v(rng: Rng) -> bytes:
    sizes = [int(n) for n in rng.integers(1, 5, int(rng.integers(1, 4)))]
    x = like(rng, "x", shape_of(rng))
    axis = int(rng.integers(len(x.shape)))
    outs = [made(x, f"y{i}", tuple(s if j == axis else n for j, n in enumerate(x.shape))) for i, s in enumerate(sizes)]
    x.shape = tuple(sum(sizes) if i == axis else n for i, n in enumerate(x.shape))
    if rng.integers(2):
        sizes[int(rng.integers(len(sizes)))] = -1
    call = Call("SPLIT_V", [0, 1, 2], range(3, 3 + len(sizes)), "SplitVOptions", {"NumSplits": len(sizes)})
    return write_model([x, ints("s", sizes), ints("a", axis), *outs], [call], [0], range(3, 3 + len(sizes)))


def pack(rng: Rng) -> bytes:
    first, count = like(rng, "x0", shape_of(rng, 1, 3)), int(rng.integers(1, 4))
    xs = [first, *(made(first, f"x{i}", first.shape) for i in range(1, count))]
    axis = int(rng.integers(len(first.shape) + 1))
    y = made(first, "y", (*first.shape[:axis], count, *first.shape[axis:]))
    where = axis - len(y.shape) if rng.integers(2) else axis
    return write("PACK", [*xs, y], count, "PackOptions", ValuesCount=count, Axis=where)


def unpack(rng: Rng) -> bytes:
    x = like(rng, "x", shape_of(rng, 2))
    axis = int(rng.integers(len(x.shape)))
    count = x.shape[axis]
    outs = [made(x, f"y{i}", (*x.shape[:axis], *x.shape[axis + 1 :])) for i in range(count)]
    where = axis - len(x.shape) if rng.integers(2) else axis
    call = Call("UNPACK", [0], range(1, 1 + count), "UnpackOptions", {"Num": count, "Axis": where})
    return write_model([x, *outs], [call], [0], range(1, 1 + count))


def gather(rng: Rng) -> bytes:
    x = like(rng, "x", shape_of(rng))
    axis = int(rng.integers(len(x.shape)))
    places = rng.integers(0, x.shape[axis], (int(rng.integers(1, 6)),))
    y = made(x, "y", tuple(len(places) if i == axis else n for i, n in enumerate(x.shape)))
    return write("GATHER", [x, ints("i", places), y], 1, "GatherOptions", Axis=axis)


def padded(op: str) -> Callable[[Rng], bytes]:
    def make(rng: Rng) -> bytes:
        x = like(rng, "x", shape_of(rng, 1 if op == "MIRROR_PAD" else 4))
        mode = int(rng.integers(2))
        amounts = np.array([[int(rng.integers(0, min(n - 1 + mode, 2) + 1)) for _ in "be"] for n in x.shape])
        if op == "PADV2":
            amounts = rng.integers(0, 3, amounts.shape) * rng.integers(0, 2, amounts.shape)
        y = made(x, "y", tuple(int(n + p.sum()) for n, p in zip(x.shape, amounts, strict=True)))
        if op == "MIRROR_PAD":
            return write(op, [x, ints("p", amounts), y], 1, "MirrorPadOptions", Mode=mode)
        fill = Spec("v", (1,), "i1", x.scales, x.zero, data=rng.integers(-128, 128, (1,)))
        return write(op, [x, ints("p", amounts), fill, y], 1, "PadV2Options")

    return make


MAKERS: dict[str, Callable[[Rng], bytes]] = {
    "GATHER": gather,
    "MIRROR_PAD": padded("MIRROR_PAD"),
    "PACK": pack,
    "PADV2": padded("PADV2"),
    "SLICE": slice_,
    "SPLIT": split,
    "SPLIT_V": split_v,
    "STRIDED_SLICE": strided_slice,
    "TRANSPOSE": transpose,
    "UNPACK": unpack,
}


def compare_many(op: str, seeds: range, folder: Path) -> None:
    values = []
    for seed in seeds:
        rng = np.random.default_rng([seed, *op.encode()])
        values.append(compare(MAKERS[op](rng), folder / "x.tflite", rng, f"{op} seed {seed}", 4))
    assert len(np.unique(np.concatenate(values))) > 60


@pytest.mark.parametrize("op", MAKERS)
def test_equals_the_interpreter(op: str, tmp_path: Path) -> None:
    compare_many(op, range(SEEDS), tmp_path)


@pytest.mark.heavy
@pytest.mark.parametrize("op", MAKERS)
def test_equals_the_interpreter_on_many(op: str, tmp_path: Path) -> None:
    compare_many(op, range(SEEDS, SEEDS + 500), tmp_path)
