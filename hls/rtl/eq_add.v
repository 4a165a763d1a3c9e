// eq_add: two operands, element by element: sum, difference, product, greater, lesser. Exact; an output stage follows.
//
// m = ((a - ZERO_A) << LEFT_A) op ((b - ZERO_B) << LEFT_B)
//
// LANES       elements of a beat
// BITS_A, SIGNED_A, ZERO_A, LEFT_A   width of a code of a, 1: two's complement, zero point, shift to the common grid
// BITS_B, SIGNED_B, ZERO_B, LEFT_B   the same of b
// OUT_BITS    width of the result, two's complement; Python computes it so that the result fits
// OP          0 a + b, 1 a - b, 2 a * b (`*`: the device's multipliers where they pay), 3 max, 4 min
//
// clk, rst    in   clock; synchronous reset
// a_*, b_*    in   operands; a beat of both is taken at once, so a_ready waits for b_valid and b_ready for a_valid
// m_*         out  LANES results, registered
// Initiation interval 1, latency 3.
module eq_add #(
    parameter LANES    = 1,
    parameter BITS_A   = 8,
    parameter SIGNED_A = 1,
    parameter signed [63:0] ZERO_A = 0,
    parameter LEFT_A   = 0,
    parameter BITS_B   = 8,
    parameter SIGNED_B = 1,
    parameter signed [63:0] ZERO_B = 0,
    parameter LEFT_B   = 0,
    parameter OUT_BITS = 16,
    parameter OP       = 0
) (
    input  wire                      clk,
    input  wire                      rst,
    input  wire [LANES*BITS_A-1:0]   a_data,
    input  wire                      a_valid,
    output wire                      a_ready,
    input  wire [LANES*BITS_B-1:0]   b_data,
    input  wire                      b_valid,
    output wire                      b_ready,
    output wire [LANES*OUT_BITS-1:0] m_data,
    output wire                      m_valid,
    input  wire                      m_ready
);
    // A code less its zero point: one bit more where a zero point can be beyond the code's sign, one for unsigned codes.
    localparam A = BITS_A + 2, B = BITS_B + 2;
    // Wide enough for aligned operands and for the result.
    localparam AL = A + LEFT_A, BL = B + LEFT_B, MOST = AL > BL ? AL : BL, W = MOST > OUT_BITS ? MOST : OUT_BITS;

    wire enable;
    wire both = a_valid && b_valid;
    assign a_ready = enable && b_valid;
    assign b_ready = enable && a_valid;

    reg valid_1, valid_2;
    always @(posedge clk) begin
        if (enable) begin
            valid_1 <= both;
            valid_2 <= valid_1;
        end
        if (rst) {valid_1, valid_2} <= 2'b00;
    end

    wire [LANES*OUT_BITS-1:0] result;
    genvar i;
    generate
        for (i = 0; i < LANES; i = i + 1) begin : g_lane
            wire [BITS_A-1:0] code_a = a_data[i*BITS_A +: BITS_A];
            wire [BITS_B-1:0] code_b = b_data[i*BITS_B +: BITS_B];
            wire sign_a = SIGNED_A != 0 && code_a[BITS_A-1], sign_b = SIGNED_B != 0 && code_b[BITS_B-1];
            reg signed [A-1:0] grid_a;
            reg signed [B-1:0] grid_b;
            reg signed [OUT_BITS-1:0] out;
            wire signed [W-1:0] wide_a = {{(W - A){grid_a[A-1]}}, grid_a} << LEFT_A;
            wire signed [W-1:0] wide_b = {{(W - B){grid_b[B-1]}}, grid_b} << LEFT_B;
            wire [W-1:0] value;
            if (OP == 2) begin : g_product
                wire signed [A+B-1:0] product = grid_a * grid_b;
                wire signed [W+A+B-1:0] long = {{W{product[A+B-1]}}, product};
                wire [W+A+B-1:0] aligned = long << (LEFT_A + LEFT_B);
                assign value = aligned[W-1:0];
            end else if (OP == 0) begin : g_sum
                assign value = wide_a + wide_b;
            end else if (OP == 1) begin : g_difference
                assign value = wide_a - wide_b;
            end else begin : g_select
                assign value = (wide_a > wide_b) == (OP == 3) ? wide_a : wide_b;
            end
            always @(posedge clk) if (enable) begin
                grid_a <= {{2{sign_a}}, code_a} - ZERO_A[A-1:0];
                grid_b <= {{2{sign_b}}, code_b} - ZERO_B[B-1:0];
                out <= value[OUT_BITS-1:0];
            end
            assign result[i*OUT_BITS +: OUT_BITS] = out;
        end
    endgenerate
    eq_fifo #(.WIDTH(LANES * OUT_BITS), .DEPTH(2)) fifo (
        .clk(clk), .rst(rst), .s_data(result), .s_valid(valid_2), .s_ready(enable),
        .m_data(m_data), .m_valid(m_valid), .m_ready(m_ready));
endmodule
