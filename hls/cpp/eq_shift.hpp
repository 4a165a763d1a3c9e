// Output stage of power-of-two scales: accumulators become codes.
//
// code = clamp(round(x / 2^shift), LO, HI) + ZERO, exactly as docs/arithmetic.md, section 3.
//
// BEATS       beats
// LANES, IN_BITS, OUT_BITS  elements of a beat; width of an accumulator (two's complement) and of a code
// CHANNELS    1: SHIFT for all, no table; else the last axis, a multiple of LANES: each channel has its own shift
// SHIFT       positive to the right, negative to the left
// SHIFTS_ROM  kind of memory
// SHIFT_MIN, SHIFT_MAX      least and greatest shift of the table
// RULE        0 half_up, 1 half_even, 2 floor, 4 half_away, 5 half_down, 6 half_to_zero, 7 to_zero
// LO, HI, ZERO              bounds of the grid integer and zero point
// OVERFLOW, CLAMP           what becomes of a number beyond the bounds, as eq_round.hpp has it; 0: it is clamped
// EXPONENT    0, or bits of the exponent: codes are minifloats, as eq_minifloat.hpp has them; LO and HI are then codes of
//             magnitudes, OVERFLOW and ZERO 0, RULE 0 to 2
// MANTISSA, STEP_MAX        of a minifloat
// s, m        in: accumulators; out: codes
// shifts      CHANNELS / LANES words, each LANES times 8 bits, two's complement (only with CHANNELS > 1)
#ifndef EQ_SHIFT_HPP
#define EQ_SHIFT_HPP

#include "eq_minifloat.hpp"

// LEFT: the greatest shift to the left.
template <int LEFT, int IN_BITS, int OUT_BITS, int RULE, long long LO, long long HI, long long ZERO, int OVERFLOW,
          int CLAMP, int EXPONENT, int MANTISSA, int STEP_MAX>
ap_uint<OUT_BITS> eq_shift_lane(const ap_uint<IN_BITS>& bits, int shift) {
#pragma HLS INLINE
    ap_int<IN_BITS + LEFT> x = ap_int<IN_BITS>(bits);
    if (LEFT > 0 && shift < 0) x <<= -shift;
    const int right = shift < 0 ? 0 : shift;
    if (EXPONENT != 0) return eq_minifloat<EXPONENT, MANTISSA, STEP_MAX>(x, right, RULE, LO, HI);
    return eq_code_overflowing<OUT_BITS, OVERFLOW, CLAMP>(eq_rounded(x, right, RULE), LO, HI, ZERO);
}

template <int BEATS, int LANES = 1, int IN_BITS = 24, int OUT_BITS = 8, int CHANNELS = 1, int SHIFT = 0,
          int SHIFTS_ROM = EQ_AUTO, int SHIFT_MIN = -8, int SHIFT_MAX = 55, int RULE = 0, long long LO = -128,
          long long HI = 127, long long ZERO = 0, int OVERFLOW = 0, int CLAMP = 0, int EXPONENT = 0,
          int MANTISSA = 0, int STEP_MAX = 0>
void eq_shift(hls::stream<ap_uint<LANES * IN_BITS>>& s, hls::stream<ap_uint<LANES * OUT_BITS>>& m) {
    static_assert(CHANNELS == 1, "shifts of channels are a table");
    constexpr int LEFT = SHIFT < 0 ? -SHIFT : 0;
shift:
    for (int i = 0; i < BEATS; i++) {
#pragma HLS PIPELINE II=1 style=flp
        const ap_uint<LANES * IN_BITS> word = s.read();
        ap_uint<LANES * OUT_BITS> out = 0;
        for (int lane = 0; lane < LANES; lane++) {
#pragma HLS UNROLL
            const ap_uint<IN_BITS> x = eq_get<IN_BITS>(word, lane);
            const ap_uint<OUT_BITS> code = eq_shift_lane<LEFT, IN_BITS, OUT_BITS, RULE, LO, HI, ZERO, OVERFLOW, CLAMP,
                                                         EXPONENT, MANTISSA, STEP_MAX>(x, SHIFT);
            eq_put<OUT_BITS>(out, lane, code);
        }
        m.write(out);
    }
}

template <int BEATS, int LANES = 1, int IN_BITS = 24, int OUT_BITS = 8, int CHANNELS = 1, int SHIFT = 0,
          int SHIFTS_ROM = EQ_AUTO, int SHIFT_MIN = -8, int SHIFT_MAX = 55, int RULE = 0, long long LO = -128,
          long long HI = 127, long long ZERO = 0, int OVERFLOW = 0, int CLAMP = 0, int EXPONENT = 0,
          int MANTISSA = 0, int STEP_MAX = 0>
void eq_shift(hls::stream<ap_uint<LANES * IN_BITS>>& s, hls::stream<ap_uint<LANES * OUT_BITS>>& m,
              const ap_uint<LANES * 8> shifts[CHANNELS / LANES]) {
    static_assert(CHANNELS % LANES == 0 && BEATS % (CHANNELS / LANES) == 0, "whole beats, whole pixels");
    constexpr int LEFT = SHIFT_MIN < 0 ? -SHIFT_MIN : 0;
    eq_keep(shifts, eq_choice<SHIFTS_ROM>());
    int place = 0;
shift:
    for (int i = 0; i < BEATS; i++) {
#pragma HLS PIPELINE II=1 style=flp
        const ap_uint<LANES * IN_BITS> word = s.read();
        const ap_uint<LANES * 8> entry = shifts[place];
        ap_uint<LANES * OUT_BITS> out = 0;
        for (int lane = 0; lane < LANES; lane++) {
#pragma HLS UNROLL
            const ap_uint<IN_BITS> x = eq_get<IN_BITS>(word, lane);
            const int places = ap_int<8>(eq_get<8>(entry, lane)).to_int();
            const ap_uint<OUT_BITS> code = eq_shift_lane<LEFT, IN_BITS, OUT_BITS, RULE, LO, HI, ZERO, OVERFLOW, CLAMP,
                                                         EXPONENT, MANTISSA, STEP_MAX>(x, places);
            eq_put<OUT_BITS>(out, lane, code);
        }
        m.write(out);
        eq_step(place, CHANNELS / LANES);
    }
}

#endif
