// eq_scale_table: the multipliers of eq_scale, channel after channel.
//
// LANES, BEATS, IN_BITS, TABLE, STYLE   as in eq_scale; BEATS: words of the table, 1 or more
// DELAY   1: x comes out with its entry, two cycles later, a beat a cycle; 0: x passes, `ready` is low until the entry
//         of the next beat stands at the output
//
// clk, rst        in   clock; synchronous reset: next is the first channel
// start, x_in     in   a beat is taken
// ready           out  a beat may be taken
// x, x_valid, entry   out  the beat and the multipliers of its channels
module eq_scale_table #(
    parameter LANES   = 1,
    parameter BEATS   = 2,
    parameter IN_BITS = 24,
    parameter TABLE   = "",
    parameter STYLE   = "auto",
    parameter DELAY   = 1
) (
    input  wire                     clk,
    input  wire                     rst,
    input  wire                     start,
    output wire                     ready,
    input  wire [LANES*IN_BITS-1:0] x_in,
    output wire [LANES*IN_BITS-1:0] x,
    output wire                     x_valid,
    output reg  [LANES*37-1:0]      entry
);
    localparam BITS = BEATS > 1 ? $clog2(BEATS) : 1;
    reg [BITS-1:0] beat;
    wire [LANES*37-1:0] q;
    eq_rom #(.WIDTH(LANES * 37), .DEPTH(BEATS), .FILE(TABLE), .STYLE(STYLE)) rom (
        .clk(clk), .address(beat), .data(q));

    always @(posedge clk) begin
        entry <= q;
        if (rst || start && beat == BEATS - 1) beat <= {BITS{1'b0}};
        else if (start) beat <= beat + 1'b1;
    end

    generate
        if (DELAY != 0) begin : g_delay
            reg [LANES*IN_BITS-1:0] x_1, x_2;
            reg [1:0] valid;
            always @(posedge clk) begin
                x_1 <= x_in;
                x_2 <= x_1;
                valid <= rst ? 2'd0 : {valid[0], start};
            end
            assign x = x_2;
            assign x_valid = valid[1];
            assign ready = 1'b1;
        end else begin : g_wait
            reg [1:0] wait_r;
            always @(posedge clk) wait_r <= rst || start ? 2'd0 : {wait_r[0], 1'b1};
            assign x = x_in;
            assign x_valid = start;
            assign ready = wait_r[1];
        end
    endgenerate
endmodule
