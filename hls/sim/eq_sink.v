// Simulation only: takes a stream with random pauses and notes when each inference is complete.
//
// Parameters
//   WIDTH, BEATS   bits of a beat; beats of one inference
//   LOG            file that gets the cycle in which each inference ends
//   STALL, SEED    pauses in 256 cycles; start of the random numbers
// Ports
//   cycle          in:  the number of the present cycle
//   s_*            in:  the stream
//   taken          out: a beat is taken; ended: inferences that are complete
module eq_sink #(
    parameter WIDTH = 8,
    parameter BEATS = 1,
    parameter LOG   = "out.log",
    parameter STALL = 0,
    parameter [31:0] SEED = 1
) (
    input  wire             clk,
    input  wire             rst,
    input  wire [31:0]      cycle,
    input  wire [WIDTH-1:0] s_data,
    input  wire             s_valid,
    output wire             s_ready,
    output wire             taken,
    output reg  [31:0]      ended
);
    integer log, place;
    wire [31:0] random;
    eq_random #(.SEED(SEED)) dice (.clk(clk), .rst(rst), .value(random));
    reg open;
    assign s_ready = open;
    assign taken   = s_valid && open;

    initial begin
        log   = $fopen(LOG, "w");
        place = 0;
    end
    always @(posedge clk)
        if (rst) begin
            open  <= 1'b0;
            ended <= 32'd0;
        end else begin
            open <= ({24'd0, random[7:0]} >= STALL);
            if (taken) begin
                place = (place == BEATS - 1) ? 0 : place + 1;
                if (place == 0) begin
                    $fwrite(log, "%0d\n", cycle);
                    ended <= ended + 32'd1;
                end
            end
        end
endmodule
