// Depthwise engine: every channel is multiplied with its own taps and added up, LANES channels a cycle.
//
// The pipeline runs freely as in eq_mvu: the last tap of a block of channels is only taken when the FIFO at the output
// has room for its result.
//
// Parameters
//   LANES                channels of a word
//   TAPS, BLOCKS         taps of a channel (KH*KW); words of a pixel (channels / LANES)
//   X_BITS, X_SIGNED     elements: bits, and whether they are two's complement
//   W_BITS               weights: bits, two's complement; style "khot": of the digits of a weight
//   ACC_BITS             accumulators; they may wrap in between if every final result fits
//   STYLE                multipliers, as eq_dot: "dsp", "lut", "khot"
//   TERMS, PLACES        style "khot", as eq_dot_khot; biases then hold 2^base more for each negative digit of their channel
//   WEIGHTS, WEIGHT_ROM  file: word block*TAPS + tap holds LANES weights; "block" or "distributed"
//   BIAS, BIAS_ROM       file: word block holds LANES biases of ACC_BITS; "block" or "distributed"
// Ports
//   s_*                  in:  window words in channel order (eq_window, ORDER 1): all taps of a block, then the next
//                        block; s_ready depends on flip-flops only
//   m_*                  out: LANES accumulators for each block of each pixel
// Latency from the last tap of a block to its result: 6 cycles + that of eq_dot. Initiation interval 1 word.
// Reset: the first tap of the first block of a pixel.
module eq_depthwise #(
    parameter LANES      = 1,
    parameter TAPS       = 9,
    parameter BLOCKS     = 8,
    parameter X_BITS     = 8,
    parameter X_SIGNED   = 1,
    parameter W_BITS     = 8,
    parameter ACC_BITS   = 24,
    parameter STYLE      = "dsp",
    parameter TERMS      = 1,
    parameter PLACES     = 0,
    parameter WEIGHTS    = "",
    parameter WEIGHT_ROM = "block",
    parameter BIAS       = "",
    parameter BIAS_ROM   = "distributed"
) (
    input  wire                      clk,
    input  wire                      rst,
    input  wire [LANES*X_BITS-1:0]   s_data,
    input  wire                      s_valid,
    output wire                      s_ready,
    output wire [LANES*ACC_BITS-1:0] m_data,
    output wire                      m_valid,
    input  wire                      m_ready
);
    localparam P_BITS = (STYLE == "khot") ? ACC_BITS : W_BITS + X_BITS;
    localparam DIGIT  = (W_BITS / TERMS > 3) ? W_BITS / TERMS - 2 : 1;          // steps of a digit's shift
    localparam MUL    = (STYLE == "khot") ? DIGIT + $clog2(TERMS)               // latency of eq_dot
                        : (STYLE != "lut" || W_BITS == 1) ? 2 : 1 + $clog2(W_BITS);
    localparam WORDS  = BLOCKS * TAPS;
    localparam ABITS  = (WORDS > 1) ? $clog2(WORDS) : 1;

    wire credit, take_last, valid, first, last;
    wire [ABITS-1:0] address;
    eq_mvu_in #(.DEPTH(TAPS), .WORDS(WORDS), .DELAY(MUL + 1)) in (
        .clk(clk), .rst(rst), .s_valid(s_valid), .s_ready(s_ready), .credit(credit), .address(address),
        .take_last(take_last), .valid(valid), .first(first), .last(last)
    );

    // Weights, products, accumulators.
    reg  [LANES*X_BITS-1:0]   x;
    wire [LANES*W_BITS-1:0]   w;
    wire [LANES*ACC_BITS-1:0] results;
    always @(posedge clk)
        x <= s_data;
    eq_rom #(.WIDTH(LANES*W_BITS), .DEPTH(WORDS), .FILE(WEIGHTS), .STYLE(WEIGHT_ROM)) weights (
        .clk(clk), .address(address), .data(w)
    );

    genvar i;
    generate
        for (i = 0; i < LANES; i = i + 1) begin : lane
            wire signed [P_BITS-1:0]   product;
            wire signed [ACC_BITS-1:0] addend = product;
            reg  signed [ACC_BITS-1:0] acc;
            eq_dot #(
                .SIMD(1), .X_BITS(X_BITS), .X_SIGNED(X_SIGNED), .W_BITS(W_BITS), .STYLE(STYLE), .TERMS(TERMS),
                .PLACES(PLACES), .SUM_BITS(P_BITS)
            ) mul (
                .clk(clk), .x(x[i*X_BITS +: X_BITS]), .w(w[i*W_BITS +: W_BITS]), .sum(product)
            );
            always @(posedge clk)
                if (valid)
                    acc <= (first ? {ACC_BITS{1'b0}} : acc) + addend;
            assign results[i*ACC_BITS +: ACC_BITS] = acc;
        end
    endgenerate

    eq_mvu_out #(
        .PE(LANES), .DEPTH(TAPS), .MH(BLOCKS*LANES), .ACC_BITS(ACC_BITS), .LANES(LANES), .AWAY(MUL + 2),
        .BIAS(BIAS), .BIAS_ROM(BIAS_ROM)
    ) out (
        .clk(clk), .rst(rst), .begins(take_last), .credit(credit), .done(last), .results(results),
        .m_data(m_data), .m_valid(m_valid), .m_ready(m_ready)
    );
endmodule
