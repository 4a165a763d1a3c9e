"""Same meaning, better graph: each pass takes a graph and returns one that answers the same codes.

`optimise` runs them all until none of them finds anything. Values that survive keep their names, and the inputs and
outputs of the graph keep theirs always.
"""

from __future__ import annotations

from collections.abc import Callable

from edgeq.errors import GraphError
from edgeq.ir import Graph, check
from edgeq.passes.bypass_requantise import bypass_requantise
from edgeq.passes.dead_channels import remove_dead_channels
from edgeq.passes.dead_code import remove_dead_code
from edgeq.passes.fold_constants import fold_constants
from edgeq.passes.fuse_requantise import fuse_requantise
from edgeq.passes.hoist_requantise import hoist_requantise
from edgeq.passes.identities import remove_identities
from edgeq.passes.layout import remove_transposes
from edgeq.passes.merge_pad import merge_pad

Pass = Callable[[Graph], Graph]

#: all passes by name, in the order in which `optimise` runs them
PASSES: dict[str, Pass] = {
    "dead_code": remove_dead_code,
    "identities": remove_identities,
    "layout": remove_transposes,
    "fold_constants": fold_constants,
    "merge_pad": merge_pad,
    "fuse_requantise": fuse_requantise,
    "hoist_requantise": hoist_requantise,
    "bypass_requantise": bypass_requantise,
    "dead_channels": remove_dead_channels,
}

#: passes only ever remove or simplify, so a fixed point comes soon; this many rounds mean a pass that undoes another
MOST_ROUNDS = 100


def optimise(graph: Graph, *, checked: bool = __debug__) -> Graph:
    """Run all passes to a fixed point; `checked` runs `edgeq.ir.check` after each that changed something."""
    for _ in range(MOST_ROUNDS):
        before = graph
        for run in PASSES.values():
            after = run(graph)
            if checked and after is not graph:
                check(after)
            graph = after
        if graph is before:
            return graph
    raise GraphError(f"graph {graph.name!r}: the passes find no fixed point in {MOST_ROUNDS} rounds; please report it")
