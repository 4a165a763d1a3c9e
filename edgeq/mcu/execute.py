"""Executing a build: on this computer in process, under the sanitizers, or on an emulated board."""

from __future__ import annotations

import contextlib
import ctypes
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from edgeq.errors import InputError, ToolError
from edgeq.mcu.build import BuildResult, link_image
from edgeq.mcu.host import find_host_compiler
from edgeq.mcu.storage import storage
from edgeq.mcu.tiles import Indices, byte_indices, shown_bytes
from edgeq.schedule.stream import Nothing, RowStep, run_stretch

if TYPE_CHECKING:
    from edgeq.emulator import Trace
    from edgeq.mcu.program import Program
    from edgeq.mcu.runners import RunResult
    from edgeq.schedule import Patches

Inputs = Mapping[str, npt.NDArray[Any]]
Bytes = npt.NDArray[np.uint8]

#: bytes of trace that are held at once
CHUNK_BYTES = 64 << 20
#: what a trace has in place of the bytes of a step that was left out (firmware/ports/harness.h)
LEFT_OUT = 0xA5
RUN_TIMEOUT_S = 1800.0


def trace(build: BuildResult, inputs: Inputs, *, runner: str | None = None, sanitize: bool = False) -> Trace:
    """Run a batch and return the codes of every value, as the emulator does.

    inputs: codes in the graph's layout, batch first. runner: "qemu" or "unicorn" for a board. sanitize: on the
    host, run a program built with ASan and UBSan instead of the library. Graph outputs are read after the run,
    all else after its step. Where steps run for some samples only (edgeq/schedule/guards.py), the others are masked.
    ToolError when the run does not end well.
    """
    return _execute(build, inputs, True, runner, sanitize)


def run(build: BuildResult, inputs: Inputs, *, runner: str | None = None, sanitize: bool = False) -> Trace:
    """As `trace`, but the graph's outputs only, which is faster."""
    return _execute(build, inputs, False, runner, sanitize)


def measure(
    build: BuildResult, inputs: Inputs, *, runner: str | None = None, profile: bool = False, count: bool = True
) -> RunResult:
    """Run a batch on an emulated board and return what its runner measured: stack peak and instruction counts.

    profile: use an image whose hooks let the counter tell layers apart.
    """
    from edgeq.mcu.runners import pick_runner

    if build.elf is None:
        raise InputError(f"board {build.board.name}: nothing is emulated, so nothing can be measured")
    elf = _image(build, "profile") if profile else build.elf
    return pick_runner(build.board, runner).run(
        elf, _joined(build, inputs).tobytes(), count=count, timeout_s=RUN_TIMEOUT_S
    )


def stack_peak(build: BuildResult) -> int | None:
    """Bytes of stack that one sample of zeros needs on the emulated board; None where no emulator is installed."""
    from edgeq.mcu.runners import available_runners

    if build.elf is None or not available_runners(build.board):
        return None
    return measure(build, zero_inputs(build), count=False).stack_peak


def zero_inputs(build: BuildResult) -> dict[str, npt.NDArray[np.int64]]:
    """One sample of code zero, which every format has."""
    return {n: np.zeros((1, *build.graph.values[n].shape), dtype=np.int64) for n in build.graph.inputs}


