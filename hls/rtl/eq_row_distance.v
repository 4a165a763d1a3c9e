// eq_row_distance: how far each code of a row lies below the greatest of the row. In front of eq_softmax_lines.
//
// m = s - greatest s of the row, 0 or less
//
// BITS, SIGNED   width of a code that comes in, 1: two's complement
// COUNT          codes of a row
//
// clk, rst       in   clock; synchronous reset: waits for the first code of a row
// s_*            in   a row of COUNT codes, then none until the row has been given out
// m_*            out  COUNT differences of BITS + 1 bits, two's complement, registered
// Initiation interval 2 * COUNT + 5 cycles a row, latency 5 after its last code.
module eq_row_distance #(
    parameter BITS   = 8,
    parameter SIGNED = 1,
    parameter COUNT  = 10
) (
    input  wire            clk,
    input  wire            rst,
    input  wire [BITS-1:0] s_data,
    input  wire            s_valid,
    output wire            s_ready,
    output wire [BITS:0]   m_data,
    output wire            m_valid,
    input  wire            m_ready
);
    localparam IB = COUNT > 1 ? $clog2(COUNT) : 1;
    localparam ROOM = 6;

    reg full;
    reg first;
    reg [BITS-1:0] greatest;
    reg [BITS:0] distance;
    reg [2:1] valid;
    wire [BITS-1:0] order, stored;
    wire [IB-1:0] written, sent;
    wire in_last, out_last, credit;
    wire take = s_valid && s_ready, read = full && credit;
    assign s_ready = !full;
    eq_counter #(.N(COUNT)) writes (.clk(clk), .rst(rst), .advance(take), .value(written), .last(in_last));
    eq_counter #(.N(COUNT)) reads (.clk(clk), .rst(rst), .advance(read), .value(sent), .last(out_last));
    eq_order #(.BITS(BITS), .SIGNED(SIGNED)) key (.code(s_data), .order(order));
    eq_ram #(.WIDTH(BITS), .DEPTH(COUNT)) row (
        .clk(clk), .write(take), .write_address(written), .write_data(order),
        .read(1'b1), .read_address(sent), .read_data(stored));

    // A new row's first code comes when the last of the one before is subtracted, and counts a cycle later.
    always @(posedge clk) begin
        if (take) begin
            if (first || order > greatest) greatest <= order;
            first <= in_last;
        end
        full <= full ? !(read && out_last) : take && in_last;
        distance <= {1'b0, stored} - {1'b0, greatest};
        valid <= {valid[1], read};
        if (rst) {full, first, valid} <= 4'b0100;
    end

    wire fifo_ready;                                    // credits: always
    wire unused = &{1'b0, fifo_ready};
    eq_credit #(.ROOM(ROOM)) credits (.clk(clk), .rst(rst), .take(read), .give(m_valid && m_ready), .ready(credit));
    eq_fifo #(.WIDTH(BITS + 1), .DEPTH(ROOM)) fifo (
        .clk(clk), .rst(rst), .s_data(distance), .s_valid(valid[2]), .s_ready(fifo_ready),
        .m_data(m_data), .m_valid(m_valid), .m_ready(m_ready));
endmodule
