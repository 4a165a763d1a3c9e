// Dot product of SIMD weights and elements, one result a cycle, in one of three styles; exact.
//
// Parameters
//   SIMD                    products
//   X_BITS, X_SIGNED        elements: bits, and whether they are two's complement
//   W_BITS                  weights: bits, two's complement; "khot": of the digits of a weight
//   STYLE                   "dsp": one multiplier block per product (eq_dot_dsp); "lut": none (eq_dot_lut); "khot":
//                           none, weights of few digits (eq_dot_khot), negative ones of which are left to the biases
//   TERMS, PLACES           "khot": digits of a weight and where they stand, as eq_dot_khot
//   SUM_BITS                bits of the sum: W_BITS + X_BITS + log2(SIMD) hold every sum of two's complement weights
// Ports
//   x, w                    in:  SIMD elements and weights, the first in the least significant bits
//   sum                     out: LATENCY cycles later
// Latency: dsp: 2 + log2(SIMD); lut: 1 + log2(SIMD) + log2(W_BITS) (1 if W_BITS is 1); khot: W_BITS / TERMS - 2, at
// least 1, + log2(SIMD) + log2(TERMS); logarithms rounded up.
// No reset, no enable.
module eq_dot #(
    parameter SIMD     = 4,
    parameter X_BITS   = 8,
    parameter X_SIGNED = 1,
    parameter W_BITS   = 8,
    parameter STYLE    = "dsp",
    parameter TERMS    = 1,
    parameter PLACES   = 0,
    parameter SUM_BITS = W_BITS + X_BITS + $clog2(SIMD)
) (
    input  wire                       clk,
    input  wire [SIMD*X_BITS-1:0]     x,
    input  wire [SIMD*W_BITS-1:0]     w,
    output wire signed [SUM_BITS-1:0] sum
);
    generate
        if (STYLE == "lut") begin : lut
            eq_dot_lut #(
                .SIMD(SIMD), .X_BITS(X_BITS), .X_SIGNED(X_SIGNED), .W_BITS(W_BITS), .SUM_BITS(SUM_BITS)
            ) dot (.clk(clk), .x(x), .w(w), .sum(sum));
        end else if (STYLE == "khot") begin : khot
            eq_dot_khot #(
                .SIMD(SIMD), .X_BITS(X_BITS), .X_SIGNED(X_SIGNED), .W_BITS(W_BITS), .TERMS(TERMS), .PLACES(PLACES),
                .SUM_BITS(SUM_BITS)
            ) dot (.clk(clk), .x(x), .w(w), .sum(sum));
        end else begin : dsp
            eq_dot_dsp #(
                .SIMD(SIMD), .X_BITS(X_BITS), .X_SIGNED(X_SIGNED), .W_BITS(W_BITS), .SUM_BITS(SUM_BITS)
            ) dot (.clk(clk), .x(x), .w(w), .sum(sum));
        end
    endgenerate
endmodule
