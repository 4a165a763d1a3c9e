// Codes as signed integers without their zero point: sign or zero extended, ZERO taken off. Wires and adders only.
//
// Parameters
//   LANES, BITS      elements of a beat, width of a code
//   SIGNED           whether codes are two's complement
//   ZERO             code of the number zero
//   OUT_BITS         width of the result, at least what code - ZERO needs
// Ports
//   clk, rst         in:  not used; every stage has them
//   s_*, m_*         in and out: passed through in the same cycle
// Latency 0.
module eq_extend #(
    parameter LANES    = 1,
    parameter BITS     = 8,
    parameter SIGNED   = 1,
    parameter signed [63:0] ZERO = 0,
    parameter OUT_BITS = 9
) (
    input  wire                      clk,
    input  wire                      rst,
    input  wire [LANES*BITS-1:0]     s_data,
    input  wire                      s_valid,
    output wire                      s_ready,
    output wire [LANES*OUT_BITS-1:0] m_data,
    output wire                      m_valid,
    input  wire                      m_ready
);
    localparam WIDE = (OUT_BITS > BITS) ? OUT_BITS : BITS + 1;

    assign m_valid = s_valid;
    assign s_ready = m_ready;

    genvar i;
    generate
        for (i = 0; i < LANES; i = i + 1) begin : lane
            wire sign = (SIGNED != 0) && s_data[(i+1)*BITS-1];
            wire [WIDE-1:0] grid = {{WIDE-BITS{sign}}, s_data[i*BITS +: BITS]} - ZERO[WIDE-1:0];
            assign m_data[i*OUT_BITS +: OUT_BITS] = grid[OUT_BITS-1:0];
        end
    endgenerate
endmodule
