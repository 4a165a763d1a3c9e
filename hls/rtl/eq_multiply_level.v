// eq_multiply_level: one level of the adder tree of eq_multiply_tree: pairs of groups become groups.
//
// A group of IN_BITS bits and a carry stand for group + carry. out = low + (high + carry of high) * 2^STEP, the carry of
// low stays with the sum.
//
// GROUPS, IN_BITS, STEP   groups that come out, width of one that goes in, weight of the higher one
// clk                     in
// in, carry_in            in   2 * GROUPS groups, two's complement
// out, carry_out          out  GROUPS groups of IN_BITS + STEP bits, registered. Latency 1, initiation interval 1
module eq_multiply_level #(
    parameter GROUPS  = 1,
    parameter IN_BITS = 8,
    parameter STEP    = 2
) (
    input  wire                             clk,
    input  wire [2*GROUPS*IN_BITS-1:0]      in,
    input  wire [2*GROUPS-1:0]              carry_in,
    output reg  [GROUPS*(IN_BITS+STEP)-1:0] out,
    output reg  [GROUPS-1:0]                carry_out
);
    genvar g;
    generate
        for (g = 0; g < GROUPS; g = g + 1) begin : g_group
            wire [IN_BITS-1:0] low = in[2*g*IN_BITS +: IN_BITS], high = in[(2*g+1)*IN_BITS +: IN_BITS];
            // The carry enters below the lowest bit, so that one chain does it all.
            wire [IN_BITS:0] sum = {high, 1'b1} + {{STEP{low[IN_BITS-1]}}, low[IN_BITS-1:STEP], carry_in[2*g+1]};
            always @(posedge clk) begin
                out[g*(IN_BITS+STEP) +: IN_BITS+STEP] <= {sum[IN_BITS:1], low[STEP-1:0]};
                carry_out[g] <= carry_in[2*g];
            end
        end
    endgenerate
endmodule
