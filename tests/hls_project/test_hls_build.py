"""The project: complete, golden vectors that hold and can fail, a driver that packs as the network reads."""

from __future__ import annotations

import json
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgeq
from edgeq.boards import load_board
from edgeq.cli import main
from edgeq.emulator import encode_inputs, executor
from edgeq.errors import BudgetError, InputError, ToolError
from edgeq.formats import NAMED, Affine, FixedPoint
from edgeq.hls import build as build_module
from edgeq.hls.build import HlsBuild, build, figures
from edgeq.hls.simulate import available_compilers
from edgeq.ir import Graph
from tests.fpga.networks import U8, Net, digits
from tests.hls_project.tools import needs_csim, needs_make

BOARDS = ("pynq-z2", "ultra96-v2", "kv260", "zcu102")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> HlsBuild:
    """A project of a network with two outputs, simulated where that is possible."""
    return build(digits(), "pynq-z2", tmp_path_factory.mktemp("hls") / "digits", dsps=24)


def test_the_project_is_complete(project: HlsBuild) -> None:
    names = {path.relative_to(project.path).as_posix() for path in project.path.rglob("*") if path.is_file()}
    wanted = "README.md Makefile manifest.json scripts/build.tcl scripts/design.tcl pynq/driver.py tb/eq_bench.hpp "
    wanted += "src/digits_core.cpp src/digits_core.hpp src/digits_weights.hpp src/eq_axis.hpp src/eq_mvu.hpp "
    wanted += "tb/digits_bench.cpp tb/vectors/in0.txt tb/vectors/out0.txt tb/vectors/out1.txt"
    assert set(wanted.split()) <= names
    assert project.checked == (build_module.SAMPLES if available_compilers() else None)
    manifest = json.loads((project.path / "manifest.json").read_text("utf-8"))
    assert manifest["estimate"]["estimated"] is True
    assert manifest["estimate"]["dsps"] == project.flow.multipliers == 20
    estimated = manifest["estimate"]
    assert project.flow.cycles < estimated["cycles_per_inference"] < 1.2 * project.flow.cycles
    assert estimated["cycles_per_inference"] == max(row["cycles"] for row in manifest["stages"])
    assert estimated["cycles_per_inference"] < estimated["latency_cycles"]
    assert manifest["part"] == "xc7z020clg400-1"
    stages = {row["stage"]: row["dsps"] for row in manifest["stages"]}
    assert set(stages) == {stage.name for stage in project.flow.stages}
    assert sum(stages.values()) == manifest["estimate"]["dsps"]
    text = (project.path / "README.md").read_text("utf-8")
    assert str(project.path) not in text
    assert ("every value of the network, in 8 inferences, equals" in text) == bool(project.checked)
    assert ("this project was not simulated" in text) != bool(project.checked)
    assert f"interval\n   of `digits_top` should be about {estimated['cycles_per_inference']:,} cycles" in text


@needs_csim
@needs_make
def test_its_bench_is_green_and_turns_red(project: HlsBuild) -> None:
    def csim() -> subprocess.CompletedProcess[str]:
        command = ["make", "-C", str(project.path), "csim", f"PYTHON={sys.executable}"]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    done = csim()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "8 inferences, 0 codes differ" in done.stdout
    path = project.path / "tb" / "vectors" / "out1.txt"
    right = path.read_text("ascii")
    path.write_text(f"{int(right.split()[0]) ^ 1}\n" + right.split("\n", 1)[1], "ascii")
    try:
        done = csim()
    finally:
        path.write_text(right, "ascii")
    assert done.returncode != 0
    assert "out1 (top): code 0 is" in done.stdout


class Channel:
    """One direction of a DMA: remembers the buffer of its transfer."""

    def __init__(self) -> None:
        self.buffer: Any = None

    def transfer(self, buffer: Any) -> None:
        self.buffer = buffer

    def wait(self) -> None:
        assert self.buffer is not None


class Buffer(np.ndarray):  # type: ignore[type-arg]
    def freebuffer(self) -> None:
        pass


class Overlay:
    """A board that holds `graph`: what waits for answers gets the emulator's, in 32-bit beats."""

    graph: Graph
    sizes: list[int]

    def __init__(self, bitfile: str, download: bool = True) -> None:
        self.network = types.SimpleNamespace(write=lambda address, value: setattr(self, "control", (address, value)))
        pairs = max(len(self.graph.inputs), len(self.graph.outputs))
        for k in range(pairs):
            dma = types.SimpleNamespace(sendchannel=Channel(), recvchannel=Channel())
            setattr(self, f"dma{k}", dma)
        self.dma0.recvchannel.wait = self.answer  # type: ignore[attr-defined]

    def answer(self) -> None:
        assert self.control == (0, 0x81)  # type: ignore[attr-defined]
        codes = {}
        for k, name in enumerate(self.graph.inputs):
            value, sent = self.graph.values[name], getattr(self, f"dma{k}").sendchannel.buffer
            codes[name] = unpack(sent, value.size, value.format.signed).reshape(-1, *value.shape)
            self.sizes.append(len(sent))
        trace = executor(self.graph).trace(codes)
        for k, name in enumerate(self.graph.outputs):
            buffer = getattr(self, f"dma{k}").recvchannel.buffer
            wide = (
                trace[name].reshape(len(buffer), -1).astype("<i2" if self.graph.values[name].format.bits > 8 else "i1")
            )
            packed = wide.view(np.uint8).reshape(len(buffer), -1)
            assert packed.shape[1] <= buffer.shape[1] < packed.shape[1] + 4
            buffer[:, : packed.shape[1]] = packed


