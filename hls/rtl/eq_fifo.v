// First-in first-out buffer of beats: registered outputs, full throughput, room for at least DEPTH beats.
//
// Parameters
//   WIDTH   bits of a beat
//   DEPTH   beats that it holds, 2 or more. 2: two registers; 3..32: distributed RAM; above: block RAM.
// Ports
//   s_*     in:  beats to store; s_ready is a flip-flop's value: it never depends on m_ready in the same cycle
//   m_*     out: the same beats in the same order, from flip-flops
// Latency 1 cycle (block RAM: 3). Initiation interval 1. Reset empties it.
module eq_fifo #(
    parameter WIDTH = 8,
    parameter DEPTH = 2
) (
    input  wire             clk,
    input  wire             rst,
    input  wire [WIDTH-1:0] s_data,
    input  wire             s_valid,
    output wire             s_ready,
    output wire [WIDTH-1:0] m_data,
    output wire             m_valid,
    input  wire             m_ready
);
    generate
        if (DEPTH <= 2) begin : pair
            eq_fifo_pair #(.WIDTH(WIDTH)) store (
                .clk(clk), .rst(rst), .s_data(s_data), .s_valid(s_valid), .s_ready(s_ready),
                .m_data(m_data), .m_valid(m_valid), .m_ready(m_ready)
            );
        end else if (DEPTH <= 32) begin : distributed
            eq_fifo_distributed #(.WIDTH(WIDTH), .DEPTH(DEPTH)) store (
                .clk(clk), .rst(rst), .s_data(s_data), .s_valid(s_valid), .s_ready(s_ready),
                .m_data(m_data), .m_valid(m_valid), .m_ready(m_ready)
            );
        end else begin : block
            eq_fifo_block #(.WIDTH(WIDTH), .DEPTH(DEPTH)) store (
                .clk(clk), .rst(rst), .s_data(s_data), .s_valid(s_valid), .s_ready(s_ready),
                .m_data(m_data), .m_valid(m_valid), .m_ready(m_ready)
            );
        end
    endgenerate
endmodule
