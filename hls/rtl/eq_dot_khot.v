// Dot product without `*` of weights that are sums of few signed powers of two (K-hot): a shifter per digit, and adders.
//
// A weight has TERMS digits; each shifts its element or leaves it out. Digits of the same place in their weights are
// added by one tree, which inverts those that are subtracted in its first adders (eq_add_signed): -x is ~x + 1, and the
// ones are left to the biases, since the weights are known. So a negative digit of place t makes the sum 2^base(t) less.
//
// Parameters
//   SIMD                 products
//   X_BITS, X_SIGNED     elements: bits, and whether they are two's complement
//   W_BITS               weights: bits, TERMS digits {used, negative, shift} of the same width, the first lowest
//   TERMS                digits of a weight, 1 to 3
//   PLACES               8 bits for each digit, the first lowest: {shifts - 1 [3:0], base[3:0]}: it stands for
//                        2^(base + shift), shift < shifts
//   SUM_BITS             bits of the sum, which is cut or extended to it
// Ports
//   x                    in:  SIMD elements, the first in the least significant bits
//   w                    in:  SIMD weights
//   sum                  out: LATENCY cycles later
// Latency: bits of a shift, at least 1, + log2(SIMD) + log2(TERMS), rounded up. No reset, no enable.
module eq_dot_khot #(
    parameter SIMD     = 8,
    parameter X_BITS   = 8,
    parameter X_SIGNED = 1,
    parameter W_BITS   = 5,
    parameter TERMS    = 1,
    parameter PLACES   = 96,
    parameter SUM_BITS = 24
) (
    input  wire                       clk,
    input  wire [SIMD*X_BITS-1:0]     x,
    input  wire [SIMD*W_BITS-1:0]     w,
    output wire signed [SUM_BITS-1:0] sum
);
    localparam DIGIT = W_BITS / TERMS;
    localparam [TERMS*8-1:0] FIELDS = PLACES;

    wire [TERMS*SUM_BITS-1:0] totals;
    genvar t, i;
    generate
        for (t = 0; t < TERMS; t = t + 1) begin : place
            localparam BASE   = FIELDS[8*t +: 4];
            localparam SHIFTS = FIELDS[8*t+4 +: 4] + 1;
            localparam BITS   = X_BITS + SHIFTS - (X_SIGNED ? 1 : 0);   // of a digit's product, with its sign
            localparam TOTAL  = BITS + $clog2(SIMD);
            wire [SIMD*BITS-1:0] terms;
            wire [SIMD-1:0]      minus;
            for (i = 0; i < SIMD; i = i + 1) begin : lane
                eq_shift_digit #(
                    .X_BITS(X_BITS), .X_SIGNED(X_SIGNED), .SHIFTS(SHIFTS), .SHIFT_BITS(DIGIT - 2), .BITS(BITS)
                ) shifted (
                    .clk(clk), .x(x[i*X_BITS +: X_BITS]), .digit(w[i*W_BITS + t*DIGIT +: DIGIT]),
                    .term(terms[i*BITS +: BITS]), .minus(minus[i])
                );
            end
            wire signed [TOTAL-1:0]    total;
            wire signed [SUM_BITS-1:0] wide = total;
            assign totals[t*SUM_BITS +: SUM_BITS] = wide << BASE;
            if (SIMD == 1) begin : alone
                assign total = terms ^ {BITS{minus[0]}};
            end else begin : many
                localparam HALF = (SIMD + 1) / 2;
                wire [2*HALF*BITS-1:0]   even  = terms;     // an odd term's partner is 0 and added
                wire [2*HALF-1:0]        signs = minus;
                wire [HALF*(BITS+1)-1:0] pairs;
                for (i = 0; i < HALF; i = i + 1) begin : pair
                    eq_add_signed #(.BITS(BITS)) add (
                        .clk(clk), .a(even[2*i*BITS +: BITS]), .p(signs[2*i]), .b(even[(2*i+1)*BITS +: BITS]),
                        .q(signs[2*i+1]), .sum(pairs[i*(BITS+1) +: BITS+1])
                    );
                end
                eq_sum #(.N(HALF), .BITS(BITS + 1), .SIGNED(1), .SUM_BITS(TOTAL)) tree (
                    .clk(clk), .terms(pairs), .sum(total)
                );
            end
        end
    endgenerate

    eq_sum #(.N(TERMS), .BITS(SUM_BITS), .SIGNED(1), .SUM_BITS(SUM_BITS)) add (
        .clk(clk), .terms(totals), .sum(sum)
    );
endmodule
