// Codes of a minifloat as signed integers on the grid of its smallest subnormal (docs/arithmetic.md).
//
// A code is sign, exponent e, mantissa m; its magnitude is m where e is 0, else (2^MANTISSA + m) * 2^(e - 1).
// Codes that are no finite number give what the same bits would be without that meaning; no layer makes them.
//
// Parameters
//   LANES               elements of a beat
//   EXPONENT, MANTISSA  bits of e (1 to 5) and of m (0 or more)
//   OUT_BITS            width of the result, at least MANTISSA + 2^EXPONENT
// Ports
//   clk, rst            in:  reset empties the stage
//   s_*, m_*            in and out
// Latency 2, initiation interval 1.
module eq_decode #(
    parameter LANES    = 1,
    parameter EXPONENT = 2,
    parameter MANTISSA = 1,
    parameter OUT_BITS = 5
) (
    input  wire                                   clk,
    input  wire                                   rst,
    input  wire [LANES*(1+EXPONENT+MANTISSA)-1:0] s_data,
    input  wire                                   s_valid,
    output wire                                   s_ready,
    output wire [LANES*OUT_BITS-1:0]              m_data,
    output wire                                   m_valid,
    input  wire                                   m_ready
);
    localparam BITS = 1 + EXPONENT + MANTISSA;

    wire enable;
    assign s_ready = enable;
    reg valid;
    always @(posedge clk) begin
        if (enable) valid <= s_valid;
        if (rst) valid <= 1'b0;
    end

    wire [LANES*OUT_BITS-1:0] grid;
    genvar i;
    generate
        for (i = 0; i < LANES; i = i + 1) begin : g_lane
            wire [BITS-1:0] code = s_data[i*BITS +: BITS];
            wire [EXPONENT-1:0] e = code[BITS-2 -: EXPONENT];
            // The mantissa, and above it the leading one in place of an exponent's bit.
            wire [MANTISSA:0] one = 1 << MANTISSA;
            wire [MANTISSA:0] significand = e != 0 ? code | one : code & ~one;
            wire [OUT_BITS-1:0] wide = significand;
            wire [EXPONENT-1:0] places = e != 0 ? e - 1'b1 : e;
            reg [OUT_BITS-1:0] result;
            wire [OUT_BITS-1:0] magnitude = wide << places;
            always @(posedge clk) if (enable) result <= code[BITS-1] ? -magnitude : magnitude;
            assign grid[i*OUT_BITS +: OUT_BITS] = result;
        end
    endgenerate
    eq_fifo #(.WIDTH(LANES * OUT_BITS), .DEPTH(2)) fifo (
        .clk(clk), .rst(rst), .s_data(grid), .s_valid(valid), .s_ready(enable),
        .m_data(m_data), .m_valid(m_valid), .m_ready(m_ready));
endmodule
