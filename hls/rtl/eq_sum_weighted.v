// Weighted sum: term i times 2^(i*SHIFT), the last term negative on demand; a pipelined tree of adders.
//
// Parameters
//   N, BITS     signed terms and their bits
//   SHIFT       binary places between two terms
//   NEGATIVE    1: the last term is subtracted
//   SUM_BITS    bits of the sum; the sum is cut or extended to it
// Ports
//   terms       in:  the first in the least significant bits
//   sum         out: log2(N) cycles later, rounded up (a single term: at once, or 1 if negative)
// No reset, no enable.
module eq_sum_weighted #(
    parameter N        = 4,
    parameter BITS     = 8,
    parameter SHIFT    = 1,
    parameter NEGATIVE = 1,
    parameter SUM_BITS = BITS + N * SHIFT
) (
    input  wire                       clk,
    input  wire [N*BITS-1:0]          terms,
    output wire signed [SUM_BITS-1:0] sum
);
    generate
        if (N == 1) begin : one
            wire signed [BITS-1:0] term = terms;
            if (NEGATIVE) begin : minus
                reg signed [SUM_BITS-1:0] result;
                always @(posedge clk)
                    result <= -term;
                assign sum = result;
            end else begin : plus
                assign sum = term;
            end
        end else begin : level
            // Pairs are added, an odd term waits a cycle; the rest of the tree is this module again.
            localparam HALF = (N + 1) / 2;
            localparam WIDE = BITS + SHIFT + 1;
            localparam PAIR = (N % 2 == 0) && NEGATIVE;     // the last pair is a difference
            reg signed [WIDE-1:0] low, high;
            reg [HALF*WIDE-1:0] halves;
            integer i;
            always @(posedge clk) begin
                for (i = 0; i < N / 2; i = i + 1) begin
                    low  = $signed(terms[2*i*BITS +: BITS]);
                    high = $signed(terms[(2*i+1)*BITS +: BITS]);
                    if (PAIR && i == N / 2 - 1)
                        halves[i*WIDE +: WIDE] <= low - (high <<< SHIFT);
                    else
                        halves[i*WIDE +: WIDE] <= low + (high <<< SHIFT);
                end
                if (N % 2 == 1)
                    halves[(HALF-1)*WIDE +: WIDE] <= $signed(terms[(N-1)*BITS +: BITS]);
            end
            eq_sum_weighted #(
                .N(HALF), .BITS(WIDE), .SHIFT(2 * SHIFT), .NEGATIVE(NEGATIVE && !PAIR), .SUM_BITS(SUM_BITS)
            ) rest (.clk(clk), .terms(halves), .sum(sum));
        end
    endgenerate
endmodule
