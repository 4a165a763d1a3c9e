"""lower: a graph as a dataflow, folded for a number of multipliers or a target in cycles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from edgeq.errors import BudgetError, InputError, UnsupportedError
from edgeq.fpga.dataflow import Dataflow, Stage, Stream, identifier
from edgeq.fpga.fifos import with_fifos
from edgeq.fpga.folding import Work, balance, fastest, fold
from edgeq.fpga.forks import with_forks
from edgeq.fpga.lowering import Lowering, signed_codes
from edgeq.fpga.ops import lower_node, products, work
from edgeq.fpga.styles import choose, in_logic, on_family
from edgeq.ir import Graph, Node, analyse, check
from edgeq.ir.names import short_name

#: how the products of a layer may be made
STYLES = ("dsp", "lut", "khot", "constant")
#: multipliers where neither the caller nor a board says how many
DEFAULT_DSPS = 64


def lower(
    graph: Graph,
    board: Any = None,
    *,
    cycles: int | None = None,
    dsps: int | None = None,
    style: str | None = None,
    styles: Mapping[str, str] | None = None,
) -> Dataflow:
    """The dataflow of a network.

    board:  a Board of kind "fpga"; its `dsps` are the multipliers to spend.
    cycles: target cycles of one inference in steady state; each engine gets the fewest multipliers that meet it.
    dsps:   multiplier blocks to spend; without a target: the least cycles that they allow.
    style:  "dsp" (multiplier blocks) or "lut" (products in logic) for all layers, "khot" (in logic, from the digits of
            K-hot weights in those layers where that is smaller), "constant" (adders of its own for each weight) for
            small ones. Without it, and with a target that asks for more blocks than there are, the layers whose
            products cost least in logic get them there.
    styles: the same for single nodes, by name; "khot" is then taken at its word.

    Raises UnsupportedError (a layer without hardware), BudgetError (too few multipliers, a target out of reach).
    """
    check(graph)
    for word in (style or "dsp", *(styles or {}).values()):
        if word not in STYLES:
            raise InputError(f"style {word}: is none; choose one of {', '.join(STYLES)}")
    if dsps is not None and dsps < 1:
        raise InputError(f"{dsps} multiplier blocks: give 1 or more; style lut makes all products in logic")
    _check_borders(graph)
    chosen = {n.name: (styles or {}).get(n.name, style or "dsp") for n in graph.nodes}
    family = _family(board)
    budget = dsps or getattr(board, "dsps", None)
    if style == "khot":
        works = _works(graph, dict.fromkeys(chosen, "lut"), family)
        chosen |= {name: in_logic(w)[0] for name, w in works.items() if name not in (styles or {})}
    spent = sum(products(graph, n) for n in graph.nodes)
    if cycles is not None and style is None and budget:
        works = _works(graph, chosen, family)
        free = {name: w for name, w in works.items() if name not in (styles or {})}
        chosen |= choose(free, cycles, budget - spent - _blocks(works.keys() - free.keys(), works, cycles))
    works = _works(graph, chosen, family)
    target = cycles if cycles is not None else _balanced(works, budget or DEFAULT_DSPS, spent)
    ctx = Lowering(graph, analyse(graph), fold(works, target), target, chosen)
    for number, name in enumerate(graph.inputs):
        value = graph.values[name]
        lanes = ctx.lanes(value)
        stream = Stream(f"in{number}", name, value.format.bits, signed_codes(value.format), lanes, value.size // lanes)
        ctx.streams[stream.name] = stream
        ctx.values[name] = stream.name
    for number, node in enumerate(graph.nodes):
        ctx.prefix, ctx.node = f"n{number:02d}_{identifier(node.op)}", node
        lower_node(ctx, node)
    outputs = tuple(ctx.values[name] for name in graph.outputs)
    inputs = tuple(ctx.values[name] for name in graph.inputs)
    flow = Dataflow(
        identifier(graph.name), graph, tuple(ctx.stages), dict(ctx.streams), inputs, outputs, dict(ctx.values)
    )
    return with_fifos(with_forks(flow))


def _family(board: Any) -> str:
    """The device family whose costs count."""
    if getattr(board, "hls", None) is not None:
        return "xilinx"
    return board.fpga.family if getattr(board, "fpga", None) is not None else "ecp5"


def _works(graph: Graph, styles: Mapping[str, str], family: str) -> dict[str, Work]:
    """What the engine of each node has to do, on a device family."""
    found = {n.name: work(graph, n, styles[n.name]) for n in graph.nodes}
    return {name: on_family(w, family) for name, w in found.items() if w is not None}


def _blocks(names: Iterable[str], works: Mapping[str, Work], target: int) -> int:
    """Multiplier blocks of some engines for a target."""
    return sum(f.multipliers for f in fold({name: works[name] for name in names}, target).values())


def _balanced(works: Mapping[str, Work], budget: int, spent: int) -> int:
    """The least target for a budget; where all products are made in logic, as many products as the budget says.

    Layers whose products are made in logic take nothing from a budget of blocks, but each can only be so fast.
    spent: multipliers of the budget that stages take beside the engines.
    """
    counted = {name: w for name, w in works.items() if w.cost} or works
    if counted is works:
        counted = {name: replace(w, cost=1, pairs=1) for name, w in works.items()}
    try:
        return max(balance(counted, budget - spent), fastest(works.values()))
    except BudgetError as error:
        if not spent:
            raise
        raise BudgetError(f"{budget} multipliers, of which stages beside engines take {spent}: with {error}") from None


def _check_borders(graph: Graph) -> None:
    for name in (*graph.inputs, *graph.outputs):
        value = graph.values[name]
        if value.constant:
            raise UnsupportedError(f"output {name} is a constant; leave it out, a device has nothing to compute for it")


def layer_of(flow: Dataflow, stage: Stage) -> str:
    """The user's name of the layer that a stage is part of; "" for what joins layers."""
    node: Node | None = next((n for n in flow.graph.nodes if n.name == stage.node), None)
    return short_name(node.source or node.name) if node is not None else ""


__all__ = ["BudgetError", "lower"]
