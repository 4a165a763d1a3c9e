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
    localparam integer NEXT   = clip(FIRST + SH * (1 % OH));
    localparam integer SECOND = clip(FIRST + SH * (2 % OH));

    // The border is worked out three rows ahead, one step a register.
    reg  signed [WIDE-1:0] raw;         // three rows ahead: the border before clipping,
    reg  [OBITS-1:0]       raw_row;     // its place in its inference,
    reg                    raw_begins;  // and whether that is the first one
    reg  [BITS-1:0]        second;      // two rows ahead: the clipped border, without whole inferences,
    reg                    begins;      // and whether the row begins an inference
    reg  [BITS-1:0]        next;        // one row ahead: the clipped border
    wire raw_last = (raw_row == OH - 1);

    always @(posedge clk) begin
        if (rst) begin
            delta      <= NEXT - clip(FIRST) + ((OH == 1) ? H : 0);
            next       <= NEXT;
            second     <= SECOND;
            begins     <= (2 % OH == 0);
            raw        <= FIRST + SH * (3 % OH);
            raw_row    <= 3 % OH;
            raw_begins <= (3 % OH == 0);
        end else if (step) begin
            delta      <= second - next + (begins ? H : 0);
            next       <= second;
            second     <= (raw < LOW) ? LEAST : (raw > TOP) ? H : raw;
            begins     <= raw_begins;
            raw        <= raw_last ? START : raw + SH;
            raw_row    <= raw_last ? 0 : raw_row + 1'b1;
            raw_begins <= raw_last;
        end
    end
endmodule
