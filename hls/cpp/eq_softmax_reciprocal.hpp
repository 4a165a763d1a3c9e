// The quantised softmax of TensorFlow Lite (operator softmax_reciprocal), to the bit.
//
// e = TABLE[min(max(x) - x, TABLE_SIZE - 1)], 31 bits behind the point; S: sum of e / 2^12, each rounded half up; r:
// 1 / S, normalised to 1/2..1, by three steps of Newton's method; code = ZERO + e * r / 2^.., saturated.
//
// BEATS          codes, a multiple of COUNT
// BITS, SIGNED   width of a code that comes in, 1: two's complement
// COUNT          codes of a row, 1 to 4095
// TABLE_SIZE     entries
// OUT_BITS, ZERO width of a code that goes out (1 to 16) and the code of zero, its least
// s, m           in, out: a row of COUNT codes
// table          entries of 31 bits, the first 2^31 - 1
#ifndef EQ_SOFTMAX_RECIPROCAL_HPP
#define EQ_SOFTMAX_RECIPROCAL_HPP

#include "eq_softmax.hpp"

// a * b / 2^31, rounded half up.
inline ap_int<32> eq_product_31(const ap_int<32>& a, const ap_uint<31>& b) {
#pragma HLS INLINE off
    const ap_int<64> product = ap_int<64>(a) * ap_int<32>(b);
    return (product + (1LL << 30)) >> 31;
}

// 2 / half by Newton's method from 48/17 - 32/17 * half, 29 bits behind the point; half: 31 bits behind it, 1/2..1.
inline ap_uint<31> eq_reciprocal(const ap_uint<31>& half) {
    const ap_int<34> start = 1515870810, one = 536870912;
    const ap_int<32> slope = -1010580540;
    ap_int<34> x = start + eq_product_31(slope, half);
newton:
    for (int i = 0; i < 3; i++) {
        const ap_int<32> rest = one - eq_product_31(ap_int<32>(x), half);
        x += ap_int<34>(eq_product_31(rest, ap_uint<31>(x))) << 2;
    }
    const ap_int<34> most = (1LL << 30) - 1;
    return x > most ? ap_uint<31>(2147483647) : ap_uint<31>(x << 1);
}

template <int BEATS, int BITS = 8, int SIGNED = 1, int COUNT = 10, int TABLE_SIZE = 256, int OUT_BITS = 8,
          long long ZERO = -128>
void eq_softmax_reciprocal(hls::stream<ap_uint<BITS>>& s, hls::stream<ap_uint<OUT_BITS>>& m,
                           const ap_uint<31> table[TABLE_SIZE]) {
    static_assert(BEATS % COUNT == 0, "whole rows");
    ap_uint<BITS> distances[COUNT];
rows:
    for (int row = 0; row < BEATS / COUNT; row++) {
        eq_row<BITS, SIGNED, COUNT>(s, distances);
        ap_uint<31> half = 0;
    sums:
        for (int i = 0; i < COUNT; i++) {
#pragma HLS PIPELINE II=1
            const ap_uint<32> e = eq_exponential<BITS, 31, TABLE_SIZE>(distances[i], table);
            half += ap_uint<31>((e + 2048) >> 12);
        }
        // The sum is 2^19 at least: at most 11 places until its highest bit is at the top.
        int over = 11;
    normalise:
        for (int place = 0; place < 11; place++) {
#pragma HLS PIPELINE II=1
            if (!half[30]) {
                half <<= 1;
                over--;
            }
        }
        const ap_uint<31> r = eq_reciprocal(half);
    shares:
        for (int i = 0; i < COUNT; i++) {
#pragma HLS PIPELINE II=1 style=flp
            const ap_int<32> e = eq_exponential<BITS, 31, TABLE_SIZE>(distances[i], table);
            const ap_uint<OUT_BITS + 1> whole = eq_product_31(e, r) >> (30 - OUT_BITS);
            const ap_uint<OUT_BITS + 1> quotient = whole >> over;
            const ap_uint<OUT_BITS + 1> code = (quotient >> 1) + ap_uint<OUT_BITS + 1>(quotient[0]);
            const ap_uint<OUT_BITS> saturated = code[OUT_BITS] ? ap_uint<OUT_BITS>(-1) : ap_uint<OUT_BITS>(code);
            m.write(ap_uint<OUT_BITS>(saturated + ap_uint<OUT_BITS>(ZERO)));
        }
    }
}

#endif
