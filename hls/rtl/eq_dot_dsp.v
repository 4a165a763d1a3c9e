// Dot product in multiplier blocks, with registers on both sides of them, and an adder tree.
//
// One block per product; iCE40: two products of up to 8 bits a block (eq_mul_pair).
//
// Parameters
//   as eq_dot
// Ports
//   x, w        in:  SIMD elements and weights, the first in the least significant bits
//   sum         out: LATENCY cycles later
// Latency 2 + log2(SIMD), rounded up. No reset, no enable.
module eq_dot_dsp #(
    parameter SIMD     = 4,
    parameter X_BITS   = 8,
    parameter X_SIGNED = 1,
    parameter W_BITS   = 8,
    parameter SUM_BITS = W_BITS + X_BITS + $clog2(SIMD)
) (
    input  wire                       clk,
    input  wire [SIMD*X_BITS-1:0]     x,
    input  wire [SIMD*W_BITS-1:0]     w,
    output wire signed [SUM_BITS-1:0] sum
);
    localparam P_BITS = X_BITS + W_BITS;
    localparam PAIRS  = (SIMD + 1) / 2;
    wire [2*PAIRS*X_BITS-1:0] x_even = x;       // an odd product's partner is 0 * 0 and leaves nothing behind
    wire [2*PAIRS*W_BITS-1:0] w_even = w;
    wire [2*PAIRS*P_BITS-1:0] products;

    genvar i;
    generate
        for (i = 0; i < PAIRS; i = i + 1) begin : lane
            eq_mul_pair #(.X_BITS(X_BITS), .X_SIGNED(X_SIGNED), .W_BITS(W_BITS)) mul (
                .clk(clk),
                .x0(x_even[2*i*X_BITS +: X_BITS]), .w0(w_even[2*i*W_BITS +: W_BITS]),
                .x1(x_even[(2*i+1)*X_BITS +: X_BITS]), .w1(w_even[(2*i+1)*W_BITS +: W_BITS]),
                .p0(products[2*i*P_BITS +: P_BITS]), .p1(products[(2*i+1)*P_BITS +: P_BITS])
            );
        end
    endgenerate

    eq_sum #(.N(SIMD), .BITS(P_BITS), .SIGNED(1), .SUM_BITS(SUM_BITS)) tree (
        .clk(clk), .terms(products[SIMD*P_BITS-1:0]), .sum(sum)
    );
endmodule
