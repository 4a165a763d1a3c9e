"""Latency of one inference alone, predicted: when each beat of each stream is there, from the stages' geometry.

A stage gives its beat k when its input has the beats that k needs (`edgeq.fpga.fifos.needed`), not faster than its
cycles allow, and some cycles of pipeline later. Streams hold any number of beats here: what a stage waits for because
the next one is slow, the next one waits for as well. `tests/fpga/test_latency.py` compares it with simulated Verilog.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from edgeq.fpga.dataflow import Dataflow, Stage, Stream
from edgeq.fpga.fifos import needed

Times = npt.NDArray[np.float64]
#: cycles from a beat that goes into a stage to what it makes of it, about, in the Verilog library
PIPELINE = 6


def latency(
    flow: Dataflow,
    cycles: Callable[[Stage], float] = lambda stage: stage.cycles,
    pipeline: int = PIPELINE,
    entry: Callable[[str], float] = lambda stream: 1.0,
) -> int:
    """Cycles from the first beat of an inference to its last output, of one inference alone.

    cycles:   of one inference in a stage, where they are not the stage's own. pipeline: cycles through a stage.
    entry:    cycles that a beat of an input takes at the border.
    """
    times: dict[str, Times] = {}
    for name in flow.inputs:
        times[name] = np.arange(1, flow.streams[name].beats + 1, dtype=np.float64) * entry(name)
    for stage in flow.stages:
        first, *others = stage.sinks()
        times[first] = _given(stage, flow.streams, times, cycles(stage)) + pipeline
        times |= dict.fromkeys(others, times[first])
    return int(max(times[name][-1] for name in flow.outputs))


def _given(stage: Stage, streams: Mapping[str, Stream], times: Mapping[str, Times], cycles: float) -> Times:
    """When a stage gives each of its beats, its pipeline left out."""
    out = streams[stage.sinks()[0]].beats
    ready = np.zeros(out)
    for port, name in enumerate(stage.sources()):
        taken = _paced(times[name], cycles / len(times[name])) if len(times[name]) >= out else times[name]
        wanted = _wanted(stage, port, streams, out)
        ready = np.maximum(ready, np.where(wanted > 0, taken[np.maximum(wanted, 1) - 1], 0.0))
    return _paced(ready, max(1.0, cycles / out if not stage.sources() or len(times[stage.sources()[0]]) < out else 1.0))


def _wanted(stage: Stage, port: int, streams: Mapping[str, Stream], out: int) -> npt.NDArray[np.int64]:
    """Beats of an input that each output beat needs."""
    if stage.module == "eq_mvu":  # the first rows are done before the others are begun
        beats, depth = np.arange(out), stage.integer("DEPTH")
        vector = stage.integer("MH") // stage.integer("OUT_LANES")
        fold = beats % vector * stage.integer("OUT_LANES") // stage.integer("PE")
        found: npt.NDArray[np.int64] = (beats // vector * stage.integer("FOLDS") + fold + 1) * depth
        return found
    array, group = needed(stage, port, streams)
    return array[np.arange(out) // group]


def _paced(times: Times, pace: float) -> Times:
    """The same events, but each at least `pace` cycles behind the one before."""
    steps = np.arange(len(times)) * pace
    found: Times = np.maximum.accumulate(times - steps) + steps
    return found
