// FIFO of two registers: cuts the combinational path of valid, data and ready between two modules.
//
// Parameters
//   WIDTH   bits of a beat
// Ports
//   s_*     in:  beats; s_ready is a flip-flop's value
//   m_*     out: the same beats in the same order, from flip-flops
// Latency 1 cycle. Initiation interval 1. Reset empties it.
module eq_fifo_pair #(
    parameter WIDTH = 8
) (
    input  wire             clk,
    input  wire             rst,
    input  wire [WIDTH-1:0] s_data,
    input  wire             s_valid,
    output wire             s_ready,
    output reg  [WIDTH-1:0] m_data,
    output reg              m_valid,
    input  wire             m_ready
);
    reg [WIDTH-1:0] spare;
    reg             full;   // the spare register holds a beat: only while the output is stalled

    wire moves = m_ready || !m_valid;
    assign s_ready = !full;

    always @(posedge clk) begin
        if (moves)
            m_data <= full ? spare : s_data;
        if (!full)
            spare <= s_data;
        if (rst) begin
            m_valid <= 1'b0;
            full    <= 1'b0;
        end else if (moves) begin
            m_valid <= full || s_valid;
            full    <= 1'b0;
        end else if (s_valid) begin
            full    <= 1'b1;
        end
    end
endmodule
