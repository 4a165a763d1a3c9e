"""Runs graphs through the C kernels on this machine, without arena or plan: every value in a buffer of its own.

One C program holds a batch of graphs. Under AddressSanitizer each buffer has its exact size, so that a kernel that
reads or writes one element too far is caught, and UndefinedBehaviorSanitizer watches the arithmetic.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgeq.ir import Graph, analyse
from edgeq.mcu.ops import lower, overwritten
from edgeq.mcu.step import Blob, Param, Step
from edgeq.mcu.storage import storage, to_memory, value_bytes

FIRMWARE = Path(__file__).resolve().parents[2] / "firmware"
CODES = npt.NDArray[np.int64]
WARNINGS = ("-std=c99", "-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror")
SANITIZE = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-O1", "-g")
#: changes a lowered step before it is rendered, to show that a fault is found
Mutation = Callable[[Step], Step]


@functools.cache
def sanitizes(compiler: str) -> bool:
    """Whether a compiler is here with what its sanitizers link: Debian's clang comes without (libclang-rt-dev)."""
    if shutil.which(compiler) is None:
        return False
    command = [compiler, *SANITIZE, "-x", "c", "-", "-o", os.devnull]
    return subprocess.run(command, input=b"int main(void) { return 0; }", capture_output=True).returncode == 0


def compilers() -> list[str]:
    """The host compilers that are installed, sanitizers and all."""
    return [name for name in ("gcc", "clang") if sanitizes(name)]


