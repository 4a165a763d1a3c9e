// Product of an element and a digit of a weight: shifted to the left, or nothing.
//
// A stage for each bit of the shift, as wide as what comes out of it, with a register behind: a look-up table a bit. The
// first one also leaves the element out where the digit is not used, in the same tables.
//
// Parameters
//   X_BITS, X_SIGNED   element: bits, and whether it is two's complement
//   SHIFTS             shifts there are: 0 to SHIFTS - 1
//   SHIFT_BITS         bits of the shift, enough for SHIFTS - 1
//   BITS               bits of the product, two's complement: X_BITS + SHIFTS - 1, one more without X_SIGNED
// Ports
//   x                  in:  element
//   digit              in:  {used, negative, shift}
//   term, minus        out: LATENCY cycles later: the product without its sign; its sign
// Latency SHIFT_BITS, at least 1. No reset, no enable.
module eq_shift_digit #(
    parameter X_BITS     = 8,
    parameter X_SIGNED   = 1,
    parameter SHIFTS     = 7,
    parameter SHIFT_BITS = 3,
    parameter BITS       = X_BITS + SHIFTS - (X_SIGNED ? 1 : 0)
) (
    input  wire                  clk,
    input  wire [X_BITS-1:0]     x,
    input  wire [SHIFT_BITS+1:0] digit,
    output wire [BITS-1:0]       term,
    output wire                  minus
);
    localparam STAGES = (SHIFT_BITS > 0) ? SHIFT_BITS : 1;

    wire [STAGES*BITS-1:0] terms;           // behind each stage
    reg  [STAGES-1:0]      signs;
    assign term  = terms[STAGES*BITS-1 -: BITS];
    assign minus = signs[STAGES-1];
    always @(posedge clk)
        signs <= {signs, digit[SHIFT_BITS]};

    genvar s;
    generate
        for (s = 0; s < STAGES; s = s + 1) begin : stage
            localparam MOST = ((2 << s) < SHIFTS) ? (2 << s) - 1 : SHIFTS - 1;      // the greatest shift so far
            localparam WIDE = BITS - SHIFTS + 1 + MOST;
            wire signed [BITS-1:0] before;
            wire moves;
            reg  signed [WIDE-1:0] after;
            wire signed [BITS-1:0] extended = after;
            assign terms[s*BITS +: BITS] = extended;
            always @(posedge clk)
                after <= moves ? before << (1 << s) : before;
            if (s == 0) begin : first
                wire signed [BITS-1:0] element = {{BITS{(X_SIGNED != 0) && x[X_BITS-1]}}, x};
                assign before = digit[SHIFT_BITS+1] ? element : {BITS{1'b0}};
                assign moves  = (SHIFTS > 1) && digit[0];
            end else begin : later
                reg [s-1:0] waits;
                always @(posedge clk)
                    waits <= {waits, digit[s]};
                assign before = terms[(s-1)*BITS +: BITS];
                assign moves  = (SHIFTS > (1 << s)) && waits[s-1];
            end
        end
    endgenerate
endmodule
