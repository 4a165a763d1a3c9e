"""Kernels for bytes on codes of 4 and 2 bits that share bytes: in strips of rows that are brought out into scratch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from math import prod

from edgeq.formats import Minifloat
from edgeq.ir import Node, Value
from edgeq.ir.graph import Attr
from edgeq.mcu.ops._window import geometry
from edgeq.mcu.select import Call, Context, Foreign, Variant
from edgeq.mcu.step import Param
from edgeq.mcu.storage import Packed, eq_type_word, storage, unshared, value_bytes

#: bytes of scratch that the rows of a strip should not exceed, but for one row of y
ROOM = 640
#: codes of a strip of operators that look at each code alone
CODES = 256
#: operands of a kernel
MOST = 2
WINDOWED = ("conv", "max_pool", "average_pool")


@dataclass(frozen=True)
class _Strips:
    """What a strip of y is: so many of `height` rows of `row` codes, each from `reach` of the `in_height` rows of x.

    line:   whether a row is a pixel, and all of them lie in one row of the kernel for bytes.
    fields: the parameters of that kernel that count rows of x and of y, by what they hold of the whole; () where it
            runs once.
    """

    in_height: int
    height: int
    in_row: int
    row: int
    reach: int = 1
    stride: int = 1
    pad: int = 0
    line: bool = False
    fields: tuple[tuple[str, int], ...] = ()

    def ends(self, rows: int) -> Iterator[tuple[int, int, int]]:
        """Of each strip of so many rows of y: the first row of x that it sees, the one after the last, and of y."""
        for begin in range(0, self.height, rows):
            end = min(begin + rows, self.height)
            top = min(max(begin * self.stride - self.pad, 0), self.in_height)
            yield top, max(min((end - 1) * self.stride - self.pad + self.reach, self.in_height), top), end

    def seen(self, rows: int) -> int:
        """Rows of x that a strip of so many sees at most."""
        return max(end - top for top, end, _ in self.ends(rows))


def _strips(ctx: Context) -> _Strips:
    """The strips of a node whose operands are feature maps or lie side by side; ctx: of the kernel for bytes."""
    x, out, op = ctx.ins[0], ctx.out, ctx.node.op
    if _is_pixelwise(ctx):
        count = out.size // out.shape[-1]
        line = (("in_w", count), ("out_w", count))
        return _Strips(count, count, x.shape[-1], out.shape[-1], line=True, fields=line)
    if op in WINDOWED:
        kernel = ctx.ins[1].shape[1:-1] if op == "conv" else ctx.node.ints("kernel")
        at = {k: v for k, v in geometry(ctx, kernel).items() if isinstance(v, int)}
        reach = (at["kernel_h"] - 1) * at.get("dilation_h", 1) + 1
        rows, in_rows = at["out_h"], at["in_h"]
        fields = (("in_h", in_rows), ("out_h", rows), ("pad_h", at["pad_h"]))
        sizes = (reach, at["stride_h"], at["pad_h"])
        return _Strips(in_rows, rows, x.size // in_rows, out.size // rows, *sizes, fields=fields)
    if op in ("linear", "mean"):
        return _Strips(1, 1, x.size, out.size)
    return _Strips(out.size, out.size, 1, 1, fields=(("count", out.size),))


def _is_pixelwise(ctx: Context) -> bool:
    """Whether a convolution computes each pixel from all of the pixel at its place."""
    node = ctx.node
    if node.op != "conv" or node.integer("groups") != 1 or any(v.format.channel_axis for v in (ctx.ins[0], ctx.out)):
        return False
    return prod((*ctx.ins[1].shape[1:-1], *node.ints("stride"))) == 1 and not any(node.ints("padding"))


def _in_bytes(ctx: Context, as_conv: bool) -> Context:
    """The same node with a byte for each code; pixels, and rows if `as_conv`, in one row, as a filter of one tap."""
    ins, out, node = ctx.ins, ctx.out, ctx.node
    values = {v.name: replace(v, format=unshared(v.format)) for v in (*ins, out)}
    if _is_pixelwise(ctx) or (node.op == "linear" and as_conv):
        values |= {v.name: _as_line(values[v.name]) for v in (ins[0], out)}
        weight = values[ins[1].name]
        shape = (weight.shape[0], 1, 1, weight.shape[-1])
        data = None if weight.data is None else weight.data.reshape(shape)
        values[weight.name] = replace(weight, shape=shape, data=data)
        one: dict[str, Attr] = {"stride": (1, 1), "padding": (0, 0, 0, 0), "dilation": (1, 1), "groups": 1}
        node = Node("conv", node.name, node.inputs, node.outputs, {**node.attrs, **one}, node.source)
    return replace(ctx, graph=replace(ctx.graph, values={**ctx.graph.values, **values}), node=node, apart=True)


def _as_line(value: Value) -> Value:
    """A value with all its pixels in one row."""
    return replace(value, shape=(1, value.size // value.shape[-1], value.shape[-1]))


def _reason(variant: Variant, ctx: Context, as_conv: bool) -> str | None:
    """A reason why the kernel for bytes does not run this in strips."""
    if not any(isinstance(v.format, Packed) for v in (*ctx.ins, ctx.out)):
        return Foreign("every code has a byte of its own")
    if isinstance(ctx.out.format, Minifloat):
        return f"output {ctx.out.format}; strips write fixed point"
    operands = [v for v in ctx.ins if not v.constant]
    inner = _in_bytes(ctx, as_conv)
    if (reason := variant.supports(inner)) is not None:
        return reason
    if len(operands) > MOST or (inner.node.op not in (*WINDOWED, "linear") and len(operands) < len(ctx.ins)):
        return "an operand is constant; strips are of what is computed"
    return _cut_along(variant, inner)


def _cut_along(variant: Variant, ctx: Context) -> str | None:
    """A reason why rows are not what the kernel counts: some lay a map of one column along a row."""
    if ctx.node.op not in WINDOWED or ctx.ins[0].shape[-2] > 1:
        return None
    sizes = {key.rpartition(".")[2]: value for key, value in variant.call(ctx).params.items()}
    turned = any(sizes[field] != size for field, size in _strips(ctx).fields)
    return "the kernel lays rows along columns, which strips would cut" if turned else None


def _rows(ctx: Context, strips: _Strips) -> int:
    """Rows of y in a strip: as many as there is room for, in whole bytes; more where y then rolls over x."""
    x_row = sum(isinstance(v.format, Packed) for v in ctx.ins) * strips.in_row
    each = x_row * strips.stride + isinstance(ctx.out.format, Packed) * strips.row
    most = (ctx.strip(ROOM) - x_row * (strips.reach - strips.stride)) // each
    if strips.row == 1:
        most = max(min(most, CODES) // 8 * 8, 8)
    elif strips.line and most > 4:
        most -= most % 4
    rows = min(max(most, 1), strips.height)
    more = (n for n in range(rows, rows + 4) if _rolls(ctx, strips, n))
    return next(more, rows)


def _side(value: Value, row: int, rows: int) -> dict[str, int]:
    """Fields of `eq_strips_side` of an operand, of which a strip sees so many rows."""
    room = -(-row * rows // 8) * 8 if isinstance(value.format, Packed) else 0
    return {"type": eq_type_word(value.format), "row": row, "room": room}


def _call(variant: Variant, ctx: Context, as_conv: bool) -> Call:
    """Parameters of `eq_packed_<kernel>_t`."""
    inner = _in_bytes(ctx, as_conv)
    call, strips = variant.call(inner), _strips(inner)
    operands, rows = [v for v in ctx.ins if not v.constant], _rows(ctx, strips)
    params: dict[str, Param] = {
        "strips.in_h": strips.in_height,
        "strips.out_h": strips.height,
        "strips.reach": strips.reach,
        "strips.stride": strips.stride,
        "strips.pad": strips.pad,
        "strips.rows": rows,
        "strips.line": int(strips.line),
        "strips.operands": len(operands),
    }
    sides = {f"x[{i}]": _side(v, strips.in_row, strips.seen(rows)) for i, v in enumerate(operands)}
    sides["y"] = _side(ctx.out, strips.row, rows)
    params |= {f"strips.{name}.{key}": size for name, side in sides.items() for key, size in side.items()}
    params |= {f"inner.{key}": value for key, value in call.params.items()}
    scratch = call.scratch + sum(side["room"] for side in sides.values())
    over = call.inputs[:1] if strips.row > 1 and _rolls(ctx, strips, rows) else ()
    return Call(call.fixed, params, call.inputs, scratch, over)


def _rolls(ctx: Context, strips: _Strips, rows: int) -> bool:
    """Whether y may lie over x: what strips write is no longer needed, or already in scratch."""
    x, out = ctx.ins[0], ctx.out
    if x.constant or value_bytes(out) > value_bytes(x):
        return False
    each, made, ends = storage(x.format).bits, storage(out.format).bits, list(strips.ends(rows))
    in_scratch = isinstance(x.format, Packed)
    for (_, end, done), (top, _, _) in pairwise(ends):
        free = end if in_scratch else top
        if done * strips.row * made > free * strips.in_row * each:
            return False
    return True


def packed(variant: Variant, *, as_conv: bool = True) -> Variant:
    """The kernel for bytes where codes share bytes, as a kernel of its own; as_conv: whether rows are for it pixels."""
    return Variant(
        variant.name,
        f"packed_{variant.kernel}",
        f"codes that share bytes brought out in strips; {variant.gain}",
        lambda ctx: _reason(variant, ctx, as_conv),
        lambda ctx: _call(variant, ctx, as_conv),
    )
