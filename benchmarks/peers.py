"""A live peer: what bakenn's generated C needs for the same .tflite models, in the same run, counted the same way.

    python benchmarks/peers.py [BOARD …] [--models FOLDER] [--only kws] [--json] [--keep FOLDER]

Nothing is installed: `pip install bakenn` first (Apache-2.0; it ships the part of CMSIS-NN that it calls). It refuses
the published files as they are, so that it gets a copy that says the same in other words (`rewritten`): a batch of one
where the file says "any", options of RESHAPE that the file leaves out, and no SOFTMAX at the end, which bakenn lacks.
edgeq gets the file itself, SOFTMAX included. Both programs stand in the same harness, are compiled by the same compiler
at -O2 and run on the same emulated board; one inference is counted, on the same input, and the answers are compared.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import struct
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import edgeq  # noqa: E402
from benchmarks.baseline import MODELS, PUBLISHED  # noqa: E402
from edgeq.boards import Board, load_board  # noqa: E402
from edgeq.errors import EdgeqError  # noqa: E402
from edgeq.ir import Graph  # noqa: E402

BOARDS = ("cortex-m4", "riscv32")
RESHAPE_OPTIONS, SOFTMAX, RESHAPE = 17, 25, 22


def rewritten(data: bytes) -> bytes:
    """A .tflite file that bakenn reads: fixed batch, RESHAPE with (empty) options, no SOFTMAX as the last operator.

    The buffer is patched in place, and new operator tables are appended: offsets of flatbuffers point forward.
    """
    import tflite

    buffer = bytearray(data)
    model = tflite.Model.GetRootAs(data, 0)
    graph = model.Subgraphs(0)
    for index in range(graph.TensorsLength()):
        tensor = graph.Tensors(index)
        where = _vector(tensor._tab, 18)  # shape_signature
        for axis in range(tensor.ShapeSignatureLength() if where else 0):
            struct.pack_into("<i", buffer, where + 4 * axis, tensor.Shape(axis))
    operators = _vector(graph._tab, 10)
    for index in range(graph.OperatorsLength()):
        operator = graph.Operators(index)
        code = model.OperatorCodes(operator.OpcodeIndex())
        kind = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        if kind == RESHAPE and not operator.BuiltinOptionsType():
            table = _with_options(buffer, operator)
            struct.pack_into("<I", buffer, operators + 4 * index, table - (operators + 4 * index))
        if kind == SOFTMAX and index == graph.OperatorsLength() - 1:
            outputs = _vector(graph._tab, 8)
            struct.pack_into("<i", buffer, outputs, operator.Inputs(0))
            struct.pack_into("<I", buffer, operators - 4, index)
    return bytes(buffer)


def _vector(table: Any, field: int) -> int:
    """Where the elements of a vector begin; 0 where the table has none."""
    offset = table.Offset(field)
    return int(table.Vector(offset)) if offset else 0


def _with_options(buffer: bytearray, operator: Any) -> int:
    """Append a copy of a RESHAPE with an empty table of options; where it lies."""
    buffer += bytes(-len(buffer) % 4)
    # Field offsets in the operator's table: opcode, inputs, outputs, type of the options, options.
    vtable, empty = struct.pack("<7H", 14, 24, 4, 8, 12, 20, 16), struct.pack("<2H", 4, 4)
    start = len(buffer)
    buffer += vtable + empty + bytes(-(len(vtable) + len(empty)) % 4)
    table = len(buffer)
    buffer += bytes(24)
    options = len(buffer)
    buffer += struct.pack("<i", options - (start + len(vtable)))
    places = []
    for items in (operator.InputsAsNumpy(), operator.OutputsAsNumpy()):
        places.append(len(buffer))
        buffer += struct.pack(f"<I{len(items)}i", len(items), *(int(i) for i in items))
    struct.pack_into("<iI", buffer, table, table - start, operator.OpcodeIndex())
    for field, target in ((8, places[0]), (12, places[1]), (16, options)):
        struct.pack_into("<I", buffer, table + field, target - (table + field))
    buffer[table + 20] = RESHAPE_OPTIONS
    return table


HARNESS = """#include "harness.h"
#include "bknn_net.h"
static int8_t input[{input_bytes}], output[{output_bytes}];
static uint8_t arena[{arena_bytes}] __attribute__((aligned(16)));
static int32_t init(void) {{ return 0; }}
static int32_t run(void) {{ bknn_net_infer(arena, input, output); return 0; }}
static const struct eq_input inputs[] = {{{{input, sizeof input}}}};
static const struct eq_output outputs[] = {{{{output, sizeof output}}}};
const struct eq_harness eq_harness_net = {{"net", init, run, inputs, 1, outputs, 1}};
"""


def bakenn(model: bytes, board: Board, folder: Path, sample: bytes) -> tuple[dict[str, Any], bytes]:
    """Figures and output codes of bakenn's C on a board: CMSIS-NN where the core has DSP instructions."""
    import bakenn as peer

    from edgeq.mcu.runners import pick_runner
    from edgeq.mcu.toolchains import find_toolchain

    target = {"cortex-m4": peer.CORTEX_M4, "cortex-m0": peer.CORTEX_M0PLUS, "rv32imac": peer.RV32IMC}.get(
        board.core or "", peer.PORTABLE_32
    )
    fast = board.core == "cortex-m4"
    policy = peer.KernelPolicy.STATIC_PRIORITY if fast else peer.KernelPolicy.PORTABLE
    options = peer.CBackendOptions(kernel_policy=policy, enable_cmsis_nn=fast, target=target)
    made = peer.compile_tflite(rewritten(model), folder, name="net", backend_options=options).artifacts
    report = made.memory_report
    sizes = {key: max(getattr(report, key), 1) for key in ("input_bytes", "output_bytes", "arena_bytes")}
    harness = folder / "edgeq_harness_net.c"
    harness.write_text(HARNESS.format(**sizes), "utf-8")
    toolchain = find_toolchain(board)
    linked = toolchain.link(
        [harness, made.model_source, made.weights_source, made.kernels_source, *made.support_sources],
        folder / "firmware.elf",
        board,
        include_dirs=[folder, *made.support_include_dirs],
        defines=["BAKENN_CMSIS_NN_BUILTIN_MEMORY"] if fast else [],
        extra_flags=["-std=c11", "-w"],
    )
    ran = pick_runner(board, "qemu").run(linked.elf, sample, count=True, timeout_s=600)
    assert ran.counts is not None
    kernels = sorted({step.kernel_id for step in report.steps})
    return {
        "stack": f"bakenn {peer.__version__}" + (" + CMSIS-NN" if fast else ", portable C"),
        "instructions": ran.counts.total,
        "flash": linked.flash,
        "ram": linked.ram_static + ran.stack_peak,
        "arena": report.arena_bytes,
        "kernels": kernels,
    }, ran.outputs


