// Simulation only: passes a stream on with random pauses; a beat that was offered stays offered.
//
// Parameters: WIDTH bits of a beat; STALL pauses in 256 cycles; SEED start of the random numbers.
module eq_stall #(
    parameter WIDTH = 8,
    parameter STALL = 64,
    parameter [31:0] SEED = 1
) (
    input  wire             clk,
    input  wire             rst,
    input  wire [WIDTH-1:0] s_data,
    input  wire             s_valid,
    output wire             s_ready,
    output wire [WIDTH-1:0] m_data,
    output wire             m_valid,
    input  wire             m_ready
);
    wire [31:0] random;
    eq_random #(.SEED(SEED)) dice (.clk(clk), .rst(rst), .value(random));
    reg open, offered;
    wire pass = open || offered;
    assign m_data  = s_data;
    assign m_valid = s_valid && pass;
    assign s_ready = m_ready && pass;
    always @(posedge clk)
        if (rst) begin
            open    <= 1'b0;
            offered <= 1'b0;
        end else begin
            open    <= ({24'd0, random[7:0]} >= STALL);
            offered <= m_valid && !m_ready;
        end
endmodule
