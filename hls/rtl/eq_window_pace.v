// Differences of a border that moves with the windows: clip(FIRST + SH*oy, LEAST, H), and H more with every inference.
//
// Parameters
//   H, OH, SH   rows of the tensor, rows of windows, stride
//   FIRST       the border of the first row of windows before it is clipped
//   LEAST       0 or 1: the least value of the border
//   BITS        bits of the difference
// Ports
//   step        in:  go to the next row of windows
//   delta       out: the border of the next row minus the border of this row, from flip-flops
// Reset: the first row of an inference.
module eq_window_pace #(
    parameter integer H     = 8,
    parameter integer OH    = 8,
    parameter integer SH    = 1,
    parameter integer FIRST = 0,
    parameter integer LEAST = 0,
    parameter integer BITS  = 6
) (
    input  wire            clk,
    input  wire            rst,
    input  wire            step,
    output reg  [BITS-1:0] delta
);
    function integer clip(input integer row);
        clip = (row < LEAST) ? LEAST : (row > H) ? H : row;
    endfunction
    localparam integer REACH = (FIRST < 0 ? -FIRST : FIRST) + SH * OH + H;
    localparam integer WIDE  = $clog2(REACH + 1) + 1;
    localparam integer OBITS = (OH > 1) ? $clog2(OH) : 1;
    localparam signed [WIDE-1:0] START = FIRST;
    localparam signed [WIDE-1:0] LOW   = LEAST;
    localparam signed [WIDE-1:0] TOP   = H;
    localparam integer NEXT  = clip(FIRST + SH * (1 % OH));

    reg  signed [WIDE-1:0] ahead;       // two rows ahead: its border before clipping,
    reg  [OBITS-1:0]       ahead_row;   // its place in its inference,
    reg                    begins;      // and whether that is the first one
    reg  [BITS-1:0]        next;        // one row ahead: its clipped border, without whole inferences
    wire ends = (ahead_row == OH - 1);
    wire [BITS-1:0] clipped = (ahead < LOW) ? LEAST : (ahead > TOP) ? H : ahead;

    always @(posedge clk) begin
        if (rst) begin
            delta     <= NEXT - clip(FIRST) + ((OH == 1) ? H : 0);
            next      <= NEXT;
            ahead     <= FIRST + SH * (2 % OH);
            ahead_row <= 2 % OH;
            begins    <= (2 % OH == 0);
        end else if (step) begin
            delta     <= clipped - next + (begins ? H : 0);
            next      <= clipped;
            ahead     <= ends ? START : ahead + SH;
            ahead_row <= ends ? 0 : ahead_row + 1'b1;
            begins    <= ends;
        end
    end
endmodule
