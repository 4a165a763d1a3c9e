// Keeps one input of the network until its frame has proved whole, then streams it into the core.
//
// Parameters
//   BITS        of a code, at most 32; BEATS codes in one input
//   WIDTH       bytes of a code on the line (1, 2 or 4), least significant first; bits above BITS are dropped
//   INDEX_BITS  of the byte number
// Ports
//   clk, rst    rst is synchronous, active high: stops streaming; the memory keeps what it has
//   w_data, w_index, w_valid  in, byte and its number from 0, in order; not while streaming
//   start       in, one cycle: streams the whole input once
//   m_data      out, code; m_valid out; m_ready in
//   busy        out, high while codes are left
// Latency: 2 cycles from start to the first code. Initiation interval: 1. Memory: BEATS x BITS, block RAM where it pays.
module eq_frame_buffer #(
    parameter BITS = 8,
    parameter BEATS = 64,
    parameter WIDTH = 1,
    parameter INDEX_BITS = 6
) (
    input                  clk,
    input                  rst,
    input [7:0]            w_data,
    input [INDEX_BITS-1:0] w_index,
    input                  w_valid,
    input                  start,
    output reg [BITS-1:0]  m_data,
    output reg             m_valid,
    input                  m_ready,
    output                 busy
);
    localparam SKIP = WIDTH == 1 ? 0 : WIDTH == 2 ? 1 : 2;
    localparam ADDRESS_BITS = BEATS > 1 ? $clog2(BEATS) : 1;
    localparam [ADDRESS_BITS-1:0] LAST = BEATS - 1;

    reg [BITS-1:0] memory[0:BEATS-1];

    wire [8*WIDTH-1:0] word;
    wire               whole;
    generate
        if (WIDTH == 1) begin : g_byte
            assign word = w_data;
            assign whole = w_valid;
        end else begin : g_bytes
            reg [8*WIDTH-9:0] held;
            assign word = {w_data, held};
            assign whole = w_valid && &w_index[SKIP-1:0];
            always @(posedge clk) if (w_valid) held <= word[8*WIDTH-1:8];
        end
    endgenerate
    wire [INDEX_BITS-1:0]   element = w_index >> SKIP;
    wire [ADDRESS_BITS-1:0] w_address = element[ADDRESS_BITS-1:0];

    reg                    reading = 1'b0;
    reg [ADDRESS_BITS-1:0] address;
    wire                   advance = !m_valid || m_ready;
    assign busy = reading || m_valid;

    always @(posedge clk) begin
        if (whole) memory[w_address] <= word[BITS-1:0];
        if (advance) m_data <= memory[address];
    end

    always @(posedge clk) begin
        if (rst) begin
            reading <= 1'b0;
            m_valid <= 1'b0;
        end else begin
            if (advance) m_valid <= reading;
            if (start) reading <= 1'b1;
            else if (advance && address == LAST) reading <= 1'b0;
        end
        if (!reading) address <= 0;
        else if (advance) address <= address + 1'b1;
    end
    initial m_valid = 1'b0;
endmodule
