"""K-hot weights on microcontrollers: shifts and adds beside multiplications, counted instruction by instruction.

    python benchmarks/khot_c.py

A linear layer of int8, 64 inputs and 16 outputs, four rows at a time as the library's kernels have it, four ways:
multiply   a loop of loads and products, weights of a byte;
digits     a loop over digits, {negative, shift} a byte: acc += x << shift ^ sign, as in hls/rtl;
straight   no loop: the weights are the code, a shifted add for each digit that is not zero;
factors    the same code with products by constants, as a compiler makes of it what it likes.

Each is compiled with gcc -O2 for each core, run in unicorn and compared with numpy; instructions and reads of memory
are those between entry and return, for each MAC. Cycles are estimated: 1 for an instruction, 1 more for a read, 2 more
for a jump that is taken. A core without a multiplier calls libgcc.

    python benchmarks/khot_c.py --kernels

The library's own kernels on a core without a multiplier (board riscv32e, counted in QEMU): lists of digits, conv_khot,
beside products, for weights of one to three digits and inputs with and without a sign.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from edgeq.boards import load_board  # noqa: E402
from edgeq.formats import FixedPoint, KHot  # noqa: E402
from edgeq.fpga.digits import signed_digits  # noqa: E402
from edgeq.ir import Graph, GraphBuilder, analyse, operator  # noqa: E402
from edgeq.mcu.build import build, golden_sample  # noqa: E402
from edgeq.mcu.execute import measure  # noqa: E402
from edgeq.mcu.ops import lower  # noqa: E402
from edgeq.mcu.select import chosen_by_rank  # noqa: E402
from edgeq.mcu.step import Blob  # noqa: E402

INPUTS, OUTPUTS, ROWS = 64, 16, 4
TEXT, DATA, STACK, END = 0x10000, 0x40000, 0x60000, 0x70000
ARM = ("arm-none-eabi-gcc", "-mthumb", "-mfloat-abi=soft")
RISCV = ("riscv64-unknown-elf-gcc", "-mcmodel=medany")
#: core -> compiler and flags
CORES = {
    "Cortex-M0": (*ARM, "-mcpu=cortex-m0"),
    "Cortex-M3": (*ARM, "-mcpu=cortex-m3"),
    "Cortex-M4": (*ARM, "-mcpu=cortex-m4"),
    "RV32EC, no multiplier": (*RISCV, "-march=rv32ec", "-mabi=ilp32e"),
    "RV32IMAC": (*RISCV, "-march=rv32imac", "-mabi=ilp32"),
}


def array(name: str, kind: str, values: np.ndarray) -> str:
    """A constant array in C."""
    return f"static const {kind} {name}[{values.size}] = {{{', '.join(map(str, values.ravel().tolist()))}}};\n"


def loops(weight: np.ndarray, term: str, table: str) -> str:
    """Rows by four, a loop over the inputs; `term` is what a row adds, of x and weights w[PLACE]."""
    terms = "\n".join(f"            a{r} += {term.replace('PLACE', f'(o + {r}) * {INPUTS} + i')};" for r in range(ROWS))
    start, put = (" ".join(f"{text(r)};" for r in range(ROWS)) for text in (_start, _put))
    return f"""{table}