def unpack(sent: Any, size: int, signed: bool) -> Any:
    """8-bit codes of a buffer whose rows are whole beats."""
    assert sent.shape[1] == -(-size // 4) * 4
    return np.asarray(sent)[:, :size].view(np.int8 if signed else np.uint8).astype(np.int64)


def driver_of(graph: Graph, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The driver of a project, on a board that is not there."""
    build(graph, "pynq-z2", folder, check=False)
    fake = types.ModuleType("pynq")
    fake.Overlay = type("Fake", (Overlay,), {"graph": graph, "sizes": []})  # type: ignore[attr-defined]
    fake.allocate = lambda shape, dtype: np.zeros(shape, dtype).view(Buffer)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pynq", fake)
    module = types.ModuleType("driver")
    exec(compile((folder / "pynq" / "driver.py").read_text("utf-8"), "driver.py", "exec"), module.__dict__)
    return module


def test_the_driver_encodes_sends_and_decodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = digits()
    driver = driver_of(graph, tmp_path / "p", monkeypatch)
    network = driver.Network("digits.bit", piece=3)
    x = np.random.default_rng(0).uniform(-2, 20, (7, 8, 8, 1))
    want = graph.run(x)
    found = network.run(x)
    assert all(np.array_equal(a, b) for a, b in zip(found, want, strict=True))
    assert network.overlay.sizes == [3, 3, 1]
    codes = encode_inputs(graph, x)[0]["x"]
    scores = network.run(codes)[0]
    assert np.array_equal(scores, executor(graph).trace({"x": codes})[graph.outputs[0]])
    with pytest.raises(ValueError, match="input x: shape"):
        network.run(x[:, :7])
    with pytest.raises(ValueError, match="NaN"):
        network.run(np.full((1, 8, 8, 1), np.nan))
    with pytest.raises(ValueError, match="codes of 8 bits go from 0"):
        network.run(np.full((1, 8, 8, 1), 256))


@pytest.mark.parametrize(
    "fmt", [Affine(8, True, -3, 0.037), FixedPoint(6, 3), U8, NAMED["e2m1"], NAMED["e4m3"]], ids=str
)
def test_the_driver_rounds_as_edgeq_does(fmt: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    net = Net()
    y = net.b.node("reshape", "y", [net.input((6, 3), fmt)], fmt, shape=(18,))
    graph = net.b.build([y])
    driver = driver_of(graph, tmp_path / "p", monkeypatch)
    step = driver.INPUTS[0]["scale"]
    ties = (np.arange(-300, 300) + 0.5) * step
    for reals in (
        ties,
        np.nextafter(ties, np.inf),
        np.nextafter(ties, -np.inf),
        np.array([1e300, -1e300, -1e-320] * 6),
    ):
        x = np.resize(reals, (len(reals) // 18 + 1, 6, 3))
        assert np.array_equal(driver.quantise(driver.INPUTS[0], x), encode_inputs(graph, x)[0]["x"])


@pytest.mark.parametrize("board", BOARDS)
def test_every_board_has_a_project(board: str, tmp_path: Path) -> None:
    made = build(digits(), board, tmp_path / board, check=False, inferences=20_000)
    device = load_board(board).hls
    assert device is not None
    script = (tmp_path / board / "scripts" / "build.tcl").read_text("utf-8")
    assert f"set_part {device.part}\n" in script
    assert f"create_clock -period {1e9 / device.target_hz:.3f} " in script
    design = (tmp_path / board / "scripts" / "design.tcl").read_text("utf-8")
    assert ("processing_system7" in design) == (device.processor == "zynq7")
    assert f"CONFIG.c_m_axis_mm2s_tdata_width {device.dma_bits} " in design
    assert f"hls::stream<eq_axis<{device.dma_bits}> > &in0" in (tmp_path / board / "src/digits_core.hpp").read_text(
        "utf-8"
    )
    assert made.used.dsps <= device.dsps
    assert figures(made)["inferences_per_second"] >= 20_000


def test_what_is_wrong_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="ulx3s-85f: is not one for high-level synthesis"):
        build(digits(), "ulx3s-85f", tmp_path / "x")
    with pytest.raises(InputError, match="clock of 5000 MHz"):
        build(digits(), "pynq-z2", tmp_path / "x", clock_mhz=5000)
    net = Net()
    large = net.b.build([net.linear("y", net.input((3000,)), 4000, FixedPoint(8, 2))])
    with pytest.raises(BudgetError, match=r"board pynq-z2: about [\d,]+ block RAMs are needed.*estimate"):
        build(large, "pynq-z2", tmp_path / "x")
    with pytest.raises(
        BudgetError, match=r"^1e\+09 inferences a second at 100 MHz, 1 cycles each: conv .*first.* least"
    ):
        build(digits(), "pynq-z2", tmp_path / "x", inferences=1e9)
    monkeypatch.setattr("edgeq.hls.simulate.find_compiler", lambda: ["c++"])
    monkeypatch.setattr("edgeq.hls.simulate.find_headers", lambda: tmp_path)
    wrong = {name: codes ^ (name == "long") for name, codes in executor(digits()).trace(inputs()).items()}
    monkeypatch.setattr(build_module, "simulate", lambda *args, **how: wrong)
    with pytest.raises(ToolError, match="layer long differs from the emulator in long"):
        build(digits(), "pynq-z2", tmp_path / "x")
    assert not list(tmp_path.iterdir())


def inputs() -> Any:
    return build_module.golden_inputs(digits(), build_module.SAMPLES)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgeq.hls.simulate.find_compiler", no_compiler)
    net = Net()
    model, out = tmp_path / "net.edgeq", tmp_path / "project"
    net.b.build([net.linear("y", net.input((5,)), 3, FixedPoint(8, 2))]).save(model)
    assert main(["inspect", str(model), "--board", "zcu102", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["hardware"]["estimated"] is True
    options = ["--board", "zcu102", "--clock", "150", "--dsps", "3", "-o", str(out)]
    assert main(["build", str(model), *options, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["estimated"], found["checked"], found["dsps"]) == (True, None, 3)
    assert json.loads((out / "manifest.json").read_text("utf-8"))["clock_mhz"] == 150
    assert main(["build", str(model), *options]) == 0
    shown = capsys.readouterr().out
    assert "estimate" in shown
    assert "not simulated: no C++ compiler" in shown
    assert main(["bench", str(model), "--board", "zcu102"]) == 2
    assert "nothing here measures" in capsys.readouterr().err
    assert main(["verify", str(model), "--board", "zcu102", "-n", "1"]) == 2
    assert "no compiler here" in capsys.readouterr().err


def test_the_python_command_builds_for_every_kind_of_board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = edgeq.build(digits(), "kv260", tmp_path / "p", check=False, dsps=24)
    assert isinstance(made, HlsBuild)
    assert (made.board.name, made.checked) == ("kv260", None)
    assert (tmp_path / "p" / "scripts" / "design.tcl").is_file()
    assert "this project was not simulated" in (tmp_path / "p" / "README.md").read_text("utf-8")
    with pytest.raises(InputError, match="build for board kv260: has no option budget_ram; choose of inferences, dsps"):
        edgeq.build(digits(), load_board("kv260"), tmp_path / "x", budget_ram=1000)
    monkeypatch.setattr("edgeq.fpga.build.build", lambda graph, board, out, *, style=None: (board.name, style))
    assert edgeq.build(digits(), "icebreaker", tmp_path / "x", style="lut") == ("icebreaker", "lut")
    with pytest.raises(InputError, match="board emulator: nothing is compiled for it"):
        edgeq.build(digits(), "emulator", tmp_path / "x")


@pytest.mark.parametrize("board", ["kv260", "icebreaker"])
def test_options_of_firmware_are_refused(board: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A budget that is not looked at would be taken for one that holds."""
    net = Net()
    net.b.build([net.linear("y", net.input((5,)), 3, FixedPoint(8, 2))]).save(tmp_path / "net.edgeq")
    build = ["build", str(tmp_path / "net.edgeq"), "--board", board, "-o", str(tmp_path / "out")]
    options = "--budget-ram 64k, --budget-flash 64k, --push-rows, --schedule rows, -O -Os, --packing all"
    for option in options.split(", "):
        assert main([*build, *option.split()]) == 2
        name = option.split()[0].replace("-O", "--optimize")
        assert f"board {board}: runs no firmware, so {name} says nothing there" in capsys.readouterr().err
    assert main([*build, "--dsps", "0"]) == 2
    assert "0 multiplier blocks: give 1 or more" in capsys.readouterr().err
    if board == "kv260":
        assert main([*build, "--toolchain", "yowasp"]) == 2
        assert "--toolchain says nothing there" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def no_compiler() -> list[str]:
    raise ToolError("no compiler here")


@pytest.mark.heavy
@needs_csim
def test_the_demo_network_as_a_project(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from edgeq.demo.demo import recipes
    from edgeq.demo.digits import network
    from edgeq.frontends.torch import export
    from edgeq.quant import calibrate, prepare

    torch.manual_seed(0)
    images = torch.rand(64, 1, 8, 8)
    for name, recipe in recipes().items():
        prepared = prepare(network(), recipe, images[:2])
        calibrate(prepared, [images])
        graph = export(prepared.eval(), images[:1], name=f"digits_{name.lower()}")
        made = build(graph, "pynq-z2", tmp_path / name)
        assert made.checked == build_module.SAMPLES
