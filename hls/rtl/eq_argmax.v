// eq_argmax: the index of the greatest of COUNT codes, the first of equals.
//
// BITS, SIGNED  width of a code; 0 unsigned, 1 two's complement, 2 sign and magnitude (both zeros are equal)
// COUNT         codes of one row
// OUT_BITS      width of an index
//
// clk, rst      in   clock; synchronous reset: the next code is the first
// s_*           in   codes; s_ready is a flip-flop
// m_*           out  one index for COUNT codes, registered
// Initiation interval COUNT, latency 1 after the last code.
module eq_argmax #(
    parameter BITS     = 8,
    parameter SIGNED   = 1,
    parameter COUNT    = 10,
    parameter OUT_BITS = 8
) (
    input  wire                clk,
    input  wire                rst,
    input  wire [BITS-1:0]     s_data,
    input  wire                s_valid,
    output wire                s_ready,
    output wire [OUT_BITS-1:0] m_data,
    output wire                m_valid,
    input  wire                m_ready
);
    localparam IB = COUNT > 1 ? $clog2(COUNT) : 1;
    wire last;
    wire take = s_valid && s_ready;
    wire [IB-1:0] index;
    eq_counter #(.N(COUNT)) element (.clk(clk), .rst(rst), .advance(take), .value(index), .last(last));

    wire [BITS-1:0] order;
    eq_order #(.BITS(BITS), .SIGNED(SIGNED)) key (.code(s_data), .order(order));
    reg first;
    reg [BITS-1:0] best;
    reg [IB-1:0] best_index;
    wire wins = first || order > best;
    wire [IB-1:0] now = wins ? index : best_index;
    always @(posedge clk) begin
        if (rst || take) first <= rst || last;
        if (take && wins) best <= order;
        if (take) best_index <= now;
    end
    wire [OUT_BITS+IB-1:0] wide = {{OUT_BITS{1'b0}}, now};
    eq_fifo #(.WIDTH(OUT_BITS), .DEPTH(2)) fifo (
        .clk(clk), .rst(rst), .s_data(wide[OUT_BITS-1:0]), .s_valid(s_valid && last), .s_ready(s_ready),
        .m_data(m_data), .m_valid(m_valid), .m_ready(m_ready));
endmodule
