"""A whole board's top module in simulation: reset, UART, network; the client gets the emulator's answers from it."""

from __future__ import annotations

import numpy as np
import pytest
from fpga.simulated_port import Design, SimulatedPort, build, needs_verilator

from edgeq.boards import load_board
from edgeq.formats import FixedPoint
from edgeq.fpga import protocol
from edgeq.fpga.build import write_project
from edgeq.fpga.host import Device, DeviceError
from edgeq.fpga.lower import lower
from edgeq.fpga.protocol import Frame
from edgeq.fpga.toolchain.pll import Clock
from edgeq.fpga.toolchain.toolset import Toolset
from edgeq.ir import Graph, GraphBuilder

pytestmark = needs_verilator

S8 = FixedPoint(8, 4)


def network(seed: int = 0) -> Graph:
    """A convolution and a linear layer: 6 x 6 x 1 codes in, 5 wider codes out."""
    rng = np.random.default_rng(seed)
    b = GraphBuilder("small")
    x = b.input("x", (6, 6, 1), S8)
    w = b.constant("w", rng.integers(-8, 8, (3, 3, 3, 1)), FixedPoint(4, 3))
    window = {"stride": (1, 1), "padding": (0, 0, 0, 0), "dilation": (1, 1)}
    y = b.node("conv", "conv", (x, w), S8, "conv", groups=1, **window)
    y = b.node("reshape", "flat", (y,), S8, shape=(4 * 4 * 3,))
    w2 = b.constant("w2", rng.integers(-128, 128, (5, 48)), FixedPoint(8, 6))
    return b.build([b.node("linear", "fc", (y, w2), FixedPoint(12, 4), "fc")])


NET = network()


@pytest.fixture(scope="module")
def design(tmp_path_factory: pytest.TempPathFactory) -> Design:
    """The project for an iCEBreaker at its crystal's clock, so that no PLL is in it."""
    folder, board = tmp_path_factory.mktemp("top"), load_board("icebreaker")
    clock = Clock(board.clock_hz or 0, {})
    tools = Toolset("native", "ice40", "yosys", "nextpnr-ice40", "icepack")
    project = write_project(lower(NET, board), board, clock, tools, folder)
    assert board.fpga is not None
    ports = {"CLOCK": "clock", "RX": "uart_rx", "TX": "uart_tx"}
    sources = [folder / name for name in project.sources]
    return build(folder, project.top, sources, clock.hz, board.fpga.baud, ports=ports)


def inputs(count: int) -> np.ndarray:
    return np.random.default_rng(count).integers(-128, 128, (count, 6, 6, 1))


def test_the_top_answers_like_the_emulator(design: Design) -> None:
    device = Device(SimulatedPort(design), design.baud)
    assert device.check(NET).shape.in_count == 36
    x = inputs(6)
    assert np.array_equal(device.run(NET, {"x": x})["fc"], NET.run(x))
    assert device.repeats == []
    device.close()


def test_the_top_on_a_bad_line(design: Design) -> None:
    """A flipped bit, a cut frame, a lost byte in three requests: three repeats, right answers."""
    port = SimulatedPort(design)
    device = Device(port, design.baud, answer_s=0.3)
    device.check(NET)
    send, faults = (
        port.write,
        [lambda d: d[:20] + bytes([d[20] ^ 4]) + d[21:], lambda d: d[:30], lambda d: d[:9] + d[10:]],
    )

    def write(data: bytes) -> None:
        send(faults.pop()(data) if len(data) > 40 and len(device.repeats) < 3 else data)

    port.write = write  # type: ignore[method-assign]
    x = inputs(2)
    assert np.array_equal(device.run(NET, {"x": x})["fc"], NET.run(x))
    assert len(device.repeats) == 3
    device.close()


@pytest.mark.parametrize("later", [0, 1, 4, 9])
def test_the_host_resets_a_network_at_work(design: Design, later: int) -> None:
    """A reset while codes stream in or out, `later` bytes after the request: the next answers are right."""
    port = SimulatedPort(design)
    device = Device(port, design.baud, answer_s=0.3)
    x = inputs(2)
    codes = protocol.network_id(NET).to_bytes(4, "little") + protocol.pack_codes(x[0], 8)
    port.write(Frame(protocol.RUN, 1, codes).encode() + bytes(later) + Frame(protocol.RESET, 2).encode())
    reader = protocol.FrameReader({protocol.RESULT: 10, protocol.STATUS: 1})
    found: list[Frame] = []
    while arrived := port.read(0.01):
        found += reader.feed(arrived)
    assert (found + reader.inside())[-1] == Frame(protocol.STATUS, 2, b"\0")
    assert np.array_equal(device.run(NET, {"x": x})["fc"], NET.run(x))
    assert device.repeats == []
    device.close()


def test_the_top_knows_its_network(design: Design) -> None:
    """One seed further, other weights: the device refuses."""
    device = Device(SimulatedPort(design), design.baud, answer_s=0.3)
    with pytest.raises(DeviceError, match="the device holds network"):
        device.check(network(1))
    device.close()
