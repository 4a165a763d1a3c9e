// Multiplier of a signed weight and an element in one of two styles; exact.
//
// Parameters
//   X_BITS, X_SIGNED   element: bits, and whether it is two's complement
//   W_BITS             weight: bits, two's complement
//   STYLE              "dsp": `*`, which the synthesiser puts into a multiplier block; "lut": shifted rows, no `*`
// Ports
//   x, w               in:  element and weight
//   p                  out: their product, X_BITS + W_BITS bits, two's complement
// Latency: dsp: 2; lut: 2 + log2(W_BITS), rounded up. Initiation interval 1. No reset, no enable.
module eq_mul #(
    parameter X_BITS   = 8,
    parameter X_SIGNED = 1,
    parameter W_BITS   = 8,
    parameter STYLE    = "dsp"
) (
    input  wire                            clk,
    input  wire [X_BITS-1:0]               x,
    input  wire [W_BITS-1:0]               w,
    output wire signed [X_BITS+W_BITS-1:0] p
);
    generate
        if (STYLE == "lut") begin : lut
            eq_mul_lut #(.X_BITS(X_BITS), .X_SIGNED(X_SIGNED), .W_BITS(W_BITS)) mul (.clk(clk), .x(x), .w(w), .p(p));
        end else begin : dsp
            // Registers on both sides, so that a multiplier block with registers can take them in.
            localparam BITS = X_BITS + (X_SIGNED ? 0 : 1);
            reg signed [BITS-1:0]          x_in;
            reg signed [W_BITS-1:0]        w_in;
            reg signed [X_BITS+W_BITS-1:0] product;
            always @(posedge clk) begin
                x_in    <= X_SIGNED ? $signed(x) : $signed({1'b0, x});
                w_in    <= w;
                product <= x_in * w_in;
            end
            assign p = product;
        end
    endgenerate
endmodule
