// Dot product without `*`, for look-up tables: bit planes of the weights.
//
// Bit i of all weights selects elements; their sum is a plane. The planes are added with their powers of two, the
// highest one negative, as two's complement has it. Most adders are hardly wider than the elements, and no sign has to
// be taken apart or extended: see hls/README.md for what it costs beside a multiplier per product.
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
    genvar b, i;
    generate
        for (b = 0; b < W_BITS; b = b + 1) begin : plane
            wire [PLANE-1:0] total;
            if (SIMD == 1) begin : alone
                assign total = x_in & {X_BITS{w_in[b]}};
            end else begin : many
                // Pairs of chosen elements, an odd one with nothing; then a tree.
                localparam HALF = (SIMD + 1) / 2;
                wire [HALF*(X_BITS+1)-1:0] pairs;
                wire [2*HALF*X_BITS-1:0]   x_even = x_in;
                for (i = 0; i < HALF; i = i + 1) begin : lane
                    wire second = (2 * i + 1 < SIMD) && w_in[((2 * i + 1) % SIMD) * W_BITS + b];
                    eq_add_chosen #(.BITS(X_BITS), .SIGNED(X_SIGNED)) add (
                        .clk(clk), .a(x_even[2*i*X_BITS +: X_BITS]), .p(w_in[2*i*W_BITS + b]),
                        .b(x_even[(2*i+1)*X_BITS +: X_BITS]), .q(second), .sum(pairs[i*(X_BITS+1) +: X_BITS+1])
                    );
                end
                eq_sum #(.N(HALF), .BITS(X_BITS + 1), .SIGNED(X_SIGNED), .SUM_BITS(PLANE)) tree (
                    .clk(clk), .terms(pairs), .sum(total)
                );
            end
            if (X_SIGNED) begin : keep
                assign planes[b*TERM +: TERM] = total;
            end else begin : extend
                assign planes[b*TERM +: TERM] = {1'b0, total};
            end
        end
    endgenerate

    eq_sum_weighted #(.N(W_BITS), .BITS(TERM), .SHIFT(1), .NEGATIVE(1), .SUM_BITS(SUM_BITS)) add (
        .clk(clk), .terms(planes), .sum(sum)
    );
endmodule