def ours(net: Graph, board: Board, x: np.ndarray) -> dict[str, Any]:
    """The same figures of edgeq."""
    from edgeq.mcu.bench import bench

    found = bench(net, board, inputs={net.inputs[0]: x}, runner="qemu")
    figures = {key: found[key] for key in ("instructions", "flash", "ram", "arena")}
    return {"stack": f"edgeq {edgeq.__version__}", **figures, "kernels": sorted({r["kernel"] for r in found["layers"]})}


def before_softmax(net: Graph) -> str:
    """The value that bakenn's copy of the network ends with."""
    last = net.producer(net.outputs[0])
    return last.inputs[0] if last is not None and last.op.startswith("softmax") else net.outputs[0]


def compared(name: str, path: Path, board: Board, folder: Path) -> dict[str, Any]:
    """Both stacks on one model and board; `equal` says whether both give the same codes before SOFTMAX."""
    net = edgeq.load(path)
    value = net.values[net.inputs[0]]
    lo, hi = value.format.code_range
    x = np.random.default_rng(0).integers(lo, hi + 1, (1, *value.shape))
    row: dict[str, Any] = {"model": name, "board": board.name, "ours": ours(net, board, x)}
    try:
        figures, codes = bakenn(path.read_bytes(), board, folder, x.astype(np.int8).tobytes())
    except Exception as error:  # whatever the peer raises is what is reported
        return {**row, "peer": None, "refused": f"{type(error).__name__}: {error}"}
    want = net.trace(x)[before_softmax(net)].astype(np.int8).tobytes()
    return {**row, "peer": figures, "equal": codes == want}


def rows(boards: list[str], models: Path, only: str, keep: Path) -> Iterator[dict[str, Any]]:
    """Every model on every board."""
    for board in boards:
        for name, stem in PUBLISHED.items():
            path = models / f"{stem}.tflite"
            if path.is_file() and only.lower() in name.lower():
                yield compared(name, path, load_board(board), keep / f"{stem}_{board}")


def line(row: dict[str, Any]) -> str:
    """One row of the table."""
    own, peer = row["ours"], row["peer"]
    text = f"{row['model']:11} {row['board']:11} {own['stack']:25} {own['instructions']:>12,}"
    text += f" {own['flash']:>9,} {own['ram']:>8,}"
    if peer is None:
        return f"{text}\n{'':23} bakenn: {row['refused']}"
    times = peer["instructions"] / own["instructions"]
    figures = f"{peer['instructions']:>12,} {peer['flash']:>9,} {peer['ram']:>8,} {times:8.2f}"
    return f"{text}\n{'':23} {peer['stack']:25} {figures}  {'same codes' if row['equal'] else 'OTHER CODES'}"


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("boards", nargs="*", default=list(BOARDS))
    parser.add_argument("--models", type=Path, default=MODELS, help="folder of the published .tflite files")
    parser.add_argument("--only", default="", help="part of a model's name")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--keep", type=Path, help="folder for bakenn's sources and images")
    asked = parser.parse_args()
    if importlib.util.find_spec("bakenn") is None:
        print("bakenn is not installed here; pip install bakenn", file=sys.stderr)
        return 2
    found = []
    with tempfile.TemporaryDirectory(prefix="edgeq-peers-") as scratch:
        if not asked.json:
            print(f"{'model':11} {'board':11} {'stack':25} {'instructions':>12} {'flash':>9} {'RAM':>8} {'× ours':>8}")
        try:
            for row in rows(asked.boards, asked.models, asked.only, asked.keep or Path(scratch)):
                found.append(row)
                if not asked.json:
                    print(line(row), flush=True)
        except EdgeqError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
    if asked.json:
        print(json.dumps(found, indent=1))
    if not found:
        print(f"no published models in {asked.models}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
