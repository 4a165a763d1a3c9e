// eq_credit: how many beats may still enter a pipeline that ends in a FIFO, so that the pipeline never has to stop.
//
// ROOM      beats that the FIFO holds; as many may be in flight or wait in it
// clk, rst  in   clock; synchronous reset: all credits are there
// take      in   a beat enters the pipeline: one credit less
// give      in   a beat leaves the FIFO: one credit more
// ready     out  there is a credit; depends on registers only
module eq_credit #(
    parameter ROOM = 2
) (
    input  wire clk,
    input  wire rst,
    input  wire take,
    input  wire give,
    output reg  ready
);
    localparam BITS = $clog2(ROOM + 1);
    localparam [BITS-1:0] FULL = ROOM[BITS-1:0];
    reg [BITS-1:0] left;
    wire [BITS-1:0] next = take == give ? left : give ? left + 1'b1 : left - 1'b1;
    always @(posedge clk) begin
        left <= rst ? FULL : next;
        ready <= !rst && next != {BITS{1'b0}};
    end
endmodule
