// How far each code of a row lies below the greatest of the row. In front of eq_softmax_lines.
//
// m = s - greatest s of the row, 0 or less
//
// BEATS          codes, a multiple of COUNT
// BITS, SIGNED   width of a code that comes in, 1: two's complement
// COUNT          codes of a row
// s, m           in: a row of COUNT codes; out: COUNT differences of BITS + 1 bits, two's complement
#ifndef EQ_ROW_DISTANCE_HPP
#define EQ_ROW_DISTANCE_HPP

#include "eq_softmax.hpp"

template <int BEATS, int BITS = 8, int SIGNED = 1, int COUNT = 10>
void eq_row_distance(hls::stream<ap_uint<BITS>>& s, hls::stream<ap_uint<BITS + 1>>& m) {
    static_assert(BEATS % COUNT == 0, "whole rows");
    ap_uint<BITS> distances[COUNT];
rows:
    for (int row = 0; row < BEATS / COUNT; row++) {
        eq_row<BITS, SIGNED, COUNT>(s, distances);
    give:
        for (int i = 0; i < COUNT; i++) {
#pragma HLS PIPELINE II=1 style=flp
            m.write(ap_uint<BITS + 1>(-ap_int<BITS + 2>(distances[i])));
        }
    }
}

#endif