def _execute(build: BuildResult, inputs: Inputs, traced: bool, runner: str | None, sanitize: bool) -> Trace:
    raw = _joined(build, inputs)
    samples = max(1, CHUNK_BYTES // max(1, _trace_bytes(build) if traced else _output_bytes(build)))
    parts = []
    for start in range(0, len(raw), samples):
        chunk = raw[start : start + samples]
        if build.library is None:
            outs, steps = _on_board(build, chunk, traced, runner)
        elif sanitize:
            outs, steps = _sanitized(build, chunk, traced)
        else:
            outs, steps = _in_process(build, chunk, traced)
        given = {name: np.asarray(codes)[start : start + samples].astype(np.int64) for name, codes in inputs.items()}
        parts.append(_decoded(build, outs, steps, given))
    found: Trace = {name: _joint([p[name] for p in parts]) for name in parts[0]}
    if traced:
        _join_slices(build, found)
        for node in (n for n in build.graph.nodes if n.outputs[0] in build.plan.aliases):
            host = found[build.plan.aliases[node.outputs[0]]]
            found.setdefault(node.outputs[0], host.reshape(len(raw), *build.graph.values[node.outputs[0]].shape))
    return found


def _join_slices(build: BuildResult, found: Trace) -> None:
    """Put values of the network that ran in slices together again, in place of all that the slices added."""
    for name, pieces in build.program.pieces.items():
        found[name] = _joint([found[piece] for piece in pieces], axis=-1)
    if build.program.pieces:
        for name in found.keys() - build.graph.values.keys():
            del found[name]


def _joint(parts: Sequence[npt.NDArray[Any]], axis: int = 0) -> npt.NDArray[Any]:
    """Arrays one after another, masked where they are."""
    if any(isinstance(part, np.ma.MaskedArray) for part in parts):
        found: npt.NDArray[Any] = np.ma.concatenate(parts, axis=axis)  # type: ignore[no-untyped-call]
        return found
    return np.concatenate(parts, axis=axis)


def mask_left_out(program: Program, found: Trace) -> None:
    """Mask the samples of steps that were left out, by the conditions that the trace itself shows.

    found: codes of every step's output and of the inputs. ToolError where a step ran though its conditions do not hold.
    """
    for call in (call for call in program.calls if call.guard):
        codes, slot = found[call.step.output], program.slots[call.step.output]
        runs = np.ones(len(codes), dtype=np.bool_)
        for name, code in call.guard:
            runs &= np.ma.getdata(found[program.plan.root(name)]).reshape(len(codes)) == code
        filler = slot.stored.from_bytes(np.full((1, slot.bytes), LEFT_OUT, dtype=np.uint8), slot.value.size)
        if not (codes[~runs].reshape(-1, slot.value.size) == filler).all():
            raise ToolError(f"{program.name}: {call.node.label} ran for an input that does not need it")
        mask = np.repeat(~runs, slot.value.size).reshape(codes.shape)
        found[call.step.output] = np.ma.masked_array(codes, mask)


def _joined(build: BuildResult, inputs: Inputs) -> Bytes:
    """The bytes of every sample's inputs, one row each; InputError unless they fit the graph."""
    graph = build.graph
    if set(inputs) != set(graph.inputs):
        raise InputError(f"{graph.name}: takes inputs {', '.join(graph.inputs)}, given {', '.join(inputs)}")
    rows = []
    for name in graph.inputs:
        value, codes = graph.values[name], np.asarray(inputs[name])
        if codes.shape[1:] != value.shape or codes.ndim != len(value.shape) + 1 or not len(codes):
            raise InputError(f"input {name}: codes of shape {codes.shape}, expected (batch, {value.shape})")
        value.format.check_codes(codes, f"input {name}")
        rows.append(storage(value.format).to_bytes(codes))
    if len({len(r) for r in rows}) != 1:
        raise InputError("inputs have different batch sizes")
    return np.ascontiguousarray(np.concatenate(rows, axis=1))


def _output_bytes(build: BuildResult) -> int:
    return sum(build.program.slots[n].bytes for n in build.graph.outputs)


def _trace_bytes(build: BuildResult) -> int:
    return sum(shown_bytes(build.program, call) for call in build.program.calls)


def _decoded(build: BuildResult, outs: Bytes, steps: Bytes | None, given: Trace) -> Trace:
    """Codes of the values in rows of bytes: the outputs', and if traced those of every step and the inputs as given."""
    found: Trace = {}
    if steps is not None:
        found.update(given)
        whole, seen = _in_order(build, steps)
        shown = [c.step.output for c in build.program.calls]
        missing = [n for n, part in _parts(build, shown) if not seen[part].all()]  # no tile needs all of it
        found.update((n, codes) for n, codes in _split(build, whole, shown) if n not in missing)
        mask_left_out(build.program, found)
    found.update(_split(build, outs, list(build.graph.outputs)))
    return found


def _in_order(build: BuildResult, steps: Bytes) -> tuple[Bytes, npt.NDArray[np.bool_]]:
    """The trace with the rows of each step together, and which bytes it has: steps by rows show them in turns.

    Fused ones show tiles of the maps between them, parts of which come several times and must be the same each time.
    """
    program = build.program
    if not program.plan.stretches:
        return steps, np.ones(steps.shape[1], dtype=np.bool_)
    start, starts, sizes = 0, {}, {}
    for call in program.calls:
        starts[call.node.name], sizes[call.node.name] = start, program.slots[call.step.output].bytes
        start += sizes[call.node.name]
    pieces: list[Indices] = []
    for name in program.plan.order:
        stretch = program.plan.stretch(name)
        if stretch is not None:
            turns = _Turns()
            run_stretch(stretch, turns)
            for step, row, count in turns.seen:
                if step.patches is not None:
                    pieces += _tiles(build, step.patches, row, starts)
                each = stretch.rows[step.output].row_bytes
                first = row + step.height - count
                pieces.append(starts[step.node] + first * each + np.arange(count * each))
        elif name in starts:
            pieces.append(starts[name] + np.arange(sizes[name]))
    at = np.concatenate(pieces)
    found, inside = np.zeros((len(steps), start), dtype=np.uint8), at >= 0
    found[:, at[inside]] = steps[:, inside]
    if not np.array_equal(found[:, at[inside]], steps[:, inside]):
        raise ToolError(f"{program.name}: a fused step computed a code anew and found another one")
    seen = np.zeros(start, dtype=np.bool_)
    seen[at[inside]] = True
    return found, seen


def _tiles(
    build: BuildResult, patches: Patches, row: int, starts: Mapping[str, int]
) -> Iterator[npt.NDArray[np.int64]]:
    """Where the bytes belong that the patches from a row on show, all but those of the last node; -1: padding."""
    values = build.program.graph.values
    for corner in patches.corners(row):
        for name in (name for name in patches.plan.order[:-1] if name in patches.nodes):
            value = values[next(n for n in patches.graph.nodes if n.name == name).outputs[0]]
            pixel = build.program.slots[value.name].bytes // (value.shape[0] * value.shape[1])
            at = byte_indices(patches.regions[value.name], value, corner, pixel)
            yield np.where(at < 0, -1, starts[name] + at)


class _Turns(Nothing):
    """Notes which rows of which node are made when, and how many of them are new."""

    def __init__(self) -> None:
        self.seen: list[tuple[RowStep, int, int]] = []

    def step(self, step: RowStep, slots: Sequence[int], out: int, row: int, count: int) -> None:
        self.seen.append((step, row, count))


def _split(build: BuildResult, rows: Bytes, names: list[str]) -> Iterator[tuple[str, npt.NDArray[np.int64]]]:
    for name, part in _parts(build, names):
        slot = build.program.slots[name]
        yield name, slot.stored.from_bytes(rows[:, part], slot.value.size).reshape(len(rows), *slot.value.shape)


def _parts(build: BuildResult, names: list[str]) -> Iterator[tuple[str, slice]]:
    """Where the bytes of each value lie in rows that hold one after the other."""
    start = 0
    for name in names:
        end = start + build.program.slots[name].bytes
        yield name, slice(start, end)
        start = end


@contextlib.contextmanager
def _loaded(path: Path) -> Iterator[ctypes.CDLL]:
    """A shared library, unloaded afterwards: thousands of them pass through one process in tests."""
    import _ctypes

    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        raise ToolError(f"{path}: cannot be loaded ({error}); build the network again") from error
    try:
        yield library
    finally:
        if sys.platform == "win32":
            _ctypes.FreeLibrary(library._handle)
        else:
            _ctypes.dlclose(library._handle)


def _in_process(build: BuildResult, raw: Bytes, traced: bool) -> tuple[Bytes, Bytes | None]:
    assert build.library is not None
    outs = np.zeros((len(raw), _output_bytes(build)), dtype=np.uint8)
    steps = np.zeros((len(raw), _trace_bytes(build)), dtype=np.uint8) if traced else None
    with _loaded(build.library) as library:
        call = library.edgeq_host_run
        call.restype = ctypes.c_int32
        call.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint32]
        status = call(raw.ctypes.data, outs.ctypes.data, steps.ctypes.data if steps is not None else None, len(raw))
    if status != 0:
        raise ToolError(f"{build.program.name}: ended with status {status}; look it up in edgeq.h")
    return outs, steps


