// eq_shift: output stage of power-of-two scales: accumulators become codes.
//
// code = clamp(round(x / 2^shift), LO, HI) + ZERO, exactly as docs/arithmetic.md, section 3.
//
// LANES, IN_BITS, OUT_BITS  elements of a beat; width of an accumulator (two's complement, 2 or more) and of a code
// CHANNELS    1: SHIFT for all; else the last axis, a multiple of LANES: each channel has its own shift in SHIFTS
// SHIFT       positive to the right, negative to the left
// SHIFTS      file of CHANNELS / LANES words, each LANES times 8 bits, two's complement, lane 0 lowest
// SHIFTS_ROM  "auto", "block", "distributed"
// SHIFT_MIN, SHIFT_MAX      least and greatest shift of the table: the closer, the fewer LUTs
// RULE        0 half_up, 1 half_even, 2 floor, 4 half_away, 5 half_down, 6 half_to_zero, 7 to_zero
// LO, HI, ZERO              bounds of the grid integer and zero point, signed
// OVERFLOW, CLAMP           what becomes of a number beyond the bounds, as eq_round has it; 0: it is clamped
// EXPONENT    0, or bits of the exponent: codes are minifloats, as eq_minifloat has them; LO and HI are then codes of
//             magnitudes, OVERFLOW and ZERO 0, RULE 0 to 2
// MANTISSA, STEP_MAX        of a minifloat
//
// clk, rst    in   clock; synchronous reset (also of the channel counter)
// s_*         in   LANES accumulators; s_ready is a flip-flop
// m_*         out  LANES codes, registered
// Initiation interval 1. Latency 4, with a table 5 to 8; the same for each RULE and OVERFLOW. A minifloat takes 6 to 9
// cycles more.
module eq_shift #(
    parameter LANES      = 1,
    parameter IN_BITS    = 24,
    parameter OUT_BITS   = 8,
    parameter CHANNELS   = 1,
    parameter SHIFT      = 0,
    parameter SHIFTS     = "",
    parameter SHIFTS_ROM = "auto",
    parameter SHIFT_MIN  = CHANNELS == 1 ? SHIFT : -8,
    parameter SHIFT_MAX  = CHANNELS == 1 ? SHIFT : 55,
    parameter RULE       = 0,
    parameter signed [63:0] LO   = -128,
    parameter signed [63:0] HI   = 127,
    parameter signed [63:0] ZERO = 0,
    parameter OVERFLOW   = 0,
    parameter CLAMP      = 0,
    parameter EXPONENT   = 0,
    parameter MANTISSA   = 0,
    parameter STEP_MAX   = 0
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
    localparam EB = SHIFT_MAX > SHIFT_MIN ? $clog2(SHIFT_MAX - SHIFT_MIN + 1) : 1;
    localparam signed [7:0] BASE = SHIFT_MIN[7:0];

    // The pipeline moves whenever the FIFO behind it has room.
    wire enable;
    assign s_ready = enable;
    wire start = s_valid && enable;

    wire [LANES*IN_BITS-1:0] x;
    wire [LANES*8-1:0] shift;
    wire x_valid;
    generate
        if (CHANNELS == 1) begin : g_constant
            assign x = s_data;
            assign x_valid = s_valid;
            assign shift = {LANES{BASE}};
        end else begin : g_table
            localparam BEATS = CHANNELS / LANES, BITS = BEATS > 1 ? $clog2(BEATS) : 1;
            // The ROM is read a beat ahead: its word is always the one of the beat that comes next.
            reg [BITS-1:0] beat;
            wire [BITS-1:0] next = !start ? beat : beat == BEATS - 1 ? {BITS{1'b0}} : beat + 1'b1;
            wire [LANES*8-1:0] word;
            eq_rom #(.WIDTH(LANES * 8), .DEPTH(BEATS), .FILE(SHIFTS), .STYLE(SHIFTS_ROM)) rom (
                .clk(clk), .address(rst ? {BITS{1'b0}} : next), .data(word));
            reg [LANES*IN_BITS-1:0] x_r;
            reg [LANES*8-1:0] shift_r;
            reg valid_r;
            always @(posedge clk) begin
                beat <= rst ? {BITS{1'b0}} : next;
                if (enable) begin
                    x_r <= s_data;
                    shift_r <= word;
                    valid_r <= s_valid;
                end
                if (rst) valid_r <= 1'b0;
            end
            assign x = x_r;
            assign shift = shift_r;
            assign x_valid = valid_r;
        end
    endgenerate

    wire [LANES-1:0] code_valid;
    wire [LANES*OUT_BITS-1:0] code;
    wire unused = &{1'b0, start, code_valid};
    genvar i;
    generate
        for (i = 0; i < LANES; i = i + 1) begin : g_lane
            wire [7:0] extra = shift[i*8 +: 8] - BASE;
            wire unused_bits = &{1'b0, extra};
            if (EXPONENT != 0) begin : g_minifloat
                eq_minifloat #(.IN_BITS(IN_BITS), .SHIFT_MIN(SHIFT_MIN), .SHIFT_MAX(SHIFT_MAX), .EXTRA_BITS(EB),
                               .RULE(RULE), .EXPONENT(EXPONENT), .MANTISSA(MANTISSA), .STEP_MAX(STEP_MAX), .LO(LO),
                               .HI(HI))
                rounding (
                    .clk(clk), .rst(rst), .enable(enable), .in_valid(x_valid), .in_data(x[i*IN_BITS +: IN_BITS]),
                    .in_extra(extra[EB-1:0]), .out_valid(code_valid[i]), .out_data(code[i*OUT_BITS +: OUT_BITS]));
            end else begin : g_integer
                eq_round #(.IN_BITS(IN_BITS), .SHIFT_MIN(SHIFT_MIN), .SHIFT_MAX(SHIFT_MAX), .EXTRA_BITS(EB), .RULE(RULE),
                           .LO(LO), .HI(HI), .ZERO(ZERO), .OUT_BITS(OUT_BITS), .OVERFLOW(OVERFLOW), .CLAMP(CLAMP))
                rounding (
                    .clk(clk), .rst(rst), .enable(enable), .in_valid(x_valid), .in_data(x[i*IN_BITS +: IN_BITS]),
                    .in_extra(extra[EB-1:0]), .out_valid(code_valid[i]), .out_data(code[i*OUT_BITS +: OUT_BITS]));
            end
        end
    endgenerate
    eq_fifo #(.WIDTH(LANES * OUT_BITS), .DEPTH(2)) fifo (
        .clk(clk), .rst(rst), .s_data(code), .s_valid(code_valid[0]), .s_ready(enable),
        .m_data(m_data), .m_valid(m_valid), .m_ready(m_ready));
endmodule
