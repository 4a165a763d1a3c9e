// Unsigned multiplier from shifted rows: x times the upper and the lower half of w, added; a register a level.
//
// Parameters
//   X_BITS, W_BITS   bits of the factors
// Ports
//   x, w             in:  factors, without sign
//   p                out: their product, log2(W_BITS) cycles later, rounded up (W_BITS = 1: at once)
// No reset, no enable.
module eq_mul_rows #(
    parameter X_BITS = 4,
    parameter W_BITS = 4
) (
    input  wire                     clk,
    input  wire [X_BITS-1:0]        x,
    input  wire [W_BITS-1:0]        w,
    output wire [X_BITS+W_BITS-1:0] p
);
    generate
        if (W_BITS == 1) begin : row
            assign p = {1'b0, x & {X_BITS{w[0]}}};
        end else begin : halves
            // The lower part is a power of two wide and takes LEVELS-1 cycles; a narrower upper part waits for it.
            localparam LEVELS = $clog2(W_BITS);
            localparam LOW    = 1 << (LEVELS - 1);
            localparam HIGH   = W_BITS - LOW;
            localparam WAIT   = LEVELS - 1 - $clog2(HIGH);
            wire [X_BITS+LOW-1:0]  low;
            wire [X_BITS+HIGH-1:0] high, late;
            reg  [X_BITS+W_BITS-1:0] sum;
            eq_mul_rows #(.X_BITS(X_BITS), .W_BITS(LOW)) lower (.clk(clk), .x(x), .w(w[LOW-1:0]), .p(low));
            eq_mul_rows #(.X_BITS(X_BITS), .W_BITS(HIGH)) upper (.clk(clk), .x(x), .w(w[W_BITS-1:LOW]), .p(high));
            eq_delay #(.BITS(X_BITS + HIGH), .CYCLES(WAIT)) wait_for_lower (.clk(clk), .d(high), .q(late));
            always @(posedge clk)
                sum <= {late, {LOW{1'b0}}} + low;
            assign p = sum;
        end
    endgenerate
endmodule
