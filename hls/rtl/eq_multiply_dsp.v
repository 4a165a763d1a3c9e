// eq_multiply_dsp: eq_multiply with the device's multipliers: registers before and after one `*`, for the DSP blocks
// to absorb. Ports and numbers as in eq_multiply; latency 3, initiation interval 1.
module eq_multiply_dsp #(
    parameter X_BITS = 24,
    parameter ROUND  = 0,
    parameter SIDE   = 1
) (
    input  wire                      clk,
    input  wire                      rst,
    input  wire                      in_valid,
    input  wire signed [X_BITS-1:0]  x,
    input  wire [30:0]               m,
    input  wire [SIDE-1:0]           side_in,
    output wire                      out_valid,
    output reg  signed [X_BITS+30:0] p,
    output wire [SIDE-1:0]           side_out
);
    localparam PB = X_BITS + 31;
    localparam signed [PB-1:0] HALF = ROUND != 0 ? {{(PB - 31){1'b0}}, 1'b1, 30'd0} : {PB{1'b0}};

    reg signed [X_BITS-1:0] x_r;
    reg signed [31:0] m_r;
    reg signed [PB-1:0] product;
    reg [SIDE-1:0] side_1, side_2, side_3;
    reg [2:0] valid;
    assign out_valid = valid[2];
    assign side_out = side_3;

    always @(posedge clk) begin
        x_r <= x;
        m_r <= {1'b0, m};
        product <= x_r * m_r;
        p <= product + HALF;
        side_1 <= side_in;
        side_2 <= side_1;
        side_3 <= side_2;
        valid <= rst ? 3'd0 : {valid[1:0], in_valid};
    end
endmodule
