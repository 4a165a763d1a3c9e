"""What other stacks need for the same network (peers.toml), beside our own figures, and an estimate of the possible."""

from __future__ import annotations

import functools
import tomllib
from pathlib import Path
from typing import Any

from edgeq.ir import Graph, operator

#: operators that a network is recognised by, with their weights' and outputs' shapes
_WEIGHTED = ("conv", "conv_transpose", "linear")


@functools.cache
def recorded() -> dict[str, Any]:
    """The data of peers.toml: conditions, possible, networks with their peers."""
    found: dict[str, Any] = tomllib.loads(Path(__file__).with_name("peers.toml").read_text("utf-8"))
    return found


def shapes(net: Graph) -> list[str]:
    """A line for each layer with weights: operator, shape of the weights, shape of the output."""
    found = []
    for node in net.nodes:
        if node.op in _WEIGHTED:
            weight, out = net.ins(node)[1], net.outs(node)[0]
            found.append(f"{node.op} {'x'.join(map(str, weight.shape))} > {'x'.join(map(str, out.shape))}")
    return found


def known(net: Graph) -> dict[str, Any] | None:
    """The recorded network with the same layers and MACs, in whatever order parallel branches stand."""
    layers = sorted(shapes(net))
    macs = sum(operator(n.op, n.name).macs(n, net.ins(n), net.outs(n)) for n in net.nodes if n.op in _WEIGHTED)
    for network in recorded()["network"]:
        if network["macs"] == macs and sorted(network["layers"]) == layers:
            return dict(network)
    return None


def compared(net: Graph, found: dict[str, Any]) -> dict[str, Any]:
    """`found`, the figures of `edgeq bench` for `net`, with the peers and the estimate of the possible beside them.

    Adds `compare`: the recorded network's name or null, its conditions, the peers on this core (each with the ratio of
    its instructions to ours), and the estimate for this core; and to each layer `times_possible`, its instructions for
    each MAC over those of a good inner loop (null without weights or without an estimate for the core).
    """
    network, good = known(net), recorded()["possible"].get(found["core"])
    layers = [{**row, "times_possible": _times_possible(row, good)} for row in found["layers"]]
    rows = [] if network is None else [p for p in network["peers"] if p["core"] == found["core"]]
    compare = {
        "network": network["name"] if network else None,
        "conditions": recorded()["conditions"],
        "peers": [_peer(peer, found) for peer in rows],
        "possible_per_mac": good["per_mac"] if good else None,
        "possible_why": good["why"] if good else None,
        "times_possible": _times_possible(found, good),
    }
    return {**found, "layers": layers, "compare": compare}


def _times_possible(row: dict[str, Any], good: dict[str, Any] | None) -> float | None:
    if good is None or not row["macs"] or row["instructions"] is None or row.get("op", "conv") not in _WEIGHTED:
        return None
    times: float = row["instructions"] / (row["macs"] * good["per_mac"])
    return round(times, 3)


def _peer(peer: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """A peer's figures, complete; `at_most` marks an upper end that was worked out, not counted."""
    count, ours = peer.get("instructions", peer.get("at_most")), found["instructions"]
    return {
        "stack": peer["stack"],
        "instructions": count,
        "counted": "instructions" in peer,
        "per_mac": round(count / found["macs"], 3) if found["macs"] else None,
        "times_ours": round(count / ours, 3) if ours else None,
        "flash": peer.get("flash"),
        "ram": peer.get("ram"),
        "cycles": peer.get("cycles"),
        "note": peer.get("note"),
    }
