// Address generator of eq_window: walks through all windows, gives the ring address of each word and where it lies.
//
// No multiplications or divisions: every loop adds its stride, ring addresses modulo the size of the ring.
//
// Parameters
//   as in eq_window; BLOCKS: words of a pixel; ABITS: bits of a ring address
// Ports
//   moves      in:  the pipeline moves on (clock enable)
//   granted    in:  the next row of windows may be read;   row_begun out: one such row is used up
//   address    out: the word in the ring (any number for a padding tap)
//   in_tensor  out: the word lies in the tensor, not in the padding
//   row_last   out: it is the last word of a row of windows
//   valid      out: address, in_tensor and row_last belong to a word
// Latency 2 moves. Initiation interval 1. Reset: the first word of an inference, which lies at address 0 of the ring.
module eq_window_walk #(
    parameter integer H      = 8,
    parameter integer W      = 8,
    parameter integer BLOCKS = 4,
    parameter integer KH     = 3,
    parameter integer KW     = 3,
    parameter integer SH     = 1,
    parameter integer SW     = 1,
    parameter integer DH     = 1,
    parameter integer DW     = 1,
    parameter integer PT     = 1,
    parameter integer PL     = 1,
    parameter integer OH     = 8,
    parameter integer OW     = 8,
    parameter integer REPEAT = 1,
    parameter integer ORDER  = 0,
    parameter integer ROWS   = 4,
    parameter integer ABITS  = 7
) (
    input  wire             clk,
    input  wire             rst,
    input  wire             moves,
    input  wire             granted,
    output wire             row_begun,
    output reg  [ABITS-1:0] address,
    output reg              in_tensor,
    output reg              row_last,
    output reg              valid
);
    localparam integer LINE = W * BLOCKS;
    localparam integer RING = ROWS * LINE;
    localparam integer YREACH = (PT < 0 ? -PT : PT) + SH * OH + DH * KH + H;
    localparam integer XREACH = (PL < 0 ? -PL : PL) + SW * OW + DW * KW + W;
    localparam integer YBITS  = $clog2(YREACH + 1) + 1;
    localparam integer XBITS  = $clog2(XREACH + 1) + 1;
    localparam signed [YBITS-1:0] YTOP = H;
    localparam signed [XBITS-1:0] XTOP = W;
    // Steps through the ring in words, modulo its size.
    localparam integer TAP    = ((DH % ROWS) * LINE) % RING;
    localparam integer STRIDE = ((SH % ROWS) * LINE) % RING;
    localparam integer TENSOR = ((H % ROWS) * LINE) % RING;
    localparam integer ORIGIN = (((ROWS - PT % ROWS) % ROWS) * LINE) % RING;

    function [ABITS-1:0] along(input [ABITS-1:0] place, input [ABITS:0] step);
        // place + step modulo RING, for place, step < RING
        reg [ABITS:0] sum, back;
        begin
            sum  = {1'b0, place} + step;
            back = {1'b0, place} + step - RING;
            along = ({1'b0, place} >= RING - step) ? back[ABITS-1:0] : sum[ABITS-1:0];
        end
    endfunction

    // Loops: `step_x` moves loop x on, `x_last` says that it starts over then.
    wire block_last, kx_last, ky_last, repeat_last, ox_last, oy_last;
    wire step = moves && granted;
    wire step_block, step_kx, step_ky, step_repeat, step_ox, step_oy;
    generate
        if (ORDER == 0) begin : matrix
            assign step_block  = step;
            assign step_kx     = step && block_last;
            assign step_ky     = step && block_last && kx_last;
            assign step_repeat = step && block_last && kx_last && ky_last;
        end else begin : channel
            assign step_kx     = step;
            assign step_ky     = step && kx_last;
            assign step_block  = step && kx_last && ky_last;
            assign step_repeat = step && kx_last && ky_last && block_last;
        end
    endgenerate
    assign step_ox   = step_repeat && repeat_last;
    assign step_oy   = step_ox && ox_last;
    assign row_begun = step_oy;

    localparam integer BBITS = (BLOCKS > 1) ? $clog2(BLOCKS) : 1;
    wire [BBITS-1:0] block;
    eq_counter #(.N(BLOCKS)) blocks  (.clk(clk), .rst(rst), .advance(step_block), .value(block), .last(block_last));
    eq_counter #(.N(KW))     kxs     (.clk(clk), .rst(rst), .advance(step_kx), .value(), .last(kx_last));
    eq_counter #(.N(KH))     kys     (.clk(clk), .rst(rst), .advance(step_ky), .value(), .last(ky_last));
    eq_counter #(.N(REPEAT)) repeats (.clk(clk), .rst(rst), .advance(step_repeat), .value(), .last(repeat_last));
    eq_counter #(.N(OW))     oxs     (.clk(clk), .rst(rst), .advance(step_ox), .value(), .last(ox_last));
    eq_counter #(.N(OH))     oys     (.clk(clk), .rst(rst), .advance(step_oy), .value(), .last(oy_last));

    // Columns: x and its word `column` of this tap, `x0` and `column0` of the window's first tap.
    reg signed [XBITS-1:0] x, x0;
    reg [ABITS-1:0] column, column0;
    wire signed [XBITS-1:0] x0_next = ox_last ? -PL : x0 + SW;
    wire [ABITS-1:0] column0_next = ox_last ? -PL * BLOCKS : column0 + SW * BLOCKS;
    always @(posedge clk)
        if (rst) begin
            x       <= -PL;
            x0      <= -PL;
            column  <= -PL * BLOCKS;
            column0 <= -PL * BLOCKS;
        end else begin
            if (step_ox) begin
                x0      <= x0_next;
                column0 <= column0_next;
            end
            if (step_kx) begin
                x      <= step_ox ? x0_next : kx_last ? x0 : x + DW;
                column <= step_ox ? column0_next : kx_last ? column0 : column + DW * BLOCKS;
            end
        end

    // Rows: likewise, with `line` the ring address of a row; `origin`: of the first tap of the inference.
    reg signed [YBITS-1:0] y, y0;
    reg [ABITS-1:0] line, line0, origin;
    wire signed [YBITS-1:0] y0_next = oy_last ? -PT : y0 + SH;
    wire [ABITS-1:0] origin_next = along(origin, TENSOR);
    wire [ABITS-1:0] line0_next = oy_last ? origin_next : along(line0, STRIDE);
    always @(posedge clk)
        if (rst) begin
            y      <= -PT;
            y0     <= -PT;
            line   <= ORIGIN;
            line0  <= ORIGIN;
            origin <= ORIGIN;
        end else begin
            if (step_oy) begin
                y0    <= y0_next;
                line0 <= line0_next;
                if (oy_last)
                    origin <= origin_next;
            end
            if (step_ky) begin
                y    <= step_oy ? y0_next : ky_last ? y0 : y + DH;
                line <= step_oy ? line0_next : ky_last ? line0 : along(line, TAP);
            end
        end

    // Address in two steps.
    reg [ABITS-1:0] row_address, word_in_row;
    reg row_inside, column_inside, last_word, stepped;
    always @(posedge clk) begin
        if (moves) begin
            row_address   <= line;
            word_in_row   <= column + block;
            row_inside    <= !y[YBITS-1] && (y < YTOP);
            column_inside <= !x[XBITS-1] && (x < XTOP);
            last_word     <= step_oy;
            address       <= row_address + word_in_row;
            in_tensor     <= row_inside && column_inside;
            row_last      <= last_word;
        end
        if (rst) begin
            stepped <= 1'b0;
            valid   <= 1'b0;
        end else if (moves) begin
            stepped <= granted;
            valid   <= stepped;
        end
    end
endmodule
