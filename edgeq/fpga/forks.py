"""Forks: a stream that several stages read, or that also leaves the network, is copied by eq_fork."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from edgeq.fpga.dataflow import Dataflow, Port, Stage, Stream


def with_forks(flow: Dataflow) -> Dataflow:
    """The same dataflow, in which every stream has one reader at most."""
    streams, made = dict(flow.streams), {}
    readers = {name: len(stages) for name, stages in _readings(flow).items()}
    branches: dict[str, list[str]] = {}
    for name, count in readers.items():
        count += flow.outputs.count(name)
        if count < 2 and not (name in flow.inputs and name in flow.outputs):
            continue
        source = streams[name]
        names = [f"{name}_f{i}" for i in range(count)]
        for branch in names:
            streams[branch] = Stream(branch, None, source.bits, source.signed, source.lanes, source.beats)
        branches[name] = list(names)
        params = {"WIDTH": source.width, "N": count}
        made[name] = Stage(f"{name}_fork_i", "eq_fork", "", params, {"s": name}, {"m": tuple(names)}, source.beats)
    stages: list[Stage] = [made[name] for name in flow.inputs if name in made]
    for stage in flow.stages:
        ins = {port: _taken(joined, branches) for port, joined in stage.ins.items()}
        stages.append(replace(stage, ins=ins))
        stages += [made[name] for name in stage.sinks() if name in made]
    outputs = tuple(branches[name].pop(0) if branches.get(name) else name for name in flow.outputs)
    return replace(flow, stages=tuple(stages), streams=streams, outputs=outputs)


def _readings(flow: Dataflow) -> dict[str, list[Stage]]:
    found = flow.consumers()
    return {name: found[name] for name in flow.streams}


def _taken(port: Port, branches: Mapping[str, list[str]]) -> Port:
    """The port with each forked stream replaced by its next branch that nobody has taken."""
    if isinstance(port, tuple):
        return tuple(branches[name].pop(0) if name in branches else name for name in port)
    return branches[port].pop(0) if port in branches else port
