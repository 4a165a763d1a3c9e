"""verify: run one network twice, on any two machines, and compare every tensor."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.errors import InputError
from edgeq.ir import Graph
from edgeq.ir.graph import expect_graph
from edgeq.progress import Progress
from edgeq.verify.compare import Comparison
from edgeq.verify.data import random_inputs
from edgeq.verify.executors import find
from edgeq.verify.result import VerifyResult

#: bytes of traced codes held at once, for each side
TRACE_BYTES = 64 << 20


def verify(
    net: Graph,
    board: Any = "host",
    x: Any = None,
    *,
    random: int | None = None,
    codes: Mapping[str, npt.NDArray[Any]] | None = None,
    against: Any = "emulator",
    seed: int = 0,
    batch: int | None = None,
    progress: Progress | None = None,
    options: Mapping[str, Any] | None = None,
) -> VerifyResult:
    """Compare two executions of `net` tensor by tensor, in execution order.

    net:     the graph; board: what is checked; against: what it is compared with. Each is a board's name, file or
             `Board`, "emulator", "reference" (the slow emulator), a `Graph`, a `BuildResult`, a prepared torch
             module (float reference), or an `Executor`.
    x:       input as `Graph.run` takes it: floats are quantised at the border, integers are codes.
    codes:   input codes in the graph's own layout, by name, instead of x.
    random:  number of random samples (some aimed at the extremes, see `random_inputs`) instead of x.
    batch:   samples run at once; by default as many as keep a trace below `TRACE_BYTES`.
    progress: called with samples done and samples in all.
    options: of the build of `board`'s firmware (`edgeq.build`): {"schedule": "rows", "push_rows": True}.

    Raises EdgeqError for wrong input and for executions that fail; a difference is a result, not an error.
    """
    expect_graph(net, "verify")
    inputs = _inputs(net, x, codes, random, seed)
    total = next(iter(inputs.values())).shape[0]
    with tempfile.TemporaryDirectory(prefix="edgeq-verify-") as folder:
        one = find(board, net, Path(folder, "one"), options)
        other = find(against, net, Path(folder, "other"))
        comparison = Comparison(net, (one.name, other.name))
        for part in _batches(inputs, batch or batch_size(net)):
            comparison.add(one.trace(part), other.trace(part), one.may_skip or other.may_skip)
            if progress is not None:
                progress(comparison.samples, total)
    return comparison.result()


def _inputs(
    net: Graph, x: Any, codes: Mapping[str, npt.NDArray[Any]] | None, random: int | None, seed: int
) -> dict[str, npt.NDArray[Any]]:
    if [x is None, codes is None, random is None].count(False) != 1:
        raise InputError("verify: give either input data or a number of random samples")
    if codes is not None:
        return dict(codes)
    if random is not None:
        return dict(random_inputs(net, random, seed))
    from edgeq.emulator.execute import encode_inputs

    return encode_inputs(net, x)[0]


def batch_size(net: Graph) -> int:
    """Samples whose traces fit `TRACE_BYTES` as int64."""
    elements = sum(value.size for value in net.values.values() if not value.constant)
    return max(1, TRACE_BYTES // (8 * elements))


def _batches(inputs: Mapping[str, npt.NDArray[Any]], size: int) -> Iterator[dict[str, npt.NDArray[Any]]]:
    total = next(iter(inputs.values())).shape[0]
    for start in range(0, total, size):
        yield {name: np.ascontiguousarray(codes[start : start + size]) for name, codes in inputs.items()}
