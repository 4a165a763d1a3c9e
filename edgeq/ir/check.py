"""The executable specification of a graph: `check` passes exactly the graphs that every backend must accept."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from edgeq.errors import FormatError, GraphError
from edgeq.formats import (
    CODE_RULE,
    DEFAULT_OVERFLOW,
    DYADIC_RULES,
    FIXED_RULES,
    OVERFLOWS,
    RULES,
    Affine,
    FixedPoint,
    Format,
    Grouped,
)
from edgeq.formats.dyadic import check_dyadic
from edgeq.ir.graph import Graph, Node, Value
from edgeq.ir.operator import OUTPUT_STAGE, Arithmetic, Operator, output_bounds
from edgeq.ir.ops import operator
from edgeq.ir.ops.prelu import Prelu
from edgeq.ir.ranges import Ranges, analyse

#: no tensor of a network for a microcontroller or FPGA is larger; damaged files ask for more. Sums over a whole
#: constant of the widest format (33 bits and sign) stay within int64.
MAX_ELEMENTS = 1 << 29
MAX_RANK = 6
MAX_NODES = 1 << 16
MAX_NAME = 300
#: operators whose weights may have a scale for each group of input channels
GROUPED = ("conv", "conv_transpose", "linear")
#: characters that could end a string or a comment where generated sources and reports quote a name
NOT_IN_NAMES = frozenset('"\\*?')


def check(graph: Graph) -> Ranges:
    """Raise GraphError (RangeError, FormatError) naming the first broken rule; else return the range analysis."""
    if not graph.inputs or not graph.outputs:
        raise GraphError(f"graph {graph.name!r} needs at least one input and one output")
    if len(graph.nodes) > MAX_NODES:
        raise GraphError(f"graph {graph.name!r}: {len(graph.nodes)} nodes are more than the {MAX_NODES} supported")
    _check_text(graph.name, "graph name")
    for key, value in graph.values.items():
        _check_value(key, value)
    known = {v.name for v in graph.constants()}
    for name in graph.inputs:
        if name not in graph.values or name in known:
            raise GraphError(f"input {name!r} is not a value of its own")
        known.add(name)
    names: set[str] = set()
    for node in graph.nodes:
        _check_text(node.name, "node name")
        _check_text(node.source, f"source of node {node.name!r}", empty=True)
        if node.name in names:
            raise GraphError(f"node name {node.name!r} stands twice")
        names.add(node.name)
        _check_node(graph, node, known)
        known |= set(node.outputs)
    _check_borders(graph, known)
    return analyse(graph)


def _check_text(text: str, what: str, empty: bool = False) -> None:
    """Names must be printable, short, and harmless in the sources and reports that quote them."""
    if not isinstance(text, str) or not (text or empty) or len(text) > MAX_NAME:
        raise GraphError(f"{what} {text[:80]!r} must be text of 1 to {MAX_NAME} characters")
    if not text.isprintable() or not NOT_IN_NAMES.isdisjoint(text):
        raise GraphError(f"{what} {text[:80]!r} must be printable, without {' '.join(sorted(NOT_IN_NAMES))}; rename it")


def _check_value(key: str, value: Value) -> None:
    _check_text(key, "value name")
    _check_text(value.source, f"source of value {key!r}", empty=True)
    if key != value.name:
        raise GraphError(f"value {key!r} is stored under another name than its own, {value.name!r}")
    if len(value.shape) > MAX_RANK or any(type(n) is not int or n < 1 for n in value.shape):
        raise GraphError(f"value {key!r}: shape {value.shape} must be at most {MAX_RANK} positive sizes")
    if value.size > MAX_ELEMENTS:
        raise GraphError(f"value {key!r}: {value.size} elements are more than the {MAX_ELEMENTS} supported")
    axis, frac = value.format.channel_axis, value.format.frac
    what = "binary point"
    if isinstance(value.format, Affine) and isinstance(value.format.scale, tuple):
        # A scale for each channel is refused and allowed where a binary point for each channel is.
        frac, what = (0,) * len(value.format.scale), "scale"
    if isinstance(frac, tuple) and (axis is None or not 0 <= axis < len(value.shape) or value.shape[axis] != len(frac)):
        raise GraphError(f"value {key!r}: {len(frac)} channel {what}s do not fit axis {axis} of {value.shape}")
    if isinstance(value.format, Grouped):
        _check_groups(key, value, value.format)
    if value.data is not None:
        if value.data.shape != value.shape:
            raise GraphError(f"constant {key!r}: codes of shape {value.data.shape}, declared {value.shape}")
        value.format.check_codes(value.data, f"constant {key!r}")
        value.format.to_grid(value.data)
    elif isinstance(frac, tuple):
        raise GraphError(f"value {key!r}: only constants may have a {what} per channel")


def _check_groups(key: str, value: Value, fmt: Grouped) -> None:
    """Group scales belong to constants, one for each group of their input channels."""
    if value.data is None:
        raise GraphError(f"value {key!r}: only constants may have group scales")
    try:
        fmt.groups_of(value.shape)
    except FormatError as error:
        raise GraphError(f"value {key!r}: {error}") from None


def _check_grouped_inputs(op: Operator, node: Node, ins: Sequence[Value]) -> None:
    """Group scales are of weights that meet no multiplier."""
    for index, value in enumerate(ins):
        if not isinstance(value.format, Grouped):
            continue
        if node.op not in GROUPED or index != 1:
            raise op.fail(node, f"{value.name} has group scales; only weights of {', '.join(GROUPED)} may")
        if "multiplier" in node.attrs:
            raise op.fail(node, f"weight {value.name} has group scales, which go with a power of two, not a multiplier")


def _check_node(graph: Graph, node: Node, known: set[str]) -> None:
    op = operator(node.op, node.name)
    least = sum(not o.endswith("?") for o in op.operands)
    most = None if any(o.endswith("*") for o in op.operands) else len(op.operands)
    if len(node.inputs) < least or (most is not None and len(node.inputs) > most):
        raise op.fail(node, f"takes {least}..{most or 'any'} inputs, has {len(node.inputs)}")
    if len(node.outputs) != 1:
        raise op.fail(node, f"makes 1 output, has {len(node.outputs)}")
    for name in node.inputs:
        if name not in known:
            raise op.fail(node, f"input {name!r} is not computed before it is read")
    for name in node.outputs:
        if name in known or name not in graph.values:
            raise op.fail(node, f"output {name!r} is computed twice or is not a value")
    _check_attributes(node)
    ins, outs = graph.ins(node), graph.outs(node)
    if all(v.constant for v in ins):
        raise op.fail(node, "all its inputs are constant; fold it when the graph is made")
    shapes = op.shapes(node, ins)
    if shapes != tuple(v.shape for v in outs):
        raise op.fail(node, f"makes {shapes}, declared {[v.shape for v in outs]}")
    _check_grouped_inputs(op, node, ins)
    op.rule(node, ins, outs)
    _check_modes(op, node, outs[0])
    if isinstance(op, Arithmetic):
        _check_stage(op, node, ins, outs[0])
    if "lo" in node.attrs or "hi" in node.attrs:
        _check_bounds(node, outs[0].format)


def _check_attributes(node: Node) -> None:
    op = operator(node.op)
    optional = {key.lstrip("[") for key in op.attributes if key.startswith("[")} | OUTPUT_STAGE.keys() | {"value"}
    allowed = {key.lstrip("[") for key in op.attributes}
    for key in node.attrs:
        if key not in allowed:
            raise op.fail(node, f"attribute {key[:80]!r} is not one of its own ({', '.join(sorted(allowed))})")
        _check_attribute(op, node, key)
    for key in allowed - optional:
        if key not in node.attrs:
            raise op.fail(node, f"attribute {key!r} is missing")
    if "rounding" in node.attrs:
        _check_rule(op, node)


def _check_rule(op: Operator, node: Node) -> None:
    rule = node.text("rounding")
    known = DYADIC_RULES if "multiplier" in node.attrs else FIXED_RULES
    code = rule == CODE_RULE and node.op in ("average_pool", "resize_bilinear")
    if rule not in known and not code:
        raise op.fail(node, f"rounding {rule!r} is not one of {', '.join(known)}")


def _check_modes(op: Operator, node: Node, out: Value) -> None:
    """Overflow modes, and the rounding rules that only fixed point has, stand at fixed point without a multiplier."""
    plain = isinstance(out.format, FixedPoint) and not {"multiplier", "left"} & node.attrs.keys()
    rule = node.attrs.get("rounding")
    if rule in FIXED_RULES and rule not in RULES and not plain:
        raise op.fail(node, f"rounding {rule} is of fixed point without a multiplier only, not of {out.format}")
    if "overflow" not in node.attrs:
        return
    mode = node.attrs["overflow"]
    if mode not in OVERFLOWS:
        raise op.fail(node, f"overflow {str(mode)[:80]!r} is not one of {', '.join(OVERFLOWS)}")
    if mode != DEFAULT_OVERFLOW and not plain:
        raise op.fail(node, f"overflow {mode} is of fixed point without a multiplier only, not of {out.format}")


#: operators that compute with real numbers of one scale as they do with grid integers
_ONE_SCALE = frozenset(
    {"add", "average_pool", "concat", "maximum", "mean", "minimum", "requantise", "resize_bilinear", "sub", "sum"}
)


def _check_stage(op: Operator, node: Node, ins: Sequence[Value], out: Value) -> None:
    """Multipliers are sound; scales that are no power of two meet others only by way of a multiplier."""
    if "multiplier" in node.attrs or "shift" in node.attrs:
        _check_multiplier(op, node, ins, out)
        return
    affine = [v.format for v in (*ins, out) if isinstance(v.format, Affine)]
    if not affine or getattr(op, "own_stage", False):
        if node.attrs.get("rounding") == CODE_RULE:
            raise op.fail(node, f"rounding {CODE_RULE} is of affine formats only")
        return
    scales = {f.scale for f in affine}
    if node.op not in _ONE_SCALE or len(affine) <= len(ins) or len(scales) > 1:
        raise op.fail(node, "joins scales that differ; it needs the attributes multiplier and shift")


def _check_multiplier(op: Operator, node: Node, ins: Sequence[Value], out: Value) -> None:
    if not {"multiplier", "shift"} <= node.attrs.keys():
        raise op.fail(node, "needs multiplier and shift together")
    multiplier, shift = node.ints("multiplier"), node.ints("shift")
    channels = out.shape[-1] if out.shape else 1
    counts = (op.stages,) if isinstance(op, Prelu) else (1, channels)
    if len(multiplier) not in counts or len(shift) != len(multiplier):
        raise op.fail(node, f"{len(multiplier)} multipliers and {len(shift)} shifts for {channels} channels")
    for m, s in zip(multiplier, shift, strict=True):
        try:
            check_dyadic(m, s)
        except FormatError as error:
            raise op.fail(node, str(error)) from None
    if node.op in ("average_pool", "mean", "softmax"):
        raise op.fail(node, "divides, and so takes no multiplier; put one into a requantise after it")
    if not isinstance(out.format, FixedPoint | Affine):
        raise op.fail(node, f"a multiplier makes integers, not {out.format}")


def _check_attribute(op: Operator, node: Node, key: str) -> None:
    """An attribute is text, an int or a tuple of ints (of Python's own types, within 64 bits)."""
    value = node.attrs[key]
    if isinstance(value, str):
        _check_text(value, f"{node.label}: attribute {key!r}", empty=True)
        return
    items = value if isinstance(value, tuple) else (value,)
    if any(type(item) is not int for item in items):
        raise op.fail(node, f"attribute {key!r} must be text, an int or a tuple of ints, not {str(value)[:80]}")
    if any(abs(item) >= 1 << 62 for item in items):
        raise op.fail(node, f"attribute {key!r} has a number that 63 bits do not hold")


def _check_bounds(node: Node, fmt: Format) -> None:
    """Output bounds must be values of the format, or clamping would make numbers that have no code."""
    least, most = fmt.grid_range
    lo, hi = output_bounds(node, fmt)
    on_grid = all(fmt.round_scalar(Fraction(end), "floor") == end for end in (lo, hi))
    if not least <= lo <= hi <= most or not on_grid:
        raise operator(node.op).fail(node, f"output bounds {lo}..{hi} are not values of {fmt} ({least}..{most})")


def _check_borders(graph: Graph, known: set[str]) -> None:
    for name in graph.outputs:
        if name not in known or graph.values[name].constant:
            raise GraphError(f"output {name!r} is not computed by the graph")
    for name, layout in graph.layouts.items():
        if name not in graph.inputs and name not in graph.outputs:
            raise GraphError(f"layout of {name!r}, which is neither input nor output")
        if sorted(layout) != list(range(len(graph.values[name].shape))):
            raise GraphError(f"layout {layout} of {name!r} does not name each axis of {graph.values[name].shape} once")
    computed = {name for node in graph.nodes for name in node.outputs}
    for name, value in graph.values.items():
        if not value.constant and name not in computed and name not in graph.inputs:
            raise GraphError(f"value {name!r} is neither input, constant nor computed")
