// Softmax: exponentials by table, their exact sum, one rounded division each (operator softmax).
//
// code = clamp(round(e * 2^SHIFT / sum of e), LO, HI) + ZERO; e = TABLE[min(max(x) - x, TABLE_SIZE - 1)]
//
// BEATS          codes, a multiple of COUNT
// BITS, SIGNED   width of a code that comes in, 1: two's complement
// COUNT          codes of a row
// TABLE_BITS, TABLE_SIZE   entries: width and number
// SHIFT          binary point of the output, may be negative
// RULE           0 half_up, 1 half_even, 2 floor, 4 half_away, 5 half_down, 6 half_to_zero, 7 to_zero, 8 to odd
// LO, HI, ZERO, OUT_BITS   bounds of the grid integer, zero point and width of a code that goes out
// s, m           in, out: a row of COUNT codes
// table          unsigned, the first one positive
#ifndef EQ_SOFTMAX_HPP
#define EQ_SOFTMAX_HPP

#include "eq_order.hpp"
#include "eq_round.hpp"

// A row of codes as distances below its greatest code.
template <int BITS, int SIGNED, int COUNT>
void eq_row(hls::stream<ap_uint<BITS>>& s, ap_uint<BITS> distances[COUNT]) {
    ap_uint<BITS> greatest = 0;
row:
    for (int i = 0; i < COUNT; i++) {
#pragma HLS PIPELINE II=1 style=flp
        const ap_uint<BITS> order = eq_order<BITS, SIGNED>(s.read());
        if (i == 0 || order > greatest) greatest = order;
        distances[i] = order;
    }
distances:
    for (int i = 0; i < COUNT; i++) {
#pragma HLS PIPELINE II=1
        distances[i] = greatest - distances[i];
    }
}

// The exponential that a distance stands for; the last one for all greater distances.
template <int BITS, int TABLE_BITS, int TABLE_SIZE>
ap_uint<TABLE_BITS> eq_exponential(const ap_uint<BITS>& distance, const ap_uint<TABLE_BITS> table[TABLE_SIZE]) {
#pragma HLS INLINE
    const ap_uint<eq_greater(BITS, 32)> place = distance;
    return table[place < TABLE_SIZE ? place.to_int() : TABLE_SIZE - 1];
}

template <int BEATS, int BITS = 8, int SIGNED = 1, int COUNT = 10, int TABLE_BITS = 16, int TABLE_SIZE = 256,
          int SHIFT = 8, int RULE = 0, long long LO = 0, long long HI = 255, long long ZERO = 0, int OUT_BITS = 8>
void eq_softmax(hls::stream<ap_uint<BITS>>& s, hls::stream<ap_uint<OUT_BITS>>& m,
                const ap_uint<TABLE_BITS> table[TABLE_SIZE]) {
    static_assert(BEATS % COUNT == 0, "whole rows");
    constexpr int SB = TABLE_BITS + eq_clog2(COUNT + 1);
    constexpr int LEFT = SHIFT > 0 ? SHIFT : 0, RIGHT = SHIFT < 0 ? -SHIFT : 0;
    ap_uint<BITS> distances[COUNT];
rows:
    for (int row = 0; row < BEATS / COUNT; row++) {
        eq_row<BITS, SIGNED, COUNT>(s, distances);
        ap_uint<SB> sum = 0;
    sums:
        for (int i = 0; i < COUNT; i++) {
#pragma HLS PIPELINE II=1
            sum += eq_exponential<BITS, TABLE_BITS, TABLE_SIZE>(distances[i], table);
        }
    shares:
        for (int i = 0; i < COUNT; i++) {
            const ap_int<TABLE_BITS + 1> num[1] = {eq_exponential<BITS, TABLE_BITS, TABLE_SIZE>(distances[i], table)};
            ap_uint<OUT_BITS> code[1];
            eq_divide<1, TABLE_BITS + 1, SB, LEFT, RIGHT, RULE, LO, HI, ZERO, OUT_BITS>(num, sum, code);
            m.write(code[0]);
        }
    }
}

#endif
