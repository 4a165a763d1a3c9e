// eq_max_pool: the greatest code of each window.
//
// BITS, LANES   width of a code, elements of a beat
// SIGNED        how codes compare: 0 unsigned, 1 two's complement, 2 sign and magnitude (minifloats; negative zero
//               becomes zero)
// TAPS          beats of a window
//
// clk, rst      in   clock; synchronous reset: the next beat is the first of a window
// s_*           in   the taps of a window, LANES channels each; s_inside 0: padding, which never wins. At least one tap
//                    of each window is inside. s_ready is a flip-flop
// m_*           out  LANES codes, registered
// Initiation interval TAPS, latency 1 after the last tap.
module eq_max_pool #(
    parameter BITS   = 8,
    parameter SIGNED = 1,
    parameter LANES  = 1,
    parameter TAPS   = 4
) (
    input  wire                  clk,
    input  wire                  rst,
    input  wire [LANES*BITS-1:0] s_data,
    input  wire                  s_inside,
    input  wire                  s_valid,
    output wire                  s_ready,
    output wire [LANES*BITS-1:0] m_data,
    output wire                  m_valid,
    input  wire                  m_ready
);
    wire last;
    wire take = s_valid && s_ready;
    reg seen;                                   // a tap of this window was inside
    eq_counter #(.N(TAPS)) tap (.clk(clk), .rst(rst), .advance(take), .value(), .last(last));
    always @(posedge clk) if (rst || take) seen <= !rst && !last && (seen || s_inside);

    wire [LANES*BITS-1:0] greatest;
    genvar i;
    generate
        for (i = 0; i < LANES; i = i + 1) begin : g_lane
            wire [BITS-1:0] code = s_data[i*BITS +: BITS];
            wire [BITS-1:0] order;
            eq_order #(.BITS(BITS), .SIGNED(SIGNED)) key (.code(code), .order(order));
            // The winner is kept with its order; codes are made again at the end.
            reg [BITS-1:0] best;
            wire wins = s_inside && (!seen || order > best);
            wire [BITS-1:0] now = wins ? order : best;
            always @(posedge clk) if (take) best <= now;
            eq_order #(.BITS(BITS), .SIGNED(SIGNED), .BACK(1)) code_of (.code(now), .order(greatest[i*BITS +: BITS]));
        end
    endgenerate
    eq_fifo #(.WIDTH(LANES * BITS), .DEPTH(2)) fifo (
        .clk(clk), .rst(rst), .s_data(greatest), .s_valid(s_valid && last), .s_ready(s_ready),
        .m_data(m_data), .m_valid(m_valid), .m_ready(m_ready));
endmodule
