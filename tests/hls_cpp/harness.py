"""Run functions of hls/cpp: all instances that some tests ask for in one compiled program, beats in, beats out.

The benches of the Verilog modules (tests/hls) give their parameters, beats, memories and expected numbers: a `Program`
has a `run` with the arguments of `hls.harness.run`. First it only notes which instances are asked for (`collect`), then
they are compiled together, then it runs them. Calls are written by the convention of hls/cpp/README.md, nothing else.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hls.harness import HarnessError, Result, Sink, Source, memory

LIBRARY = Path(__file__).parents[2] / "hls" / "cpp"
#: modules whose parameters say how many beats an inference has; a bench may run several
FRAMES = {
    "eq_window": ("OH", "OW", "REPEAT", "KH", "KW", "C"),
    "eq_move": ("OUT_BEATS",),
    "eq_resize_bilinear": ("OH", "OW", "C"),
}


def headers() -> Path | None:
    """The folder of ap_int.h and hls_stream.h that the installed hls4ml brings."""
    spec = importlib.util.find_spec("hls4ml")
    if spec is None or spec.origin is None:
        return None
    found = Path(spec.origin).parent / "templates" / "vivado" / "ap_types"
    return found if (found / "ap_int.h").is_file() else None


needs_compiler = pytest.mark.skipif(
    not shutil.which("g++") or headers() is None,
    reason="needs g++ and hls4ml, whose ap_types are the headers of HLS (pip install hls4ml)",
)


def head(module: str) -> list[tuple[str, str]]:
    """Template parameters of a function: name and default ("" where there is none)."""
    text = (LIBRARY / f"{module}.hpp").read_text()
    found = re.search(rf"template <([^>]*)>\nvoid {module}\(", text)
    assert found, f"{module}.hpp has no template head in front of its function"
    parameters = []
    for part in " ".join(found[1].split()).split(", "):
        name, _, default = part.partition(" = ")
        parameters.append((name.split()[-1], default))
    return parameters


@dataclass(frozen=True)
class Instance:
    """One function with its parameters; widths of its streams, ROMs, calls (inferences)."""

    module: str
    arguments: tuple[str, ...]
    ins: tuple[int, ...]
    outs: tuple[int, ...]
    roms: int
    calls: int

    def text(self, number: int) -> str:
        """The C++ of one job."""
        streams = [f"s{i}" for i in range(len(self.ins))] + [f"m{i}" for i in range(len(self.outs))]
        lines = [f"hls::stream<ap_uint<{w}> > s{i}; take(s{i});" for i, w in enumerate(self.ins)]
        lines += [f"hls::stream<ap_uint<{w}> > m{i};" for i, w in enumerate(self.outs)]
        lines += [f"Rom r{i};" for i in range(self.roms)]
        names = ", ".join([*streams, *(f"r{i}" for i in range(self.roms))])
        lines.append(f"for (int i = 0; i < {self.calls}; i++) {self.module}<{', '.join(self.arguments)}>({names});")
        lines += [f"give(m{i});" for i in range(len(self.outs))]
        return f"static void job{number}() {{\n" + "".join(f"    {line}\n" for line in lines) + "}\n"


def instance_of(
    module: str,
    parameters: Mapping[str, int | str],
    sources: Mapping[str, Source],
    sinks: Mapping[str, Sink],
    files: Mapping[str, str],
) -> Instance:
    """The instance that a call of a bench asks for."""
    count = next(iter(sinks.values())).count
    values = {name: value for name, value in parameters.items() if value not in files and name != "DIGITS"}
    known = dict(head(module))
    assert not values.keys() - known.keys() - {"BEATS"}, f"{module} has no parameter {values.keys() - known.keys()}"
    size = 1
    for name in FRAMES.get(module, ()):
        size *= int(values.get(name, known[name]))
    size //= int(values.get("LANES", 1)) if module == "eq_window" else 1
    beats = size if module in FRAMES else count
    arguments = []
    for name, default in known.items():
        if name == "BEATS":
            arguments.append(str(beats))
        elif name == "COUNTS":  # one number for each input of eq_concat
            packed, n = int(parameters.get("BEATS", (1 << 32) | 1)), int(values.get("N", 2))
            arguments += [str(packed >> (32 * i) & 0xFFFFFFFF) for i in range(n)]
        elif default:
            arguments.append(_argument(values.get(name, default)))
    return Instance(
        module,
        tuple(arguments),
        tuple(source.width for source in sources.values()),
        tuple(sink.width for sink in sinks.values()),
        len(files) + ("DIGITS" in parameters),
        count // beats,
    )


def _argument(value: int | str) -> str:
    """A template argument: texts of the Verilog are names here."""
    if isinstance(value, int):
        return f"{value}LL" if value.bit_length() > 31 else str(value)
    return value if value.startswith("EQ_") or value.lstrip("-").isdigit() else f"EQ_{value.upper()}"


PRELUDE = """// all instances that the tests ask for
#include "eq_all.hpp"
#include <iostream>
#include <string>
#include <vector>

