// The index of the greatest of COUNT codes, the first of equals.
//
// BEATS         indices that go out, COUNT codes come in for each
// BITS, SIGNED  width of a code; 0 unsigned, 1 two's complement, 2 sign and magnitude (both zeros are equal)
// COUNT         codes of one row
// OUT_BITS      width of an index
// s, m          in: codes; out: indices
#ifndef EQ_ARGMAX_HPP
#define EQ_ARGMAX_HPP

#include "eq_order.hpp"

template <int BEATS, int BITS = 8, int SIGNED = 1, int COUNT = 10, int OUT_BITS = 8>
void eq_argmax(hls::stream<ap_uint<BITS>>& s, hls::stream<ap_uint<OUT_BITS>>& m) {
    ap_uint<BITS> best = 0;
    int element = 0, index = 0;
codes:
    for (int i = 0; i < BEATS * COUNT; i++) {
#pragma HLS PIPELINE II=1 style=flp
        const ap_uint<BITS> order = eq_order<BITS, SIGNED>(s.read());
        if (element == 0 || order > best) {
            best = order;
            index = element;
        }
        if (eq_step(element, COUNT)) m.write(ap_uint<OUT_BITS>(index));
    }
}

#endif
