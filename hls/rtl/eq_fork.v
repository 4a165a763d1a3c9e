// Fork: every beat goes to each of N outputs, which may be up to two beats apart.
//
// A beat is taken when all outputs have room for it. Skip branches need a FIFO of their own behind an output.
//
// Parameters
//   WIDTH   bits of a beat
//   N       outputs
// Ports
//   s_*     in:  beats; s_ready depends on flip-flops only
//   m_data  out: N beats of WIDTH bits, output 0 in the least significant bits; m_valid, m_ready: one bit per output
// Latency 1 cycle. Initiation interval 1. Reset empties the outputs.
module eq_fork #(
    parameter WIDTH = 8,
    parameter N     = 2
) (
    input  wire               clk,
    input  wire               rst,
    input  wire [WIDTH-1:0]   s_data,
    input  wire               s_valid,
    output wire               s_ready,
    output wire [N*WIDTH-1:0] m_data,
    output wire [N-1:0]       m_valid,
    input  wire [N-1:0]       m_ready
);
    wire [N-1:0] room;
    assign s_ready = &room;

    genvar i;
    generate
        for (i = 0; i < N; i = i + 1) begin : branch
            eq_fifo_pair #(.WIDTH(WIDTH)) out (
                .clk(clk), .rst(rst), .s_data(s_data), .s_valid(s_valid && s_ready), .s_ready(room[i]),
                .m_data(m_data[i*WIDTH +: WIDTH]), .m_valid(m_valid[i]), .m_ready(m_ready[i])
            );
        end
    endgenerate
endmodule
