// Sliding window: keeps rows of a tensor in a ring and gives out the words of every window, padding included.
//
// Rows of (W, C) words are written into a ring of ROWS rows as they come, also those of the next inference, while the
// windows of earlier rows are read. A row of windows is read when the rows it needs are complete; rows are given free
// when the last window that needs them was read. ROWS = span is enough to work, span = (KH-1)*DH + 1. Reading and
// writing overlap without waiting from ROWS = span + SH*(1 + ceil(12/N)) on, where N is the number of words given out
// for a row of windows: 12 cycles cover the way of a row through the bookkeeping. H = W = KH = KW = 1 is the vector
// buffer of a linear layer. A 1-D tensor goes best as one column (H its length, W = 1), as whole rows are waited for.
//
// Parameters
//   BITS, LANES          bits of an element, elements of a word; LANES divides C
//   H, W, C              the tensor; exactly H*W*C elements are taken per inference, also those that no window needs
//   KH, KW, SH, SW, DH, DW   kernel, stride, dilation
//   PT, PL               rows and columns of padding above and to the left (negative: cropped)
//   OH, OW               windows; where they reach over the tensor's border the taps are padding
//   PAD                  the code of a padding element
//   REPEAT               how often each window is given out, one after the other
//   ORDER                words of a window, innermost last: 0: ky, kx, block; 1: block, ky, kx (block: LANES channels)
//   ROWS                 rows of the ring, at least (KH-1)*DH + 1
//   STYLE                memory: "block", "distributed", "auto"
// Ports
//   s_*                  in:  LANES elements, row-major, channels last; s_ready is a flip-flop's value
//   m_data               out: LANES elements (PAD for a padding tap)
//   m_inside             out: 0 for a padding tap
// Latency 6 cycles from the last word of a needed row. Initiation interval 1 word, also from window to window, from row
// to row and from inference to inference. Reset empties the ring and starts with a new inference.
module eq_window #(
    parameter integer BITS   = 8,
    parameter integer LANES  = 1,
    parameter integer H      = 8,
    parameter integer W      = 8,
    parameter integer C      = 4,
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
    parameter integer PAD    = 0,
    parameter integer REPEAT = 1,
    parameter integer ORDER  = 0,
    parameter integer ROWS   = 4,
    parameter         STYLE  = "auto"
) (
    input  wire                  clk,
    input  wire                  rst,
    input  wire [LANES*BITS-1:0] s_data,
    input  wire                  s_valid,
    output wire                  s_ready,
    output wire [LANES*BITS-1:0] m_data,
    output wire                  m_inside,
    output wire                  m_valid,
    input  wire                  m_ready
);
    localparam WIDTH = LANES * BITS;
    localparam LINE  = W * (C / LANES);         // words of a row
    localparam RING  = ROWS * LINE;
    localparam ABITS = (RING > 1) ? $clog2(RING) : 1;
    localparam [BITS-1:0] FILL = PAD;

    // Writing: a row is begun when the ring has a free one.
    reg  reserved;
    wire room, line_last;
    wire [ABITS-1:0] head;
    wire take    = s_valid && reserved;
    wire written = take && line_last;
    wire reserve = room && (!reserved || written);

    assign s_ready = reserved;
    always @(posedge clk)
        reserved <= !rst && (reserve || (reserved && !written));

    eq_counter #(.N(LINE)) line (.clk(clk), .rst(rst), .advance(take), .value(), .last(line_last));
    eq_counter #(.N(RING)) ring (.clk(clk), .rst(rst), .advance(take), .value(head), .last());

    // Which rows may be read, and which are free.
    wire granted, row_begun, row_read;
    eq_window_rows #(.H(H), .OH(OH), .SH(SH), .PT(PT), .SPAN((KH - 1) * DH + 1), .ROWS(ROWS)) rows (
        .clk(clk), .rst(rst), .reserve(reserve), .room(room), .written(written),
        .granted(granted), .row_begun(row_begun), .row_read(row_read)
    );

    // Reading: address, memory, padding; the pipeline moves when the FIFO behind it takes a beat.
    wire moves, walk_valid, walk_inside, walk_last;
    wire [ABITS-1:0] tail;
    reg  fetched, fetched_inside, chosen, chosen_inside;
    wire [WIDTH-1:0] word;
    reg  [WIDTH-1:0] beat;

    eq_window_walk #(
        .H(H), .W(W), .BLOCKS(C / LANES), .KH(KH), .KW(KW), .SH(SH), .SW(SW), .DH(DH), .DW(DW), .PT(PT), .PL(PL),
        .OH(OH), .OW(OW), .REPEAT(REPEAT), .ORDER(ORDER), .ROWS(ROWS), .ABITS(ABITS)
    ) walk (
        .clk(clk), .rst(rst), .moves(moves), .granted(granted), .row_begun(row_begun),
        .address(tail), .in_tensor(walk_inside), .row_last(walk_last), .valid(walk_valid)
    );
    assign row_read = moves && walk_valid && walk_last;

    eq_ram #(.WIDTH(WIDTH), .DEPTH(RING), .STYLE(STYLE)) memory (
        .clk(clk), .write(take), .write_address(head), .write_data(s_data),
        .read(moves), .read_address(tail), .read_data(word)
    );
    always @(posedge clk) begin
        if (moves) begin
            fetched_inside <= walk_inside;
            chosen_inside  <= fetched_inside;
            beat           <= fetched_inside ? word : {LANES{FILL}};
        end
        if (rst) begin
            fetched <= 1'b0;
            chosen  <= 1'b0;
        end else if (moves) begin
            fetched <= walk_valid;
            chosen  <= fetched;
        end
    end

    eq_fifo_pair #(.WIDTH(WIDTH + 1)) out (
        .clk(clk), .rst(rst), .s_data({chosen_inside, beat}), .s_valid(chosen), .s_ready(moves),
        .m_data({m_inside, m_data}), .m_valid(m_valid), .m_ready(m_ready)
    );
endmodule
