// eq_multiply_quad: eq_multiply with four of the 16 digits a cycle, their sum a register before the accumulator.
// Parameters, ports and numbers as in eq_multiply. Initiation interval 5, latency 6.
module eq_multiply_quad #(
    parameter X_BITS = 24,
    parameter ROUND  = 0,
    parameter SIDE   = 1
) (
    input  wire                      clk,
    input  wire                      rst,
    input  wire                      in_valid,
    output wire                      in_ready,
    input  wire signed [X_BITS-1:0]  x,
    input  wire [30:0]               m,
    input  wire [SIDE-1:0]           side_in,
    output wire                      out_valid,
    output wire signed [X_BITS+30:0] p,
    output wire [SIDE-1:0]           side_out
);
    localparam PW = X_BITS + 2, SW = X_BITS + 8;

    // Stage 1: four digits -1..2 (3 stands for -1) of the multiplier, the lowest first, and what is left of it.
    reg signed [X_BITS-1:0] x_r;
    reg [SIDE-1:0] side_r;
    reg [22:0] left;
    reg [7:0] digits;
    reg carry_r, busy;
    reg [1:0] step;
    wire last = step == 2'd3;
    wire take = in_valid && in_ready;
    wire [7:0] bits = take ? m[7:0] : left[7:0];
    reg [7:0] next_digits;
    reg carry;
    integer k;
    assign in_ready = !busy;
    always @* begin
        carry = carry_r && !take;
        for (k = 0; k < 4; k = k + 1) begin
            next_digits[2*k +: 2] = bits[2*k +: 2] + {1'b0, carry};
            carry = bits[2*k+1] && (bits[2*k] || carry);
        end
    end
    always @(posedge clk) begin
        if (take) begin
            x_r <= x;
            side_r <= side_in;
            left <= m[30:8];
            step <= 2'd0;
        end else if (busy) begin
            left <= {8'd0, left[22:8]};
            step <= step + 1'b1;
        end
        digits <= next_digits;
        carry_r <= carry;
        busy <= !rst && (take || busy && !last);
    end

    // Partial products. `ones`: what completes a complement; the leading digit is never negative, so there the rounding
    // constant enters.
    wire [4*PW-1:0] product;
    wire [3:0] ones;
    genvar d;
    generate
        for (d = 0; d < 4; d = d + 1) begin : g_digit
            wire [1:0] e = digits[2*d +: 2];
            assign ones[d] = e == 2'd3 || (ROUND != 0 && d == 3 && last);
            assign product[d*PW +: PW] = e == 2'd3 ? ~{{2{x_r[X_BITS-1]}}, x_r}
                                       : e == 2'd0 ? {PW{1'b0}}
                                       : e == 2'd1 ? {{2{x_r[X_BITS-1]}}, x_r} : {x_r[X_BITS-1], x_r, 1'b0};
        end
    endgenerate

    // Stage 2: their sum, in pairs and pairs of pairs as in eq_multiply_level.
    wire [PW:0] even = {product[PW +: PW], 1'b1} + {{2{product[PW-1]}}, product[2 +: PW-2], ones[1]};
    wire [PW:0] odd = {product[3*PW +: PW], 1'b1} + {{2{product[3*PW-1]}}, product[2*PW+2 +: PW-2], ones[3]};
    wire [PW+1:0] a = {even[PW:1], product[1:0]}, b = {odd[PW:1], product[2*PW +: 2]};
    wire [PW+2:0] high = {b, 1'b1} + {{4{a[PW+1]}}, a[PW+1:4], ones[2]};
    reg [SW-1:0] group;
    reg one, active, first, ends;
    reg [SIDE-1:0] side_2;
    always @(posedge clk) begin
        group <= {high[PW+2:1], a[3:0]};
        one <= ones[0];
        active <= busy && !rst;
        first <= step == 2'd0;
        ends <= last;
        if (busy && last) side_2 <= side_r;
    end

    // Stage 3: the accumulator moves right, its low bits into `low`.
    reg signed [SW-1:0] sum;
    reg [23:0] low;
    reg done;
    wire signed [SW-1:0] shifted = first ? {SW{1'b0}} : {{8{sum[SW-1]}}, sum[SW-1:8]};
    wire [SW:0] next = {group, 1'b1} + {shifted, one};
    always @(posedge clk) begin
        if (active) begin
            sum <= next[SW:1];
            low <= {sum[7:0], low[23:8]};
        end
        done <= active && ends && !rst;
    end
    wire [SW+23:0] whole = {sum, low};
    wire unused = &{1'b0, whole[SW+23], even[0], odd[0], high[0], next[0]};
    assign p = whole[X_BITS+30:0];
    assign out_valid = done;
    assign side_out = side_2;
endmodule
