// FIFO in distributed RAM: a ring of DEPTH-1 beats that is read without a clock, and an output register behind it.
//
// Parameters
//   WIDTH   bits of a beat
//   DEPTH   beats that it holds, 3 or more
// Ports
//   s_*     in:  beats; s_ready is a flip-flop's value
//   m_*     out: the same beats in the same order, from flip-flops
// Latency 1 cycle (an empty ring is passed by). Initiation interval 1. Reset empties it.
module eq_fifo_distributed #(
    parameter WIDTH = 8,
    parameter DEPTH = 16
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
    localparam RING = DEPTH - 1;
    localparam BITS = $clog2(RING);

    // No attribute: it would be an error on devices without distributed RAM (iCE40); others take it by themselves.
    reg [WIDTH-1:0] ring [0:RING-1];
    reg [BITS-1:0] head;    // where the next beat is written
    reg [BITS-1:0] tail;    // where the oldest beat is
    reg            full;
    reg            empty;

    wire push  = s_valid && !full;
    wire moves = m_ready || !m_valid;
    wire read  = moves && !empty;
    wire write = push && !(moves && empty);
    wire [BITS-1:0] after_head = (head == RING - 1) ? {BITS{1'b0}} : head + 1'b1;
    wire [BITS-1:0] after_tail = (tail == RING - 1) ? {BITS{1'b0}} : tail + 1'b1;

    assign s_ready = !full;

    always @(posedge clk) begin
        if (write)
            ring[head] <= s_data;
        if (moves)
            m_data <= empty ? s_data : ring[tail];
        if (rst) begin
            head    <= {BITS{1'b0}};
            tail    <= {BITS{1'b0}};
            full    <= 1'b0;
            empty   <= 1'b1;
            m_valid <= 1'b0;
        end else begin
            if (moves)
                m_valid <= !empty || push;
            if (write)
                head <= after_head;
            if (read)
                tail <= after_tail;
            if (write != read) begin
                full  <= write && (after_head == tail);
                empty <= read && (after_tail == head);
            end
        end
    end
endmodule
