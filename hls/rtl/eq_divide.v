// eq_divide: an exact quotient, rounded once, as a code: averages and softmax.
//
// code = clamp(round(num * 2^LEFT / (den * 2^RIGHT)), LO, HI) + ZERO
//
// NUM_BITS, DEN_BITS   widths of num (two's complement) and den (unsigned, never 0)
// LEFT, RIGHT          shifts, 0 or more
// RULE                 0 half_up, 1 half_even, 2 floor, 4 half_away, 5 half_down, 6 half_to_zero, 7 to_zero
//                      (docs/arithmetic.md); 8 to odd, for a stage behind that rounds once more: a quotient that is not
//                      exact ends in a one
// LO, HI, ZERO         bounds of the grid integer and zero point, signed
// OUT_BITS             width of the code
//
// Long division of the magnitude, a bit a cycle, only the bits that can stay within the bounds: a leading bit of the
// quotient tells that it is beyond them. One more step compares the remainder with half of the divisor.
//
// clk, rst             in   clock; synchronous reset
// s_num, s_den, s_valid, s_ready   in   s_ready: nothing is being divided
// m_*                  out  registered
// Initiation interval Q + 7, latency Q + 6, Q the bits of the greatest magnitude of the bounds.
module eq_divide #(
    parameter NUM_BITS = 16,
    parameter DEN_BITS = 8,
    parameter LEFT     = 0,
    parameter RIGHT    = 0,
    parameter RULE     = 0,
    parameter signed [63:0] LO   = -128,
    parameter signed [63:0] HI   = 127,
    parameter signed [63:0] ZERO = 0,
    parameter OUT_BITS = 8
) (
    input  wire                clk,
    input  wire                rst,
    input  wire [NUM_BITS-1:0] s_num,
    input  wire [DEN_BITS-1:0] s_den,
    input  wire                s_valid,
    output wire                s_ready,
    output reg  [OUT_BITS-1:0] m_data,
    output wire                m_valid,
    input  wire                m_ready
);
    function integer bits_of(input signed [63:0] v);    // of an unsigned number
        integer n;
        begin
            bits_of = 1;
            for (n = 1; n < 62; n = n + 1) if (v >= (64'sd1 <<< n)) bits_of = n + 1;
        end
    endfunction
    localparam signed [63:0] MOST = (LO < 0 ? -LO : LO) > (HI < 0 ? -HI : HI) ? (LO < 0 ? -LO : LO) : (HI < 0 ? -HI : HI);
    localparam Q = bits_of(MOST + 1) + 1;               // bits of the quotient; the first of them: beyond
    localparam MB = NUM_BITS + LEFT;                    // magnitude
    localparam DB = DEN_BITS + RIGHT;
    localparam UPPER = MB > Q ? MB - Q : 1;
    localparam RB = UPPER > DB ? UPPER : DB;            // remainder
    localparam CB = $clog2(Q + 1);
    localparam IDLE = 2'd0, DIVIDE = 2'd1, FINISH = 2'd2, DONE = 2'd3;
    localparam VB = (Q > OUT_BITS ? Q : OUT_BITS) + 2;
    localparam signed [VB-1:0] LEAST = LO[VB-1:0], GREATEST = HI[VB-1:0], OFFSET = ZERO[VB-1:0];

    reg [1:0] state;
    reg [CB-1:0] count;
    reg negative, half, tie, some;
    reg [Q-1:0] quotient;                               // what is left of num, and the quotient's bits below it
    reg [RB-1:0] rest;
    reg [DB-1:0] den;
    reg signed [VB-1:0] value;
    reg [1:0] phase;

    wire [NUM_BITS-1:0] magnitude = s_num[NUM_BITS-1] ? -s_num : s_num;
    wire [RB+Q-1:0] dividend = {{(RB + Q - NUM_BITS){1'b0}}, magnitude} << LEFT;

    // One step: the next bit comes down; in the last step, a zero, so that the rest is compared with half.
    wire last = count == Q;
    wire [RB:0] trial = {rest, quotient[Q-1] && !last};
    wire [RB+1:0] less = {1'b0, trial} - {{(RB + 2 - DB){1'b0}}, den};
    wire fits = !less[RB+1];
    wire up = RULE == 0 ? (negative ? half && !tie : half)
            : RULE == 1 ? half && (!tie || quotient[0])
            : RULE == 2 ? negative && some
            : RULE == 5 ? (negative ? half : half && !tie)
            : RULE == 6 ? half && !tie
            : RULE == 7 ? 1'b0
            : RULE == 8 ? some && !quotient[0]
            : half;
    wire signed [VB-1:0] bounded = value < LEAST ? LEAST : value > GREATEST ? GREATEST : value;
    wire [VB-1:0] code = bounded + OFFSET;

    assign s_ready = state == IDLE;
    assign m_valid = state == DONE;
    always @(posedge clk) begin
        case (state)
            IDLE: begin
                negative <= s_num[NUM_BITS-1];
                {rest, quotient} <= dividend;
                den <= {{RIGHT{1'b0}}, s_den} << RIGHT;
                count <= {CB{1'b0}};
                phase <= 2'd0;
                if (s_valid) state <= DIVIDE;
            end
            DIVIDE: begin
                count <= count + 1'b1;
                if (last) begin
                    half <= fits;
                    tie <= less == {(RB+2){1'b0}};
                    some <= rest != {RB{1'b0}};
                    state <= FINISH;
                end else begin
                    rest <= fits ? less[RB-1:0] : trial[RB-1:0];
                    quotient <= {quotient[Q-2:0], fits};
                end
            end
            FINISH: begin
                // Rounded magnitude; sign; bounds.
                phase <= phase + 1'b1;
                if (phase == 2'd0) value <= {{(VB - Q){1'b0}}, quotient} + {{(VB - 1){1'b0}}, up && !quotient[Q-1]};
                if (phase == 2'd1 && negative) value <= -value;
                if (phase == 2'd2) begin
                    m_data <= code[OUT_BITS-1:0];
                    state <= DONE;
                end
            end
            default: if (m_ready) state <= IDLE;
        endcase
        if (rst) state <= IDLE;
    end
endmodule
