// eq_prelu: a function of a code for each channel, by table: prelu with a slope per channel, output stage included.
//
// A slope per channel and two multipliers make too many cases to compute cheaply, and a code has few values: Python
// evaluates the operator for each channel and code.
//
// IN_BITS, OUT_BITS   width of a code and of an entry
// CHANNELS   the last axis; one channel after another, 1 lane
// FILE       CHANNELS times 2^IN_BITS words of OUT_BITS bits, within a channel addressed by the raw bits of the code
// ROM        "auto", "block", "distributed"
//
// clk, rst  in   clock; synchronous reset: the next code is of the first channel
// s_*       in   codes; s_ready is a flip-flop
// m_*       out  entries, registered
// Initiation interval 1, latency 2.
module eq_prelu #(
    parameter IN_BITS  = 8,
    parameter OUT_BITS = 8,
    parameter CHANNELS = 2,
    parameter FILE     = "",
    parameter ROM      = "auto"
) (
    input  wire                clk,
    input  wire                rst,
    input  wire [IN_BITS-1:0]  s_data,
    input  wire                s_valid,
    output wire                s_ready,
    output wire [OUT_BITS-1:0] m_data,
    output wire                m_valid,
    input  wire                m_ready
);
    localparam CB = CHANNELS > 1 ? $clog2(CHANNELS) : 1;
    localparam AB = CHANNELS > 1 ? CB + IN_BITS : IN_BITS;
    wire fifo_ready;
    wire last;
    wire take = s_valid && s_ready;
    wire [CB-1:0] channel;
    wire [CB+IN_BITS-1:0] place = {channel, s_data};
    wire [OUT_BITS-1:0] entry;
    wire unused = &{1'b0, fifo_ready, last, place};
    eq_counter #(.N(CHANNELS)) counter (.clk(clk), .rst(rst), .advance(take), .value(channel), .last(last));
    eq_rom #(.WIDTH(OUT_BITS), .DEPTH(CHANNELS << IN_BITS), .FILE(FILE), .STYLE(ROM)) rom (
        .clk(clk), .address(place[AB-1:0]), .data(entry));

    // The ROM cannot wait: what is read has a place in the FIFO.
    reg valid;
    always @(posedge clk) valid <= take && !rst;
    eq_credit #(.ROOM(4)) credits (
        .clk(clk), .rst(rst), .take(take), .give(m_valid && m_ready), .ready(s_ready));
    eq_fifo #(.WIDTH(OUT_BITS), .DEPTH(4)) fifo (
        .clk(clk), .rst(rst), .s_data(entry), .s_valid(valid), .s_ready(fifo_ready),
        .m_data(m_data), .m_valid(m_valid), .m_ready(m_ready));
endmodule
