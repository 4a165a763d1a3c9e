// Matrix-vector engine of constant weights, all of them at once: bias + W x by shifts and adds, without a multiplier.
//
// A weight is a sum of signed powers of two. Minus x is ~x + 1: the ones are part of the biases. Sums wrap modulo
// 2^ACC_BITS, since the results fit. All digits are constants for the compiler: no memory, no shifter,
// wires and adders. The loops over rows and digits are unrolled whole; lowering takes this engine for
// layers of at most 512 weights.
//
// BEATS                beats that go out: MH / OUT_LANES for each vector
// COLUMNS, MH          columns and rows
// X_BITS, X_SIGNED     elements: bits, and whether they are two's complement
// ACC_BITS             results
// OUT_LANES            results of an output beat; divides MH
// TERMS                digits of the row that has most
// BIAS_ROM             kind of memory
// s                    in:  vectors, COLUMNS elements each
// m                    out: OUT_LANES results, rows 0..MH-1 of each vector in order
// digits               TERMS words for each row: {used, negative, shift[5:0], column[15:0]}
// bias                 as in eq_mvu; the powers of two of the negative digits included
#ifndef EQ_MVC_HPP
#define EQ_MVC_HPP

#include "eq_mvu_out.hpp"

template <int VECTORS, int COLUMNS, int MH, int X_BITS, int X_SIGNED, int ACC_BITS, int TERMS>
void eq_mvc_sums(hls::stream<ap_uint<COLUMNS * X_BITS>>& s, hls::stream<ap_uint<MH * ACC_BITS>>& rows,
                 const ap_uint<24> digits[MH * TERMS]) {
#pragma HLS INLINE off
#pragma HLS ARRAY_PARTITION variable=digits complete
sums:
    for (int i = 0; i < VECTORS; i++) {
#pragma HLS PIPELINE II=1 style=flp
        const ap_uint<COLUMNS * X_BITS> x = s.read();
        ap_uint<MH * ACC_BITS> row = 0;
        for (int r = 0; r < MH; r++) {
#pragma HLS UNROLL
            ap_int<ACC_BITS> sum = 0;
            for (int t = 0; t < TERMS; t++) {
#pragma HLS UNROLL
                const ap_uint<24> digit = digits[r * TERMS + t];
                const int column = ap_uint<16>(digit).to_int(), shift = ap_uint<6>(digit >> 16).to_int();
                const ap_int<ACC_BITS> element = eq_number<X_BITS, X_SIGNED>(eq_get<X_BITS>(x, column));
                const ap_int<ACC_BITS> signed_element = digit[22] ? ap_int<ACC_BITS>(~element) : element;
                const ap_int<ACC_BITS> term = signed_element << shift;
                if (digit[23]) sum += term;
            }
            eq_put<ACC_BITS>(row, r, ap_uint<ACC_BITS>(sum));
        }
        rows.write(row);
    }
}

template <int BEATS, int COLUMNS = 9, int MH = 4, int X_BITS = 8, int X_SIGNED = 1, int ACC_BITS = 20,
          int OUT_LANES = 1, int TERMS = 2, int BIAS_ROM = EQ_DISTRIBUTED>
void eq_mvc(hls::stream<ap_uint<COLUMNS * X_BITS>>& s, hls::stream<ap_uint<OUT_LANES * ACC_BITS>>& m,
            const ap_uint<24> digits[MH * TERMS], const ap_uint<OUT_LANES * ACC_BITS> bias[MH / OUT_LANES]) {
#pragma HLS DATAFLOW
    hls::stream<ap_uint<MH * ACC_BITS>> rows("rows");
#pragma HLS STREAM variable=rows depth=2
    eq_mvc_sums<BEATS * OUT_LANES / MH, COLUMNS, MH, X_BITS, X_SIGNED, ACC_BITS, TERMS>(s, rows, digits);
    eq_mvu_out<BEATS, MH, MH, ACC_BITS, OUT_LANES, BIAS_ROM>(rows, m, bias);
}

#endif
