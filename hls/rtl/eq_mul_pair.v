// Two multipliers of a signed weight and an element, exact, with registers on both sides.
//
// Two eq_mul, and for Lattice iCE40 (macro EQ_ICE40) both products in one SB_MAC16, which the synthesiser does not do by
// itself: it spends a block on each, or look-up tables where the product has fewer than 11 bits. What is
// instantiated must be hidden from `synth_ice40 -dsp`, which would give it the parameters of the blocks that it infers
// (edgeq/fpga/toolchain/families.py does).
//
// Parameters
//   X_BITS, X_SIGNED   elements: bits, and whether they are two's complement
//   W_BITS             weights: bits, two's complement
// Ports
//   x0, w0, x1, w1     in:  elements and weights
//   p0, p1             out: x0 * w0 and x1 * w1, X_BITS + W_BITS bits, two's complement
// Latency 2. Initiation interval 1. No reset, no enable.
module eq_mul_pair #(
    parameter X_BITS   = 8,
    parameter X_SIGNED = 1,
    parameter W_BITS   = 8
) (
    input  wire                     clk,
    input  wire [X_BITS-1:0]        x0,
    input  wire [W_BITS-1:0]        w0,
    input  wire [X_BITS-1:0]        x1,
    input  wire [W_BITS-1:0]        w1,
    output wire [X_BITS+W_BITS-1:0] p0,
    output wire [X_BITS+W_BITS-1:0] p1
);
`ifdef EQ_ICE40
    localparam BLOCK = (X_BITS <= 8) && (W_BITS <= 8);
`else
    localparam BLOCK = 0;
`endif
    generate
        if (BLOCK) begin : block
`ifdef EQ_ICE40
            wire [7:0] a0 = (X_SIGNED != 0) ? {{8{x0[X_BITS-1]}}, x0} : x0;
            wire [7:0] a1 = (X_SIGNED != 0) ? {{8{x1[X_BITS-1]}}, x1} : x1;
            wire [7:0] b0 = {{8{w0[W_BITS-1]}}, w0};
            wire [7:0] b1 = {{8{w1[W_BITS-1]}}, w1};
            wire [31:0] products;
            SB_MAC16 #(
                .A_REG(1'b1), .B_REG(1'b1), .TOP_8x8_MULT_REG(1'b1), .BOT_8x8_MULT_REG(1'b1), .MODE_8x8(1'b1),
                .TOPOUTPUT_SELECT(2'b10), .BOTOUTPUT_SELECT(2'b10),
                .A_SIGNED((X_SIGNED != 0) ? 1'b1 : 1'b0), .B_SIGNED(1'b1)
            ) mac (
                .CLK(clk), .CE(1'b1), .A({a1, a0}), .B({b1, b0}), .C(16'b0), .D(16'b0), .O(products),
                .AHOLD(1'b0), .BHOLD(1'b0), .CHOLD(1'b0), .DHOLD(1'b0), .IRSTTOP(1'b0), .IRSTBOT(1'b0),
                .ORSTTOP(1'b0), .ORSTBOT(1'b0), .OLOADTOP(1'b0), .OLOADBOT(1'b0), .ADDSUBTOP(1'b0), .ADDSUBBOT(1'b0),
                .OHOLDTOP(1'b0), .OHOLDBOT(1'b0), .CI(1'b0), .ACCUMCI(1'b0), .SIGNEXTIN(1'b0)
            );
            assign p0 = products[X_BITS+W_BITS-1:0];
            assign p1 = products[16+X_BITS+W_BITS-1:16];
`endif
        end else begin : plain
            eq_mul #(.X_BITS(X_BITS), .X_SIGNED(X_SIGNED), .W_BITS(W_BITS)) mul0 (
                .clk(clk), .x(x0), .w(w0), .product(p0)
            );
            eq_mul #(.X_BITS(X_BITS), .X_SIGNED(X_SIGNED), .W_BITS(W_BITS)) mul1 (
                .clk(clk), .x(x1), .w(w1), .product(p1)
            );
        end
    endgenerate
endmodule
