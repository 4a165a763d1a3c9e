// Counter 0..N-1 that starts over, with a registered flag for its last value: loops nest without comparisons.
//
// Parameters
//   N        values, 1 or more
//   BITS     bits of the value, at least log2(N)
// Ports
//   advance  in:  step to the next value
//   value    out: the value now
//   last     out: the value now is N-1
// Reset: 0.
module eq_counter #(
    parameter N    = 2,
    parameter BITS = (N > 1) ? $clog2(N) : 1
) (
    input  wire            clk,
    input  wire            rst,
    input  wire            advance,
    output reg  [BITS-1:0] value,
    output reg             last
);
    always @(posedge clk) begin
        if (rst) begin
            value <= {BITS{1'b0}};
            last  <= (N == 1);
        end else if (advance) begin
            value <= last ? {BITS{1'b0}} : value + 1'b1;
            last  <= (N == 1) || (value == N - 2);
        end
    end
endmodule
