// Simulation only: a new random number every cycle (xorshift of 32 bits).
module eq_random #(
    parameter [31:0] SEED = 1
) (
    input  wire        clk,
    input  wire        rst,
    output reg  [31:0] value
);
    wire [31:0] a = value ^ (value << 13);
    wire [31:0] b = a ^ (a >> 17);
    always @(posedge clk)
        value <= rst ? (SEED | 32'd1) : b ^ (b << 5);
endmodule
