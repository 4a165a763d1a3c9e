"""FIFOs where branches meet again: how deep a skip branch has to be so that the network cannot stop.

The argument. Every stage is a deterministic process that reads its streams in a fixed order, and a stream with room
for n beats is a channel with n credits that flow back. Such a network computes the same streams in whatever order
its stages run, and it stops early in one order only if it stops early in all of them (Kahn 1974): a stage that could
go on stays able to go on, whatever the others do. So it is enough to show *one* order in which it never stops.

That order is demand. Take a stage J that joins streams. Before its output beat i it asks for what beat i needs, each
stage before it asks for what that needs, and so on up to the inputs; a window asks for all rows of its position. Let
D_s(i) be the beats of stream s that were asked for when beats 0..i of J are out. It follows from the geometry alone:
the function `needed` of each stage, one after the other. In step i the beats that were asked for run through the
network in their order. A stage that asks for several beats to give one has room for them inside (line buffer,
accumulator, frame buffer), so what a branch was asked for it takes at once. A fork F gives all its branches the same
beats and moves on to D_F(i), the maximum over its branches; a branch b takes D_b(i) of them, and the rest waits:

    depth_b = max over i of  D_F(i) - D_b(i)

With a FIFO of at least that depth behind the fork, no request of this order is ever refused. All joins of a network are
taken in turn; a fork and a join are looked at together where no stage between them lies on all ways from one to the
other (else the branches have met before, and what lies behind asks there beat by beat). Two inferences are looked at
one after the other, because what a window leaves over at the bottom of an image is taken in by the next request. What
is added for speed, one row of every window on the way, leaves the argument as it is: more room never stops a network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from edgeq.fpga.dataflow import Dataflow, Stage, Stream

Counts = npt.NDArray[np.int64]
#: rows of windows, for each window on the longest way, that a branch holds beyond what it must: they fill the pipeline
SLACK = 1
#: beats that a branch holds beyond that, for the registers of the stages between
REGISTERS = 16
#: modules that take in a row of COUNT elements before they give out the first of its results
_BY_ROWS = ("eq_argmax", "eq_softmax", "eq_softmax_reciprocal", "eq_row_distance", "eq_softmax_lines")
#: inferences that the analysis follows
_INFERENCES = 2


def needed(stage: Stage, port: int, streams: Mapping[str, Stream]) -> tuple[Counts, int]:
    """Beats of its input `port` that a stage has to have for its output beat k: `array[k // group]`."""
    source, out = streams[stage.sources()[port]], streams[stage.sinks()[0]]
    if stage.module == "eq_window":
        return _window(stage), out.beats // (stage.integer("OH") * stage.integer("OW"))
    if stage.module == "eq_mvu":
        words = stage.integer("FOLDS") * stage.integer("DEPTH")
        return (1 + np.arange(source.beats // words)) * words, stage.integer("MH") // stage.integer("OUT_LANES")
    if stage.module == "eq_concat":
        return _concat(stage, port, out.beats), 1
    if stage.module in ("eq_move", "eq_resize_bilinear"):
        return np.array([source.beats]), out.beats
    if stage.module in _BY_ROWS:
        count = source.beats // stage.integer("COUNT")
        return (1 + np.arange(count)) * (source.beats // count), out.beats // count
    # A fixed ratio of beats: converters, engines of one channel, everything that works beat by beat.
    k = np.arange(out.beats, dtype=np.int64)
    return ((k + 1) * source.beats + out.beats - 1) // out.beats, 1


def _window(stage: Stage) -> Counts:
    """The last pixel of each position of the window, by the end of its row: line buffers work by rows."""
    height, width = stage.integer("H"), stage.integer("W")
    words = stage.integer("C") // stage.integer("LANES")
    reach = (stage.integer("KH") - 1) * stage.integer("DH") - stage.integer("PT")
    rows = np.clip(np.arange(stage.integer("OH")) * stage.integer("SH") + reach, 0, height - 1)
    return np.repeat((rows + 1) * width * words, stage.integer("OW"))


def _concat(stage: Stage, port: int, beats: int) -> Counts:
    packed = stage.integer("BEATS")
    each = [packed >> (32 * i) & 0xFFFFFFFF for i in range(stage.integer("N"))]
    k = np.arange(beats, dtype=np.int64)
    place = k % sum(each) + 1 - sum(each[:port])
    return k // sum(each) * each[port] + np.clip(place, 0, each[port])


def asked(stage: Stage, port: int, streams: Mapping[str, Stream], wanted: Counts) -> Counts:
    """Beats of an input that are asked for when `wanted` beats of the output are, counted from the first inference."""
    array, group = needed(stage, port, streams)
    source, out = streams[stage.sources()[port]], streams[stage.sinks()[0]]
    whole, last = np.divmod(np.maximum(wanted, 1) - 1, out.beats)
    found: Counts = np.where(wanted > 0, whole * source.beats + array[last // group], 0)
    return found


def with_fifos(flow: Dataflow) -> Dataflow:
    """The same dataflow with a FIFO behind each branch of a fork that has to wait for another."""
    depths: dict[str, int] = {}
    for stage in flow.stages:
        if len(stage.sources()) > 1:
            for branch, depth in _depths(flow, stage).items():
                depths[branch] = max(depths.get(branch, 0), depth)
    return _inserted(flow, depths)


def _depths(flow: Dataflow, join: Stage) -> dict[str, int]:
    """What the branches of forks before a join have to hold because of it."""
    streams = flow.streams
    out = streams[join.sinks()[0]]
    wanted: dict[str, Counts] = {out.name: np.arange(1, _INFERENCES * out.beats + 1, dtype=np.int64)}
    passed: dict[str, set[str]] = {out.name: set()}
    slack: dict[str, float] = {out.name: 0.0}
    depths: dict[str, int] = {}
    last = flow.stages.index(join)
    for stage in reversed(flow.stages[: last + 1]):
        sinks = [name for name in stage.sinks() if name in wanted]
        if not sinks:
            continue
        if stage.module == "eq_fork":
            depths |= _branches(join, sinks, wanted, passed, slack)
            name = stage.sources()[0]
            wanted[name] = np.maximum.reduce([wanted[s] for s in sinks])
            passed[name] = set.intersection(*(passed[s] for s in sinks)) | {stage.name}
            slack[name] = max(slack[s] for s in sinks)
            continue
        made = sinks[0]
        for port, name in enumerate(stage.sources()):
            wanted[name] = asked(stage, port, streams, wanted[made])
            passed[name] = passed[made] | {stage.name}
            ratio = streams[name].beats / streams[made].beats
            slack[name] = slack[made] * ratio
            if stage.module == "eq_window":
                slack[name] += SLACK * streams[name].beats / stage.integer("OH")
    return depths


def _branches(
    join: Stage,
    sinks: list[str],
    wanted: Mapping[str, Counts],
    passed: Mapping[str, set[str]],
    slack: Mapping[str, float],
) -> dict[str, int]:
    """Depths of the branches of one fork; none where another stage than the join lies on all ways to it.

    passed: the stages that lie on all ways from a stream to the join.
    """
    if set.intersection(*(passed[s] for s in sinks)) != {join.name}:
        return {}
    front = np.maximum.reduce([wanted[s] for s in sinks])
    room = REGISTERS + int(max(slack[s] for s in sinks))
    found = {}
    for branch in sinks:
        depth = int((front - wanted[branch]).max())
        # A branch that leads needs no room; what a FIFO shows at its output, another has taken already.
        found[branch] = depth + room if depth > 1 else 0
    return found


def _inserted(flow: Dataflow, depths: Mapping[str, int]) -> Dataflow:
    streams, renamed, made = dict(flow.streams), {}, {}
    for branch, depth in depths.items():
        if not depth:
            continue
        source = streams[branch]
        name = f"{branch}_late"
        streams[name] = replace(source, name=name)
        renamed[branch] = name
        params = {"WIDTH": source.width, "DEPTH": depth}
        made[branch] = Stage(f"{branch}_fifo_i", "eq_fifo", "", params, {"s": branch}, {"m": name}, source.beats)
    stages = []
    for stage in flow.stages:
        ins = {
            port: tuple(renamed.get(n, n) for n in joined) if isinstance(joined, tuple) else renamed.get(joined, joined)
            for port, joined in stage.ins.items()
        }
        stages.append(replace(stage, ins=ins))
        stages += [made[name] for name in stage.sinks() if name in made]
    return replace(flow, stages=tuple(stages), streams=streams)