template <int W>
ap_uint<W> number(const std::string& word) {
    if ((W + 3) / 4 != (int)word.size()) std::cout << "ERROR " << word << " is no word of " << W << " bits\\n";
    ap_uint<W + 4> v = 0;
    for (char c : word) v = (v << 4) | ap_uint<W + 4>(c <= '9' ? c - '0' : c - 'a' + 10);
    return v;
}
template <int W>
void take(hls::stream<ap_uint<W> >& s) {
    int n;
    std::string word;
    for (std::cin >> n; n > 0; n--) { std::cin >> word; s.write(number<W>(word)); }
}
template <int W>
void give(hls::stream<ap_uint<W> >& m) {
    std::cout << "BEATS";
    while (!m.empty()) {
        const ap_uint<W + 4> v = m.read();
        std::cout << ' ';
        for (int i = (W + 3) / 4 - 1; i >= 0; i--) std::cout << "0123456789abcdef"[ap_uint<4>(v >> (4 * i)).to_int()];
    }
    std::cout << '\\n';
}
struct Rom {
    std::vector<std::string> words;
    Rom() {
        int n;
        std::cin >> n;
        words.resize(n);
        for (auto& word : words) std::cin >> word;
    }
    template <int W>
    operator const ap_uint<W>*() const {
        ap_uint<W>* found = new ap_uint<W>[words.size()];
        for (size_t i = 0; i < words.size(); i++) found[i] = number<W>(words[i]);
        return found;
    }
};
"""
MAIN = """
int main() {
    static void (*const jobs[])() = {JOBS};
    int job;
    while (std::cin >> job) jobs[job]();
}
"""


@dataclass
class Program:
    """Instances, and the program that has them all.

    flip: for tests of the tests: "beat": all beats that come in are inverted; "rom": a bit of each word of the first
    memory is.
    """

    folder: Path
    instances: dict[Instance, int] = field(default_factory=dict)
    built: bool = False
    flip: str = ""

    def collect(self, cases: list[Callable[[], Any]], modules: list[ModuleType]) -> None:
        """Note the instances that cases ask for; their comparisons do not count yet."""
        with pytest.MonkeyPatch.context() as patch:
            for module in modules:
                patch.setattr(module, "run", self.run)
            for case in cases:
                try:
                    case()
                except AssertionError:
                    continue

    def build(self) -> None:
        """Compile; any warning is an error."""
        jobs = "".join(instance.text(number) for instance, number in self.instances.items())
        names = ", ".join(f"job{number}" for number in self.instances.values())
        (self.folder / "jobs.cpp").write_text(PRELUDE + jobs + MAIN.replace("JOBS", names))
        options = ["-std=c++14", "-O0", "-Wall", "-Werror", "-Wno-unknown-pragmas", "-isystem", str(headers())]
        command = ["g++", *options, "-I", str(LIBRARY), "jobs.cpp", "-o", "jobs"]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[:8000]
        self.built = True

    def run(
        self,
        module: str,
        parameters: Mapping[str, int | str],
        sources: Mapping[str, Source],
        sinks: Mapping[str, Sink],
        *,
        files: Mapping[str, str] | None = None,
        **_: object,
    ) -> Result:
        """What the function makes of the beats, as `hls.harness.run` says what the module does; nobody stalls here."""
        memories = {str(v): (files or {})[str(v)] for v in parameters.values() if v in (files or {})}
        instance = instance_of(module, parameters, sources, sinks, memories)
        if not self.built:
            self.instances.setdefault(instance, len(self.instances))
            return Result({name: [0] * sink.count for name, sink in sinks.items()}, _cycles(sources, sinks))
        text = " ".join([str(self.instances[instance]), *self._words(parameters, sources, memories)])
        done = subprocess.run([self.folder / "jobs"], input=text, capture_output=True, text=True, check=True)
        lines = done.stdout.splitlines()
        if bad := [line for line in lines if not line.startswith("BEATS")]:
            raise HarnessError("\n".join(bad[:4]))  # read while empty, left over, widths
        result = Result(cycles=_cycles(sources, sinks))
        for (name, sink), line in zip(sinks.items(), lines, strict=True):
            result.beats[name] = [int(word, 16) for word in line.split()[1:]]
            assert len(result.beats[name]) == sink.count, f"{name}: {len(result.beats[name])} of {sink.count} beats"
        return result

    def _words(
        self, parameters: Mapping[str, int | str], sources: Mapping[str, Source], memories: Mapping[str, str]
    ) -> list[str]:
        """Beats of the inputs and words of the memories, each with their number in front."""
        rows = []
        for source in sources.values():
            flip = (1 << source.width) - 1 if self.flip == "beat" else 0
            beats = [beat ^ flip for beat in source.beats]
            rows.append(memory(beats, source.width).split())
        if "DIGITS" in parameters:
            count, digits = int(parameters["MH"]) * int(parameters["TERMS"]), int(parameters["DIGITS"])
            rows.append(memory([digits >> (24 * i) for i in range(count)], 24).split())
        roms = [memories[str(v)].split() for v in parameters.values() if v in memories]
        if self.flip == "rom":
            assert roms, "no memory"
            # the lowest bit of the top digit: there in words of any width, and addresses stay within
            roms[0] = [f"{int(word, 16) ^ 1 << 4 * len(word) - 4:0{len(word)}x}" for word in roms[0]]
        return [f"{len(row)} {' '.join(row)}" for row in [*rows, *roms]]


def _cycles(sources: Mapping[str, Source], sinks: Mapping[str, Sink]) -> dict[str, list[int]]:
    """C++ has no cycles: a beat a cycle, for benches that look at them."""
    return {
        **{name: list(range(len(source.beats))) for name, source in sources.items()},
        **{name: list(range(sink.count)) for name, sink in sinks.items()},
    }
