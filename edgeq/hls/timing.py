"""Cycles of an HLS project, estimated: the stages' own, the way from loop to loop, the AXI-Streams at the border.

Nobody has measured any of it: initiation intervals of 1 are assumed, and `LOOP`.
"""

from __future__ import annotations

from edgeq.fpga.dataflow import Dataflow, Stage
from edgeq.fpga.latency import latency as beat_by_beat
from edgeq.hls.render import borders

#: cycles to empty a pipelined loop, to leave it and to fill the next one, or its next call
LOOP = 10
#: loops for each row, in the functions that take a row in before they give one out (what a division of each element
#: takes beyond its bits is in the stage's cycles)
_BY_ROWS = {"eq_softmax": 3, "eq_softmax_reciprocal": 3, "eq_softmax_lines": 3, "eq_row_distance": 2}


def loops(stage: Stage, flow: Dataflow) -> int:
    """How often an inference enters a pipelined loop in the C++ of a stage, one after another."""
    if stage.module == "eq_window":
        return 2 * stage.integer("OH")
    if stage.module in _BY_ROWS:
        return _BY_ROWS[stage.module] * (flow.streams[stage.sources()[0]].beats // stage.integer("COUNT"))
    return 1


def stage_cycles(stage: Stage, flow: Dataflow) -> int:
    """Cycles of an inference in the C++ of a stage."""
    return stage.cycles + LOOP * loops(stage, flow)


def cycles(flow: Dataflow, width: int) -> int:
    """Cycles of one inference in steady state: those of the slowest stage or border. width: of the AXI-Streams."""
    ends = [border.codes // border.step + LOOP for both in borders(flow, width) for border in both]
    return max(*ends, *(stage_cycles(stage, flow) for stage in flow.stages))


def latency(flow: Dataflow, width: int) -> int:
    """Cycles from the first beat of an inference to its last answer, of one inference alone."""
    ins, outs = borders(flow, width)
    entry = {border.stream.name: border.stream.lanes / border.step for border in ins}
    inside = beat_by_beat(flow, lambda stage: stage_cycles(stage, flow), LOOP, lambda name: entry[name])
    return inside + 2 * LOOP + max(border.stream.lanes // border.step for border in outs)
