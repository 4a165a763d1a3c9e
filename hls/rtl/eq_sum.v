// Sum of N terms: a binary tree of adders with a register behind each, as wide as each level needs.
//
// Parameters
//   N          terms
//   BITS       bits of a term
//   SIGNED     terms are two's complement
//   SUM_BITS   bits of the sum, at most BITS + log2(N), which hold every sum
// Ports
//   terms      in:  N terms, the first in the least significant bits
//   sum        out: log2(N) cycles later, rounded up (N = 1: at once)
// No reset, no enable.
module eq_sum #(
    parameter N        = 4,
    parameter BITS     = 16,
    parameter SIGNED   = 1,
    parameter SUM_BITS = BITS + $clog2(N)
) (
    input  wire                clk,
    input  wire [N*BITS-1:0]   terms,
    output wire [SUM_BITS-1:0] sum
);
    generate
        if (N == 1) begin : one
            assign sum = terms[SUM_BITS-1:0];
        end else begin : level
            // One level: pairs are added, an odd term waits a cycle; the rest of the tree is this module again.
            localparam HALF = (N + 1) / 2;
            localparam WIDE = BITS + 1;
            reg [HALF*WIDE-1:0] halves;
            integer i;
            always @(posedge clk) begin
                for (i = 0; i < N / 2; i = i + 1)
                    halves[i*WIDE +: WIDE] <= {SIGNED && terms[2*i*BITS + BITS-1], terms[2*i*BITS +: BITS]}
                        + {SIGNED && terms[(2*i+1)*BITS + BITS-1], terms[(2*i+1)*BITS +: BITS]};
                if (N % 2 == 1)
                    halves[(HALF-1)*WIDE +: WIDE] <= {SIGNED && terms[N*BITS-1], terms[(N-1)*BITS +: BITS]};
            end
            eq_sum #(.N(HALF), .BITS(WIDE), .SIGNED(SIGNED), .SUM_BITS(SUM_BITS)) rest (
                .clk(clk), .terms(halves), .sum(sum)
            );
        end
    endgenerate
endmodule
