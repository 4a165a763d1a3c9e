"""Models of the ECP5's block RAM and multiplier, of which yosys brings only the ports; the rest comes from its files.

After what yosys takes these cells for when it maps memories and products to them (its techlibs/lattice/brams_16kd.txt,
brams_map_16kd.v, dsp_map_18x18.v): a block RAM holds 1,024 words of 18 bits; a port of 9 bits and more sees all of
them, a narrower one leaves out every ninth. Multipliers have registers at all inputs and the output, as
hls/rtl/eq_mul.v has them, or none. What a netlist uses beyond that stops the simulation.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

#: INITVAL_00 … INITVAL_3F: 16 words of 18 bits each, 20 apart
INITS = [f"INITVAL_{i:02X}" for i in range(64)]

BLOCK_RAM = """
module DP16KD(PORTS);
    parameter DATA_WIDTH_A = 18, DATA_WIDTH_B = 18, REGMODE_A = "NOREG", REGMODE_B = "NOREG", RESETMODE = "SYNC";
    parameter ASYNC_RESET_RELEASE = "SYNC", CSDECODE_A = "0b000", CSDECODE_B = "0b000", GSR = "AUTO";
    parameter WRITEMODE_A = "NORMAL", WRITEMODE_B = "NORMAL", CLKAMUX = "CLKA", CLKBMUX = "CLKB";
    parameter [319:0] INITS;
    BUSES
    reg [17:0] words [0:1023];
    reg [64*320-1:0] init = {VALUES};
    integer i;
    initial begin
        for (i = 0; i < 1024; i = i + 1)
            words[i] = init[20*i +: 18];
        if (REGMODE_A != "NOREG" || REGMODE_B != "NOREG" || CLKAMUX != "CLKA" || CLKBMUX != "CLKB"
                || WRITEMODE_A == "WRITETHROUGH" || WRITEMODE_B == "WRITETHROUGH") begin
            $display("DP16KD: a mode without a model");
            $finish;
        end
    end

    // The place of a bit: 36, 18 and 9 bits wide ports count all bits, narrower ones leave out each ninth.
    function [35:0] read;
        input integer width;
        input [13:0] address;
        reg [17:0] word;
        begin
            word = words[address[13:4]];
            case (width)
                36: read = {words[{address[13:5], 1'b1}], words[{address[13:5], 1'b0}]};
                18: read = word;
                9:  read = word[9*address[3] +: 9];
                4:  read = word[9*address[3] + 4*address[2] +: 4];
                2:  read = word[9*address[3] + 2*address[2:1] +: 2];
                default: read = word[9*address[3] + address[2:0]];
            endcase
        end
    endfunction

    task write;
        input integer width;
        input [13:0] address;
        input [35:0] data;
        case (width)
            36: begin
                if (address[0]) words[{address[13:5], 1'b0}][8:0] <= data[8:0];
                if (address[1]) words[{address[13:5], 1'b0}][17:9] <= data[17:9];
                if (address[2]) words[{address[13:5], 1'b1}][8:0] <= data[26:18];
                if (address[3]) words[{address[13:5], 1'b1}][17:9] <= data[35:27];
            end
            18: begin
                if (address[0]) words[address[13:4]][8:0] <= data[8:0];
                if (address[1]) words[address[13:4]][17:9] <= data[17:9];
            end
            9: words[address[13:4]][9*address[3] +: 9] <= data[8:0];
            4: words[address[13:4]][9*address[3] + 4*address[2] +: 4] <= data[3:0];
            2: words[address[13:4]][9*address[3] + 2*address[2:1] +: 2] <= data[1:0];
            default: words[address[13:4]][9*address[3] + address[2:0]] <= data[0];
        endcase
    endtask

    // A port of 36 bits takes in over A and B, gives out over both; else a pseudo dual port reads over B.
    reg [35:0] a = 0, b = 0;
    wire clear_a = RSTA && RESETMODE == "ASYNC", clear_b = RSTB && RESETMODE == "ASYNC";
    assign doa = DATA_WIDTH_B == 36 ? b[17:0] : a[17:0];
    assign dob = DATA_WIDTH_B == 36 ? b[35:18] : b[17:0];
    always @(posedge CLKA or posedge clear_a) begin
        if (RSTA)
            a <= 0;
        else if (CEA && (!WEA || WRITEMODE_A == "READBEFOREWRITE"))
            a <= read(DATA_WIDTH_A, ada);
    end
    always @(posedge CLKA) begin
        if (CEA && WEA)
            write(DATA_WIDTH_A, ada, {dib, dia});
    end
    always @(posedge CLKB or posedge clear_b) begin
        if (RSTB)
            b <= 0;
        else if (CEB && (!WEB || WRITEMODE_B == "READBEFOREWRITE"))
            b <= read(DATA_WIDTH_B, adb);
    end
    always @(posedge CLKB) begin
        if (CEB && WEB)
            write(DATA_WIDTH_B, adb, {18'b0, dib});
    end
endmodule
"""

MULTIPLIER = """
module MULT18X18D(PORTS);
    parameter REG_INPUTA_CLK = "NONE", REG_INPUTB_CLK = "NONE", REG_PIPELINE_CLK = "NONE", REG_OUTPUT_CLK = "NONE";
    parameter REGISTERED = REG_OUTPUT_CLK == "CLK0";
    BUSES
    wire signed [18:0] x = {SIGNEDA & a[17], a}, y = {SIGNEDB & b[17], b};
    reg signed [18:0] x_in, y_in;
    reg [35:0] out;
    always @(posedge CLK0)
        if (RST0) begin
            x_in <= 0;
            y_in <= 0;
            out <= 0;
        end else if (CE0 !== 0) begin // open: 1
            x_in <= x;
            y_in <= y;
            out <= x_in * y_in;
        end
    wire [35:0] at_once = x * y;
    assign p = REGISTERED ? out : at_once;
    initial
        if (REG_INPUTA_CLK != REG_OUTPUT_CLK || REG_INPUTB_CLK != REG_OUTPUT_CLK || REG_PIPELINE_CLK != "NONE"
                || !REGISTERED && REG_OUTPUT_CLK != "NONE") begin
            $display("MULT18X18D: registers without a model");
            $finish;
        end
endmodule
"""


def module(text: str, ins: dict[str, int], outs: dict[str, int], single: Iterable[str]) -> str:
    """A cell: its ports are single bits, NAME0 …, which its body sees as buses named in small letters."""

    def bits(name: str, size: int) -> list[str]:
        return [f"{name}{i}" for i in reversed(range(size))]

    ports = [f"input {port}" for name, size in ins.items() for port in bits(name, size)]
    ports += [f"input {port}" for port in single]
    ports += [f"output {port}" for name, size in outs.items() for port in bits(name, size)]
    buses = [f"wire [{n - 1}:0] {name.lower()} = {{{', '.join(bits(name, n))}}};" for name, n in ins.items()]
    for name, n in outs.items():
        buses.append(f"wire [{n - 1}:0] {name.lower()}; assign {{{', '.join(bits(name, n))}}} = {name.lower()};")
    made = text.replace("PORTS", ", ".join(ports)).replace("BUSES", "\n    ".join(buses))
    made = made.replace("VALUES", ", ".join(reversed(INITS)))
    return made.replace("INITS", ", ".join(f"{name} = 320'b0" for name in INITS))


def cells(share: Path) -> str:
    """All models; share: where yosys keeps its files. Timing is left out, which Icarus Verilog does not read."""
    files = [(share / "ecp5" / name).read_text("utf-8") for name in ("common_sim.vh", "ccu2c_sim.vh")]
    logic = re.sub(r"\bspecify\b.*?\bendspecify\b", "", "".join(files), flags=re.DOTALL)
    logic = re.sub(r"\bmodule TRELLIS_COMB\b.*?\bendmodule\b", "", logic, flags=re.DOTALL)  # of routed designs
    logic = re.sub(r"^`include.*$", "", logic, flags=re.MULTILINE)
    ram = module(
        BLOCK_RAM,
        {"DIA": 18, "ADA": 14, "CSA": 3, "DIB": 18, "ADB": 14, "CSB": 3},
        {"DOA": 18, "DOB": 18},
        ("CEA", "OCEA", "CLKA", "WEA", "RSTA", "CEB", "OCEB", "CLKB", "WEB", "RSTB"),
    )
    single = ("CLK0", "CE0", "RST0", "SIGNEDA", "SIGNEDB", "SOURCEA", "SOURCEB")
    product = module(MULTIPLIER, {"A": 18, "B": 18, "C": 18}, {"P": 36}, single)
    return logic + ram + product
