// eq_scale_lane: one lane of eq_scale: multiply, round, clamp. No back-pressure after in_ready.
//
// Parameters as in eq_scale.
// clk, rst                                  in
// in_valid, in_ready, x, multiplier, shift  in (in_ready: out); taken where in_valid && in_ready
// out_valid, out_code                       out, registered
//
// Rule tflite rounds half up at 31 bits, which costs nothing (a constant that enters the multiplier), then half away
// from zero. Where shifts lie on both sides of 31, x first goes left by 31 - shift.
module eq_scale_lane #(
    parameter IN_BITS   = 24,
    parameter OUT_BITS  = 8,
    parameter SHIFT_MIN = 0,
    parameter SHIFT_MAX = 62,
    parameter RULE      = 3,
    parameter signed [63:0] LO   = -128,
    parameter signed [63:0] HI   = 127,
    parameter signed [63:0] ZERO = 0,
    parameter STYLE     = "lut",
    parameter CYCLES    = 1
) (
    input  wire                      clk,
    input  wire                      rst,
    input  wire                      in_valid,
    output wire                      in_ready,
    input  wire signed [IN_BITS-1:0] x,
    input  wire [30:0]               multiplier,
    input  wire [5:0]                shift,
    output wire                      out_valid,
    output wire [OUT_BITS-1:0]       out_code
);
    localparam TWICE = RULE == 3 && SHIFT_MAX > 31;
    localparam LEFT = TWICE && SHIFT_MIN < 31 ? 31 - SHIFT_MIN : 0;
    localparam XB = IN_BITS + LEFT;
    localparam FIRST = TWICE ? 31 : 0;                                  // bits that the first rounding takes
    localparam LEAST = SHIFT_MIN > FIRST ? SHIFT_MIN - FIRST : 0, MOST = SHIFT_MAX - FIRST;
    localparam EB = MOST > LEAST ? $clog2(MOST - LEAST + 1) : 1;
    localparam [5:0] BASE = LEAST[5:0] + FIRST[5:0];

    wire signed [XB-1:0] wide;
    generate
        if (LEFT != 0) begin : g_left
            assign wide = shift < 6'd31 ? {{LEFT{x[IN_BITS-1]}}, x} << (6'd31 - shift) : {{LEFT{x[IN_BITS-1]}}, x};
        end else begin : g_same
            assign wide = x;
        end
    endgenerate
    wire [5:0] above = shift - BASE;
    wire [EB-1:0] extra = LEFT != 0 && shift < 6'd31 ? {EB{1'b0}} : above[EB-1:0];
    wire [EB-1:0] extra_out;

    wire valid;
    wire signed [XB+30:0] product;
    eq_multiply #(.X_BITS(XB), .CYCLES(CYCLES), .STYLE(STYLE), .ROUND(TWICE), .SIDE(EB)) multiply (
        .clk(clk), .rst(rst), .in_valid(in_valid), .in_ready(in_ready), .x(wide), .m(multiplier), .side_in(extra),
        .out_valid(valid), .p(product), .side_out(extra_out));

    wire unused = &{1'b0, above, product[30:0]};
    localparam PB = XB + 31 - FIRST;
    wire signed [PB-1:0] once = product[XB+30:FIRST];
    eq_round #(.IN_BITS(PB), .SHIFT_MIN(LEAST), .SHIFT_MAX(MOST), .EXTRA_BITS(EB),
               .RULE(TWICE ? 4 : RULE == 3 ? 0 : RULE), .LO(LO), .HI(HI), .ZERO(ZERO), .OUT_BITS(OUT_BITS)) rounding (
        .clk(clk), .rst(rst), .enable(1'b1), .in_valid(valid), .in_data(once), .in_extra(extra_out),
        .out_valid(out_valid), .out_data(out_code));
endmodule
