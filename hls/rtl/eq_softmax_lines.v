// eq_softmax_lines: TensorFlow Lite's softmax of 16 bits (operator softmax_lines), from scaled distances.
//
// e = line(EXP, s); S: sum of e; r = line(RECIPROCAL, leading bits of S); m = e * r / 2^k, half up, at most 2^15 - 1.
// In front of it eq_row_distance gives distances from the greatest code, and eq_scale 2^15 - 1 + their multiples.
//
// COUNT      codes of a row, 1 to 65536
// EXP, RECIPROCAL   files of 512 words of 31 bits as in eq_lines; EXP ends with 1/2 or more
//
// clk, rst   in   clock; synchronous reset: waits for the first argument of a row
// s_*        in   a row of COUNT arguments of 16 bits, two's complement, then none until the row has been answered; one of
//                 them, that of the greatest code, is 2^15 - 1
// m_*        out  COUNT codes of 16 bits, registered
// Products with `*`. Initiation interval 2 * COUNT + 14 to 30 cycles a row by the size of its sum, latency about as much less COUNT.
// Placed and routed alone on an ECP5-85F, speed 6, 10 codes: 462 LUT, 573 FF, 3 MULT18X18D, 2 block RAMs, 133 MHz.
module eq_softmax_lines #(
    parameter COUNT      = 10,
    parameter EXP        = "",
    parameter RECIPROCAL = ""
) (
    input  wire        clk,
    input  wire        rst,
    input  wire [15:0] s_data,
    input  wire        s_valid,
    output wire        s_ready,
    output wire [15:0] m_data,
    output wire        m_valid,
    input  wire        m_ready
);
    localparam IB = COUNT > 1 ? $clog2(COUNT) : 1;
    localparam ROOM = 10;
    localparam [2:0] FILL = 0, NORMALISE = 1, ASK = 2, WAIT = 3, ANSWER = 4;

    // A row comes in: exponentials are kept and summed.
    reg [2:0] state;
    reg taken;                                          // all of the row
    wire take = s_valid && s_ready;
    wire take_last, write, write_last, read_last, credit, found;
    wire [IB-1:0] written, sent, unused_taken;
    wire [14:0] e_in, e_out, reciprocal;
    wire read = state == ANSWER && credit;
    assign s_ready = state == FILL && !taken;
    eq_counter #(.N(COUNT)) takes (.clk(clk), .rst(rst), .advance(take), .value(unused_taken), .last(take_last));
    eq_counter #(.N(COUNT)) writes (.clk(clk), .rst(rst), .advance(write), .value(written), .last(write_last));
    eq_counter #(.N(COUNT)) reads (.clk(clk), .rst(rst), .advance(read), .value(sent), .last(read_last));
    eq_lines #(.TABLE(EXP)) exponential (
        .clk(clk), .rst(rst), .ask(take), .at(s_data), .valid(write), .value(e_in));
    eq_ram #(.WIDTH(15), .DEPTH(COUNT)) row (
        .clk(clk), .write(write), .write_address(written), .write_data(e_in),
        .read(1'b1), .read_address(sent), .read_data(e_out));

    // The sum is shifted until its highest bit is at the top. What e * r is divided by goes along: 2^30 less a place each.
    reg [30:0] total;
    reg [4:0] rest;                                     // places of the division beyond 14
    reg [29:0] half;                                    // half of the divisor
    reg [15:0] at;
    reg [14:0] r;
    wire [31:0] leading = {1'b0, total} + 32'd8192;     // 17 bits of it count
    eq_lines #(.TABLE(RECIPROCAL)) reciprocals (
        .clk(clk), .rst(rst), .ask(state == ASK), .at(at), .valid(found), .value(reciprocal));
    always @(posedge clk) begin
        case (state)
            FILL: begin
                if (take && take_last) taken <= 1'b1;
                if (write) begin
                    total <= (written == {IB{1'b0}} ? 31'd0 : total) + {16'd0, e_in};
                    rest <= 5'd16;
                    half <= 30'd1 << 29;
                    if (write_last) state <= NORMALISE;
                end
            end
            NORMALISE: begin
                at <= leading[31] ? 16'h7fff : {!leading[29], leading[28:14]};
                if (total[30]) begin
                    state <= ASK;
                end else begin
                    total <= {total[29:0], 1'b0};
                    rest <= rest - 1'b1;
                    half <= half >> 1;
                end
            end
            ASK: state <= WAIT;
            WAIT: begin
                r <= reciprocal;
                taken <= 1'b0;
                if (found) state <= ANSWER;
            end
            default: if (read && read_last) state <= FILL;
        endcase
        if (rst) {state, taken} <= {FILL, 1'b0};
    end

    // 1: e. 2: again, block RAMs are slow to answer. 3: product. 4: rounded. 5, 6: divided. 7: saturated.
    reg [14:0] e_2;
    reg [29:0] product_3;
    reg [30:0] sum_4;
    reg [16:0] coarse_5, fine_6;
    reg [14:0] code_7;
    reg [7:1] valid;
    wire [16:0] above = sum_4[30:14];
    always @(posedge clk) begin
        e_2 <= e_out;
        product_3 <= e_2 * r;
        sum_4 <= {1'b0, product_3} + {1'b0, half};
        coarse_5 <= rest[4] ? {16'd0, above[16]} : rest[3] ? {8'd0, above[16:8]} : above;
        fine_6 <= coarse_5 >> rest[2:0];
        code_7 <= fine_6[16:15] != 2'b00 ? 15'h7fff : fine_6[14:0];
        valid <= rst ? 7'd0 : {valid[6:1], read};
    end

    wire fifo_ready;                                    // credits: always
    wire unused = &{1'b0, fifo_ready, unused_taken, leading};
    eq_credit #(.ROOM(ROOM)) credits (.clk(clk), .rst(rst), .take(read), .give(m_valid && m_ready), .ready(credit));
    eq_fifo #(.WIDTH(16), .DEPTH(ROOM)) fifo (
        .clk(clk), .rst(rst), .s_data({1'b0, code_7}), .s_valid(valid[7]), .s_ready(fifo_ready),
        .m_data(m_data), .m_valid(m_valid), .m_ready(m_ready));
endmodule