def _sanitized(build: BuildResult, raw: Bytes, traced: bool) -> tuple[Bytes, Bytes | None]:
    """Run the sanitizer build as a program of its own, since the sanitizers cannot be loaded into a process."""
    program = build.path / "build" / f"{build.program.name}_sanitized"
    if not program.is_file():
        find_host_compiler(build.toolchain_name).sanitized(build.path, build.program.name, program)
    size = _trace_bytes(build) if traced else 0
    with tempfile.TemporaryDirectory(prefix="edgeq-host-") as scratch:
        Path(scratch, "edgeq_in.bin").write_bytes(raw.tobytes())
        Path(scratch, "edgeq_guard.bin").write_bytes(_guard(build).tobytes())
        command = [str(program), str(len(raw)), str(size)]
        quiet = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0"}
        try:
            done = subprocess.run(
                command,
                cwd=scratch,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=RUN_TIMEOUT_S,
                check=False,
                env=quiet,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ToolError(f"{program.name}: did not run ({error})") from error
        if done.returncode != 0:
            lines = done.stdout.decode("utf-8", "replace").splitlines()
            told = [line for line in lines if "ERROR" in line or "runtime error" in line] or lines or ["no message"]
            raise ToolError(f"{build.program.name} under the sanitizers: {told[0].strip()}")
        outs = np.fromfile(Path(scratch, "edgeq_out.bin"), dtype=np.uint8).reshape(len(raw), -1)
        if not traced:
            return outs, None
        return outs, np.fromfile(Path(scratch, "edgeq_trace.bin"), dtype=np.uint8).reshape(len(raw), -1)


def _guard(build: BuildResult) -> npt.NDArray[np.uint32]:
    """For each stage (inputs, steps, outputs) the places that may be touched; read by `firmware/ports/host.c`."""
    graph, slots, program = build.graph, build.program.slots, build.program
    steps = [program.area(call) for call in program.calls]
    for index, call in enumerate(program.calls[:-1]):
        # The last step of a stretch may have shown a row while others of the stretch still run.
        if call.stretch is not None and program.calls[index + 1].stretch is not call.stretch:
            steps[index + 1] = steps[index + 1] + steps[index]
    ends = ([slots[name].place for name in names] for names in (graph.inputs, graph.outputs))
    first, last = ends
    if program.calls and program.calls[-1].stretch is not None:
        last = last + steps[-1]
    stages = [first, *steps, last]
    words = [build.plan.arena_bytes]
    for places in stages:
        words += [len(places), *(word for place in places for word in (place.offset, place.bytes))]
    return np.asarray(words, dtype=np.uint32)


def _on_board(build: BuildResult, raw: Bytes, traced: bool, runner: str | None) -> tuple[Bytes, Bytes | None]:
    from edgeq.mcu.runners import pick_runner

    assert build.elf is not None
    elf = _image(build, "trace") if traced else build.elf
    result = pick_runner(build.board, runner).run(elf, raw.tobytes(), trace=traced, timeout_s=RUN_TIMEOUT_S)
    outs = _rows(result.outputs, len(raw), _output_bytes(build), result.runner)
    return outs, _rows(result.trace, len(raw), _trace_bytes(build), result.runner) if traced else None


def _rows(data: bytes, samples: int, each: int, where: str) -> Bytes:
    if len(data) != samples * each:
        raise ToolError(f"{where}: wrote {len(data)} bytes, expected {samples} samples of {each}")
    return np.frombuffer(data, dtype=np.uint8).reshape(samples, each)


def _image(build: BuildResult, kind: str) -> Path:
    """The image with hooks that trace or profile, linked when it is first asked for."""
    elf = build.path / "build" / f"{kind}.elf"
    if not elf.is_file():
        define = {"trace": "EDGEQ_TRACE", "profile": "EDGEQ_PROFILE"}[kind]
        link_image(build.program, build.path, elf, build.optimize, build.toolchain_name, (define,))
    return elf
