// eq_multiply_dsp: eq_multiply with the device's multipliers: products of at most 18 bits, registered on both sides for
// the DSP blocks to absorb, and their sum. Ports and numbers as in eq_multiply; latency 5, initiation interval 1.
module eq_multiply_dsp #(
    parameter X_BITS = 24,
    parameter ROUND  = 0,
    parameter SIDE   = 1
) (
    input  wire                      clk,
    input  wire                      rst,
    input  wire                      in_valid,
    input  wire signed [X_BITS-1:0]  x,
    input  wire [30:0]               m,
    input  wire [SIDE-1:0]           side_in,
    output wire                      out_valid,
    output reg  signed [X_BITS+30:0] p,
    output wire [SIDE-1:0]           side_out
);
    localparam PB = X_BITS + 31;
    localparam LOW = X_BITS > 18 ? 17 : 0;              // bits of x that make a factor of their own
    localparam HB = X_BITS - LOW;
    localparam signed [PB-1:0] HALF = ROUND != 0 ? {{(PB - 31){1'b0}}, 1'b1, 30'd0} : {PB{1'b0}};

    reg [4:0] valid;
    reg [5*SIDE-1:0] side;
    assign out_valid = valid[4];
    assign side_out = side[5*SIDE-1:4*SIDE];
    always @(posedge clk) begin
        valid <= rst ? 5'd0 : {valid[3:0], in_valid};
        side <= {side[4*SIDE-1:0], side_in};
    end

    // The multiplier in 15 and 16 bits, x in a signed part and 17 bits where it is wide.
    reg signed [15:0] m_high;
    reg signed [16:0] m_low;
    reg signed [HB-1:0] x_high;
    reg signed [HB+15:0] high_high;
    reg signed [HB+16:0] high_low;
    reg signed [HB+31:0] high;                          // x_high * m
    reg signed [PB-1:0] sum;
    wire signed [PB-1:0] low;
    always @(posedge clk) begin
        m_high <= {1'b0, m[30:16]};
        m_low <= {1'b0, m[15:0]};
        x_high <= x[X_BITS-1:LOW];
        high_high <= x_high * m_high;
        high_low <= x_high * m_low;
        high <= {high_high, 16'd0} + {{15{high_low[HB+16]}}, high_low};
        sum <= ({{(PB - HB - 31){high[HB+31]}}, high[HB+30:0]} << LOW) + low;
        p <= sum + HALF;
    end
    generate
        if (LOW != 0) begin : g_wide
            reg signed [17:0] x_low;
            reg signed [33:0] low_high;
            reg signed [34:0] low_low;
            reg [49:0] low_r;                           // x_low * m, not negative
            always @(posedge clk) begin
                x_low <= {1'b0, x[16:0]};
                low_high <= x_low * m_high;
                low_low <= x_low * m_low;
                low_r <= {low_high, 16'd0} + {15'd0, low_low};
            end
            assign low = {{(PB - 49){1'b0}}, low_r[48:0]};
            wire unused = &{1'b0, low_r[49]};
        end else begin : g_narrow
            assign low = {PB{1'b0}};
        end
    endgenerate
endmodule
