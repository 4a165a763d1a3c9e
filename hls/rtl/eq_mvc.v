// Matrix-vector engine of constant weights, all of them at once: bias + W x by shifts and adds, without a multiplier
// and without a memory of weights.
//
// A weight is a sum of signed powers of two (canonical signed digits: as few as there can be). Each digit is a term, its
// column's element shifted; the terms of a row are added by a pipelined tree. Minus x is ~x + 1: the ones are part of
// the biases, which Python has corrected. Sums wrap modulo 2^ACC_BITS, since the results fit.
//
// Parameters
//   COLUMNS, MH          columns and rows
//   X_BITS, X_SIGNED     elements: bits, and whether they are two's complement
//   ACC_BITS             results
//   OUT_LANES            results of an output beat; divides MH
//   TERMS                digits of the row that has most
//   DIGITS               TERMS fields of 24 bits for each row, the first lowest: {used, negative, shift[5:0], column[15:0]}
//   BIAS, BIAS_ROM       as in eq_mvu; the powers of two of the negative digits included
// Ports
//   s_*                  in:  vectors, COLUMNS elements each; s_ready comes from a flip-flop
//   m_*                  out: OUT_LANES results, rows 0..MH-1 of each vector in order
// Latency to the first result: 6 cycles + log2(TERMS), rounded up. Initiation interval MH / OUT_LANES cycles a vector.
// Reset: no results.
module eq_mvc #(
    parameter COLUMNS   = 9,
    parameter MH        = 4,
    parameter X_BITS    = 8,
    parameter X_SIGNED  = 1,
    parameter ACC_BITS  = 20,
    parameter OUT_LANES = 1,
    parameter TERMS     = 2,
    parameter DIGITS    = 0,
    parameter BIAS      = "",
    parameter BIAS_ROM  = "distributed"
) (
    input  wire                          clk,
    input  wire                          rst,
    input  wire [COLUMNS*X_BITS-1:0]     s_data,
    input  wire                          s_valid,
    output wire                          s_ready,
    output wire [OUT_LANES*ACC_BITS-1:0] m_data,
    output wire                          m_valid,
    input  wire                          m_ready
);
    localparam LEVELS = (TERMS > 1) ? $clog2(TERMS) : 0;
    localparam [MH*TERMS*24-1:0] FIELDS = DIGITS;

    // Every vector needs a credit; marks travel with them.
    wire take = s_valid && s_ready;
    reg  [LEVELS:0] done;
    reg  [COLUMNS*X_BITS-1:0] x;
    always @(posedge clk) begin
        x    <= s_data;
        done <= rst ? 0 : {done, take};
    end

    wire [MH*ACC_BITS-1:0] results;
    genvar r, t;
    generate
        for (r = 0; r < MH; r = r + 1) begin : row
            wire [TERMS*ACC_BITS-1:0] terms;
            for (t = 0; t < TERMS; t = t + 1) begin : term
                localparam [23:0] DIGIT = FIELDS[(r*TERMS + t)*24 +: 24];
                if (DIGIT[23]) begin : used
                    wire [X_BITS-1:0] element = x[DIGIT[15:0]*X_BITS +: X_BITS];
                    wire signed [ACC_BITS-1:0] wide = (X_SIGNED != 0) ? {{ACC_BITS{element[X_BITS-1]}}, element}
                                                                      : {{ACC_BITS{1'b0}}, element};
                    assign terms[t*ACC_BITS +: ACC_BITS] = (DIGIT[22] ? ~wide : wide) << DIGIT[21:16];
                end else begin : none
                    assign terms[t*ACC_BITS +: ACC_BITS] = 0;
                end
            end
            eq_sum #(.N(TERMS), .BITS(ACC_BITS), .SIGNED(1), .SUM_BITS(ACC_BITS)) tree (
                .clk(clk), .terms(terms), .sum(results[r*ACC_BITS +: ACC_BITS])
            );
        end
    endgenerate

    eq_mvu_out #(
        .PE(MH), .DEPTH(1), .MH(MH), .ACC_BITS(ACC_BITS), .LANES(OUT_LANES), .AWAY(LEVELS + 1),
        .BIAS(BIAS), .BIAS_ROM(BIAS_ROM)
    ) out (
        .clk(clk), .rst(rst), .begins(take), .credit(s_ready), .done(done[LEVELS]), .results(results),
        .m_data(m_data), .m_valid(m_valid), .m_ready(m_ready)
    );
endmodule