def run_graphs(
    cases: Sequence[tuple[Graph, Mapping[str, CODES]]],
    folder: Path,
    *,
    cc: str = "gcc",
    flags: Sequence[str] = SANITIZE,
    features: Sequence[str] = (),
    mutate: Mutation | None = None,
    in_place: bool = False,
) -> list[dict[str, CODES]]:
    """Trace of each graph, as the emulator gives it.

    in_place: let outputs lie over the last input that the operator allows.
    """
    folder.mkdir(parents=True, exist_ok=True)
    source, binary = folder / "net.c", folder / "net"
    source.write_text(program([graph for graph, _ in cases], features, mutate, in_place))
    includes = [f"-I{FIRMWARE / 'include'}", f"-I{FIRMWARE / 'kernels'}"]
    subprocess.run([cc, *WARNINGS, *flags, *includes, str(source), "-o", str(binary)], check=True)
    data = b"".join(_input_bytes(graph, inputs) for graph, inputs in cases)
    done = subprocess.run([str(binary)], input=data, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()[-3000:]
    traces, offset = [], 0
    for graph, inputs in cases:
        trace, offset = _read_trace(graph, _batch(inputs), done.stdout, offset)
        traces.append(trace)
    assert offset == len(done.stdout)
    return traces


def program(
    graphs: Sequence[Graph], features: Sequence[str] = (), mutate: Mutation | None = None, in_place: bool = False
) -> str:
    """C source that runs each graph on samples from stdin and writes every value to stdout."""
    return _program(graphs, [_lowered(graph, features, mutate) for graph in graphs], in_place)


def _lowered(graph: Graph, features: Sequence[str], mutate: Mutation | None) -> list[Step | None]:
    ranges = analyse(graph)
    steps = [lower(graph, node, ranges, features) for node in graph.nodes]
    return [mutate(s) if s is not None and mutate is not None else s for s in steps]


def _batch(inputs: Mapping[str, CODES]) -> int:
    return int(next(iter(inputs.values())).shape[0])


def _computed(graph: Graph) -> list[str]:
    return [*graph.inputs, *(name for node in graph.nodes for name in node.outputs)]


def _input_bytes(graph: Graph, inputs: Mapping[str, CODES]) -> bytes:
    batch = _batch(inputs)
    head = np.array([batch], dtype="<i4").tobytes()
    samples = [
        to_memory(inputs[name][i], graph.values[name].format).tobytes() for i in range(batch) for name in graph.inputs
    ]
    return head + b"".join(samples)


def _read_trace(graph: Graph, batch: int, out: bytes, offset: int) -> tuple[dict[str, CODES], int]:
    trace = {name: np.zeros((batch, *graph.values[name].shape), dtype=np.int64) for name in _computed(graph)}
    for i in range(batch):
        for name in _computed(graph):
            value = graph.values[name]
            size = value_bytes(value)
            raw = np.frombuffer(out[offset : offset + size], dtype=np.uint8)[None]
            trace[name][i] = storage(value.format).from_bytes(raw, value.size).reshape(value.shape)
            offset += size
    return trace, offset


def _program(graphs: Sequence[Graph], steps: Sequence[Sequence[Step | None]], in_place: bool) -> str:
    kernels = sorted({s.kernel for graph in steps for s in graph if s is not None})
    parts = [
        "#include <stdio.h>",
        "#include <stdlib.h>",
        '#include "edgeq_kernel.h"',
        *(f'#include "{k}.h"' for k in kernels),
    ]
    parts += _instances(steps)
    parts += [_graph_text(i, g, s, in_place) for i, (g, s) in enumerate(zip(graphs, steps, strict=True))]
    calls = "\n".join(f"    net{i}();" for i in range(len(graphs)))
    return "\n".join(parts) + f"\nint main(void)\n{{\n{calls}\n    return 0;\n}}\n"


def _instance(step: Step) -> str:
    """Name of the function that is the kernel with these compile-time arguments."""
    return "run_" + step.kernel + "".join("_" + re.sub(r"\W+", "_", f) for f in step.fixed)


def _instances(steps: Sequence[Sequence[Step | None]]) -> list[str]:
    """Steps with equal fixed arguments share one function, as in a generated project."""
    found = {
        _instance(s): f"static void {_instance(s)}(const eq_{s.kernel}_t *p, const void *const x[], void *y"
        f"{', void *scratch' if s.scratch else ''})\n"
        f"{{\n    eq_{s.kernel}(p, x, y{', scratch' if s.scratch else ''}{''.join(f', {f}' for f in s.fixed)});\n}}"
        for graph in steps
        for s in graph
        if s is not None
    }
    return list(found.values())


def _graph_text(index: int, graph: Graph, steps: Sequence[Step | None], in_place: bool) -> str:
    names = _computed(graph)
    number = {name: i for i, name in enumerate(names)}
    globals_, body = [], []
    for i, (node, step) in enumerate(zip(graph.nodes, steps, strict=True)):
        if step is None:
            source, target = number[node.inputs[0]], number[node.outputs[0]]
            size = value_bytes(graph.values[node.outputs[0]])
            body.append(f"eq_copy(v[{target}], 0, v[{source}], 0, 1, {size}, EQ_U(8));")
            continue
        prefix = f"n{index}_{i}_"
        blobs, fields = _fields(step.params, prefix)
        globals_ += [*blobs, f"static const eq_{step.kernel}_t {prefix}p = {{{', '.join(fields)}}};"]
        over = set(overwritten(graph, node, step)[-1:] if in_place else ())
        x = ", ".join("over" if name in over else f"v[{number[name]}]" for name in step.inputs) or "NULL"
        y = number[step.output]
        room = ", scratch" if step.scratch else ""
        call = f"{_instance(step)}(&{prefix}p, x, {'over' if over else f'v[{y}]'}{room});"
        if step.scratch:
            call = f"void *scratch = malloc({step.scratch}); {call} free(scratch);"
        call = f"const void *const x[] = {{{x}}}; {call}"
        if over:
            # The buffer has exactly the input's size, so that an output that is wider is caught.
            source = number[over.pop()]
            copy, back = f"eq_copy(over, 0, v[{source}], 0, 1, (int32_t)size[{source}], EQ_U(8));", f"size[{y}]"
            call = f"void *over = malloc(size[{source}]); {copy} {call} "
            call += f"eq_copy(v[{y}], 0, over, 0, 1, (int32_t){back}, EQ_U(8)); free(over);"
        body.append(f"{{ {call} }}")
    sizes = [value_bytes(graph.values[name]) for name in names]
    lines = [
        *globals_,
        f"static void net{index}(void)",
        "{",
        f"    void *v[{len(names)}];",
        f"    static const size_t size[{len(names)}] = {{{', '.join(map(str, sizes))}}};",
        "    int32_t batch;",
        "    if (fread(&batch, 4, 1, stdin) != 1) exit(1);",
        f"    for (int i = 0; i < {len(names)}; i++) v[i] = malloc(size[i]);",
        "    for (int32_t s = 0; s < batch; s++) {",
        f"        for (int i = 0; i < {len(graph.inputs)}; i++)",
        "            if (fread(v[i], 1, size[i], stdin) != size[i]) exit(1);",
        *(f"        {line}" for line in body),
        f"        for (int i = 0; i < {len(names)}; i++) fwrite(v[i], 1, size[i], stdout);",
        "    }",
        f"    for (int i = 0; i < {len(names)}; i++) free(v[i]);",
        "}",
    ]
    return "\n".join(lines)


def _fields(params: Mapping[str, Param], prefix: str) -> tuple[list[str], list[str]]:
    blobs, fields = [], []
    for key, value in params.items():
        if isinstance(value, Blob):
            items = ", ".join(str(int(v)) for v in value.data.reshape(-1))
            name = f"{prefix}{value.name}"
            assert name.isidentifier()
            blobs.append(f"static const {value.ctype} {name}[] = {{{items}}};")
            fields.append(f".{key} = {name}")
        elif isinstance(value, tuple):
            fields.append(f".{key} = {{{', '.join(map(str, value))}}}")
        else:
            fields.append(f".{key} = {value}")
    return blobs, fields
