// Simulation only: feeds a stream from a file of hexadecimal beats, with random pauses.
//
// Parameters
//   WIDTH, BEATS   bits of a beat; beats of one inference
//   FILE, LOG      the beats; file that gets the cycle in which each inference begins
//   STALL, SEED    pauses in 256 cycles; start of the random numbers
// Ports
//   cycle          in:  the number of the present cycle, for LOG
//   m_*            out: the stream; valid stays until the beat is taken
module eq_source #(
    parameter WIDTH = 8,
    parameter BEATS = 1,
    parameter FILE  = "in.beats",
    parameter LOG   = "in.log",
    parameter STALL = 0,
    parameter [31:0] SEED = 1
) (
    input  wire             clk,
    input  wire             rst,
    input  wire [31:0]      cycle,
    output reg  [WIDTH-1:0] m_data,
    output reg              m_valid,
    input  wire             m_ready
);
    integer file, log, got, place;
    reg [WIDTH-1:0] next;
    wire [31:0] random;
    eq_random #(.SEED(SEED)) dice (.clk(clk), .rst(rst), .value(random));

    initial begin
        file  = $fopen(FILE, "r");
        log   = $fopen(LOG, "w");
        place = 0;
    end
    always @(posedge clk)
        if (rst)
            m_valid <= 1'b0;
        else begin
            if (m_valid && m_ready) begin
                if (place == 0)
                    $fwrite(log, "%0d\n", cycle);
                place = (place == BEATS - 1) ? 0 : place + 1;
            end
            if (!m_valid || m_ready) begin
                m_valid <= 1'b0;
                // (The simulator Verilator 5.006 loses a handle that only $fscanf uses.)
                if (file != 0 && {24'd0, random[7:0]} >= STALL) begin
                    got = $fscanf(file, "%h", next);
                    if (got == 1) begin
                        m_valid <= 1'b1;
                        m_data  <= next;
                    end
                end
            end
        end
endmodule
