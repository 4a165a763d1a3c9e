// Dot product of SIMD weights and elements: multipliers and a pipelined adder tree, one result a cycle.
//
// Parameters
//   SIMD                    products
//   X_BITS, X_SIGNED        elements: bits, and whether they are two's complement
//   W_BITS                  weights: bits, two's complement
//   STYLE                   multipliers: "dsp" (`*`, for the device's multiplier blocks) or "lut" (no `*`)
//   SUM_BITS                bits of the sum: W_BITS + X_BITS + log2(SIMD) hold every sum
// Ports
//   x, w                    in:  SIMD elements and weights, the first in the least significant bits
//   sum                     out: LATENCY cycles later
// Latency: eq_mul's (STYLE dsp: 2, lut: 2 + log2(W_BITS), rounded up) + log2(SIMD), rounded up. No reset, no enable.
module eq_dot #(
    parameter SIMD     = 4,
    parameter X_BITS   = 8,
    parameter X_SIGNED = 1,
    parameter W_BITS   = 8,
    parameter STYLE    = "dsp",
    parameter SUM_BITS = W_BITS + X_BITS + $clog2(SIMD)
) (
    input  wire                       clk,
    input  wire [SIMD*X_BITS-1:0]     x,
    input  wire [SIMD*W_BITS-1:0]     w,
    output wire signed [SUM_BITS-1:0] sum
);
    localparam P_BITS = X_BITS + W_BITS;
    wire [SIMD*P_BITS-1:0] products;

    genvar i;
    generate
        for (i = 0; i < SIMD; i = i + 1) begin : lane
            eq_mul #(.X_BITS(X_BITS), .X_SIGNED(X_SIGNED), .W_BITS(W_BITS), .STYLE(STYLE)) mul (
                .clk(clk), .x(x[i*X_BITS +: X_BITS]), .w(w[i*W_BITS +: W_BITS]), .p(products[i*P_BITS +: P_BITS])
            );
        end
    endgenerate

    eq_sum #(.N(SIMD), .BITS(P_BITS), .SUM_BITS(SUM_BITS)) tree (.clk(clk), .terms(products), .sum(sum));
endmodule
