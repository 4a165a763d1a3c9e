// Constant stream: the words of a memory one after another, over and over.
//
// BEATS         beats of one inference, a multiple of DEPTH
// WIDTH, DEPTH  bits of a beat, and beats until it starts over
// ROM           kind of memory
// m             out
// words         DEPTH words
#ifndef EQ_CONSTANT_HPP
#define EQ_CONSTANT_HPP

#include "eq_types.hpp"

template <int BEATS, int WIDTH = 8, int DEPTH = 16, int ROM = EQ_DISTRIBUTED>
void eq_constant(hls::stream<ap_uint<WIDTH>>& m, const ap_uint<WIDTH> words[DEPTH]) {
    static_assert(BEATS % DEPTH == 0, "every inference begins with the first word");
    eq_keep(words, eq_choice<ROM>());
    int place = 0;
constant:
    for (int i = 0; i < BEATS; i++) {
#pragma HLS PIPELINE II=1 style=flp
        m.write(words[place]);
        eq_step(place, DEPTH);
    }
}

#endif
