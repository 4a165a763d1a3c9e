// eq_multiply_serial: eq_multiply with one adder for DIGITS of the 16 digits a cycle, lowest first.
//
// DIGITS   1 or 2
// The other parameters, ports and numbers as in eq_multiply. Latency and initiation interval 16 / DIGITS + 1.
//
// The sum of what was multiplied so far moves right, its low bits into the register that the multiplier leaves.
module eq_multiply_serial #(
    parameter X_BITS = 24,
    parameter DIGITS = 1,
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
    localparam STEPS = 16 / DIGITS, COUNT = $clog2(STEPS);
    localparam SHIFT = 2 * DIGITS;              // bits of the multiplier a cycle
    localparam PW = X_BITS + 2, SW = X_BITS + SHIFT;

    reg signed [X_BITS-1:0] x_r;
    reg [SIDE-1:0] side_r;
    reg [31:0] low;                             // the multiplier, and above it the low bits of the product
    reg signed [SW-1:0] sum;
    reg carry_r;                                // of the recoding of the multiplier's digits
    reg [COUNT-1:0] step;
    reg busy, done;
    wire last = step == STEPS - 1;
    wire take = in_valid && in_ready;

    assign in_ready = !busy;
    assign out_valid = done;
    assign side_out = side_r;
    wire [SW+31-SHIFT:0] whole = {sum, low[31:SHIFT]};
    assign p = whole[X_BITS+30:0];
    wire unused = &{1'b0, whole[SW+31-SHIFT]};

    // The digits of the next step, -1..2 from the lowest up: 3 and 4 become -1 and 0 and carry one. They are registered, so
    // that a bit of a partial product depends on two bits of x and two of its digit only.
    wire [SHIFT-1:0] bits = take ? m[SHIFT-1:0] : low[SHIFT-1:0];
    reg [SHIFT-1:0] digits;
    reg [SHIFT-1:0] next_digits;                // 0..2 as they are, 3: -1
    reg carry;
    integer k;
    always @* begin
        carry = carry_r && !take;
        for (k = 0; k < DIGITS; k = k + 1) begin
            next_digits[2*k +: 2] = bits[2*k +: 2] + {1'b0, carry};
            carry = bits[2*k+1] && (bits[2*k] || carry);
        end
    end
    wire [DIGITS*PW-1:0] product;
    wire [DIGITS-1:0] ones;
    genvar d;
    generate
        for (d = 0; d < DIGITS; d = d + 1) begin : g_digit
            wire [1:0] e = digits[2*d +: 2];
            assign ones[d] = e == 2'd3 || (ROUND != 0 && d == DIGITS - 1 && last);
            assign product[d*PW +: PW] = e == 2'd3 ? ~{{2{x_r[X_BITS-1]}}, x_r}
                                       : e == 2'd0 ? {PW{1'b0}}
                                       : e == 2'd1 ? {{2{x_r[X_BITS-1]}}, x_r} : {x_r[X_BITS-1], x_r, 1'b0};
        end
    endgenerate

    // The sum of the digits, their carries as in eq_multiply_level; that of the lowest digit enters the accumulator.
    // The leading digit of the last step is never negative: there the rounding constant enters.
    wire [SW-1:0] group;
    generate
        if (DIGITS == 1) begin : g_one
            assign group = product;
        end else begin : g_two
            wire [PW:0] high = {product[PW +: PW], 1'b1} + {{2{product[PW-1]}}, product[2 +: PW-2], ones[1]};
            assign group = {high[PW:1], product[1:0]};
        end
    endgenerate
    wire [SW:0] next = {group, 1'b1} + {{SHIFT{sum[SW-1]}}, sum[SW-1:SHIFT], ones[0]};

    always @(posedge clk) begin
        if (take) begin
            x_r <= x;
            side_r <= side_in;
            low <= {1'b0, m} >> SHIFT;
            sum <= {SW{1'b0}};
            step <= {COUNT{1'b0}};
        end else if (busy) begin
            low <= {sum[SHIFT-1:0], low[31:SHIFT]};
            sum <= next[SW:1];
            step <= step + 1'b1;
        end
        digits <= next_digits;
        carry_r <= carry;
        busy <= !rst && (take || busy && !last);
        done <= !rst && busy && last;
    end
endmodule
