// Matrix-vector engine: bias + W x for every vector, PE rows of W and SIMD columns a cycle.
//
// The pipeline runs freely, without a common clock enable. The last word of a fold is only taken when the FIFO at the
// output has room for the PE results that it completes ("credits"), so that nothing under way ever has to stop.
//
// Parameters
//   SIMD, PE             columns and rows a cycle
//   DEPTH                words of a vector: columns / SIMD
//   MH, FOLDS            rows, and MH / PE rounded up; a vector takes FOLDS * DEPTH cycles
//   X_BITS, X_SIGNED     elements: bits, and whether they are two's complement
//   W_BITS               weights: bits, two's complement; style "khot": of the digits of a weight
//   ACC_BITS             accumulators; they may wrap in between if every final result fits
//   OUT_LANES            accumulators of an output beat; divides PE and MH
//   STYLE                multipliers, as eq_dot: "dsp", "lut", "khot"
//   TERMS, PLACES        style "khot", as eq_dot_khot; biases then hold 2^base more for each negative digit of their row
//   WEIGHTS, WEIGHT_ROM  file: word fold*DEPTH + d holds w[fold*PE + pe][d*SIMD + s] at place pe*SIMD + s, rows from MH
//                        on are 0; "block" or "distributed"
//   BIAS, BIAS_ROM       file: word i holds the biases of rows i*OUT_LANES.., ACC_BITS each; "block" or "distributed"
// Ports
//   s_*                  in:  words of SIMD elements; each vector comes FOLDS times; s_ready depends on flip-flops only
//   m_*                  out: OUT_LANES accumulators, rows 0..MH-1 of each vector in order
// Latency from the last word of a fold to its first result: 7 cycles + that of eq_dot. Initiation interval 1 word; if
// PE / OUT_LANES > DEPTH, a fold takes PE / OUT_LANES cycles. Reset: the first word of the first fold of a vector.
module eq_mvu #(
    parameter SIMD       = 4,
    parameter PE         = 2,
    parameter DEPTH      = 9,
    parameter FOLDS      = 4,
    parameter MH         = 8,
    parameter X_BITS     = 8,
    parameter X_SIGNED   = 1,
    parameter W_BITS     = 8,
    parameter ACC_BITS   = 24,
    parameter OUT_LANES  = 1,
    parameter STYLE      = "dsp",
    parameter TERMS      = 1,
    parameter PLACES     = 0,
    parameter WEIGHTS    = "",
    parameter WEIGHT_ROM = "block",
    parameter BIAS       = "",
    parameter BIAS_ROM   = "distributed"
) (
    input  wire                          clk,
    input  wire                          rst,
    input  wire [SIMD*X_BITS-1:0]        s_data,
    input  wire                          s_valid,
    output wire                          s_ready,
    output wire [OUT_LANES*ACC_BITS-1:0] m_data,
    output wire                          m_valid,
    input  wire                          m_ready
);
    localparam SUM_BITS = (STYLE == "khot") ? ACC_BITS : W_BITS + X_BITS + $clog2(SIMD);
    localparam DIGIT    = (W_BITS / TERMS > 3) ? W_BITS / TERMS - 2 : 1;        // steps of a digit's shift
    localparam DOT      = $clog2(SIMD) + ((STYLE == "khot") ? DIGIT + $clog2(TERMS)       // latency of eq_dot
                                          : (STYLE != "lut" || W_BITS == 1) ? 2 : 1 + $clog2(W_BITS));
    localparam WORDS    = FOLDS * DEPTH;
    localparam ABITS    = (WORDS > 1) ? $clog2(WORDS) : 1;

    wire credit, take_last, valid, first, last;
    wire [ABITS-1:0] address;
    eq_mvu_in #(.DEPTH(DEPTH), .WORDS(WORDS), .DELAY(DOT + 1)) in (
        .clk(clk), .rst(rst), .s_valid(s_valid), .s_ready(s_ready), .credit(credit), .address(address),
        .take_last(take_last), .valid(valid), .first(first), .last(last)
    );

    // Weights, products and sums; accumulators.
    reg  [SIMD*X_BITS-1:0]    x;
    wire [PE*SIMD*W_BITS-1:0] w;
    wire [PE*ACC_BITS-1:0]    results;
    always @(posedge clk)
        x <= s_data;
    eq_rom #(.WIDTH(PE*SIMD*W_BITS), .DEPTH(WORDS), .FILE(WEIGHTS), .STYLE(WEIGHT_ROM)) weights (
        .clk(clk), .address(address), .data(w)
    );

    genvar pe;
    generate
        for (pe = 0; pe < PE; pe = pe + 1) begin : row
            wire signed [SUM_BITS-1:0] sum;
            wire signed [ACC_BITS-1:0] addend = sum;
            reg  signed [ACC_BITS-1:0] acc;
            eq_dot #(
                .SIMD(SIMD), .X_BITS(X_BITS), .X_SIGNED(X_SIGNED), .W_BITS(W_BITS), .STYLE(STYLE), .TERMS(TERMS),
                .PLACES(PLACES), .SUM_BITS(SUM_BITS)
            ) dot (
                .clk(clk), .x(x), .w(w[pe*SIMD*W_BITS +: SIMD*W_BITS]), .sum(sum)
            );
            always @(posedge clk)
                if (valid)
                    acc <= (first ? {ACC_BITS{1'b0}} : acc) + addend;
            assign results[pe*ACC_BITS +: ACC_BITS] = acc;
        end
    endgenerate

    eq_mvu_out #(
        .PE(PE), .DEPTH(DEPTH), .MH(MH), .ACC_BITS(ACC_BITS), .LANES(OUT_LANES), .AWAY(DOT + 2),
        .BIAS(BIAS), .BIAS_ROM(BIAS_ROM)
    ) out (
        .clk(clk), .rst(rst), .begins(take_last), .credit(credit), .done(last), .results(results),
        .m_data(m_data), .m_valid(m_valid), .m_ready(m_ready)
    );
endmodule
