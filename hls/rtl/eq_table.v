// eq_table: a table of codes: any function of one variable, and the rescaling of operands.
//
// LANES, IN_BITS, OUT_BITS  elements of a beat, widths of a code and of an entry
// FILE    2^IN_BITS words of OUT_BITS bits, addressed by the raw bits of the code (negative codes in the upper half)
// ROM     "auto", "block", "distributed"; each lane has its own copy
//
// clk, rst  in   clock; synchronous reset
// s_*       in   LANES codes; s_ready is a flip-flop
// m_*       out  LANES entries, registered
// Initiation interval 1, latency 2.
module eq_table #(
    parameter LANES    = 1,
    parameter IN_BITS  = 8,
    parameter OUT_BITS = 8,
    parameter FILE     = "",
    parameter ROM      = "auto"
) (
    input  wire                      clk,
    input  wire                      rst,
    input  wire [LANES*IN_BITS-1:0]  s_data,
    input  wire                      s_valid,
    output wire                      s_ready,
    output wire [LANES*OUT_BITS-1:0] m_data,
    output wire                      m_valid,
    input  wire                      m_ready
);
    wire [LANES*OUT_BITS-1:0] entry;
    genvar i;
    generate
        for (i = 0; i < LANES; i = i + 1) begin : g_lane
            eq_rom #(.WIDTH(OUT_BITS), .DEPTH(1 << IN_BITS), .FILE(FILE), .STYLE(ROM)) rom (
                .clk(clk), .address(s_data[i*IN_BITS +: IN_BITS]), .data(entry[i*OUT_BITS +: OUT_BITS]));
        end
    endgenerate

    // The ROM cannot wait: what is read has a place in the FIFO.
    wire fifo_ready;
    wire take = s_valid && s_ready;
    wire unused = &{1'b0, fifo_ready};
    reg valid;
    always @(posedge clk) valid <= take && !rst;
    eq_credit #(.ROOM(4)) credits (
        .clk(clk), .rst(rst), .take(take), .give(m_valid && m_ready), .ready(s_ready));
    eq_fifo #(.WIDTH(LANES * OUT_BITS), .DEPTH(4)) fifo (
        .clk(clk), .rst(rst), .s_data(entry), .s_valid(valid), .s_ready(fifo_ready),
        .m_data(m_data), .m_valid(m_valid), .m_ready(m_ready));
endmodule
