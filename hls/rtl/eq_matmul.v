// eq_matmul: products of two streams summed: a matrix product of two computed operands, behind two eq_window.
//
// m[lane] = sum over k < TERMS of (a - ZERO_A) * (b[lane] - ZERO_B)
//
// LANES       columns of b in a beat, that many sums at once
// TERMS       beats of a sum
// BITS_A, SIGNED_A, ZERO_A   width of a code of a, 1: two's complement, its zero point
// BITS_B, SIGNED_B, ZERO_B   the same of b
// OUT_BITS    width of a sum, two's complement; Python computes it so that the sum fits
// STYLE       "dsp" or "lut", as eq_dot
//
// clk, rst    in   clock; synchronous reset: the next beat is the first of a sum
// a_*         in   one element
// b_*         in   LANES elements; a beat of both is taken at once, so a_ready waits for b_valid and b_ready for a_valid
// m_*         out  LANES sums, registered
// Initiation interval TERMS a sum; latency 7 after the last term, "lut" 6 + log2(BITS_B + 1) rounded up.
module eq_matmul #(
    parameter LANES    = 1,
    parameter TERMS    = 4,
    parameter BITS_A   = 8,
    parameter SIGNED_A = 1,
    parameter signed [63:0] ZERO_A = 0,
    parameter BITS_B   = 8,
    parameter SIGNED_B = 1,
    parameter signed [63:0] ZERO_B = 0,
    parameter OUT_BITS = 24,
    parameter STYLE    = "dsp"
) (
    input  wire                      clk,
    input  wire                      rst,
    input  wire [BITS_A-1:0]         a_data,
    input  wire                      a_valid,
    output wire                      a_ready,
    input  wire [LANES*BITS_B-1:0]   b_data,
    input  wire                      b_valid,
    output wire                      b_ready,
    output wire [LANES*OUT_BITS-1:0] m_data,
    output wire                      m_valid,
    input  wire                      m_ready
);
    // Codes less their zero points: a bit more, unless nothing is taken away and the sign is there.
    localparam A = BITS_A + (SIGNED_A == 0 || ZERO_A != 0), B = BITS_B + (SIGNED_B == 0 || ZERO_B != 0);
    localparam DOT = STYLE == "lut" ? 1 + (B > 1 ? $clog2(B) : 1) : 2;
    localparam END = DOT + 1;                           // grids are registered before the products
    localparam ROOM = 3 + (END + 3) / TERMS;            // sums on their way

    wire credit, ready, take_last, valid, first, done, fifo_ready;
    assign a_ready = ready && b_valid;
    assign b_ready = ready && a_valid;
    eq_mvu_in #(.DEPTH(TERMS), .WORDS(1), .DELAY(END)) in (
        .clk(clk), .rst(rst), .s_valid(a_valid && b_valid), .s_ready(ready), .credit(credit),
        .address(), .take_last(take_last), .valid(valid), .first(first), .last(done));
    eq_credit #(.ROOM(ROOM)) credits (
        .clk(clk), .rst(rst), .take(take_last), .give(m_valid && m_ready), .ready(credit));

    reg signed [A-1:0] grid_a;
    wire sign_a = SIGNED_A != 0 && a_data[BITS_A-1];
    wire [BITS_A:0] wide_a = {sign_a, a_data} - ZERO_A[BITS_A:0];
    always @(posedge clk) grid_a <= wide_a[A-1:0];

    wire [LANES*OUT_BITS-1:0] sums;
    wire unused = &{1'b0, fifo_ready, wide_a};
    genvar i;
    generate
        for (i = 0; i < LANES; i = i + 1) begin : g_lane
            wire [BITS_B-1:0] code_b = b_data[i*BITS_B +: BITS_B];
            wire sign_b = SIGNED_B != 0 && code_b[BITS_B-1];
            wire [BITS_B:0] wide_b = {sign_b, code_b} - ZERO_B[BITS_B:0];
            wire unused_b = &{1'b0, wide_b};
            reg signed [B-1:0] grid_b;
            wire signed [A+B-1:0] product;
            wire signed [OUT_BITS+A+B-1:0] long = {{OUT_BITS{product[A+B-1]}}, product};
            reg [OUT_BITS-1:0] sum;
            eq_dot #(.SIMD(1), .X_BITS(A), .X_SIGNED(1), .W_BITS(B), .STYLE(STYLE), .SUM_BITS(A + B)) dot (
                .clk(clk), .x(grid_a), .w(grid_b), .sum(product));
            always @(posedge clk) begin
                grid_b <= wide_b[B-1:0];
                if (valid) sum <= (first ? {OUT_BITS{1'b0}} : sum) + long[OUT_BITS-1:0];
            end
            assign sums[i*OUT_BITS +: OUT_BITS] = sum;
        end
    endgenerate
    eq_fifo #(.WIDTH(LANES * OUT_BITS), .DEPTH(ROOM)) fifo (
        .clk(clk), .rst(rst), .s_data(sums), .s_valid(done), .s_ready(fifo_ready),
        .m_data(m_data), .m_valid(m_valid), .m_ready(m_ready));
endmodule
