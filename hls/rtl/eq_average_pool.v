// eq_average_pool: the exact mean of each window, rounded once.
//
// code = clamp(round(2^SHIFT * sum of (code - ZERO) / count), LO, HI) + ZERO_OUT; count: TAPS, or the taps inside
//
// BITS, SIGNED, ZERO   width of a code that comes in, 1: two's complement, its zero point
// LANES                elements of a beat
// TAPS                 beats of a window
// COUNT_PAD            1: divide by TAPS; 0: by the taps inside
// SHIFT                binary point of the output less that of the input, may be negative
// RULE                 0 half_up, 1 half_even, 2 floor, 4 code_half_away: half away from zero with ZERO_OUT added before,
//                      5 half_down, 6 half_to_zero, 7 to_zero, 8 to odd where it divides (eq_divide)
// LO, HI, ZERO_OUT     bounds of the grid integer and zero point of the output, signed
// OUT_BITS             width of a code that goes out
//
// clk, rst             in   clock; synchronous reset: the next beat is the first of a window
// s_*                  in   the taps of a window, LANES channels each; s_inside 0: padding, adds nothing
// m_*                  out  LANES codes, registered
// With COUNT_PAD 1 and TAPS a power of two the division is a shift: initiation interval TAPS, latency 6. Else each lane
// divides a bit a cycle (eq_divide) while the next window comes in: initiation interval max(TAPS, Q + 7), Q the bits of
// the greatest bound, latency Q + 8.
//
// Placed and routed alone on an ECP5-85F, speed 6, int8, code_half_away: 8x8 windows 165 LUT, 105 FF, 188 MHz; 3x3 with
// the taps inside as divisor 260 LUT, 110 FF, 170 MHz.
module eq_average_pool #(
    parameter BITS      = 8,
    parameter SIGNED    = 1,
    parameter LANES     = 1,
    parameter TAPS      = 4,
    parameter signed [63:0] ZERO = 0,
    parameter COUNT_PAD = 1,
    parameter SHIFT     = 0,
    parameter RULE      = 0,
    parameter signed [63:0] LO   = -128,
    parameter signed [63:0] HI   = 127,
    parameter signed [63:0] ZERO_OUT = 0,
    parameter OUT_BITS  = 8
) (
    input  wire                      clk,
    input  wire                      rst,
    input  wire [LANES*BITS-1:0]     s_data,
    input  wire                      s_inside,
    input  wire                      s_valid,
    output wire                      s_ready,
    output wire [LANES*OUT_BITS-1:0] m_data,
    output wire                      m_valid,
    input  wire                      m_ready
);
    localparam CB = $clog2(TAPS + 1);                   // a count
    localparam POWER = COUNT_PAD != 0 && (1 << $clog2(TAPS)) == TAPS;
    localparam LEFT = SHIFT > 0 ? SHIFT : 0, RIGHT = SHIFT < 0 ? -SHIFT : 0;
    // code_half_away: the code is rounded, so each tap that counts brings the zero point with it.
    localparam CODE = RULE == 4;
    localparam signed [63:0] ADDED = CODE ? ZERO_OUT <<< RIGHT : 0, OFFSET = CODE ? 0 : ZERO_OUT;
    localparam signed [63:0] LEAST = CODE ? LO + ZERO_OUT : LO, GREATEST = CODE ? HI + ZERO_OUT : HI;
    localparam TB = BITS + 2 + LEFT + (CODE ? OUT_BITS + RIGHT : 0);   // a term
    localparam SB = TB + CB;                            // a sum

    wire last;
    wire take = s_valid && s_ready;
    eq_counter #(.N(TAPS)) tap (.clk(clk), .rst(rst), .advance(take), .value(), .last(last));

    // Stage 1: the term of a tap. Stage 2: sums; those of a window stand in `sum` for one cycle at least.
    wire enable;                                        // the stage behind takes what stage 2 has, or it has nothing
    wire divided;
    reg first_1, last_1, valid_1, inside_1, full;
    reg [CB-1:0] count;
    assign s_ready = enable;
    assign enable = !full || divided;
    always @(posedge clk) begin
        if (enable) begin
            valid_1 <= s_valid;
            last_1 <= last;
            inside_1 <= s_inside;
            full <= valid_1 && last_1;
            if (valid_1) begin
                count <= (first_1 ? {CB{1'b0}} : count) + {{(CB - 1){1'b0}}, inside_1};
                first_1 <= last_1;
            end
        end
        if (rst) {valid_1, full, first_1} <= 3'b001;
    end

    wire [LANES-1:0] lane_ready, lane_valid;
    assign divided = lane_ready[0];
    wire unused = &{1'b0, lane_ready, lane_valid};
    genvar i;
    generate
        for (i = 0; i < LANES; i = i + 1) begin : g_lane
            wire [BITS-1:0] code = s_data[i*BITS +: BITS];
            wire sign = SIGNED != 0 && code[BITS-1];
            wire signed [BITS+1:0] grid = {{2{sign}}, code} - ZERO[BITS+1:0];
            reg signed [TB-1:0] term;
            reg signed [SB-1:0] sum;
            wire signed [TB-1:0] aligned = {{(TB - BITS - 1){grid[BITS+1]}}, grid[BITS:0]} << LEFT;
            always @(posedge clk) if (enable) begin
                term <= (s_inside ? aligned : {TB{1'b0}}) + (s_inside || COUNT_PAD != 0 ? ADDED[TB-1:0] : {TB{1'b0}});
                if (valid_1) sum <= (first_1 ? {SB{1'b0}} : sum) + {{CB{term[TB-1]}}, term};
            end

            if (POWER) begin : g_shift
                wire [OUT_BITS-1:0] out;
                wire out_valid;
                eq_round #(.IN_BITS(SB), .SHIFT_MIN($clog2(TAPS) + RIGHT), .SHIFT_MAX($clog2(TAPS) + RIGHT), .RULE(RULE),
                           .LO(LEAST), .HI(GREATEST), .ZERO(OFFSET), .OUT_BITS(OUT_BITS)) rounding (
                    .clk(clk), .rst(rst), .enable(lane_ready[i]), .in_valid(full), .in_data(sum), .in_extra(1'b0),
                    .out_valid(out_valid), .out_data(out));
                eq_fifo #(.WIDTH(OUT_BITS), .DEPTH(2)) fifo (
                    .clk(clk), .rst(rst), .s_data(out), .s_valid(out_valid), .s_ready(lane_ready[i]),
                    .m_data(m_data[i*OUT_BITS +: OUT_BITS]), .m_valid(lane_valid[i]), .m_ready(m_ready));
            end else begin : g_divide
                wire [CB-1:0] den = COUNT_PAD != 0 ? TAPS[CB-1:0] : count;
                eq_divide #(.NUM_BITS(SB), .DEN_BITS(CB), .RIGHT(RIGHT), .RULE(RULE), .LO(LEAST), .HI(GREATEST),
                            .ZERO(OFFSET), .OUT_BITS(OUT_BITS)) divide (
                    .clk(clk), .rst(rst), .s_num(sum), .s_den(den), .s_valid(full), .s_ready(lane_ready[i]),
                    .m_data(m_data[i*OUT_BITS +: OUT_BITS]), .m_valid(lane_valid[i]), .m_ready(m_ready));
            end
        end
    endgenerate
    assign m_valid = lane_valid[0];
endmodule
