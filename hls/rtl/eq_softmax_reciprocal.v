// eq_softmax_reciprocal: the quantised softmax of TensorFlow Lite (operator softmax_reciprocal), to the bit.
//
// e = TABLE[min(max(x) - x, TABLE_SIZE - 1)], 31 bits behind the point; S: sum of e / 2^12, each rounded half away from
// zero; r: 1 / S, normalised to 1/2..1, by three steps of Newton's method; code = ZERO + e * r / 2^.., saturated.
//
// BITS, SIGNED   width of a code that comes in, 1: two's complement
// COUNT          codes of a row, 1 to 4095
// TABLE_SIZE, TABLE   entries of 31 bits, the first 2^31 - 1
// OUT_BITS, ZERO width of a code that goes out (1 to 16) and the code of zero, its least
//
// clk, rst       in   clock; synchronous reset: waits for the first code of a row
// s_*            in   a row of COUNT codes, then none until the row has been answered
// m_*            out  COUNT codes, registered
// A state machine around one serial multiplier of 32 x 31 bits: a row takes COUNT cycles to come in, COUNT + 140 to 150 for
// sum and reciprocal, and 26 for each code, one more for each bit of the sum before its point: up to 451 cycles for 10 codes.
// Placed and routed alone on an ECP5-85F, speed 6, 10 codes: 645 LUT, 365 FF, 1 block RAM, 145 MHz.
module eq_softmax_reciprocal #(
    parameter BITS       = 8,
    parameter SIGNED     = 1,
    parameter COUNT      = 10,
    parameter TABLE_SIZE = 256,
    parameter TABLE      = "",
    parameter OUT_BITS   = 8,
    parameter signed [63:0] ZERO = -128
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
    localparam [31:0] START = 32'd1515870810;           // 48/17 and -32/17 with 29 bits behind the point
    localparam signed [31:0] SLOPE = -32'sd1010580540;
    localparam signed [31:0] ONE = 32'sd536870912;
    localparam [3:0] FILL = 0, ADD = 1, NORMALISE = 2, MULTIPLY = 3, WAIT = 4, ASK = 5, LOOK_UP = 6, SHIFT = 7, PUSH = 8;
    localparam [2:0] LAST = 3'd7;                       // products of Newton's method: 0 slope, 1 and 2, 3 and 4, 5 and 6

    // A row's exponentials.
    reg [3:0] state;
    reg [2:0] product;
    reg asked;
    reg [IB-1:0] added;
    wire full, valid, last, room, ready, done;
    wire [IB-1:0] index;
    wire [30:0] e;
    wire ask = state == ADD && !asked || state == ASK;
    wire push = state == PUSH && room;
    wire next = state == ADD ? ask : push;
    eq_exponentials #(.BITS(BITS), .SIGNED(SIGNED), .COUNT(COUNT), .TABLE_BITS(31), .TABLE_SIZE(TABLE_SIZE),
                      .TABLE(TABLE)) exponentials (
        .clk(clk), .rst(rst), .s_data(s_data), .s_valid(s_valid), .s_ready(s_ready), .full(full),
        .clear(push && last), .ask(ask), .index(index), .valid(valid), .value(e));
    eq_counter #(.N(COUNT)) counter (.clk(clk), .rst(rst), .advance(next), .value(index), .last(last));

    // The multiplier: a * b / 2^31, rounded half up. b is one of the registers; all are below 2^31.
    reg [30:0] half, x;                                 // the normalised sum, and what approaches its reciprocal
    reg [3:0] over;
    reg signed [31:0] a;
    reg [30:0] b;
    wire [62:0] whole;
    wire signed [31:0] rounded = whole[62:31];
    wire unused_side;
    eq_multiply #(.X_BITS(32), .CYCLES(17), .ROUND(1), .SIDE(1)) multiply (
        .clk(clk), .rst(rst), .in_valid(state == MULTIPLY), .in_ready(ready), .x(a), .m(b), .side_in(1'b0),
        .out_valid(done), .p(whole), .side_out(unused_side));

    // The sum of what is left of exponentials; the bit that rounds enters below the lowest.
    wire [31:0] total = {half, 1'b1} + {12'd0, e[30:12], e[11]};
    // Newton: t = 1 - half * x, x = x + 4 x t.
    wire signed [31:0] t = ONE - rounded;
    wire [31:0] better = {1'b0, x} + {rounded[29:0], 2'b00};
    wire [31:0] first = START + rounded;
    // The rest of the quotient's shift: a constant part, then `over` places; the lowest bit rounds.
    reg [OUT_BITS:0] quotient;
    reg [3:0] places;
    wire [OUT_BITS:0] code = {1'b0, quotient[OUT_BITS:1]} + {{OUT_BITS{1'b0}}, quotient[0]};
    wire [OUT_BITS-1:0] saturated = code[OUT_BITS] ? {OUT_BITS{1'b1}} : code[OUT_BITS-1:0];
    wire [OUT_BITS-1:0] answer = saturated + ZERO[OUT_BITS-1:0];
    wire unused = &{1'b0, ready, unused_side, whole[30:0], better[31], first[31], total[0]};

    always @(posedge clk) begin
        case (state)
            FILL: begin
                half <= 31'd0;
                over <= 4'd11;
                added <= {IB{1'b0}};
                asked <= 1'b0;
                product <= 3'd0;
                if (full) state <= ADD;
            end
            ADD: begin
                if (ask && last) asked <= 1'b1;
                if (valid) begin
                    half <= total[31:1];
                    added <= added + 1'b1;
                    if (added == COUNT - 1) state <= NORMALISE;
                end
            end
            NORMALISE:                                  // the sum is 2^19 at least: at most 11 places
                if (half[30]) begin
                    a <= SLOPE;
                    b <= half;
                    state <= MULTIPLY;
                end else begin
                    half <= {half[29:0], 1'b0};
                    over <= over - 1'b1;
                end
            MULTIPLY: state <= WAIT;
            WAIT: if (done) begin
                product <= product == LAST ? LAST : product + 1'b1;
                state <= MULTIPLY;
                if (product == LAST) begin
                    quotient <= rounded[30 -: OUT_BITS+1];
                    places <= over;
                    state <= SHIFT;
                end else if (product[0]) begin          // half * x: multiply what is left by x
                    a <= t;
                    b <= x;
                end else begin
                    x <= product == 3'd0 ? first[30:0] : better[30:0];
                    a <= product == 3'd0 ? first : better;
                    b <= half;
                    if (product == 3'd6) begin          // r = 2 x, below 2^31
                        x <= better[31:30] != 2'b00 ? {31{1'b1}} : {better[29:0], 1'b0};
                        state <= ASK;
                    end
                end
            end
            ASK: state <= LOOK_UP;
            LOOK_UP: begin
                a <= {1'b0, e};
                b <= x;
                if (valid) state <= MULTIPLY;
            end
            SHIFT: if (places == 4'd0) begin
                state <= PUSH;
            end else begin
                quotient <= quotient >> 1;
                places <= places - 1'b1;
            end
            default: if (room) state <= last ? FILL : ASK;
        endcase
        if (rst) state <= FILL;
    end

    eq_fifo #(.WIDTH(OUT_BITS), .DEPTH(2)) fifo (
        .clk(clk), .rst(rst), .s_data(answer), .s_valid(state == PUSH), .s_ready(room),
        .m_data(m_data), .m_valid(m_valid), .m_ready(m_ready));
endmodule
