// eq_multiply_tree: eq_multiply as a pipeline in LUTs: 16 partial products and an adder tree, a register a level.
// Ports and numbers as in eq_multiply; latency 5, initiation interval 1.
module eq_multiply_tree #(
    parameter X_BITS = 24,
    parameter ROUND  = 0,
    parameter SIDE   = 1
) (
    input  wire                      clk,
    input  wire                      rst,
    input  wire                      in_valid,
    input  wire signed [X_BITS-1:0]  x,
    input  wire [30:0]               m,
    input  wire [SIDE-1:0]           side_in,
    output wire                      out_valid,
    output wire signed [X_BITS+30:0] p,
    output wire [SIDE-1:0]           side_out
);
    localparam PW = X_BITS + 2;                 // a partial product

    // Digits: adding 1 to each digit of base 4 makes 0..3 of -1..2.
    reg signed [X_BITS:0] x_r, minus_r;
    reg [31:0] e_r;
    always @(posedge clk) begin
        x_r <= {x[X_BITS-1], x};
        minus_r <= -{x[X_BITS-1], x};
        e_r <= {1'b0, m} + 32'h55555555;
    end

    // Level 0: partial products; carry: what a level above adds at the lowest bit of a group. The lowest digit takes
    // -x itself, as nothing is above it.
    wire [16*PW-1:0] product;
    wire [15:0] carry;
    genvar d;
    generate
        for (d = 0; d < 16; d = d + 1) begin : g_digit
            wire [1:0] e = e_r[2*d+1:2*d];
            wire [PW-1:0] minus;
            if (d == 0) begin : g_lowest
                assign minus = {minus_r[X_BITS], minus_r};
                assign carry[d] = 1'b0;
            end else begin : g_other
                assign minus = ~{x_r[X_BITS], x_r};
                assign carry[d] = d == 15 ? ROUND != 0 : e == 2'd0;
            end
            assign product[d*PW +: PW] = e == 2'd0 ? minus
                                       : e == 2'd1 ? {PW{1'b0}}
                                       : e == 2'd2 ? {x_r[X_BITS], x_r} : {x_r, 1'b0};
        end
    endgenerate

    // Level l joins groups of K/2 digits to groups of K. The low digits of the lower group pass by.
    wire [8*(X_BITS+4)-1:0]  sum_1;
    wire [4*(X_BITS+8)-1:0]  sum_2;
    wire [2*(X_BITS+16)-1:0] sum_3;
    wire [X_BITS+31:0]       sum_4;
    wire [7:0] carry_1;
    wire [3:0] carry_2;
    wire [1:0] carry_3;
    wire       carry_4;
    eq_multiply_level #(.GROUPS(8), .IN_BITS(X_BITS + 2), .STEP(2)) level_1 (
        .clk(clk), .in(product), .carry_in(carry), .out(sum_1), .carry_out(carry_1));
    eq_multiply_level #(.GROUPS(4), .IN_BITS(X_BITS + 4), .STEP(4)) level_2 (
        .clk(clk), .in(sum_1), .carry_in(carry_1), .out(sum_2), .carry_out(carry_2));
    eq_multiply_level #(.GROUPS(2), .IN_BITS(X_BITS + 8), .STEP(8)) level_3 (
        .clk(clk), .in(sum_2), .carry_in(carry_2), .out(sum_3), .carry_out(carry_3));
    eq_multiply_level #(.GROUPS(1), .IN_BITS(X_BITS + 16), .STEP(16)) level_4 (
        .clk(clk), .in(sum_3), .carry_in(carry_3), .out(sum_4), .carry_out(carry_4));
    assign p = sum_4[X_BITS+30:0];

    // The lowest digit leaves no carry, and the product fits 31 bits more than x.
    wire unused = &{1'b0, carry_4, sum_4[X_BITS+31]};

    reg [4:0] valid;
    reg [5*SIDE-1:0] side;
    assign out_valid = valid[4];
    assign side_out = side[5*SIDE-1:4*SIDE];
    always @(posedge clk) begin
        valid <= rst ? 5'd0 : {valid[3:0], in_valid};
        side <= {side[4*SIDE-1:0], side_in};
    end
endmodule
