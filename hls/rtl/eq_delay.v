// Delay line: a value comes out CYCLES cycles later.
//
// Parameters
//   BITS, CYCLES   bits of the value; cycles, 0 or more
// Ports
//   d, q           in, out
// No reset, no enable.
module eq_delay #(
    parameter BITS   = 1,
    parameter CYCLES = 1
) (
    input  wire            clk,
    input  wire [BITS-1:0] d,
    output wire [BITS-1:0] q
);
    generate
        if (CYCLES == 0) begin : none
            assign q = d;
        end else begin : line
            reg [CYCLES*BITS-1:0] stages;
            always @(posedge clk)
                stages <= {stages, d};
            assign q = stages[CYCLES*BITS-1 -: BITS];
        end
    endgenerate
endmodule
