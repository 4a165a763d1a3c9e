// Dot product with `*`: one multiplier block per product, registers on both sides of it, and an adder tree.
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
    localparam BITS   = X_SIGNED ? X_BITS : X_BITS + 1;
    wire [SIMD*P_BITS-1:0] products;

    genvar i;
    generate
        for (i = 0; i < SIMD; i = i + 1) begin : lane
            reg signed [BITS-1:0]   x_in;
            reg signed [W_BITS-1:0] w_in;
            reg signed [P_BITS-1:0] product;
            always @(posedge clk) begin
                x_in    <= {1'b0, x[i*X_BITS +: X_BITS]};       // the 0 is cut off where elements have a sign
                w_in    <= w[i*W_BITS +: W_BITS];
                product <= x_in * w_in;
            end
            assign products[i*P_BITS +: P_BITS] = product;
        end
    endgenerate

    eq_sum #(.N(SIMD), .BITS(P_BITS), .SIGNED(1), .SUM_BITS(SUM_BITS)) tree (
        .clk(clk), .terms(products), .sum(sum)
    );
endmodule
