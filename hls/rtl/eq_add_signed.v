// Sum of two terms, each inverted if its bit says so: the first level of eq_dot_khot, inversion and adder in one.
//
// Plain Verilog, and for Lattice ECP5 (macro EQ_ECP5) the same by hand: the look-up table in front of each carry takes
// both inversions in, (a ^ p) ^ (b ^ q), and its carry is a ^ p. See eq_add_chosen.
//
// Parameters
//   BITS           bits of a term, two's complement
// Ports
//   a, b           in:  terms
//   p, q           in:  take ~a, take ~b (-a - 1, -b - 1)
//   sum            out: one cycle later, BITS + 1 bits, two's complement
// No reset, no enable.
module eq_add_signed #(
    parameter BITS = 8
) (
    input  wire            clk,
    input  wire [BITS-1:0] a,
    input  wire [BITS-1:0] b,
    input  wire            p,
    input  wire            q,
    output reg  [BITS:0]   sum
);
    wire [BITS:0] a_wide = {a[BITS-1], a};
    wire [BITS:0] b_wide = {b[BITS-1], b};

`ifdef EQ_ECP5
    localparam CELLS = (BITS + 2) / 2;      // two bits each
    wire [2*CELLS-1:0] a_pad = {1'b0, a_wide};
    wire [2*CELLS-1:0] b_pad = {1'b0, b_wide};
    wire [2*CELLS-1:0] total;
    wire [CELLS:0]     carry;
    assign carry[0] = 1'b0;

    genvar i;
    generate
        for (i = 0; i < CELLS; i = i + 1) begin : pair
            CCU2C #(.INIT0(16'h6996), .INIT1(16'h6996), .INJECT1_0("NO"), .INJECT1_1("NO")) bits (
                .CIN(carry[i]), .COUT(carry[i+1]), .S0(total[2*i]), .S1(total[2*i+1]),
                .A0(a_pad[2*i]), .B0(p), .C0(b_pad[2*i]), .D0(q),
                .A1(a_pad[2*i+1]), .B1(p), .C1(b_pad[2*i+1]), .D1(q)
            );
        end
    endgenerate
    always @(posedge clk)
        sum <= total[BITS:0];
`else
    always @(posedge clk)
        sum <= (a_wide ^ {BITS+1{p}}) + (b_wide ^ {BITS+1{q}});
`endif
endmodule
