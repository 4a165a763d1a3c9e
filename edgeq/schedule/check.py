"""The executable specification of a memory plan: `check_plan` passes exactly the plans that are safe to run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

from edgeq.errors import GraphError
from edgeq.ir import Graph, Node
from edgeq.schedule.guards import Guard, guarded, guards, idle
from edgeq.schedule.lifetimes import lifetimes
from edgeq.schedule.patch import check_patches
from edgeq.schedule.plan import Plan
from edgeq.schedule.stream import check_stretch, contracted


def check_plan(
    plan: Plan,
    graph: Graph,
    sizes: Mapping[str, int] | None = None,
    in_place: Mapping[str, Sequence[str]] | None = None,
    scratch: Mapping[str, int] | None = None,
) -> None:
    """Raise GraphError naming the first broken rule.

    sizes, in_place, scratch: as `make_plan` took them; without them the plan's own sizes are believed, and any operator
    is taken to allow computing in place.
    """
    if plan.stretches:
        scratch = _check_stretches(plan, graph, scratch)
        graph = contracted(graph, plan.stretches)
    found = guards(graph)
    graph = guarded(graph, found)
    order = _order(plan, graph)
    lives = lifetimes(graph, order)
    _check_guards(plan, found, idle(graph, order, found))
    if set(plan.buffers) != set(lives):
        raise GraphError(f"plan: values {sorted(set(plan.buffers) ^ set(lives))} are placed in vain or not at all")
    for name, place in plan.buffers.items():
        if (place.first, place.last) != (lives[name].first, lives[name].last):
            raise GraphError(f"plan: {name} is needed at {lives[name]}, planned {place.first}..{place.last}")
        if place.offset < 0 or place.offset % plan.alignment or place.end > plan.arena_bytes:
            raise GraphError(f"plan: {name} at {place.offset}..{place.end} is outside the arena or not aligned")
        if sizes is not None and place.bytes != sizes[name]:
            raise GraphError(f"plan: {name} has {place.bytes} bytes, needs {sizes[name]}")
    if plan.arena_bytes % plan.alignment:
        raise GraphError(f"plan: arena of {plan.arena_bytes} bytes is not a multiple of {plan.alignment}")
    _check_aliases(plan, graph)
    _check_in_place(plan, order, in_place)
    _check_overlaps(plan)
    _check_scratch(plan, order, scratch)


def _check_stretches(plan: Plan, graph: Graph, scratch: Mapping[str, int] | None) -> dict[str, int] | None:
    """Check each stretch by itself; returns the scratch that the plan has to hold with their areas in it."""
    inside: dict[str, int] = {}
    for stretch in plan.stretches:
        check_stretch(stretch, graph)
        for patches in stretch.fused:
            check_patches(patches, graph)
            check_plan(patches.plan, patches.graph)
            if patches.bytes > stretch.scratch:
                raise GraphError(f"plan: {stretch.name} has no room for a patch of {patches.name}")
        most = max((scratch or {}).get(node, 0) for node in stretch.nodes)
        if most > stretch.scratch or any(node in inside for node in stretch.nodes):
            raise GraphError(f"plan: {stretch.name} lacks scratch for its kernels, or shares a node with another")
        inside |= dict.fromkeys(stretch.nodes, 0)
    if scratch is None:
        return None
    return {**scratch, **inside, **{stretch.name: stretch.bytes for stretch in plan.stretches}}


def _check_guards(plan: Plan, found: Mapping[str, Guard], free: Mapping[str, frozenset[int]]) -> None:
    """A step is left out only where nobody needs its result, and bytes are free only where nobody needs them."""
    for name in {*plan.guards} | {*found}:
        if plan.guards.get(name, ()) != found.get(name, ()):
            raise GraphError(
                f"plan: {name} runs where {plan.guards.get(name, ())} hold, needed is {found.get(name, ())}"
            )
        if plan.stretch(name) is not None:
            raise GraphError(f"plan: {name} runs by rows or patches, and for some inputs only; choose one of the two")
    wrong = [name for name, times in plan.idle.items() if not times <= free.get(name, frozenset())]
    if wrong:
        raise GraphError(f"plan: the bytes of {wrong[0]} are not free at {sorted(plan.idle[wrong[0]])}")


def _order(plan: Plan, graph: Graph) -> list[Node]:
    nodes = {n.name: n for n in graph.nodes}
    if sorted(plan.order) != sorted(nodes):
        raise GraphError("plan: its order does not hold each node once")
    order = [nodes[name] for name in plan.order]
    known = set(graph.inputs) | {v.name for v in graph.constants()}
    for node in order:
        for name in node.inputs:
            if name not in known:
                raise GraphError(f"plan: {node.name} runs before its input {name} is computed")
        known |= set(node.outputs)
    return order


def _check_aliases(plan: Plan, graph: Graph) -> None:
    for name, host in plan.aliases.items():
        node = graph.producer(name)
        if node is None or node.op != "reshape" or host != node.inputs[0]:
            raise GraphError(f"plan: {name} cannot be the bytes of {host}, only a reshape of it can")
        if plan.buffers[name].offset != plan.buffers[host].offset:
            raise GraphError(f"plan: {name} is {host} under another shape but lies at another offset")


def _check_in_place(plan: Plan, order: Sequence[Node], allowed: Mapping[str, Sequence[str]] | None) -> None:
    makers = {node.outputs[0]: node for node in order}
    for name, host in plan.in_place.items():
        node = makers[name]
        if host not in node.inputs or (allowed is not None and host not in allowed.get(node.name, ())):
            raise GraphError(f"plan: {node.op} {node.name} may not overwrite {host}")
        if (
            plan.buffers[name].offset != plan.buffers[host].offset
            or plan.buffers[name].bytes > plan.buffers[host].bytes
        ):
            raise GraphError(f"plan: {name} overwrites {host} but does not lie in its place")


def _check_overlaps(plan: Plan) -> None:
    """No two values that live at the same time share a byte, but for aliases and the one step of an overwrite."""
    for a, b in combinations(plan.buffers, 2):
        x, y = plan.buffers[a], plan.buffers[b]
        if x.first > y.last or y.first > x.last or x.end <= y.offset or y.end <= x.offset:
            continue
        both = set(range(max(x.first, y.first), min(x.last, y.last) + 1))
        if plan.root(a) == plan.root(b) or both <= {*plan.idle.get(a, ()), *plan.idle.get(b, ())}:
            continue
        late, early = (a, b) if x.first > y.first else (b, a)
        overwritten = plan.in_place.get(late)
        at = plan.buffers[late].first
        same = overwritten is not None and plan.root(overwritten) == plan.root(early)
        if same and plan.buffers[early].last == at and _only_reader(plan, overwritten, early, at):
            continue
        raise GraphError(f"plan: {a} and {b} share bytes and are both needed at {plan.label(max(x.first, y.first))}")


def _only_reader(plan: Plan, overwritten: str | None, early: str, at: int) -> bool:
    """Whether the step that overwrites reads these bytes under one shape only."""
    return early == overwritten or plan.buffers[early].last < at


def _check_scratch(plan: Plan, order: Sequence[Node], needs: Mapping[str, int] | None) -> None:
    """Scratch lies in the arena, aligned, on no byte of a value that lives while its node runs."""
    if needs is not None and {n: p.bytes for n, p in plan.scratch.items()} != {n: b for n, b in needs.items() if b}:
        raise GraphError("plan: its scratch is not what the kernels need")
    times = {node.name: time for time, node in enumerate(order, start=1)}
    for name, place in plan.scratch.items():
        if name not in times or (place.first, place.last) != (times[name], times[name]) or place.bytes <= 0:
            raise GraphError(f"plan: scratch of {name} is not planned for the time of that node")
        if place.offset < 0 or place.offset % plan.alignment or place.end > plan.arena_bytes:
            raise GraphError(
                f"plan: scratch of {name} at {place.offset}..{place.end} is outside the arena or not aligned"
            )
        for value in plan.live(place.first):
            other = plan.buffers[value]
            if place.offset < other.end and other.offset < place.end:
                raise GraphError(f"plan: scratch of {name} and {value} share bytes and are both needed")
