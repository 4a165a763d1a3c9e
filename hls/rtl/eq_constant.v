// Constant stream: the words of a memory one after another, without end.
//
// Parameters
//   WIDTH, DEPTH   bits of a beat, and beats until it starts over
//   FILE           memory file for $readmemh: DEPTH words
//   ROM            "block" or "distributed"
// Ports
//   m_*            out: beats, from flip-flops
// Initiation interval 1. Reset: the first word comes two cycles later.
module eq_constant #(
    parameter WIDTH = 8,
    parameter DEPTH = 16,
    parameter FILE  = "",
    parameter ROM   = "distributed"
) (
    input  wire             clk,
    input  wire             rst,
    output wire [WIDTH-1:0] m_data,
    output wire             m_valid,
    input  wire             m_ready
);
    localparam BITS = (DEPTH > 1) ? $clog2(DEPTH) : 1;
    localparam [BITS-1:0] LAST = DEPTH - 1;

    reg fetched;
    wire [WIDTH-1:0] word;
    wire taken;

    // The memory is read one cycle ahead; a FIFO of two keeps the beat while the reader waits.
    reg [BITS-1:0] shown;
    wire [BITS-1:0] after = (shown == LAST) ? {BITS{1'b0}} : shown + 1'b1;
    wire step = fetched && taken;

    always @(posedge clk)
        if (rst) begin
            shown   <= {BITS{1'b0}};
            fetched <= 1'b0;
        end else begin
            fetched <= 1'b1;
            if (step)
                shown <= after;
        end
    wire [BITS-1:0] place = rst ? {BITS{1'b0}} : step ? after : shown;

    eq_rom #(.WIDTH(WIDTH), .DEPTH(DEPTH), .FILE(FILE), .STYLE(ROM)) words (
        .clk(clk), .address(place), .data(word)
    );
    eq_fifo_pair #(.WIDTH(WIDTH)) out (
        .clk(clk), .rst(rst), .s_data(word), .s_valid(fetched), .s_ready(taken),
        .m_data(m_data), .m_valid(m_valid), .m_ready(m_ready)
    );
endmodule
