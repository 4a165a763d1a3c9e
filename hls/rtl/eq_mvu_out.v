// Output of eq_mvu and eq_depthwise: PE results at once become beats of LANES, get their bias and wait in a FIFO.
//
// Keeps the credits: a fold may be finished when the FIFO has room for all its results. RESULTS folds fit in, as many
// as are under way between taking a credit and giving it back, so that credits never slow down a steady stream.
//
// Parameters
//   PE, DEPTH, MH, ACC_BITS, BIAS, BIAS_ROM   as in eq_mvu;   LANES: its OUT_LANES
//   AWAY        cycles from `begins` to `done`
// Ports
//   begins      in:  the last word of a fold was taken (only while credit)
//   credit      out: the last word of a fold may be taken, from a flip-flop
//   done        in:  `results` holds the PE sums of a fold, for this cycle
//   m_*         out: LANES accumulators
// Reset: no results, channel 0.
module eq_mvu_out #(
    parameter PE       = 2,
    parameter DEPTH    = 9,
    parameter MH       = 8,
    parameter ACC_BITS = 24,
    parameter LANES    = 1,
    parameter AWAY     = 6,
    parameter BIAS     = "",
    parameter BIAS_ROM = "distributed"
) (
    input  wire                      clk,
    input  wire                      rst,
    input  wire                      begins,
    output reg                       credit,
    input  wire                      done,
    input  wire [PE*ACC_BITS-1:0]    results,
    output wire [LANES*ACC_BITS-1:0] m_data,
    output wire                      m_valid,
    input  wire                      m_ready
);
    localparam WIDTH   = LANES * ACC_BITS;
    localparam BEATS   = PE / LANES;                                    // beats of a fold
    localparam ROUND   = AWAY + BEATS + 5;                              // a credit's way, in cycles
    localparam PERIOD  = (DEPTH > BEATS) ? DEPTH : BEATS;
    localparam RESULTS = (ROUND + PERIOD - 1) / PERIOD + 1;
    localparam CBITS   = $clog2(RESULTS + 1);
    localparam GBITS   = $clog2(BEATS + 1);
    localparam CHBITS  = (MH / LANES > 1) ? $clog2(MH / LANES) : 1;

    // Credits; folds that are shorter than their output also keep their distance.
    reg  [CBITS-1:0] credits;
    reg  [GBITS-1:0] distance;
    wire returned;
    wire [CBITS-1:0] credits_next  = credits + {{CBITS-1{1'b0}}, returned} - {{CBITS-1{1'b0}}, begins};
    wire [GBITS-1:0] distance_next = begins ? BEATS - 1 : (distance != 0) ? distance - 1'b1 : distance;
    always @(posedge clk)
        if (rst) begin
            credits  <= RESULTS;
            distance <= 0;
            credit   <= 1'b0;
        end else begin
            credits  <= credits_next;
            distance <= distance_next;
            credit   <= (credits_next != 0) && (DEPTH >= BEATS || distance_next == 0);
        end

    // Serialiser: the next beat is in the low bits. A ragged last fold ends early: with the last channel.
    reg  [PE*ACC_BITS-1:0] row;
    reg  busy, dropping;
    wire beat_last, channel_last;
    wire [CHBITS-1:0] channel;
    wire gives = busy && !dropping;
    eq_counter #(.N(BEATS)) beats (.clk(clk), .rst(rst), .advance(busy), .value(), .last(beat_last));
    eq_counter #(.N(MH / LANES)) channels (
        .clk(clk), .rst(rst), .advance(gives), .value(channel), .last(channel_last)
    );
    always @(posedge clk) begin
        if (done)
            row <= results;
        else
            row <= row >> WIDTH;
        if (rst) begin
            busy     <= 1'b0;
            dropping <= 1'b0;
        end else begin
            busy     <= done || (busy && !beat_last);
            dropping <= busy && !beat_last && (dropping || channel_last);
        end
    end

    // Bias.
    reg  [WIDTH-1:0] beat, biased;
    reg  beat_valid, beat_ends, biased_valid, biased_ends;
    wire [WIDTH-1:0] bias;
    eq_rom #(.WIDTH(WIDTH), .DEPTH(MH / LANES), .FILE(BIAS), .STYLE(BIAS_ROM)) biases (
        .clk(clk), .address(channel), .data(bias)
    );
    integer i;
    always @(posedge clk) begin
        beat        <= row[WIDTH-1:0];
        beat_ends   <= beat_last || channel_last;
        biased_ends <= beat_ends;
        for (i = 0; i < LANES; i = i + 1)
            biased[i*ACC_BITS +: ACC_BITS] <= beat[i*ACC_BITS +: ACC_BITS] + bias[i*ACC_BITS +: ACC_BITS];
        beat_valid   <= gives && !rst;
        biased_valid <= beat_valid && !rst;
    end

    wire ends, unused;      // the credits see to it that the FIFO has room
    eq_fifo #(.WIDTH(WIDTH + 1), .DEPTH(RESULTS * BEATS)) fifo (
        .clk(clk), .rst(rst), .s_data({biased_ends, biased}), .s_valid(biased_valid), .s_ready(unused),
        .m_data({ends, m_data}), .m_valid(m_valid), .m_ready(m_ready)
    );
    assign returned = m_valid && m_ready && ends;
endmodule
