// eq_order: codes as unsigned numbers of the same order, and back. Wires and at most one adder, no clock.
//
// BITS     width of a code
// SIGNED   0 unsigned, 1 two's complement, 2 sign and magnitude (both zeros get the same number; back: the positive one)
// BACK     1: numbers to codes
//
// code, order   in, out  (BACK 1: `code` is the number, `order` the code)
module eq_order #(
    parameter BITS   = 8,
    parameter SIGNED = 1,
    parameter BACK   = 0
) (
    input  wire [BITS-1:0] code,
    output wire [BITS-1:0] order
);
    localparam [BITS-1:0] TOP = 1 << (BITS - 1);
    generate
        if (SIGNED == 0) begin : g_unsigned
            assign order = code;
        end else if (SIGNED == 1) begin : g_signed
            assign order = code ^ TOP;
        end else if (BACK == 0) begin : g_magnitude
            wire [BITS-2:0] low = code[BITS-2:0];
            // Positive: 2^(BITS-1) + magnitude; negative: 2^(BITS-1) - magnitude.
            assign order = code[BITS-1] ? TOP - {1'b0, low} : {1'b1, low};
        end else begin : g_code
            wire [BITS-2:0] low = code[BITS-2:0];
            wire [BITS-1:0] magnitude = TOP - code;
            assign order = code[BITS-1] ? {1'b0, low} : {1'b1, magnitude[BITS-2:0]};
        end
    endgenerate
endmodule
