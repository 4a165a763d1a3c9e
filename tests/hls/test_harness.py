"""The bench itself: every rule of the stream protocol, broken on purpose, is reported; both simulators agree."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hls.harness import HarnessError, Sink, Source, needs_simulator, run

pytestmark = needs_simulator

#: a register stage that is right, and what is put in its place to break it
STAGE = """
module stage (
    input wire clk, input wire rst, input wire [7:0] s_data, input wire s_valid, output wire s_ready,
    output reg [7:0] m_data, output wire m_valid, input wire m_ready
);
    reg full;
    assign s_ready = !full || m_ready;
    assign m_valid = full;
    always @(posedge clk) begin
        if (s_ready) m_data <= s_data;
        if (rst) full <= 0;
        else if (s_ready) full <= s_valid;
    end
endmodule
"""
FAULTS = {
    "changed before": ("if (s_ready) m_data", "if (s_valid) m_data"),
    "depends on": ("m_valid = full", "m_valid = full && m_ready"),
    "hung": ("m_valid = full", "m_valid = full && m_data !== 8'd7"),
    "a beat too many": ("full <= s_valid", "full <= 1"),
    "m_valid is undefined": ("if (rst) full <= 0;\n        else if", "if"),
    "undefined bits": ("m_data <= s_data", "m_data <= s_data === 8'd7 ? 8'bx : s_data"),
}


def stage(text: str, folder: Path, stalls: tuple[int, int] = (30, 40)) -> list[int]:
    """Run a text as the module `stage` on 40 beats."""
    (folder / "stage.v").write_text(text)
    beats = list(range(40))
    sources, sinks = {"s": Source(8, beats)}, {"m": Sink(8, 40)}
    result = run("stage", {}, sources, sinks, stalls=stalls, patience=200, extra=[folder / "stage.v"])
    assert result.beats["s"] == beats
    return result.beats["m"]


def test_a_right_module_passes(tmp_path: Path) -> None:
    assert stage(STAGE, tmp_path) == list(range(40))


@pytest.mark.parametrize("message", FAULTS)
def test_a_fault_is_reported(message: str, tmp_path: Path) -> None:
    text = STAGE.replace(*FAULTS[message])
    assert text != STAGE
    with pytest.raises(HarnessError, match=message):
        stage(text, tmp_path)


def test_a_module_that_does_not_compile(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="stage"):
        stage(STAGE.replace("reg full", "reg fool"), tmp_path)


def test_beats_that_nobody_takes(tmp_path: Path) -> None:
    """A module that ends early leaves beats at its input."""
    text = STAGE.replace("!full || m_ready", "(!full || m_ready) && m_data !== 8'd4")
    text = text.replace("else if (s_ready) full <= s_valid", "else if (s_ready || m_ready) full <= s_ready && s_valid")
    (tmp_path / "stage.v").write_text(text)
    with pytest.raises(HarnessError, match="of 40 beats were taken"):
        run("stage", {}, {"s": Source(8, range(40))}, {"m": Sink(8, 5)}, extra=[tmp_path / "stage.v"])


@pytest.mark.heavy
@pytest.mark.skipif(not shutil.which("verilator"), reason="verilator is not installed")
def test_verilator_gives_the_same() -> None:
    beats = list(range(200))
    args = ("eq_fifo", {"WIDTH": 8, "DEPTH": 40}, {"s": Source(8, beats)}, {"m": Sink(8, 200)})
    assert run(*args, stalls=(20, 30), simulator="verilator").beats["m"] == beats
