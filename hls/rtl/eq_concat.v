// eq_concat: streams one after another along the last axis: BEATS of each input in turn, over and over.
//
// BITS, LANES   width of an element, elements of a beat
// N             inputs
// BEATS         beats of each input for one pixel, 1 or more: 32 bits each, input 0 lowest
//
// clk, rst      in   clock; synchronous reset: input 0 is next
// s_data, s_valid, s_ready   in   N streams side by side, input 0 lowest; only the one whose turn it is is ready
// m_*           out  registered
// Initiation interval 1, latency 1.
module eq_concat #(
    parameter BITS  = 8,
    parameter N     = 2,
    parameter LANES = 1,
    parameter [32*N-1:0] BEATS = {N{32'd1}}
) (
    input  wire                    clk,
    input  wire                    rst,
    input  wire [N*LANES*BITS-1:0] s_data,
    input  wire [N-1:0]            s_valid,
    output wire [N-1:0]            s_ready,
    output wire [LANES*BITS-1:0]   m_data,
    output wire                    m_valid,
    input  wire                    m_ready
);
    localparam W = LANES * BITS, TB = N > 1 ? $clog2(N) : 1;
    reg [TB-1:0] turn;
    reg [N-1:0] chosen;                         // one-hot: whose turn it is
    reg [31:0] beat;
    wire room;
    wire valid = |(s_valid & chosen);
    wire last = beat == BEATS[turn*32 +: 32] - 32'd1;
    assign s_ready = chosen & {N{room}};

    always @(posedge clk) begin
        if (rst) begin
            turn <= {TB{1'b0}};
            chosen <= {{(N-1){1'b0}}, 1'b1};
            beat <= 32'd0;
        end else if (valid && room) begin
            beat <= last ? 32'd0 : beat + 32'd1;
            if (last) begin
                turn <= turn == N - 1 ? {TB{1'b0}} : turn + 1'b1;
                chosen <= N == 1 ? chosen : {chosen[N > 1 ? N-2 : 0:0], chosen[N-1]};
            end
        end
    end

    eq_fifo #(.WIDTH(W), .DEPTH(2)) fifo (
        .clk(clk), .rst(rst), .s_data(s_data[turn*W +: W]), .s_valid(valid), .s_ready(room),
        .m_data(m_data), .m_valid(m_valid), .m_ready(m_ready));
endmodule
