// eq_softmax: exponentials by table, their exact sum, one rounded division each (operator softmax).
//
// code = clamp(round(e * 2^SHIFT / sum of e), LO, HI) + ZERO; e = TABLE[min(max(x) - x, TABLE_SIZE - 1)]
//
// BITS, SIGNED   width of a code that comes in, 1: two's complement
// COUNT          codes of a row
// TABLE_BITS, TABLE_SIZE, TABLE   entries: unsigned, the first one positive
// SHIFT          binary point of the output, may be negative
// RULE           0 half_up, 1 half_even, 2 floor, 4 half_away, 5 half_down, 6 half_to_zero, 7 to_zero, 8 to odd
// LO, HI, ZERO, OUT_BITS   bounds of the grid integer, zero point and width of a code that goes out
//
// clk, rst       in   clock; synchronous reset: waits for the first code of a row
// s_*            in   a row of COUNT codes, then none until the row has been answered
// m_*            out  COUNT codes, registered
// A state machine: initiation interval COUNT * (Q + 12) + max(0, 2 * COUNT - Q) cycles a row, Q the bits of the greatest
// bound and one (eq_divide); latency as much.
module eq_softmax #(
    parameter BITS       = 8,
    parameter SIGNED     = 1,
    parameter COUNT      = 10,
    parameter TABLE_BITS = 16,
    parameter TABLE_SIZE = 256,
    parameter TABLE      = "",
    parameter SHIFT      = 8,
    parameter RULE       = 0,
    parameter signed [63:0] LO   = 0,
    parameter signed [63:0] HI   = 255,
    parameter signed [63:0] ZERO = 0,
    parameter OUT_BITS   = 8
) (
    input  wire                clk,
    input  wire                rst,
    input  wire [BITS-1:0]     s_data,
    input  wire                s_valid,
    output wire                s_ready,
    output wire [OUT_BITS-1:0] m_data,
    output wire                m_valid,
    input  wire                m_ready
);
    localparam IB = COUNT > 1 ? $clog2(COUNT) : 1;
    localparam SB = TABLE_BITS + $clog2(COUNT + 1);
    localparam LEFT = SHIFT > 0 ? SHIFT : 0, RIGHT = SHIFT < 0 ? -SHIFT : 0;
    localparam FILL = 2'd0, ADD = 2'd1, ASK = 2'd2, ANSWER = 2'd3;

    reg [1:0] state;
    reg asked;                                  // all of the row, in ADD
    reg [SB-1:0] sum;
    reg [IB-1:0] added;
    wire full, valid, last, divider_ready;
    wire [IB-1:0] index;
    wire [TABLE_BITS-1:0] value;
    wire ask = state == ADD && !asked || state == ASK && divider_ready;
    wire divide = state == ANSWER && valid;     // the divider is idle then: ASK waited for it
    wire next = state == ADD ? ask : divide;
    wire done = divide && last;

    eq_exponentials #(.BITS(BITS), .SIGNED(SIGNED), .COUNT(COUNT), .TABLE_BITS(TABLE_BITS), .TABLE_SIZE(TABLE_SIZE),
                      .TABLE(TABLE)) exponentials (
        .clk(clk), .rst(rst), .s_data(s_data), .s_valid(s_valid), .s_ready(s_ready), .full(full), .clear(done),
        .ask(ask), .index(index), .valid(valid), .value(value));
    eq_counter #(.N(COUNT)) counter (.clk(clk), .rst(rst), .advance(next), .value(index), .last(last));

    always @(posedge clk) begin
        case (state)
            FILL: begin
                sum <= {SB{1'b0}};
                added <= {IB{1'b0}};
                asked <= 1'b0;
                if (full) state <= ADD;
            end
            ADD: begin
                if (ask && last) asked <= 1'b1;
                if (valid) begin
                    sum <= sum + {{(SB - TABLE_BITS){1'b0}}, value};
                    added <= added + 1'b1;
                    if (added == COUNT - 1) state <= ASK;
                end
            end
            ASK: if (divider_ready) state <= ANSWER;
            default: if (valid) state <= last ? FILL : ASK;
        endcase
        if (rst) state <= FILL;
    end

    eq_divide #(.NUM_BITS(TABLE_BITS + 1), .DEN_BITS(SB), .LEFT(LEFT), .RIGHT(RIGHT), .RULE(RULE), .LO(LO), .HI(HI),
                .ZERO(ZERO), .OUT_BITS(OUT_BITS)) divider (
        .clk(clk), .rst(rst), .s_num({1'b0, value}), .s_den(sum), .s_valid(divide), .s_ready(divider_ready),
        .m_data(m_data), .m_valid(m_valid), .m_ready(m_ready));
endmodule
