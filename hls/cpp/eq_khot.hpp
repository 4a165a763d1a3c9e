// Products of weights of few digits (K-hot): elements shifted, inverted, added; not a multiplication among them. Not a stage.
//
// eq_weighted gives a product as the engines add it up: of a two's complement weight in style EQ_DSP or EQ_LUT, of the digits
// of a weight in style EQ_KHOT. There, minus x is taken as ~x: the ones are part of the biases.
//
// TERMS                digits of a weight: {used, negative, shift}, of one width, the first lowest
// PLACES               8 bits for each digit, the first lowest: {shifts - 1 [3:0], base[3:0]}: 2^(base + shift)
#ifndef EQ_KHOT_HPP
#define EQ_KHOT_HPP

#include "eq_types.hpp"

// Bits of a weight as a number.
constexpr int eq_weight_bits(int w_bits, int style) {
    return style == EQ_KHOT ? 18 : w_bits;
}

template <int TERMS, int PLACES, int X, int W, int STYLE>
ap_int<X + W> eq_weighted(const ap_int<X>& x, const ap_uint<W>& code, eq_choice<STYLE> style) {
#pragma HLS INLINE
    const ap_int<W> weight = code;
    return eq_product(x, weight, style);
}

template <int TERMS, int PLACES, int X, int W>
ap_int<X + 18> eq_weighted(const ap_int<X>& x, const ap_uint<W>& code, eq_choice<EQ_KHOT>) {
#pragma HLS INLINE
    constexpr int DIGIT = W / TERMS;
    ap_int<X + 18> sum = 0;
#pragma HLS BIND_OP variable=sum op=add impl=fabric
    for (int t = 0; t < TERMS; t++) {
#pragma HLS UNROLL
        const ap_uint<DIGIT> digit = eq_get<DIGIT>(code, t);
        const ap_int<X + 16> element = digit[DIGIT - 1] ? ap_int<X + 16>(x) : ap_int<X + 16>(0);
        const ap_int<X + 16> shifted = element << (digit.to_int() & ((1 << (DIGIT - 2)) - 1));
        const ap_int<X + 16> term = digit[DIGIT - 2] ? ap_int<X + 16>(~shifted) : shifted;
        sum += ap_int<X + 18>(term) << (PLACES >> (t << 3) & 15);
    }
    return sum;
}

#endif
