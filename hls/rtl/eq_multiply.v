// eq_multiply: a signed number times a multiplier of 31 bits, exact. Part of eq_scale and eq_softmax_reciprocal.
//
// p = x * m (+ 2^30 with ROUND 1: then p >> 31 is the product rounded half up at 31 bits)
//
// X_BITS   width of x, two's complement, 4 or more
// CYCLES   clock cycles that a product may take: below 5: a pipeline, one product a cycle; 5..8, 9..16, 17 and more:
//          one product in 5, 9, 17 cycles, with 4, 2, 1 digits a cycle
// STYLE    "lut": no `*`, so no DSP block; "dsp": `*` in a pipeline, whatever CYCLES says
// SIDE     width of side_in, which comes out with its product
//
// "lut" writes the multiplier in 16 digits of -1, 0, 1, 2 (a bit of a partial product is then one LUT of 4 inputs);
// the one that completes a complement enters through the carry of the adder above it. The leading digit is never
// negative, so its carry is free for ROUND.
//
// clk, rst           in   clock; synchronous reset of the control
// in_valid           in   x, m, side_in are taken where in_valid && in_ready
// in_ready           out  depends on registers only
// x, m, side_in      in
// out_valid, p, side_out  out  p has X_BITS + 31 bits; valid for one cycle, nothing waits here
// Latency 5; "lut" with CYCLES of 5, 9, 17 and more: 6, 9, 17.
module eq_multiply #(
    parameter X_BITS = 24,
    parameter CYCLES = 1,
    parameter STYLE  = "lut",
    parameter ROUND  = 0,
    parameter SIDE   = 1
) (
    input  wire                     clk,
    input  wire                     rst,
    input  wire                     in_valid,
    output wire                     in_ready,
    input  wire signed [X_BITS-1:0] x,
    input  wire [30:0]              m,
    input  wire [SIDE-1:0]          side_in,
    output wire                     out_valid,
    output wire signed [X_BITS+30:0] p,
    output wire [SIDE-1:0]          side_out
);
    generate
        if (STYLE == "dsp") begin : g_dsp
            eq_multiply_dsp #(.X_BITS(X_BITS), .ROUND(ROUND), .SIDE(SIDE)) unit (
                .clk(clk), .rst(rst), .in_valid(in_valid), .x(x), .m(m), .side_in(side_in),
                .out_valid(out_valid), .p(p), .side_out(side_out));
            assign in_ready = 1'b1;
        end else if (CYCLES < 5) begin : g_tree
            eq_multiply_tree #(.X_BITS(X_BITS), .ROUND(ROUND), .SIDE(SIDE)) unit (
                .clk(clk), .rst(rst), .in_valid(in_valid), .x(x), .m(m), .side_in(side_in),
                .out_valid(out_valid), .p(p), .side_out(side_out));
            assign in_ready = 1'b1;
        end else if (CYCLES < 9) begin : g_quad
            eq_multiply_quad #(.X_BITS(X_BITS), .ROUND(ROUND), .SIDE(SIDE)) unit (
                .clk(clk), .rst(rst), .in_valid(in_valid), .in_ready(in_ready), .x(x), .m(m), .side_in(side_in),
                .out_valid(out_valid), .p(p), .side_out(side_out));
        end else begin : g_serial
            eq_multiply_serial #(.X_BITS(X_BITS), .DIGITS(CYCLES < 17 ? 2 : 1), .ROUND(ROUND), .SIDE(SIDE)) unit (
                .clk(clk), .rst(rst), .in_valid(in_valid), .in_ready(in_ready), .x(x), .m(m), .side_in(side_in),
                .out_valid(out_valid), .p(p), .side_out(side_out));
        end
    endgenerate
endmodule
