// Dot product without `*`, for look-up tables: bit planes of the weights.
//
// Bit i of all weights selects elements; their sum is a plane. The planes are added with their powers of two, the
// highest one negative, as two's complement has it. Most adders are hardly wider than the elements, and no sign has to
// be taken apart or extended: 41 look-up tables for a 4x4-bit product in a sum of 8 (ECP5), 148 for 8x8 bits; with one
// sign-magnitude multiplier per product they were 62 and 214.
//
// Parameters
//   as eq_dot
// Ports
//   x, w        in:  SIMD elements and weights, the first in the least significant bits
//   sum         out: LATENCY cycles later
// Latency 1 + log2(SIMD) + log2(W_BITS) (1 if W_BITS is 1), logarithms rounded up. No reset, no enable.
module eq_dot_lut #(
    parameter SIMD     = 8,
    parameter X_BITS   = 4,
    parameter X_SIGNED = 1,
    parameter W_BITS   = 4,
    parameter SUM_BITS = W_BITS + X_BITS + $clog2(SIMD)
) (
    input  wire                       clk,
    input  wire [SIMD*X_BITS-1:0]     x,
    input  wire [SIMD*W_BITS-1:0]     w,
    output wire signed [SUM_BITS-1:0] sum
);
    localparam PLANE = X_BITS + $clog2(SIMD);               // bits of a plane's sum, without a sign
    localparam TERM  = X_SIGNED ? PLANE : PLANE + 1;        // with a sign

    reg [SIMD*X_BITS-1:0] x_in;
    reg [SIMD*W_BITS-1:0] w_in;
    always @(posedge clk) begin
        x_in <= x;
        w_in <= w;
    end

    wire [W_BITS*TERM-1:0] planes;
    genvar level, i;
    generate
        for (level = 0; level < W_BITS; level = level + 1) begin : plane
            wire [SIMD*X_BITS-1:0] chosen;
            for (i = 0; i < SIMD; i = i + 1) begin : lane
                assign chosen[i*X_BITS +: X_BITS] = x_in[i*X_BITS +: X_BITS] & {X_BITS{w_in[i*W_BITS + level]}};
            end
            wire [PLANE-1:0] total;
            eq_sum #(.N(SIMD), .BITS(X_BITS), .SIGNED(X_SIGNED), .SUM_BITS(PLANE)) tree (
                .clk(clk), .terms(chosen), .sum(total)
            );
            if (X_SIGNED) begin : keep
                assign planes[level*TERM +: TERM] = total;
            end else begin : extend
                assign planes[level*TERM +: TERM] = {1'b0, total};
            end
        end
    endgenerate

    eq_sum_weighted #(.N(W_BITS), .BITS(TERM), .SHIFT(1), .NEGATIVE(1), .SUM_BITS(SUM_BITS)) add (
        .clk(clk), .terms(planes), .sum(sum)
    );
endmodule
