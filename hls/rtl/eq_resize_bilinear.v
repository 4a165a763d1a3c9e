// eq_resize_bilinear: an image resampled between rows and columns, exact sums; an output stage follows.
//
// m[y][x][c] = BIAS + sum over i < ROW_TAPS, j < COLUMN_TAPS of (s[row i of y][column j of x][c] - ZERO) * weights of both
//
// BITS, SIGNED, ZERO   width of a code that comes in, 1: two's complement, its zero point
// IN_BEATS             elements of the image that comes in
// C, OH, OW            channels; rows and columns of the image that goes out
// ROW_TAPS, ROW_FRAC   rows that an output row lies between, 1 or 2; bits behind the point of their weights
// COLUMN_TAPS, COLUMN_FRAC   the same of columns. The weights of an output row, or column, are 0 or more and add up to one
// ROWS                 file of OH * ROW_TAPS words {weight, address}: ROW_FRAC + 1 bits, and as many as IN_BEATS - 1 needs;
//                      address: of the row's first element
// COLUMNS              file of OW * COLUMN_TAPS words, the same; address: of the column's first element within a row
// BIAS, OUT_BITS       added to each sum; width of a sum, two's complement
//
// clk, rst             in   clock; synchronous reset: the buffers are empty
// s_*                  in   IN_BEATS elements an image, row-major, channels last; s_ready is a flip-flop
// m_*                  out  OH * OW * C sums, registered
// Two frame buffers: one image comes in while the one before is read, one tap a cycle. Products with `*`, one for columns
// and one for rows. Initiation interval max(IN_BEATS, OH * OW * C * ROW_TAPS * COLUMN_TAPS + 3) + 2 an image; latency 14 cycles
// after its last element and the taps of the first sum.
module eq_resize_bilinear #(
    parameter BITS        = 8,
    parameter SIGNED      = 1,
    parameter signed [63:0] ZERO = 0,
    parameter IN_BEATS    = 4,
    parameter C           = 1,
    parameter OH          = 2,
    parameter OW          = 2,
    parameter ROW_TAPS    = 2,
    parameter ROW_FRAC    = 1,
    parameter ROWS        = "",
    parameter COLUMN_TAPS = 2,
    parameter COLUMN_FRAC = 1,
    parameter COLUMNS     = "",
    parameter signed [63:0] BIAS = 0,
    parameter OUT_BITS    = 16
) (
    input  wire                clk,
    input  wire                rst,
    input  wire [BITS-1:0]     s_data,
    input  wire                s_valid,
    output reg                 s_ready,
    output wire [OUT_BITS-1:0] m_data,
    output wire                m_valid,
    input  wire                m_ready
);
    localparam AB = IN_BEATS > 1 ? $clog2(IN_BEATS) : 1, CB = C > 1 ? $clog2(C) : 1;
    localparam RW = ROW_FRAC + 1, CW = COLUMN_FRAC + 1;
    localparam RB = OH * ROW_TAPS > 1 ? $clog2(OH * ROW_TAPS) : 1, PB = OW * COLUMN_TAPS > 1 ? $clog2(OW * COLUMN_TAPS) : 1;
    // A code less its zero point; a mean of two columns; a mean of two rows of those: weights of a mean add up to one.
    localparam XB = BITS + 1, NB = XB + COLUMN_FRAC, SB = NB + ROW_FRAC, WB = (SB > OUT_BITS ? SB : OUT_BITS) + 1;
    localparam ROOM = 16;                               // as many words as the pipeline is deep, and some more

    // Writer and reader each have the half that their turn names, as in eq_move.
    wire take = s_valid && s_ready;
    wire credit, in_last, out_last;
    wire [AB-1:0] in_index;
    reg in_half, out_half;
    reg [1:0] full, full_next;
    reg [3:1] done;                                     // a half is free when the last address has reached the buffer
    reg [3:1] half;
    wire read = full[out_half] && credit && done == 3'b000;
    always @* begin
        full_next = full;
        if (take && in_last) full_next[in_half] = 1'b1;
        if (done[3]) full_next[half[3]] = 1'b0;
    end
    wire half_next = in_half ^ (take && in_last);
    always @(posedge clk) begin
        full <= rst ? 2'b00 : full_next;
        in_half <= !rst && half_next;
        out_half <= !rst && (out_half ^ (read && out_last));
        done <= rst ? 3'b000 : {done[2:1], read && out_last};
        half <= {half[2:1], out_half};
        s_ready <= !rst && !full_next[half_next];
    end
    eq_counter #(.N(IN_BEATS)) written (.clk(clk), .rst(rst), .advance(take), .value(in_index), .last(in_last));

    // Loops, the innermost first: column tap, row tap, channel, column, row. The ROMs hold taps next to each other.
    wire j, i, j_last, i_last, c_last, x_last, y_last;
    wire [CB-1:0] c;
    wire [(OW > 1 ? $clog2(OW) : 1)-1:0] x;
    wire [(OH > 1 ? $clog2(OH) : 1)-1:0] y;
    wire i_step = read && j_last, c_step = i_step && i_last, x_step = c_step && c_last, y_step = x_step && x_last;
    assign out_last = j_last && i_last && c_last && x_last && y_last;
    eq_counter #(.N(COLUMN_TAPS), .BITS(1)) column_taps (.clk(clk), .rst(rst), .advance(read), .value(j), .last(j_last));
    eq_counter #(.N(ROW_TAPS), .BITS(1)) row_taps (.clk(clk), .rst(rst), .advance(i_step), .value(i), .last(i_last));
    eq_counter #(.N(C)) channels (.clk(clk), .rst(rst), .advance(c_step), .value(c), .last(c_last));
    eq_counter #(.N(OW)) columns (.clk(clk), .rst(rst), .advance(x_step), .value(x), .last(x_last));
    eq_counter #(.N(OH)) rows (.clk(clk), .rst(rst), .advance(y_step), .value(y), .last(y_last));
    wire [RB:0] row_place = ROW_TAPS == 2 ? {y, i} : y;
    wire [PB:0] column_place = COLUMN_TAPS == 2 ? {x, j} : x;

    // 1: ROMs. 2: base of row and column. 3: address. 4: code. 5: grid.
    wire [RW+AB-1:0] row_word;
    wire [CW+AB-1:0] column_word;
    eq_rom #(.WIDTH(RW + AB), .DEPTH(OH * ROW_TAPS), .FILE(ROWS)) row_rom (
        .clk(clk), .address(row_place[RB-1:0]), .data(row_word));
    eq_rom #(.WIDTH(CW + AB), .DEPTH(OW * COLUMN_TAPS), .FILE(COLUMNS)) column_rom (
        .clk(clk), .address(column_place[PB-1:0]), .data(column_word));
    reg [CB-1:0] c_1, c_2;
    reg [AB-1:0] base_2, address_3;
    wire [BITS-1:0] code;
    reg signed [XB-1:0] grid_5;
    wire sign = SIGNED != 0 && code[BITS-1];
    eq_ram #(.WIDTH(BITS), .DEPTH(2 << AB)) buffer (
        .clk(clk), .write(take), .write_address({in_half, in_index}), .write_data(s_data),
        .read(1'b1), .read_address({half[3], address_3}), .read_data(code));
    always @(posedge clk) begin
        {c_2, c_1} <= {c_1, c};
        base_2 <= row_word[AB-1:0] + column_word[AB-1:0];
        address_3 <= base_2 + {{AB{1'b0}}, c_2};
        grid_5 <= {sign, code} - ZERO[XB-1:0];
    end

    // Weights and marks go along: what is a first tap, what ends a mean of columns, what ends a sum.
    reg [CW-1:0] column_weight [2:5];
    reg [RW-1:0] row_weight [2:7];
    reg [9:1] j_first, i_first, mean_end, sum_end;
    integer k;
    always @(posedge clk) begin
        column_weight[2] <= column_word[AB +: CW];
        row_weight[2] <= row_word[AB +: RW];
        for (k = 3; k <= 5; k = k + 1) column_weight[k] <= column_weight[k-1];
        for (k = 3; k <= 7; k = k + 1) row_weight[k] <= row_weight[k-1];
        {j_first, i_first} <= {j_first[8:1], !j, i_first[8:1], !i};
        mean_end <= {mean_end[8:1], i_step};
        sum_end <= rst ? 9'd0 : {sum_end[8:1], c_step};
    end

    // The taps of a sum come without a pause, since only its last one takes a credit.
    // 6: times the column's weight. 7: mean of columns. 8: times the row's weight. 9: mean of rows.
    wire signed [CW:0] column_factor = {1'b0, column_weight[5]};
    wire signed [RW:0] row_factor = {1'b0, row_weight[7]};
    reg signed [XB+CW:0] product_6;
    reg signed [NB-1:0] mean_7;
    reg signed [NB+RW:0] product_8;
    reg signed [SB-1:0] mean_9;
    reg signed [WB-1:0] sum;
    reg sum_valid;
    always @(posedge clk) begin
        product_6 <= grid_5 * column_factor;
        mean_7 <= (j_first[6] ? {NB{1'b0}} : mean_7) + product_6[NB-1:0];
        product_8 <= mean_7 * row_factor;
        if (mean_end[8]) mean_9 <= (i_first[8] ? {SB{1'b0}} : mean_9) + product_8[SB-1:0];
        sum <= {{(WB - SB){mean_9[SB-1]}}, mean_9} + BIAS[WB-1:0];
        sum_valid <= !rst && sum_end[9];
    end

    wire fifo_ready;                                    // credits: always
    wire unused = &{1'b0, fifo_ready, row_place, column_place, product_6, product_8, sum, i_first, j_first, mean_end};
    // A credit for each sum, taken by its last tap: the taps before only wait in a register.
    eq_credit #(.ROOM(ROOM)) credits (
        .clk(clk), .rst(rst), .take(c_step), .give(m_valid && m_ready), .ready(credit));
    eq_fifo #(.WIDTH(OUT_BITS), .DEPTH(ROOM)) fifo (
        .clk(clk), .rst(rst), .s_data(sum[OUT_BITS-1:0]), .s_valid(sum_valid), .s_ready(fifo_ready),
        .m_data(m_data), .m_valid(m_valid), .m_ready(m_ready));
endmodule
