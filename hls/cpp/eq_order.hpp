// Codes as unsigned numbers of the same order, and back. Part of eq_max_pool, eq_argmax, eq_softmax; not a stage.
//
// BITS     width of a code
// SIGNED   0 unsigned, 1 two's complement, 2 sign and magnitude (both zeros get one number; back: the positive one)
#ifndef EQ_ORDER_HPP
#define EQ_ORDER_HPP

#include "eq_types.hpp"

template <int BITS, int SIGNED>
ap_uint<BITS> eq_order(const ap_uint<BITS>& code) {
#pragma HLS INLINE
    const ap_uint<BITS> top = ap_uint<BITS>(1) << (BITS - 1);
    if (SIGNED == 0) return code;
    if (SIGNED == 1) return code ^ top;
    // Positive: 2^(BITS-1) + magnitude; negative: 2^(BITS-1) - magnitude.
    const ap_uint<BITS> magnitude = code & ap_uint<BITS>(~top);
    return code[BITS - 1] ? ap_uint<BITS>(top - magnitude) : ap_uint<BITS>(top | magnitude);
}

template <int BITS, int SIGNED>
ap_uint<BITS> eq_unordered(const ap_uint<BITS>& number) {
#pragma HLS INLINE
    const ap_uint<BITS> top = ap_uint<BITS>(1) << (BITS - 1);
    if (SIGNED == 0) return number;
    if (SIGNED == 1) return number ^ top;
    return number[BITS - 1] ? ap_uint<BITS>(number ^ top) : ap_uint<BITS>(top | ap_uint<BITS>(top - number));
}

#endif
