// AXI-Stream border, outward: a stream of codes to packets of 32-bit words, one packet per inference.
//
// A code sits in a container of 8, 16 or 32 bits, the first one in the least significant bytes of its word; upper bits
// of a container repeat the sign, so that a DMA writes an array that software reads as integers.
//
// Parameters
//   BITS   of a code, at most 32
//   SIGNED 1: codes are two's complement
//   BEATS  codes of one inference; a packet has ceil(BEATS / codes in a word) words
// Ports
//   clk, rst   rst is synchronous, active high: back to the start of a packet
//   s_data     in, code; s_valid in; s_ready out (depends on m_axis_tready)
//   m_axis_tdata, m_axis_tkeep, m_axis_tlast, m_axis_tvalid   out; m_axis_tready in
// TKEEP is all ones but in the last word, where it marks the containers used; TLAST is set there. Unused bytes are 0.
// Latency: 1 cycle from the last code of a word. Initiation interval: 1 code a cycle.
module eq_axis_out #(
    parameter BITS = 8,
    parameter SIGNED = 1,
    parameter BEATS = 10
) (
    input             clk,
    input             rst,
    input  [BITS-1:0] s_data,
    input             s_valid,
    output            s_ready,
    output reg [31:0] m_axis_tdata,
    output reg [3:0]  m_axis_tkeep,
    output reg        m_axis_tlast,
    output reg        m_axis_tvalid,
    input             m_axis_tready
);
    localparam SIZE = BITS <= 8 ? 1 : BITS <= 16 ? 2 : 4;  // bytes of a container
    localparam PER_WORD = 4 / SIZE;
    localparam LAST_CODES = BEATS - ((BEATS - 1) / PER_WORD) * PER_WORD;  // in the last word
    localparam UNUSED = 8 * SIZE * (PER_WORD - LAST_CODES);               // bits of the last word
    localparam [3:0] LAST_KEEP = 4'hf >> (4 - LAST_CODES * SIZE);
    localparam COUNT_BITS = BEATS > 1 ? $clog2(BEATS) : 1;
    localparam [COUNT_BITS-1:0] LAST = BEATS - 1;
    localparam [1:0] LAST_PART = PER_WORD - 1;

    reg [COUNT_BITS-1:0] count;
    reg [1:0]            part;  // codes of this word so far
    reg [31:0]           word;  // they, shifted in from above

    wire [32:0]        code = {{(33 - BITS) {SIGNED != 0 && s_data[BITS-1]}}, s_data};
    wire [8*SIZE+31:0] shifted = {code[8*SIZE-1:0], word};
    wire [31:0]        filled = shifted[8*SIZE+31:8*SIZE];
    wire               last = count == LAST;
    wire               completes = last || part == LAST_PART;
    assign s_ready = !completes || !m_axis_tvalid || m_axis_tready;
    wire               take = s_valid && s_ready;

    always @(posedge clk) begin
        if (m_axis_tready) m_axis_tvalid <= 1'b0;
        if (take) begin
            count <= last ? 0 : count + 1'b1;
            part  <= completes ? 0 : part + 1'b1;
            word  <= filled;
            if (completes) begin
                m_axis_tdata  <= last ? filled >> UNUSED : filled;
                m_axis_tkeep  <= last ? LAST_KEEP : 4'hf;
                m_axis_tlast  <= last;
                m_axis_tvalid <= 1'b1;
            end
        end
        if (rst) begin
            count         <= 0;
            part          <= 0;
            m_axis_tvalid <= 1'b0;
        end
    end
    initial begin
        count         = 0;
        part          = 0;
        m_axis_tvalid = 1'b0;
    end
endmodule
