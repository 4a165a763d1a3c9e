// AXI-Stream border, inward: packets of 32-bit words to a stream of codes, one packet per inference.
//
// A code sits in a container of 8, 16 or 32 bits, the first one in the least significant bytes of its word, as a DMA
// sees an array in memory. Upper bits of a container are dropped.
//
// Parameters
//   BITS   of a code, at most 32
//   BEATS  codes of one inference; a packet has ceil(BEATS / codes in a word) words
// Ports
//   clk, rst   rst is synchronous, active high: back to the start of a packet
//   s_axis_tdata, s_axis_tkeep, s_axis_tlast, s_axis_tvalid   in; s_axis_tready out (depends on m_ready)
//   m_data     out, code; m_valid out; m_ready in
//   error      out, one cycle: a packet was too short, too long, or had bytes that TKEEP leaves out
// The core gets exactly BEATS codes for every packet, so that it never loses step: a packet that ends early is filled up
// with zeros, of one that is too long the rest is dropped up to its TLAST. Such an answer is worthless; `error` says so.
// Latency: 1 cycle. Initiation interval: 1 code a cycle, without a gap between words and packets.
module eq_axis_in #(
    parameter BITS = 8,
    parameter BEATS = 64
) (
    input             clk,
    input             rst,
    input      [31:0] s_axis_tdata,
    input      [3:0]  s_axis_tkeep,
    input             s_axis_tlast,
    input             s_axis_tvalid,
    output            s_axis_tready,
    output [BITS-1:0] m_data,
    output reg        m_valid,
    input             m_ready,
    output reg        error
);
    localparam SIZE = BITS <= 8 ? 1 : BITS <= 16 ? 2 : 4;  // bytes of a container
    localparam PER_WORD = 4 / SIZE;
    localparam WORDS = (BEATS + PER_WORD - 1) / PER_WORD;
    localparam LAST_CODES = BEATS - (WORDS - 1) * PER_WORD;
    localparam COUNT_BITS = WORDS > 1 ? $clog2(WORDS) : 1;
    localparam [COUNT_BITS-1:0] LAST = WORDS - 1;
    localparam [3:0] LAST_KEEP = 4'hf >> (4 - LAST_CODES * SIZE);
    localparam [1:0] TAKE = 2'd0, FILL = 2'd1, DROP = 2'd2;

    reg [1:0]            state = TAKE;
    reg [COUNT_BITS-1:0] count;   // words of this packet so far
    reg [31:0]           word;
    reg [1:0]            codes;   // left in the word besides the one in sight

    wire free = !m_valid || (m_ready && codes == 0);
    wire last = count == LAST;
    wire take = state == TAKE && free && s_axis_tvalid;
    wire next = take || (state == FILL && free);
    assign s_axis_tready = state == DROP || (state == TAKE && free);
    assign m_data = word[BITS-1:0];

    always @(posedge clk) begin
        error <= take && !rst && (s_axis_tlast != last || s_axis_tkeep != (last ? LAST_KEEP : 4'hf));
        if (next) begin
            word  <= state == TAKE ? s_axis_tdata : 32'd0;
            codes <= last ? LAST_CODES - 1 : PER_WORD - 1;
            count <= last ? 0 : count + 1'b1;
        end else if (m_valid && m_ready) begin
            word  <= word >> (8 * (SIZE % 4));
            codes <= codes - 1'b1;
        end
        if (next) m_valid <= 1'b1;
        else if (m_ready && codes == 0) m_valid <= 1'b0;
        if (take && s_axis_tlast != last) state <= last ? DROP : FILL;
        else if (state == FILL && next && last) state <= TAKE;
        else if (state == DROP && s_axis_tvalid && s_axis_tlast) state <= TAKE;
        if (rst) begin
            state   <= TAKE;
            count   <= 0;
            m_valid <= 1'b0;
        end
    end
    initial begin
        count   = 0;
        m_valid = 1'b0;
        error   = 1'b0;
    end
endmodule
