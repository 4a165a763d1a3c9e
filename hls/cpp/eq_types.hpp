// Common to all functions of the library: types, choices, lanes of a beat, memories, products.
//
// Calling convention: README.md in this folder. Loops are pipelined with style=flp (flushable): what is in a pipeline
// goes on when the next beat is late, as in the RTL, so the depths of FIFOs that are right there are right here.
#ifndef EQ_TYPES_HPP
#define EQ_TYPES_HPP

#ifndef AP_INT_MAX_W
#define AP_INT_MAX_W 4096
#endif
// Loops have names for the reports of the HLS compiler; g++ -Wall does not know why.
#if defined(__GNUC__) && !defined(__SYNTHESIS__)
#pragma GCC diagnostic ignored "-Wunused-label"
#endif
// libc++ (clang, ziglang) keeps std::complex in an inner namespace; ap_int.h declares it in std to specialise it, which is
// ambiguous there. Nothing here is complex, so that the specialisation is left out of simulations.
#ifndef __SYNTHESIS__
#include <cstddef>
#if defined(_LIBCPP_VERSION) && !defined(__AP_INT_SPECIAL_H__)
#define __AP_INT_SPECIAL_H__
#define __AP_FIXED_SPECIAL_H__
#endif
#endif
#include <ap_int.h>
#include <hls_stream.h>

// What is text in the Verilog: kinds of memory, kinds of multipliers.
enum { EQ_AUTO, EQ_BLOCK, EQ_DISTRIBUTED, EQ_DSP, EQ_LUT, EQ_KHOT };

// A choice as a type, so that a pragma can depend on it.
template <int CHOICE>
struct eq_choice {};

// Bits that tell n things apart; at least 1 for an address of n words.
constexpr int eq_clog2(long long n) {
    return n <= 1 ? 0 : 1 + eq_clog2((n + 1) / 2);
}
constexpr int eq_address_bits(long long n) {
    return n <= 2 ? 1 : eq_clog2(n);
}
constexpr int eq_greater(int a, int b) {
    return a > b ? a : b;
}
constexpr int eq_clipped(int v, int lo, int hi) {
    return v < lo ? lo : v > hi ? hi : v;
}

// Element `lane` of a beat.
template <int BITS, int WIDTH>
ap_uint<BITS> eq_get(const ap_uint<WIDTH>& word, int lane) {
#pragma HLS INLINE
    return word.range((lane + 1) * BITS - 1, lane * BITS);
}

// Set element `lane` of a beat.
template <int BITS, int WIDTH>
void eq_put(ap_uint<WIDTH>& word, int lane, const ap_uint<BITS>& element) {
#pragma HLS INLINE
    word.range((lane + 1) * BITS - 1, lane * BITS) = element;
}

// A code as a number: two's complement or unsigned.
template <int BITS, int SIGNED>
ap_int<BITS + 1> eq_number(const ap_uint<BITS>& code) {
#pragma HLS INLINE
    ap_int<BITS + 1> number = code;
    if (SIGNED != 0) number[BITS] = code[BITS - 1];
    return number;
}

// A code less its zero point.
template <int BITS, int SIGNED>
ap_int<BITS + 2> eq_grid(const ap_uint<BITS>& code, long long zero) {
#pragma HLS INLINE
    return eq_number<BITS, SIGNED>(code) - ap_int<BITS + 2>(zero);
}

// A loop counter of 0..n - 1; true when it starts over.
inline bool eq_step(int& counter, int n) {
#pragma HLS INLINE
    const bool last = counter == n - 1;
    counter = last ? 0 : counter + 1;
    return last;
}

// Where a table of constants is kept.
template <class T>
void eq_keep(const T* rom, eq_choice<EQ_AUTO>) {
#pragma HLS INLINE
    (void)rom;
}
template <class T>
void eq_keep(const T* rom, eq_choice<EQ_BLOCK>) {
#pragma HLS INLINE
#pragma HLS BIND_STORAGE variable=rom type=rom_1p impl=bram
    (void)rom;
}
template <class T>
void eq_keep(const T* rom, eq_choice<EQ_DISTRIBUTED>) {
#pragma HLS INLINE
#pragma HLS BIND_STORAGE variable=rom type=rom_1p impl=lutram
    (void)rom;
}

// Where a buffer is kept that is written and read in the same cycle.
template <class T>
void eq_keep_ram(T* ram, eq_choice<EQ_AUTO>) {
#pragma HLS INLINE
    (void)ram;
}
template <class T>
void eq_keep_ram(T* ram, eq_choice<EQ_BLOCK>) {
#pragma HLS INLINE
#pragma HLS BIND_STORAGE variable=ram type=ram_s2p impl=bram
    (void)ram;
}
template <class T>
void eq_keep_ram(T* ram, eq_choice<EQ_DISTRIBUTED>) {
#pragma HLS INLINE
#pragma HLS BIND_STORAGE variable=ram type=ram_s2p impl=lutram
    (void)ram;
}

// An exact product, in a multiplier block or in look-up tables.
template <int A, int B>
ap_int<A + B> eq_product(const ap_int<A>& a, const ap_int<B>& b, eq_choice<EQ_DSP>) {
#pragma HLS INLINE
    const ap_int<A + B> product = a * b;
#pragma HLS BIND_OP variable=product op=mul impl=dsp
    return product;
}
template <int A, int B>
ap_int<A + B> eq_product(const ap_int<A>& a, const ap_int<B>& b, eq_choice<EQ_LUT>) {
#pragma HLS INLINE
    const ap_int<A + B> product = a * b;
#pragma HLS BIND_OP variable=product op=mul impl=fabric
    return product;
}

// A whole frame into a buffer.
template <int BEATS, int WIDTH>
void eq_load(hls::stream<ap_uint<WIDTH>>& s, ap_uint<WIDTH> frame[BEATS]) {
load:
    for (int i = 0; i < BEATS; i++) {
#pragma HLS PIPELINE II=1 style=flp
        frame[i] = s.read();
    }
}

#endif
