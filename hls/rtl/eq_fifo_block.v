// FIFO in block RAM: a ring with registered read, and a short FIFO behind it that hides the RAM's latency.
//
// A word leaves the ring only when the FIFO behind it has room for all words under way, so nothing has to stall.
//
// Parameters
//   WIDTH   bits of a beat
//   DEPTH   beats of the ring, 2 or more
// Ports
//   s_*     in:  beats; s_ready is a flip-flop's value
//   m_*     out: the same beats in the same order, from flip-flops
// Latency 3 cycles. Initiation interval 1. Reset empties it.
module eq_fifo_block #(
    parameter WIDTH = 8,
    parameter DEPTH = 512
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
    localparam BITS  = $clog2(DEPTH);
    localparam SLOTS = 4;       // words between the ring and the output: one round trip takes three cycles

    (* ram_style = "block" *) reg [WIDTH-1:0] ring [0:DEPTH-1];
    reg [BITS-1:0]  head;
    reg [BITS-1:0]  tail;
    reg             full;
    reg             empty;
    reg [WIDTH-1:0] word;       // read from the ring
    reg             fetched;
    reg [2:0]       slots;      // free slots behind the ring

    wire write = s_valid && !full;
    wire read  = !empty && (slots != 3'd0);
    wire leave = m_valid && m_ready;
    wire [BITS-1:0] after_head = (head == DEPTH - 1) ? {BITS{1'b0}} : head + 1'b1;
    wire [BITS-1:0] after_tail = (tail == DEPTH - 1) ? {BITS{1'b0}} : tail + 1'b1;

    assign s_ready = !full;

    always @(posedge clk) begin
        if (write)
            ring[head] <= s_data;
        word <= ring[tail];
        if (rst) begin
            head    <= {BITS{1'b0}};
            tail    <= {BITS{1'b0}};
            full    <= 1'b0;
            empty   <= 1'b1;
            fetched <= 1'b0;
            slots   <= SLOTS;
        end else begin
            fetched <= read;
            slots   <= slots + {2'b0, leave} - {2'b0, read};
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

    wire unused;    // the slots are counted: the FIFO below always has room
    eq_fifo_distributed #(.WIDTH(WIDTH), .DEPTH(SLOTS)) out (
        .clk(clk), .rst(rst), .s_data(word), .s_valid(fetched), .s_ready(unused),
        .m_data(m_data), .m_valid(m_valid), .m_ready(m_ready)
    );
endmodule
