"""Sums and differences of minifloats by tables: every pair of codes, against the meaning of the operators."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgeq.emulator import reference
from edgeq.errors import ToolError
from edgeq.formats import FixedPoint, Format, Minifloat, minifloat
from edgeq.ir import Graph, GraphBuilder, analyse
from edgeq.mcu.build import build
from edgeq.mcu.execute import trace
from edgeq.mcu.ops import inplace_candidates, lower
from edgeq.mcu.ops._sum_map import SUM, SUMS
from edgeq.mcu.select import Context
from edgeq.mcu.step import Blob, Step
from edgeq.mcu.storage import packed
from edgeq.verify import compare_traces
from tests.mcu.kernel_cases import Case
from tests.mcu.test_kernels_operators import differences

E2M1, E2M3, FNUZ = minifloat("e2m1"), minifloat("e2m3"), Minifloat(2, 2, specials="fnuz")
#: operands, and the output
FORMATS: list[tuple[Format, Format, Format]] = [
    (E2M1, E2M1, E2M1),
    (E2M1.per_tensor(3), E2M1.per_tensor(0), E2M1.per_tensor(1)),
    (E2M3, E2M3.per_tensor(5), E2M3.per_tensor(3)),
    (E2M3.per_tensor(2), E2M1, FixedPoint(8, 2)),
    (FixedPoint(8, 4), E2M1.per_tensor(3), minifloat("e4m3")),
    (E2M1, FixedPoint(5, 2, sign=False), E2M1),
    (FNUZ, FNUZ.per_tensor(4), FNUZ.per_tensor(1)),
    (Minifloat(3, 0), Minifloat(1, 4), FixedPoint(6, 1, sign=False)),
]
STAGES: list[dict[str, object]] = [
    {"rounding": "half_even"},
    {"rounding": "half_up", "lo": 0},
    {"rounding": "floor", "lo": -2, "hi": 3},
]


def all_codes(fmt: Format) -> np.ndarray:
    lo, hi = fmt.code_range
    codes = np.arange(lo, hi + 1)
    is_nan = isinstance(fmt, Minifloat) and fmt.specials == "fnuz"
    return codes[codes != 1 << (fmt.bits - 1)] if is_nan else codes


def case(op: str, formats: tuple[Format, Format, Format], stage: dict[str, object], more: int = 0) -> Case:
    """Every pair of codes, and `more` elements."""
    a, b = (grid.reshape(-1) for grid in np.meshgrid(all_codes(formats[0]), all_codes(formats[1]), indexing="ij"))
    a, b = (np.append(codes, codes[:more]) for codes in (a, b))
    builder = GraphBuilder("pairs")
    names = [builder.input(name, a.shape, fmt) for name, fmt in zip("ab", formats, strict=False)]
    if not formats[2].signed:
        stage = {key: max(bound, 0) if isinstance(bound, int) else bound for key, bound in stage.items()}
    graph = builder.build([builder.node(op, "y", names, formats[2], **stage)])  # type: ignore[arg-type]
    return graph, {"a": a[None], "b": b[None]}


def found() -> list[Case]:
    return [
        case(op, formats, stage, index % 2)
        for index, formats in enumerate(FORMATS)
        for stage in STAGES
        for op in ("add", "sub")
    ]


def kernel(graph: Graph) -> str:
    step = lower(graph, graph.nodes[0], analyse(graph))
    assert step is not None
    return step.kernel


def test_every_pair_of_codes(tmp_path: Path) -> None:
    cases = found()
    assert {kernel(graph) for graph, _ in cases} == {"add_map"}
    assert differences(cases, tmp_path) == []


def test_y_over_an_operand(tmp_path: Path) -> None:
    cases = [c for c in found() if inplace_candidates(c[0], c[0].nodes[0])]
    assert len(cases) == len(found())
    assert differences(cases, tmp_path, in_place=True) == []


@pytest.mark.parametrize("field", ["a", "b", "y"])
def test_a_wrong_entry_of_a_table_is_found(field: str, tmp_path: Path) -> None:
    def mutate(step: Step) -> Step:
        table = step.params[field]
        assert isinstance(table, Blob)
        data = table.data.copy()
        data[data.size // 2] ^= 1
        return replace(step, params={**step.params, field: replace(table, data=data)})

    assert differences([case("add", FORMATS[0], STAGES[0])], tmp_path, mutate) != []


@pytest.mark.parametrize(
    ("board", "toolchain", "optimize"),
    [
        ("cortex-m4", "gcc", "-O2"),
        *(
            pytest.param(board, toolchain, optimize, marks=pytest.mark.heavy)
            for board, toolchain, optimize in [
                ("cortex-m0", "gcc", "-Os"),
                ("cortex-m4", "zig", "-O3"),
                ("cortex-m55", "gcc", "-O2"),
                ("riscv32", "gcc", "-O2"),
            ]
        ),
    ],
)
def test_on_cores(board: str, toolchain: str, optimize: str, tmp_path: Path) -> None:
    builder, inputs, outputs = GraphBuilder("sums"), {}, []
    for number, (graph, values) in enumerate(found()[::5]):
        names = {n: builder.input(f"{n}{number}", graph.values[n].shape, graph.values[n].format) for n in graph.inputs}
        inputs |= {names[n]: values[n] for n in names}
        (node,) = graph.nodes
        out = graph.values["y"].format
        outputs.append(builder.node(node.op, f"y{number}", list(names.values()), out, **node.attrs))
    net = builder.build(outputs)
    try:
        made = build(net, board, tmp_path / "out", toolchain=toolchain, optimize=optimize)
    except ToolError as error:
        pytest.skip(str(error))
    assert {call.step.kernel for call in made.program.calls} == {"add_map"}
    assert compare_traces(net, trace(made, inputs), reference(net, inputs)).equal


def test_what_it_leaves_to_others() -> None:
    """Constants and operands that repeat, integers alone, tables beyond the limit, codes that share bytes."""

    def reason(a: Format, b: Format, out: Format, shape: tuple[int, ...] = (2, 8)) -> str | None:
        builder = GraphBuilder("other")
        graph = builder.build(
            [builder.node("add", "y", [builder.input("a", (2, 8), a), builder.input("b", shape, b)], out)]
        )
        return SUM.supports(Context(graph, graph.nodes[0], analyse(graph)))

    assert reason(E2M1, E2M1, E2M1) is None
    assert "no operand is a minifloat" in str(reason(FixedPoint(8, 4), FixedPoint(8, 4), E2M1))
    assert "repeats" in str(reason(E2M1, E2M1, E2M1, (8,)))
    assert f"it looks up {SUMS}" in str(reason(minifloat("e4m3"), E2M1, E2M1))
    assert "a byte of their own" in str(reason(E2M1, E2M1, FixedPoint(16, 4)))
    assert "a byte of their own" in str(reason(E2M1, packed(FixedPoint(4, 4)), E2M1))
