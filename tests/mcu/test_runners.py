"""Both emulators on every board: results, traces, stack, counts that repeat and are right, failures told apart."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from mcu.tiny import (
    BUILDS,
    MCU_BOARDS,
    TINY,
    C,
    any_toolchain,
    build,
    expected_output,
    expected_trace,
    runner,
    samples,
    toolchain,
)

from edgeq.boards import load_board
from edgeq.errors import InputError, ToolError
from edgeq.mcu.runners import QemuRunner, UnicornRunner, pick_runner, plugin
from edgeq.mcu.runners.thumb import Kind, decode, estimate_cycles
from edgeq.mcu.toolchains import ports_dir, read_image

MACHINES = ["qemu", "unicorn"]


@pytest.mark.sample(2)
@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(("name", "compiler"), BUILDS)
def test_outputs_and_traces_are_equal_on_every_machine(name: str, compiler: str, machine: str, tmp_path: Path) -> None:
    board = load_board(name)
    tool, emulator = toolchain(board, compiler), runner(board, machine)
    x = samples(3)
    plain = tool.link([TINY], tmp_path / "plain.elf", board)
    result = emulator.run(plain.elf, x.tobytes())
    assert result.outputs == expected_output(x)
    assert (result.samples, result.exit_code, result.text, result.trace) == (3, 0, "", b"")
    assert 16 <= result.stack_peak <= 512
    # What the linker left for the stack, less the frames of the harness itself.
    room = board.ram.size - plain.ram_static
    assert room - 512 <= result.stack_room < room
    traced = tool.link([TINY], tmp_path / "traced.elf", board, defines=["EDGEQ_TRACE"])
    result = emulator.run(traced.elf, x.tobytes(), trace=True)
    assert result.outputs == expected_output(x)
    assert result.trace == expected_trace(x)


@pytest.mark.sample(2)
@pytest.mark.parametrize("name", MCU_BOARDS)
def test_counts_repeat_and_add_up(name: str, tmp_path: Path) -> None:
    board = load_board(name)
    emulator = runner(board, "qemu")
    elf = build(name, tmp_path, "EDGEQ_PROFILE").elf
    x = samples(4).tobytes()
    first, second, third = (emulator.run(elf, x, count=True).counts for _ in range(3))
    assert first is not None
    assert first == second == third
    assert first.exact
    assert len(first.regions) == 4
    assert set(first.per_layer) == {-1, 0, 1}
    assert sum(first.regions) == sum(first.per_layer.values()) == sum(first.per_function.values()) == first.total
    assert first.per_function["run"] > 4 * 16
    assert not any(function.startswith(("edgeq_", "main")) for function in first.per_function)
    if board.core in ("cortex-m3", "cortex-m4"):
        assert first.cycles_estimated == sum(first.cycles_per_layer.values())
        assert first.total < first.cycles_estimated < 3 * first.total
    else:
        assert first.cycles_estimated is None
    if board.unicorn_cpu is not None:
        other = runner(board, "unicorn").run(elf, x, count=True).counts
        assert other is not None
        assert not other.exact
        assert set(other.per_layer) == set(first.per_layer)
        for step, count in first.per_layer.items():
            assert abs(other.per_layer[step] - count) <= 0.02 * count


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(
    ("name", "defines", "instructions", "cycles"),
    [
        # By reading count_net.c; cycles: 100 + 99 * 3 + 1 for the loop, 3 for the return, 1 for each other.
        ("cortex-m0", [], 203, None),
        ("cortex-m4", [], 203, 403),
        ("cortex-m4", ["IT_BLOCK"], 205, 405),
        ("cortex-m55", [], 203, None),
        ("riscv32", [], 203, None),
    ],
)
def test_counts_are_those_of_the_source(
    name: str, defines: list[str], instructions: int, cycles: int | None, machine: str, tmp_path: Path
) -> None:
    board = load_board(name)
    emulator = runner(board, machine)
    image = any_toolchain(board).link([C / "count_net.c"], tmp_path / "x.elf", board, defines=defines)
    counts = emulator.run(image.elf, bytes(8), count=True).counts
    assert counts is not None
    assert counts.regions == (instructions, instructions)
    assert counts.per_run == instructions
    assert counts.per_function == {"counted_run": 2 * instructions}
    assert counts.per_layer == {-1: 2 * instructions}
    assert counts.cycles_estimated == (None if cycles is None else 2 * cycles)


@pytest.mark.parametrize("machine", MACHINES)
def test_a_wrong_output_is_seen(machine: str, tmp_path: Path) -> None:
    emulator = runner(load_board("cortex-m4"), machine)
    x = samples(2)
    result = emulator.run(build("cortex-m4", tmp_path, broken="wrong_output").elf, x.tobytes())
    differing = [i for i, (a, b) in enumerate(zip(result.outputs, expected_output(x), strict=True)) if a != b]
    assert differing
    assert {i % 68 // 4 for i in differing} == {5}


FAILURES = [
    ("hard_fault", "qemu", r"HardFault at pc 0x[0-9a-f]{8} in run"),
    ("hard_fault", "unicorn", r"fault at pc 0x[0-9a-f]{8} in run: Invalid memory write"),
    ("undefined", "qemu", r"HardFault at pc 0x[0-9a-f]{8} in run"),
    ("undefined", "unicorn", r"fault at pc 0x[0-9a-f]{8} in run: Invalid instruction"),
    ("lockup", "qemu", r"the processor locked up"),
    ("lockup", "unicorn", r"fault at pc 0x[0-9a-f]{8} in run"),
    ("loop", "qemu", r"no end after 1 s; the network loops for ever"),
    ("loop", "unicorn", r"no end after 1 s \(now in run\)"),
    ("bad_init", "qemu", r"init returned status 77"),
    ("bad_init", "unicorn", r"init returned status 77"),
    ("bad_run", "qemu", r"run returned status -5 at sample 0"),
    ("bad_run", "unicorn", r"run returned status -5 at sample 0"),
    ("deep_stack", "qemu", r"the stack ran out"),
    ("deep_stack", "unicorn", r"the stack ran out"),
]


@pytest.mark.parametrize(("broken", "machine", "complaint"), FAILURES)
def test_every_failure_is_one_clear_line(broken: str, machine: str, complaint: str, tmp_path: Path) -> None:
    name = "stm32vldiscovery"
    emulator = runner(load_board(name), machine)
    elf = build(name, tmp_path, broken=broken).elf
    with pytest.raises(ToolError, match=rf"^{name} \((QEMU|unicorn)\): .*{complaint}") as caught:
        emulator.run(elf, samples(1).tobytes(), timeout_s=1 if broken == "loop" else 20)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("broken", "cause"), [("hard_fault", 7), ("undefined", 2)])
def test_a_trap_on_riscv_is_named(broken: str, cause: int, tmp_path: Path) -> None:
    emulator = runner(load_board("riscv32"), "qemu")
    with pytest.raises(ToolError, match=rf"riscv32 \(QEMU\): trap, mcause {cause} at pc 0x8000[0-9a-f]+ in run"):
        emulator.run(build("riscv32", tmp_path, broken=broken).elf, samples(1).tobytes(), timeout_s=20)


@pytest.mark.parametrize("machine", MACHINES)
def test_input_files_of_any_length(machine: str, tmp_path: Path) -> None:
    emulator = runner(load_board("cortex-m3"), machine)
    elf = build("cortex-m3", tmp_path).elf
    nothing = emulator.run(elf, b"")
    assert (nothing.samples, nothing.outputs) == (0, b"")
    with pytest.raises(ToolError, match="input ends inside sample 2; each sample has 17 bytes"):
        emulator.run(elf, samples(3).tobytes()[:-1])
    with pytest.raises(ToolError, match="nothing was counted"):
        emulator.run(elf, b"", count=True)
    with pytest.raises(ToolError, match="build the image with -DEDGEQ_TRACE"):
        emulator.run(elf, samples(1).tobytes(), trace=True)


@pytest.mark.parametrize("machine", MACHINES)
def test_images_without_the_harness_are_told_so(machine: str, tmp_path: Path) -> None:
    board = load_board("cortex-m4")
    emulator = runner(board, machine)
    source = tmp_path / "main.c"
    source.write_text(
        '#include "semihost.h"\nint main(void)\n{\n    eq_sh_print("hello\\n");\n'
        "    eq_sh_exit(STATUS);\n    return 0;\n}\n"
    )
    semihost = ports_dir() / "semihost.c"
    for status, complaint in ((0, "ended without a report"), (9, "exit status 9: hello")):
        image = any_toolchain(board).link(
            [source, semihost], tmp_path / "x.elf", board, defines={"STATUS": status}, harness=False
        )
        with pytest.raises(ToolError, match=complaint):
            emulator.run(image.elf, b"")
        with pytest.raises(ToolError, match="has no marker edgeq_mark_start"):
            emulator.run(image.elf, b"", count=True)


def test_qemu_is_preferred_then_unicorn_then_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    m4, m55 = load_board("cortex-m4"), load_board("cortex-m55")
    runner(m4, "qemu"), runner(m4, "unicorn")
    assert pick_runner(m4).name == "qemu"
    assert pick_runner(m4, prefer="unicorn").name == "unicorn"
    with pytest.raises(ToolError, match="unicorn has no model of its core"):
        pick_runner(m55, prefer="unicorn")
    with pytest.raises(ToolError, match="runner 'renode': unknown"):
        pick_runner(m4, prefer="renode")
    with pytest.raises(InputError, match="board host"):
        pick_runner(load_board("host"))
    monkeypatch.setattr("edgeq.mcu.runners.qemu.shutil.which", lambda name: None)
    assert pick_runner(m4).name == "unicorn"
    with pytest.raises(ToolError, match=r"board cortex-m55: no emulator of it is installed; install qemu-system-arm"):
        pick_runner(m55)
    with pytest.raises(ToolError, match="qemu-system-arm is not installed"):
        QemuRunner(m4)
    monkeypatch.setattr("edgeq.mcu.runners.unicorn.importlib.util.find_spec", lambda name: None)
    with pytest.raises(ToolError, match="pip install unicorn"):
        UnicornRunner(m4)
    with pytest.raises(ToolError, match="install qemu-system-arm or pip install unicorn"):
        pick_runner(m4)


def test_the_plugin_is_built_once_and_a_broken_compiler_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugin, "cache_dir", lambda: tmp_path / "cache")
    built = plugin.build_plugin(1)
    stamp = built.stat().st_mtime_ns
    assert plugin.build_plugin(1) == built
    assert built.stat().st_mtime_ns == stamp
    assert plugin.build_plugin(2) != built
    assert len(list((tmp_path / "cache").iterdir())) == 2
    false = shutil.which("false")
    if false is not None:
        monkeypatch.setattr(plugin, "_compiler", lambda: [false])
        with pytest.raises(ToolError, match="cannot build the QEMU plugin"):
            plugin.build_plugin(1)
    monkeypatch.setattr(plugin, "_compiler", lambda: ["/no/such/compiler"])
    with pytest.raises(ToolError, match="cannot be built"):
        plugin.build_plugin(1)


def test_a_plugin_built_by_zig_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board = load_board("cortex-m4")
    emulator = runner(board, "qemu")
    toolchain(board, "zig")
    monkeypatch.setattr(plugin, "cache_dir", lambda: tmp_path / "cache")
    monkeypatch.setattr(plugin.shutil, "which", lambda name: None)
    image = any_toolchain(board).link([C / "count_net.c"], tmp_path / "x.elf", board)
    counts = emulator.run(image.elf, bytes(4), count=True).counts
    assert counts is not None
    assert counts.total == 203
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_lengths_and_kinds_agree_with_objdump(tmp_path: Path) -> None:
    """Every instruction of two images, hand-written library code included, against GNU objdump."""
    objdump = shutil.which("arm-none-eabi-objdump")
    if objdump is None:
        pytest.skip("arm-none-eabi-objdump is not installed")
    seen = 0
    for name in ("cortex-m4", "cortex-m0"):
        board = load_board(name)
        extra = C / "all_kinds.c"
        sources = [TINY] if name == "cortex-m0" else [TINY, extra]
        flags = [] if name == "cortex-m0" else ["-Wl,--undefined=all_kinds"]
        image = any_toolchain(board).link(sources, tmp_path / f"{name}.elf", board, extra_flags=flags)
        text = subprocess.run([objdump, "-d", str(image.elf)], capture_output=True, text=True, check=True).stdout
        code = read_image(image.elf)
        for match in re.finditer(
            r"^ +([0-9a-f]+):\t((?:[0-9a-f]{4} ?){1,2})\s*\t([a-z0-9.]+)\t?(.*)$", text, re.MULTILINE
        ):
            address, raw, mnemonic, operands = int(match[1], 16), match[2].split(), match[3], match[4]
            if mnemonic.startswith("."):
                continue
            instruction = decode(code.read_code(address, 4))
            assert instruction.length == 2 * len(raw), match[0]
            # In an IT block a plain B gets the block's condition: the classifier sees no condition there.
            in_block = mnemonic.startswith("b") and re.match("e[0-7]", raw[0])
            expected = Kind.JUMP if in_block else expected_kind(mnemonic, operands)
            assert instruction.kind is expected, match[0]
            seen += 1
    assert seen > 800


def expected_kind(mnemonic: str, operands: str) -> Kind:
    """The kind that a mnemonic of objdump stands for."""
    name = mnemonic.split(".")[0]
    if re.fullmatch(r"(ldm|stm)(ia|db|fd|ea)?|push|pop|vpush|vpop|vldm(ia|db)|vstm(ia|db)", name):
        return Kind.MULTIPLE
    if re.fullmatch(r"ldrd|strd", name):
        return Kind.DUAL
    if name in ("vldr", "vstr"):
        return Kind.DUAL if operands.startswith("d") else Kind.LOAD if name == "vldr" else Kind.STORE
    if re.fullmatch(r"ldr(b|h|sb|sh|t|ex|exb|exh)?(eq|ne|cs|cc|mi|pl|hi|ls|ge|lt|gt|le)?", name):
        return Kind.LOAD
    if re.fullmatch(r"str(b|h|t|ex|exb|exh)?(eq|ne|cs|cc|mi|pl|hi|ls|ge|lt|gt|le)?", name):
        return Kind.STORE
    if re.fullmatch(r"cbn?z|b(eq|ne|cs|cc|mi|pl|vs|vc|hi|ls|ge|lt|gt|le)", name):
        return Kind.BRANCH_IF
    if re.fullmatch(r"(b|bl|bx|blx|tbb|tbh)(eq|ne|cs|cc|mi|pl|hi|ls|ge|lt|gt|le)?", name):
        return Kind.JUMP
    return Kind.OTHER


def test_the_cycle_model_by_hand(tmp_path: Path) -> None:
    """all_kinds.c has a stretch whose cycles are counted in its comment."""
    board = load_board("cortex-m4")
    image = any_toolchain(board).link(
        [TINY, C / "all_kinds.c"], tmp_path / "x.elf", board, extra_flags=["-Wl,--undefined=cycle_stretch"]
    )
    code = read_image(image.elf)
    symbol = code.symbols["cycle_stretch"]
    counts, pc = {}, symbol.address
    while pc < symbol.address + symbol.size:
        counts[pc] = 10
        pc += decode(code.read_code(pc, 4)).length
    assert len(counts) == 12
    assert estimate_cycles(code, counts) == 10 * 24
