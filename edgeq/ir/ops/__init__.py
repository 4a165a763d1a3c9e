"""The operators, one file each; the registry is what `docs/operators.md`, the checker and every wing walk."""

from __future__ import annotations

from edgeq.errors import UnsupportedError
from edgeq.ir.operator import Operator
from edgeq.ir.ops.add import Add
from edgeq.ir.ops.argmax import ArgMax
from edgeq.ir.ops.average_pool import AveragePool
from edgeq.ir.ops.concat import Concat
from edgeq.ir.ops.conv import Conv
from edgeq.ir.ops.conv_transpose import ConvTranspose
from edgeq.ir.ops.gather import Gather
from edgeq.ir.ops.linear import Linear
from edgeq.ir.ops.matmul import MatMul
from edgeq.ir.ops.max_pool import MaxPool
from edgeq.ir.ops.maximum import Maximum
from edgeq.ir.ops.mean import Mean
from edgeq.ir.ops.minimum import Minimum
from edgeq.ir.ops.mul import Mul
from edgeq.ir.ops.pad import Pad
from edgeq.ir.ops.prelu import Prelu
from edgeq.ir.ops.requantise import Requantise
from edgeq.ir.ops.reshape import Reshape
from edgeq.ir.ops.resize_bilinear import ResizeBilinear
from edgeq.ir.ops.resize_nearest import ResizeNearest
from edgeq.ir.ops.select import Select
from edgeq.ir.ops.sigmoid_lines import SigmoidLines
from edgeq.ir.ops.slice import Slice
from edgeq.ir.ops.softmax import Softmax
from edgeq.ir.ops.softmax_lines import SoftmaxLines
from edgeq.ir.ops.softmax_reciprocal import SoftmaxReciprocal
from edgeq.ir.ops.sub import Sub
from edgeq.ir.ops.sum import Sum
from edgeq.ir.ops.table import Table
from edgeq.ir.ops.transpose import Transpose
from edgeq.ir.ops.within import Within

_CLASSES: tuple[type[Operator], ...] = (
    Add,
    ArgMax,
    AveragePool,
    Concat,
    Conv,
    ConvTranspose,
    Gather,
    Linear,
    MatMul,
    MaxPool,
    Maximum,
    Mean,
    Minimum,
    Mul,
    Pad,
    Prelu,
    Requantise,
    Reshape,
    ResizeBilinear,
    ResizeNearest,
    Select,
    SigmoidLines,
    Slice,
    Softmax,
    SoftmaxLines,
    SoftmaxReciprocal,
    Sub,
    Sum,
    Table,
    Transpose,
    Within,
)

#: operator name -> the one instance that states its meaning
OPERATORS: dict[str, Operator] = {cls.name: cls() for cls in _CLASSES}


def operator(name: str, place: str = "") -> Operator:
    """Look an operator up; UnsupportedError names the node that asks for an unknown one."""
    try:
        return OPERATORS[name]
    except KeyError:
        where = f"node {place}: " if place else ""
        raise UnsupportedError(
            f"{where}operator {name!r} is not one of edgeq's ({', '.join(sorted(OPERATORS))})"
        ) from None
