// Matrix-vector engine: bias + W x for every vector, PE rows of W and SIMD columns a cycle.
//
// BEATS                beats that go out: MH / OUT_LANES for each vector
// SIMD, PE             columns and rows a cycle
// DEPTH                words of a vector: columns / SIMD
// FOLDS, MH            MH / PE rounded up, rows; a vector takes FOLDS * DEPTH cycles
// X_BITS, X_SIGNED     elements: bits, and whether they are two's complement
// W_BITS               weights: bits, two's complement; EQ_KHOT: of the digits of a weight
// ACC_BITS             accumulators; they may wrap in between if every final result fits
// OUT_LANES            accumulators of an output beat; divides PE and MH
// STYLE                multipliers: EQ_DSP, EQ_LUT, or none: EQ_KHOT
// TERMS, PLACES        EQ_KHOT: digits of a weight and where they stand (eq_khot.hpp)
// WEIGHT_ROM, BIAS_ROM kinds of memory
// s                    in:  words of SIMD elements; each vector comes FOLDS times
// m                    out: OUT_LANES accumulators, rows 0..MH-1 of each vector in order
// weights              word fold*DEPTH + d holds w[fold*PE + pe][d*SIMD + i] at place pe*SIMD + i, rows from MH on: 0
// bias                 word i holds the biases of rows i*OUT_LANES.., ACC_BITS each
#ifndef EQ_MVU_HPP
#define EQ_MVU_HPP

#include "eq_khot.hpp"
#include "eq_mvu_out.hpp"

template <int STEPS, int SIMD, int PE, int DEPTH, int WORDS, int X_BITS, int X_SIGNED, int W_BITS, int ACC_BITS,
          int STYLE, int TERMS, int PLACES, int WEIGHT_ROM>
void eq_mvu_sums(hls::stream<ap_uint<SIMD * X_BITS>>& s, hls::stream<ap_uint<PE * ACC_BITS>>& rows,
                 const ap_uint<PE * SIMD * W_BITS> weights[WORDS]) {
    constexpr int SUM_BITS = X_BITS + 1 + eq_weight_bits(W_BITS, STYLE) + eq_clog2(SIMD);
    eq_keep(weights, eq_choice<WEIGHT_ROM>());
    ap_int<ACC_BITS> acc[PE];
#pragma HLS ARRAY_PARTITION variable=acc complete
    int depth = 0, place = 0;
sums:
    for (int i = 0; i < STEPS; i++) {
#pragma HLS PIPELINE II=1 style=flp
        const ap_uint<SIMD * X_BITS> x = s.read();
        const ap_uint<PE * SIMD * W_BITS> w = weights[place];
        ap_uint<PE * ACC_BITS> row = 0;
        for (int pe = 0; pe < PE; pe++) {
#pragma HLS UNROLL
            ap_int<SUM_BITS> sum = 0;
            for (int j = 0; j < SIMD; j++) {
#pragma HLS UNROLL
                const ap_int<X_BITS + 1> element = eq_number<X_BITS, X_SIGNED>(eq_get<X_BITS>(x, j));
                sum += eq_weighted<TERMS, PLACES>(element, eq_get<W_BITS>(w, pe * SIMD + j), eq_choice<STYLE>());
            }
            acc[pe] = depth == 0 ? ap_int<ACC_BITS>(sum) : ap_int<ACC_BITS>(acc[pe] + sum);
            eq_put<ACC_BITS>(row, pe, ap_uint<ACC_BITS>(acc[pe]));
        }
        if (eq_step(depth, DEPTH)) rows.write(row);
        eq_step(place, WORDS);
    }
}

template <int BEATS, int SIMD = 4, int PE = 2, int DEPTH = 9, int FOLDS = 4, int MH = 8, int X_BITS = 8,
          int X_SIGNED = 1, int W_BITS = 8, int ACC_BITS = 24, int OUT_LANES = 1, int STYLE = EQ_DSP,
          int TERMS = 1, int PLACES = 0, int WEIGHT_ROM = EQ_BLOCK, int BIAS_ROM = EQ_DISTRIBUTED>
void eq_mvu(hls::stream<ap_uint<SIMD * X_BITS>>& s, hls::stream<ap_uint<OUT_LANES * ACC_BITS>>& m,
            const ap_uint<PE * SIMD * W_BITS> weights[FOLDS * DEPTH],
            const ap_uint<OUT_LANES * ACC_BITS> bias[MH / OUT_LANES]) {
#pragma HLS DATAFLOW
    static_assert(FOLDS == (MH + PE - 1) / PE, "FOLDS is MH / PE, rounded up");
    hls::stream<ap_uint<PE * ACC_BITS>> rows("rows");
#pragma HLS STREAM variable=rows depth=2
    eq_mvu_sums<BEATS * OUT_LANES / MH * FOLDS * DEPTH, SIMD, PE, DEPTH, FOLDS * DEPTH, X_BITS, X_SIGNED, W_BITS,
                ACC_BITS, STYLE, TERMS, PLACES, WEIGHT_ROM>(s, rows, weights);
    eq_mvu_out<BEATS, PE, MH, ACC_BITS, OUT_LANES, BIAS_ROM>(rows, m, bias);
}

#endif
