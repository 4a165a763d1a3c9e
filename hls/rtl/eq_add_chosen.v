// Sum of two elements, each only if its bit says so: the first level of eq_dot_lut, selection and adder in one.
//
// Plain Verilog, and for Lattice ECP5 (macro EQ_ECP5) the same by hand: the look-up table in front of each carry takes
// both selections in, a & p ^ b & q, and its carry is a & p. Synthesis from `+` and `&` takes twice the tables.
//
// Parameters
//   BITS, SIGNED   elements: bits, and whether they are two's complement
// Ports
//   a, b           in:  elements
//   p, q           in:  take a, take b
//   sum            out: one cycle later, BITS + 1 bits, two's complement if SIGNED
// No reset, no enable.
module eq_add_chosen #(
    parameter BITS   = 4,
    parameter SIGNED = 1
) (
    input  wire            clk,
    input  wire [BITS-1:0] a,
    input  wire [BITS-1:0] b,
    input  wire            p,
    input  wire            q,
    output reg  [BITS:0]   sum
);
    wire [BITS:0] a_wide = {SIGNED && a[BITS-1], a};
    wire [BITS:0] b_wide = {SIGNED && b[BITS-1], b};

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
            CCU2C #(.INIT0(16'h7888), .INIT1(16'h7888), .INJECT1_0("NO"), .INJECT1_1("NO")) bits (
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
        sum <= (a_wide & {BITS+1{p}}) + (b_wide & {BITS+1{q}});
`endif
endmodule
