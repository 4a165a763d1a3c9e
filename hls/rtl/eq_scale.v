// eq_scale: output stage with multipliers: accumulators become codes.
//
// code = clamp(round(x * multiplier / 2^shift), LO, HI) + ZERO, exactly as docs/arithmetic.md, section 3.
//
// LANES, IN_BITS, OUT_BITS  elements of a beat; width of an accumulator (two's complement, 4..40) and of a code
// CHANNELS    1: one multiplier for all, MULTIPLIER and SHIFT; else the last axis: each channel has its own in TABLE
// MULTIPLIER, SHIFT         0..2^31 - 1 and 0..62, used with CHANNELS 1
// TABLE       file of CHANNELS / LANES words, each LANES times {shift[5:0], multiplier[30:0]}, lane 0 lowest
// TABLE_ROM   "block", "distributed" or "auto"
// SHIFT_MIN, SHIFT_MAX      least and greatest shift of the table: the closer, the fewer LUTs
// RULE        0 half_up, 1 half_even, 2 floor, 3 tflite (two roundings)
// LO, HI, ZERO              bounds of the grid integer and zero point, signed
// STYLE       "lut": digits and adders, no `*`; "dsp": the device's multipliers
// CYCLES      clock cycles that a beat may take: below 5: one beat a cycle; 5..8, 9..16, 17 and more: 5, 9, 17 cycles a
//             beat with fewer and fewer adders ("dsp": always one beat a cycle)
//
// clk, rst    in   clock; synchronous reset (also of the channel counter)
// s_*         in   LANES accumulators; s_ready comes from registers
// m_*         out  LANES codes, registered
// Initiation interval 1, or 5, 9, 17 by CYCLES. Latency 9, 10, 13, 21; a table adds 1 to 2 cycles (a
// pipeline 3 to 4).
//
// Placed and routed alone on an ECP5-85F, speed 6 (yosys 0.70 -abc9, nextpnr 0.11.1; 1 lane, IN_BITS 24, tflite, 64
// channels with shifts 36..43 in one block RAM):
//   CYCLES  1: 1230 LUT, 630 FF, 145 MHz      CYCLES  9: 320 LUT, 210 FF, 143 MHz
//   CYCLES  5:  490 LUT, 240 FF, 143 MHz      CYCLES 17: 265 LUT, 210 FF, 145 MHz (one multiplier for all: 150 LUT)
//   "dsp": 360 LUT, 390 FF, 4 MULT18X18D, 138 MHz
// On an iCE40 UP5K with CYCLES 17: 340 logic cells and 3 block RAMs (TABLE_ROM "block"), one multiplier 225; 47 MHz.
module eq_scale #(
    parameter LANES    = 1,
    parameter IN_BITS  = 24,
    parameter OUT_BITS = 8,
    parameter CHANNELS = 1,
    parameter [30:0] MULTIPLIER = 31'h40000000,
    parameter SHIFT     = 31,
    parameter TABLE     = "",
    parameter TABLE_ROM = "auto",
    parameter SHIFT_MIN = CHANNELS == 1 ? SHIFT : 0,
    parameter SHIFT_MAX = CHANNELS == 1 ? SHIFT : 62,
    parameter RULE      = 3,
    parameter signed [63:0] LO   = -128,
    parameter signed [63:0] HI   = 127,
    parameter signed [63:0] ZERO = 0,
    parameter STYLE     = "lut",
    parameter CYCLES    = 1
) (
    input  wire                      clk,
    input  wire                      rst,
    input  wire [LANES*IN_BITS-1:0]  s_data,
    input  wire                      s_valid,
    output wire                      s_ready,
    output wire [LANES*OUT_BITS-1:0] m_data,
    output wire                      m_valid,
    input  wire                      m_ready
);
    localparam SERIAL = STYLE != "dsp" && CYCLES >= 5;
    localparam ROOM = !SERIAL ? 16 : CYCLES < 9 ? 4 : 2;   // latency / interval, rounded up: never stops without need

    wire start = s_valid && s_ready;
    wire credit, multiplier_ready, table_ready;
    assign s_ready = credit && multiplier_ready && table_ready;
    eq_credit #(.ROOM(ROOM)) credits (
        .clk(clk), .rst(rst), .take(start), .give(m_valid && m_ready), .ready(credit));

    // The channel's multiplier, two cycles after its address: serial stages wait for it, pipelines delay x.
    wire [LANES*37-1:0] entry;
    wire [LANES*IN_BITS-1:0] x;
    wire x_valid;
    generate
        if (CHANNELS == 1) begin : g_constant
            assign entry = {LANES{SHIFT[5:0], MULTIPLIER}};
            assign x = s_data;
            assign x_valid = start;
            assign table_ready = 1'b1;
        end else begin : g_table
            eq_scale_table #(.LANES(LANES), .BEATS(CHANNELS / LANES), .IN_BITS(IN_BITS), .TABLE(TABLE),
                             .STYLE(TABLE_ROM), .DELAY(!SERIAL)) lookup (
                .clk(clk), .rst(rst), .start(start), .ready(table_ready), .x_in(s_data),
                .x(x), .x_valid(x_valid), .entry(entry));
        end
    endgenerate

    wire [LANES*OUT_BITS-1:0] code;
    wire [LANES-1:0] code_valid, lane_ready;
    assign multiplier_ready = lane_ready[0];
    genvar i;
    generate
        for (i = 0; i < LANES; i = i + 1) begin : g_lane
            eq_scale_lane #(.IN_BITS(IN_BITS), .OUT_BITS(OUT_BITS), .SHIFT_MIN(SHIFT_MIN), .SHIFT_MAX(SHIFT_MAX),
                            .RULE(RULE), .LO(LO), .HI(HI), .ZERO(ZERO), .STYLE(STYLE), .CYCLES(CYCLES)) lane (
                .clk(clk), .rst(rst), .in_valid(x_valid), .in_ready(lane_ready[i]),
                .x(x[i*IN_BITS +: IN_BITS]), .multiplier(entry[i*37 +: 31]), .shift(entry[i*37+31 +: 6]),
                .out_valid(code_valid[i]), .out_code(code[i*OUT_BITS +: OUT_BITS]));
        end
    endgenerate

    wire fifo_ready;                            // credits: always
    wire unused = &{1'b0, fifo_ready, lane_ready, code_valid};
    eq_fifo #(.WIDTH(LANES * OUT_BITS), .DEPTH(ROOM)) fifo (
        .clk(clk), .rst(rst), .s_data(code), .s_valid(code_valid[0]), .s_ready(fifo_ready),
        .m_data(m_data), .m_valid(m_valid), .m_ready(m_ready));
endmodule
