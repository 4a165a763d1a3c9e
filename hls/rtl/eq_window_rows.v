// Row bookkeeping of eq_window: grants rows of windows whose input is complete, counts free rows of the ring.
//
// Let first(k) and end(k) be the first row that row k of windows needs and the one after the last, counted through all
// inferences and clipped to the tensor; end is at least 1, so that no inference begins before its data. Row k is
// granted when end(k) rows are written; when it was read, the rows before first(k+1) are free. Because
// end(k) - first(k) <= SPAN <= ROWS, one of writing and reading can always go on.
//
// Parameters
//   H, OH, SH, PT, SPAN, ROWS   as in eq_window; SPAN: rows of a window
// Ports
//   reserve    in:  the writer begins a row (only while room)
//   room       out: a row of the ring is free
//   written    in:  the writer finished a row
//   granted    out: at least one row of windows may be read
//   row_begun  in:  the reader uses up a grant
//   row_read   in:  the last word of a row of windows was fetched
// All outputs from flip-flops. Reset: an empty ring at the begin of an inference.
module eq_window_rows #(
    parameter integer H    = 8,
    parameter integer OH   = 8,
    parameter integer SH   = 1,
    parameter integer PT   = 1,
    parameter integer SPAN = 3,
    parameter integer ROWS = 4
) (
    input  wire clk,
    input  wire rst,
    input  wire reserve,
    output wire room,
    input  wire written,
    output reg  granted,
    input  wire row_begun,
    input  wire row_read
);
    localparam BITS = $clog2(ROWS + 3 * H + SPAN + 1) + 1;
    localparam integer NEED  = (SPAN - PT < 1) ? 1 : (SPAN - PT > H) ? H : SPAN - PT;     // end(0)
    localparam integer SKIP  = (PT > 0) ? 0 : (-PT > H) ? H : -PT;                        // first(0)

    // Grants: `lead` is written rows minus end(k) of the next row of windows; up to two grants wait.
    reg  signed [BITS-1:0] lead;
    reg  [1:0] grants;
    reg        written_before;
    wire [BITS-1:0] need;
    wire grant = !lead[BITS-1] && !grants[1];
    wire [1:0] grants_next = grants + {1'b0, grant} - {1'b0, row_begun};

    eq_window_pace #(.H(H), .OH(OH), .SH(SH), .FIRST(SPAN - PT), .LEAST(1), .BITS(BITS)) ends (
        .clk(clk), .rst(rst), .step(grant), .delta(need)
    );

    // Free rows: first(k) of the row that is read, plus ROWS, minus rows begun by the writer.
    reg  [BITS-1:0] free;
    reg  read_before;
    wire [BITS-1:0] released;
    eq_window_pace #(.H(H), .OH(OH), .SH(SH), .FIRST(-PT), .LEAST(0), .BITS(BITS)) firsts (
        .clk(clk), .rst(rst), .step(read_before), .delta(released)
    );
    assign room = (free != 0);

    always @(posedge clk) begin
        if (rst) begin
            lead           <= -NEED;
            grants         <= 2'd0;
            granted        <= 1'b0;
            written_before <= 1'b0;
            read_before    <= 1'b0;
            free           <= ROWS + SKIP;
        end else begin
            written_before <= written;
            read_before    <= row_read;
            lead           <= lead - (grant ? need : {BITS{1'b0}}) + {{BITS-1{1'b0}}, written_before};
            grants         <= grants_next;
            granted        <= (grants_next != 2'd0);
            free           <= free + (read_before ? released : {BITS{1'b0}}) - {{BITS-1{1'b0}}, reserve};
        end
    end
endmodule
