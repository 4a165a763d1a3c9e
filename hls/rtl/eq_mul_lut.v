// Multiplier without `*`: the element's magnitude is added, shifted, for every bit of the weight's magnitude.
//
// Sign and magnitude are taken apart first: a two's complement product would carry sign extensions through every adder
// and cost about twice the look-up tables. The sign is put back on the product.
//
// Parameters
//   X_BITS, X_SIGNED   element: bits, and whether it is two's complement
//   W_BITS             weight: bits, two's complement
// Ports
//   x, w               in:  element and weight
//   p                  out: their product, X_BITS + W_BITS bits, two's complement
// Latency 2 + log2(W_BITS), rounded up. Initiation interval 1. No reset, no enable.
module eq_mul_lut #(
    parameter X_BITS   = 4,
    parameter X_SIGNED = 1,
    parameter W_BITS   = 4
) (
    input  wire                            clk,
    input  wire [X_BITS-1:0]               x,
    input  wire [W_BITS-1:0]               w,
    output reg  signed [X_BITS+W_BITS-1:0] p
);
    localparam BITS   = X_BITS + W_BITS;
    localparam LEVELS = $clog2(W_BITS);

    wire x_minus = (X_SIGNED != 0) && x[X_BITS-1];
    reg [X_BITS-1:0] x_size;
    reg [W_BITS-1:0] w_size;
    reg [LEVELS:0]   minus;     // the product's sign, on its way

    wire [BITS-1:0] size;
    eq_mul_rows #(.X_BITS(X_BITS), .W_BITS(W_BITS)) rows (.clk(clk), .x(x_size), .w(w_size), .p(size));

    always @(posedge clk) begin
        x_size <= x_minus ? -x : x;
        w_size <= w[W_BITS-1] ? -w : w;
        minus  <= {minus, x_minus ^ w[W_BITS-1]};
        p      <= minus[LEVELS] ? -size : size;
    end
endmodule