void layer(const int8_t *x, const int32_t *bias, int32_t *y)
{{
    for (int32_t o = 0; o < {len(weight)}; o += {ROWS}) {{
        {start}
        for (int32_t i = 0; i < {INPUTS}; i++) {{
            const int32_t v = x[i];
{terms}
        }}
        {put}
    }}
}}
"""


def _start(row: int) -> str:
    return f"acc a{row} = (acc)bias[o + {row}]"


def _put(row: int) -> str:
    return f"y[o + {row}] = (int32_t)a{row}"


def multiply(weight: np.ndarray) -> str:
    return loops(weight, "v * w[PLACE]", array("w", "int8_t", weight))


def digits(weight: np.ndarray) -> str:
    """One byte a digit, K bytes a weight: its shift, and the top bit if it is negative; not there: a shift of 31.

    Results are short of one for each negative digit, which a bias would hold, and of the 32nd bit.
    """
    count = max(len(signed_digits(int(v))) for v in np.unique(weight))
    table = np.full((count, *weight.shape), 31)
    for place, value in np.ndenumerate(weight):
        for i, (shift, negative) in enumerate(signed_digits(int(value))):
            table[(i, *place)] = shift - 128 * negative
    body = "".join(array(f"d{i}", "int8_t", digit) for i, digit in enumerate(table))
    one = "((uint32_t)v << (d#[PLACE] & 31) ^ (uint32_t)(d#[PLACE] >> 7))"
    return loops(weight, " + ".join(one.replace("#", str(i)) for i in range(count)), body)


def negative_digits(weight: np.ndarray) -> np.ndarray:
    """Of each row."""
    return np.array([sum(n for v in row for _, n in signed_digits(int(v))) for row in weight])


def unrolled(weight: np.ndarray, term: Callable[[int, int], list[str]]) -> str:
    """No loop: for each four rows all inputs, `term(row, weight)` for each."""
    lines = []
    for o in range(0, len(weight), ROWS):
        lines += ["    {", *(f"        {_start(r).replace('[o', f'[{o}')};" for r in range(ROWS)), "        int32_t v;"]
        for i in range(INPUTS):
            terms = [line for r in range(ROWS) for line in term(r, int(weight[o + r, i]))]
            lines += [f"        v = x[{i}]; {' '.join(terms)}"] if terms else []
        lines += [*(f"        {_put(r).replace('[o', f'[{o}')};" for r in range(ROWS)), "    }"]
    body = "\n".join(lines)
    return f"void layer(const int8_t *x, const int32_t *bias, int32_t *y)\n{{\n{body}\n}}\n"


def straight(weight: np.ndarray) -> str:
    def term(row: int, value: int) -> list[str]:
        return [f"a{row} {'-' if negative else '+'}= v * (1 << {shift});" for shift, negative in signed_digits(value)]

    return unrolled(weight, term)


def factors(weight: np.ndarray) -> str:
    return unrolled(weight, lambda row, value: [f"a{row} += v * {value};"] if value else [])


WAYS = {"multiply": multiply, "digits": digits, "straight": straight, "factors": factors}


@dataclass
class Count:
    """Of one run of a layer."""

    instructions: int = 0
    reads: int = 0
    jumps: int = 0
    size: int = 0

    @property
    def cycles(self) -> int:
        return self.instructions + self.reads + 2 * self.jumps


def measured(core: str, text: str, x: np.ndarray, bias: np.ndarray) -> tuple[np.ndarray, Count]:
    """Compile, run, count; the results."""
    compiler, *flags = CORES[core]
    with tempfile.TemporaryDirectory() as folder:
        source, elf, raw = (Path(folder, name) for name in ("layer.c", "layer.elf", "layer.bin"))
        kind = "uint32_t" if "uint32_t" in text else "int32_t"  # sums that wrap are scheduled worse
        source.write_text(f"#include <stdint.h>\ntypedef {kind} acc;\n{text}")
        common = ["-O2", "-std=c99", "-ffreestanding", "-nostdlib", "-nostartfiles"]
        link = [f"-Wl,-Ttext={TEXT:#x},-e,layer,--section-start=.rodata={TEXT + 0x18000:#x}", "-lgcc"]
        subprocess.run([compiler, *flags, *common, str(source), "-o", str(elf), *link], check=True)
        tool = compiler.replace("gcc", "objcopy")
        subprocess.run([tool, "-O", "binary", "-j", ".text", "-j", ".rodata", str(elf), str(raw)], check=True)
        names, sections = (said(compiler, words, elf) for words in (["nm"], ["size", "-A"]))
        entry = next(int(words[0], 16) for words in names if words[-1] == "layer")
        size = sum(int(words[1]) for words in sections if words[0] in (".text", ".rodata"))
        return run(core, raw.read_bytes(), entry, x, bias, size)


def said(compiler: str, words: list[str], elf: Path) -> list[list[str]]:
    """Words of the lines that one of the compiler's other tools prints of a program."""
    command = [compiler.replace("gcc", words[0]), *words[1:], str(elf)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [line.split() for line in done.stdout.splitlines() if line.strip()]


def run(core: str, image: bytes, entry: int, x: np.ndarray, bias: np.ndarray, size: int) -> tuple[np.ndarray, Count]:
    """One call of layer(x, bias, y) in unicorn."""
    import unicorn
    from unicorn import arm_const, riscv_const

    arm = core.startswith("Cortex")
    mode = unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS if arm else unicorn.UC_MODE_RISCV32
    uc: Any = unicorn.Uc(unicorn.UC_ARCH_ARM if arm else unicorn.UC_ARCH_RISCV, mode)
    if arm:
        uc.ctl_set_cpu_model(arm_const.UC_CPU_ARM_CORTEX_M4)
    uc.mem_map(0, 0x80000)
    uc.mem_write(TEXT, image)
    uc.mem_write(DATA, x.astype(np.int8).tobytes())
    uc.mem_write(DATA + 0x1000, bias.astype("<i4").tobytes())
    names = [f"UC_ARM_REG_{n}" for n in ("R0", "R1", "R2", "SP", "LR")]
    if not arm:
        names = [f"UC_RISCV_REG_{n}" for n in ("A0", "A1", "A2", "SP", "RA")]
    for name, value in zip(names, (DATA, DATA + 0x1000, DATA + 0x2000, STACK, END | arm), strict=True):
        uc.reg_write(getattr(arm_const if arm else riscv_const, name), value)
    count, last = Count(size=size), [entry - 2]

    def step(_: Any, address: int, width: int, __: object) -> None:
        count.instructions += 1
        count.jumps += address != last[0]
        last[0] = address + width

    def read(*_: object) -> None:
        count.reads += 1

    last[0] = entry
    uc.hook_add(unicorn.UC_HOOK_CODE, step)
    uc.hook_add(unicorn.UC_HOOK_MEM_READ, read)
    uc.emu_start(entry | arm, END)
    out = bytes(uc.mem_read(DATA + 0x2000, 4 * OUTPUTS))
    return np.array(struct.unpack(f"<{OUTPUTS}i", out)), count


#: name, input, weights, groups of layers of the library
LAYERS = (
    ("linear, 64 to 16", (64,), (16, 64), 0),
    ("3x3, 8 to 8 channels", (6, 6, 8), (8, 3, 3, 8), 1),
    ("3x3 depthwise, 16 channels", (6, 6, 16), (16, 3, 3, 1), 16),
    ("1x1, 16 to 16 channels", (6, 6, 16), (16, 1, 1, 16), 1),
    ("1x1, 1 to 16 channels", (6, 6, 1), (16, 1, 1, 1), 1),
)


def layers(count: int, signed: bool) -> Graph:
    """`LAYERS` side by side, with weights of so many digits."""
    rng, b, outs = np.random.default_rng(0), GraphBuilder("khot"), list[str]()
    for i, (_, shape, weights, groups) in enumerate(LAYERS):
        x = b.input(f"x{i}", shape, FixedPoint(8, 4, signed))
        w = b.constant(f"w{i}", rng.choice(KHot(8, count).levels, weights), FixedPoint(8, 6))
        pad = (weights[1] // 2,) * 4 if groups else ()
        window = {"stride": (1, 1), "padding": pad, "dilation": (1, 1), "groups": groups} if groups else {}
        outs.append(b.node("conv" if groups else "linear", f"y{i}", [x, w], FixedPoint(8, 2), **window))
    return b.build(outs)


def kernels() -> None:
    """Every layer by both kernels: instructions and bytes of constants for each product that the layer stands for."""
    print("| inputs | layer | digits | lists | products | bytes, lists | bytes, products | chosen |")
    print("|---|---|---|---|---|---|---|---|")
    for signed, count in product((True, False), (1, 2, 3)):
        net, found = layers(count, signed), list[list[tuple[float, float]]]()
        sample = golden_sample(net)
        for rank in (0, 1):
            with tempfile.TemporaryDirectory() as folder, chosen_by_rank(rank):
                made = build(net, "riscv32e", Path(folder, "net"))
                counts = measure(made, {n: sample[n][None] for n in net.inputs}, profile=True).counts
            assert counts is not None
            macs = [operator(c.node.op).macs(c.node, net.ins(c.node), net.outs(c.node)) for c in made.program.calls]
            sizes = [
                sum(v.data.nbytes for v in c.step.params.values() if isinstance(v, Blob)) for c in made.program.calls
            ]
            each = zip(made.program.calls, macs, sizes, strict=True)
            found.append([(counts.per_layer[c.index] / m, size / net.ins(c.node)[1].size) for c, m, size in each])
        ranges, board = analyse(net), load_board("riscv32e")
        for i, (name, *_) in enumerate(LAYERS):
            step = lower(net, net.nodes[i], ranges, board.isa)
            assert step is not None
            (lists, some), (products, all_) = found[0][i], found[1][i]
            kind = "signed" if signed else "unsigned"
            row = (kind, name, str(count), f"{lists:.1f}", f"{products:.1f}", f"{some:.1f}", f"{all_:.1f}", step.kernel)
            print("|", " | ".join(row), "|", flush=True)


def main() -> None:
    if "--kernels" in sys.argv[1:]:
        kernels()
        return
    rng = np.random.default_rng(0)
    x, bias = rng.integers(-128, 128, INPUTS), rng.integers(-1000, 1000, OUTPUTS)
    macs = INPUTS * OUTPUTS
    print("| core | digits | way | instructions / MAC | reads / MAC | cycles / MAC (estimate) | bytes / MAC |")
    print("|---|---|---|---|---|---|---|")
    for core, (compiler, *_) in CORES.items():
        if not shutil.which(compiler):
            print(f"{compiler} is missing", file=sys.stderr)
            continue
        for count in (1, 2):
            weight = rng.choice(KHot(8, count).levels, (OUTPUTS, INPUTS))
            for way, make in WAYS.items():
                found, cost = measured(core, make(weight), x, bias)
                wanted = weight @ x + bias
                if way == "digits":  # the ones are the bias's, the 32nd bit is shifted out
                    found = (found + negative_digits(weight)).astype(np.int32) << 1 >> 1
                assert np.array_equal(found, wanted), f"{core}: {way} computes something else"
                each = [f"{n / macs:.2f}" for n in (cost.instructions, cost.reads, cost.cycles, cost.size)]
                print("|", " | ".join((core, str(count), way, *each)), "|", flush=True)


if __name__ == "__main__":
    main()
