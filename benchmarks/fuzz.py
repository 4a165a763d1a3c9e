"""Damaged model files: each has to be read or to give one clear error, in little time and memory.

    python benchmarks/fuzz.py tflite|onnx --minutes 60 [--seed 1] [--keep FOLDER]

Whole files of all operators are damaged (bytes and words changed, cut off, parts repeated, left out or taken from
another file) and handed to the parser in worker processes of limited memory. A finding is anything else than an
EdgeqError of one line that names the file: another exception, more than TIME seconds, a process that died. Findings are
kept as files that `tests/frontends/test_fuzz_corpus.py` reads again. A further parser is one entry in TARGETS.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from edgeq.errors import EdgeqError  # noqa: E402
from edgeq.frontends import load  # noqa: E402
from edgeq.frontends.survey import survey  # noqa: E402

#: seconds of the processor, and bytes of address space beside those of the libraries, that a file may take
TIME = 20.0
MEMORY = 2 << 30
#: files that one worker process sees
BATCH = 400
#: words that parsers trip over
WORDS = (0, 1, -1, 2, 4, 127, 128, 255, 256, 65535, 65536, 1 << 20, 1 << 26, 1 << 30, (1 << 31) - 1, -(1 << 31))

Rng = np.random.Generator


def tflite_seeds() -> list[bytes]:
    """One file of each operator that the generated tests make, and a few of several."""
    from frontends import test_tflite_more, test_tflite_operators

    makers = {**test_tflite_operators.MAKERS, **test_tflite_more.MAKERS}
    files = [make(np.random.default_rng(seed)) for make in makers.values() for seed in (1, 2)]
    return [*files, test_tflite_more.dynamic_reshape(), test_tflite_more.two_by_two()]


def onnx_seeds() -> list[bytes]:
    """The quantised networks of the generated tests, a few operators each."""
    from frontends import test_onnx_operators as tests

    found = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "whole.onnx"
        for body, shapes, scale in tests.CASES.values():
            found.append(tests.qdq(path, body, shapes, scale, 3).read_bytes())
        found += [tests.qlinear_conv(path, seed, True)[0].read_bytes() for seed in (1, 2)]
    return found


@dataclass(frozen=True)
class Target:
    """A parser: the suffix of its files, and whole files to start from."""

    suffix: str
    seeds: Callable[[], list[bytes]]


TARGETS = {"onnx": Target(".onnx", onnx_seeds), "tflite": Target(".tflite", tflite_seeds)}


def damaged(rng: Rng, files: Sequence[bytes]) -> bytes:
    """A file with one fault, or up to six: most of those are seen at the first."""
    data = bytearray(files[int(rng.integers(len(files)))])
    for _ in range(1 if rng.integers(2) else int(rng.integers(2, 7))):
        FAULTS[int(rng.integers(len(FAULTS)))](rng, data, files)
    return bytes(data)


def _byte(rng: Rng, data: bytearray, files: Sequence[bytes]) -> None:
    if data:
        data[int(rng.integers(len(data)))] = int(rng.choice([0, 255, 127, 128, rng.integers(256)]))


def _bit(rng: Rng, data: bytearray, files: Sequence[bytes]) -> None:
    if data:
        data[int(rng.integers(len(data)))] ^= 1 << int(rng.integers(8))


def _word(rng: Rng, data: bytearray, files: Sequence[bytes]) -> None:
    """An aligned word: an offset, a length, a size, an index."""
    if len(data) >= 8:
        at = 4 * int(rng.integers(len(data) // 4))
        near = int.from_bytes(data[at : at + 4], "little", signed=True) + int(rng.integers(-8, 9))
        word = near if rng.integers(2) else WORDS[int(rng.integers(len(WORDS)))]
        data[at : at + 4] = (word & 0xFFFFFFFF).to_bytes(4, "little")


def _cut(rng: Rng, data: bytearray, files: Sequence[bytes]) -> None:
    if rng.integers(4) == 0:
        del data[int(rng.integers(len(data) + 1)) :]


def _left_out(rng: Rng, data: bytearray, files: Sequence[bytes]) -> None:
    at = int(rng.integers(len(data) + 1))
    del data[at : at + 4 * int(rng.integers(1, 9))]


def _repeated(rng: Rng, data: bytearray, files: Sequence[bytes]) -> None:
    at, size = int(rng.integers(len(data) + 1)), 4 * int(rng.integers(1, 9))
    data[at:at] = data[at : at + size]


def _foreign(rng: Rng, data: bytearray, files: Sequence[bytes]) -> None:
    """A part of another file in the place of this one's."""
    other = files[int(rng.integers(len(files)))]
    size = int(rng.choice([4, 8, 16, 64]))
    at, source = (4 * int(rng.integers(len(d) // 4 + 1)) for d in (data, other))
    part = other[source : source + size]
    data[at : at + len(part)] = part


FAULTS = (_byte, _byte, _bit, _word, _word, _word, _cut, _left_out, _repeated, _foreign)


def attempt(path: Path) -> tuple[str, str]:
    """("read" or "refused", the message), or ("finding", what is wrong)."""
    outcome, message = "read", ""
    for look in (load, survey):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", RuntimeWarning)  # nobody is told of overflows inside
                look(path)
        except EdgeqError as error:
            message = str(error)
            outcome = "refused" if look is load else outcome
            if "\n" in message or str(path) not in message or len(message) > 2000:
                return "finding", f"{look.__name__}: not one clear line: {message[:300]!r}"
        except BaseException as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            return "finding", f"{look.__name__}: {type(error).__name__} at {place.filename}:{place.lineno}: {error}"
    return outcome, message


class TooLongError(BaseException):
    """The alarm of a file that takes too long."""


def _alarm(signum: int, frame: object) -> None:
    raise TooLongError(f"more than {TIME:.0f} s")


def work(target: Target, files: Sequence[bytes], seed: int, first: int, pipe: int, folder: Path) -> None:
    """In a worker: files first … first + BATCH; each line on the pipe is [number, outcome, message]."""
    limit = MEMORY + int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    signal.signal(signal.SIGPROF, _alarm)
    path = folder / f"file{target.suffix}"
    with os.fdopen(pipe, "w") as out:
        for number in range(first, first + BATCH):
            path.write_bytes(damaged(np.random.default_rng([seed, number]), files))
            print(json.dumps([number, "started", ""]), file=out, flush=True)
            signal.setitimer(signal.ITIMER_PROF, TIME)
            outcome, message = attempt(path)
            signal.setitimer(signal.ITIMER_PROF, 0)
            print(json.dumps([number, outcome, message.replace(str(path), "FILE")[:500]]), file=out, flush=True)


def batch(target: Target, files: Sequence[bytes], seed: int, first: int, folder: Path) -> list[tuple[int, str, str]]:
    """Outcomes of one worker; the file that it died of is a finding."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            work(target, files, seed, first, writing, folder)
        finally:
            os._exit(0)
    os.close(writing)
    outcomes, open_number = [], None
    with os.fdopen(reading) as lines:
        for line in lines:
            number, outcome, message = json.loads(line)
            open_number = number if outcome == "started" else None
            if outcome != "started":
                outcomes.append((number, outcome, message))
    _, status = os.waitpid(child, 0)
    if open_number is not None:
        outcomes.append((open_number, "finding", f"the process died of it (status {status})"))
    return outcomes


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("target", choices=sorted(TARGETS))
    parser.add_argument("--minutes", type=float, default=1.0, help="time to run")
    parser.add_argument("--files", type=int, default=1 << 62, help="stop after about so many files")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="folder for findings, one file of each kind")
    asked = parser.parse_args(arguments)
    target = TARGETS[asked.target]
    # Workers are forks: what is loaded here they need not load.
    import edgeq.frontends.floating.tflite  # noqa: F401

    files, counts, kinds = target.seeds(), Counter[str](), dict[str, str]()
    end, first, began = time.monotonic() + 60 * asked.minutes, 0, time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / f"whole{target.suffix}"
        whole.write_bytes(files[0])
        attempt(whole)
        while time.monotonic() < end and first < asked.files:
            for number, outcome, message in batch(target, files, asked.seed, first, Path(folder)):
                counts[outcome] += 1
                if outcome != "finding":
                    continue
                kind = message.partition(": ")[2][:90] or message
                if kind not in kinds:
                    kinds[kind] = message
                    print(f"finding, file {number} of seed {asked.seed}: {message}", flush=True)
                    if asked.keep:
                        data = damaged(np.random.default_rng([asked.seed, number]), files)
                        asked.keep.mkdir(parents=True, exist_ok=True)
                        name = hashlib.sha256(data).hexdigest()[:12]
                        (asked.keep / f"{name}{target.suffix}").write_bytes(data)
            first += BATCH
    spent = time.process_time() - began + sum(os.times()[2:4])
    print(
        f"{asked.target}: {counts.total():,} files from {len(files)} whole ones, "
        f"{spent / 60:.1f} CPU minutes: {counts['read']:,} read, {counts['refused']:,} refused with one clear error, "
        f"{counts['finding']:,} findings of {len(kinds)} kinds"
    )
    return 1 if kinds else 0


if __name__ == "__main__":
    raise SystemExit(main())
