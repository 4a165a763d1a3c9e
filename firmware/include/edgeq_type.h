/* edgeq_type.h: how codes lie in memory, and reading and writing them as integers on their grid.
 *
 * An eq_type is a compile-time constant in every specialised kernel, so that eq_load and eq_store fold to one plain
 * access where a code has a container of its own. Nothing else in the kernels knows how a code is made.
 */
#ifndef EDGEQ_TYPE_H
#define EDGEQ_TYPE_H

#include "edgeq.h"

#if defined(__GNUC__)
#define EQ_INLINE static inline __attribute__((always_inline, unused))
/* Buffers of the arena hold different types at different times. */
#define EQ_MAY_ALIAS __attribute__((may_alias))
#else
#define EQ_INLINE static inline
#define EQ_MAY_ALIAS
#endif
/* A kernel: inlined into the function that gives it its compile-time arguments. */
#define EQ_KERNEL EQ_INLINE

typedef int8_t EQ_MAY_ALIAS eq_i8;
typedef uint8_t EQ_MAY_ALIAS eq_u8;
typedef int16_t EQ_MAY_ALIAS eq_i16;
typedef uint16_t EQ_MAY_ALIAS eq_u16;
typedef int32_t EQ_MAY_ALIAS eq_i32;
typedef uint32_t EQ_MAY_ALIAS eq_u32;
typedef int64_t EQ_MAY_ALIAS eq_i64;

/* A function that several kernels share, that keeps its registers to itself, or is too long to be inlined everywhere. */
#if defined(__GNUC__)
#define EQ_SHARED static __attribute__((noinline, unused))
#else
#define EQ_SHARED static inline
#endif

/* Four bytes from any address, the first one lowest. */
#if defined(__GNUC__) && (!defined(__BYTE_ORDER__) || __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
typedef struct {
    uint32_t word;
} __attribute__((packed, may_alias)) eq_unaligned;

EQ_INLINE uint32_t eq_word(const uint8_t *p) { return ((const eq_unaligned *)(const void *)p)->word; }
EQ_INLINE void eq_put_word(uint8_t *p, uint32_t v) { ((eq_unaligned *)(void *)p)->word = v; }
#else
EQ_INLINE uint32_t eq_word(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

EQ_INLINE void eq_put_word(uint8_t *p, uint32_t v)
{
    for (int32_t i = 0; i < 4; i++) {
        p[i] = (uint8_t)(v >> (8 * i));
    }
}
#endif

/* bits 0..5 width of a code, 6 signed, 7 packed, 8 minifloat, 9..11 its exponent bits, 12..14 its mantissa bits */
typedef uint32_t eq_type;

#define EQ_SIGNED_ (1u << 6)
#define EQ_PACKED_ (1u << 7)
#define EQ_FLOAT_ (1u << 8)

/* Fixed point of 1 to 32 bits, signed and unsigned, in the least container of 8, 16 or 32 bits. */
#define EQ_S(bits) ((eq_type)(bits) | EQ_SIGNED_)
#define EQ_U(bits) ((eq_type)(bits))
/* The same, 1 to 7 bits, as a bit stream: element i starts at bit i * bits, least significant bit first. Values in RAM
 * of up to 4 bits are streams of 2 or 4 bits. Where codes cross bytes, which they do in constants only, one byte must
 * follow the last one that holds a code. Rows of weights start at a byte. */
#define EQ_SP(bits) (EQ_S(bits) | EQ_PACKED_)
#define EQ_UP(bits) (EQ_U(bits) | EQ_PACKED_)
/* Minifloat: sign, exponent, mantissa, from the top; in a byte of its own, and as a bit stream. Bias and scale are
 * matters of the binary point, and codes that stand for no number never occur. */
#define EQ_F(exponent, mantissa) \
    ((eq_type)(1 + (exponent) + (mantissa)) | EQ_FLOAT_ | (eq_type)(exponent) << 9 | (eq_type)(mantissa) << 12)
#define EQ_FP(exponent, mantissa) (EQ_F(exponent, mantissa) | EQ_PACKED_)

EQ_INLINE int32_t eq_width(eq_type t) { return (int32_t)(t & 63u); }
EQ_INLINE bool eq_is_signed(eq_type t) { return (t & EQ_SIGNED_) != 0; }
EQ_INLINE bool eq_is_packed(eq_type t) { return (t & EQ_PACKED_) != 0; }
EQ_INLINE bool eq_is_float(eq_type t) { return (t & EQ_FLOAT_) != 0; }
EQ_INLINE int32_t eq_exponent(eq_type t) { return (int32_t)((t >> 9) & 7u); }
EQ_INLINE int32_t eq_mantissa(eq_type t) { return (int32_t)((t >> 12) & 7u); }

/* Whether every grid integer of the type fits int32_t: not so for 32 unsigned bits and for five exponent bits. */
EQ_INLINE bool eq_fits_int32(eq_type t)
{
    if (eq_is_float(t)) {
        return eq_mantissa(t) + (1 << eq_exponent(t)) - 1 <= 31;
    }
    return eq_is_signed(t) || eq_width(t) < 32;
}

/* Bytes of one element outside of bit streams. */
EQ_INLINE int32_t eq_bytes(eq_type t)
{
    return eq_width(t) <= 8 ? 1 : eq_width(t) <= 16 ? 2 : 4;
}

/* The bit pattern of code i. */
EQ_INLINE uint32_t eq_code(const void *p, int32_t i, eq_type t)
{
    if (eq_is_packed(t)) {
        const uint32_t bit = (uint32_t)i * (uint32_t)eq_width(t);
        const eq_u8 *b = (const eq_u8 *)p + (bit >> 3);
        uint32_t v = b[0];
        if (8 % eq_width(t) != 0) {
            v |= (uint32_t)b[1] << 8;
        }
        return (v >> (bit & 7u)) & ((1u << eq_width(t)) - 1u);
    }
    if (eq_bytes(t) == 1) {
        return ((const eq_u8 *)p)[i];
    }
    if (eq_bytes(t) == 2) {
        return ((const eq_u16 *)p)[i];
    }
    return ((const eq_u32 *)p)[i];
}

/* Magnitude, on the grid, of a minifloat code. */
EQ_INLINE uint64_t eq_float_magnitude(uint32_t code, eq_type t)
{
    const uint32_t hidden = 1u << eq_mantissa(t);
    const uint32_t e = (code >> eq_mantissa(t)) & ((1u << eq_exponent(t)) - 1u);
    const uint32_t m = code & (hidden - 1u);
    if (eq_fits_int32(t)) {
        return e == 0 ? m : (m | hidden) << (e - 1u);
    }
    return e == 0 ? m : (uint64_t)(m | hidden) << (e - 1u);
}

/* Grid integer of a bit pattern; for types, or values, that fit int32_t. */
EQ_INLINE int32_t eq_decode(uint32_t code, eq_type t)
{
    if (eq_is_float(t)) {
        /* By way of unsigned: -2^31 fits, its magnitude does not. */
        const uint32_t m = (uint32_t)eq_float_magnitude(code, t);
        return (int32_t)((code >> (eq_width(t) - 1)) & 1u ? 0u - m : m);
    }
    if (eq_is_signed(t)) {
        /* One instruction to extract the field where the machine has one; shifts of negatives: see eq_asr32. */
        return (int32_t)(code << (32 - eq_width(t))) >> (32 - eq_width(t));
    }
    return (int32_t)code;
}

/* Grid integer of element i; for types, or values, that fit int32_t. */
EQ_INLINE int32_t eq_load(const void *p, int32_t i, eq_type t)
{
    if (eq_is_packed(t) || eq_is_float(t)) {
        return eq_decode(eq_code(p, i, t), t);
    }
    if (!eq_is_signed(t)) {
        return (int32_t)eq_code(p, i, t);
    }
    if (eq_bytes(t) == 1) {
        return ((const eq_i8 *)p)[i];
    }
    if (eq_bytes(t) == 2) {
        return ((const eq_i16 *)p)[i];
    }
    return ((const eq_i32 *)p)[i];
}

/* Grid integer of element i of any type. */
EQ_INLINE int64_t eq_load64(const void *p, int32_t i, eq_type t)
{
    if (eq_fits_int32(t)) {
        return eq_load(p, i, t);
    }
    if (eq_is_float(t)) {
        const uint32_t code = eq_code(p, i, t);
        const int64_t m = (int64_t)eq_float_magnitude(code, t);
        return (code >> (eq_width(t) - 1)) & 1u ? -m : m;
    }
    return (int64_t)eq_code(p, i, t);
}

/* An integer in the order of the numbers, equal where they are equal. */
EQ_INLINE int32_t eq_key(const void *p, int32_t i, eq_type t)
{
    if (eq_is_float(t)) {
        const uint32_t code = eq_code(p, i, t);
        const uint32_t sign = 1u << (eq_width(t) - 1);
        const int32_t m = (int32_t)(code & (sign - 1u));
        return (code & sign) != 0 ? -m : m;
    }
    if (!eq_fits_int32(t)) {
        return (int32_t)(eq_code(p, i, t) ^ 0x80000000u);
    }
    return eq_load(p, i, t);
}

/* The code of a key; zero is the positive zero. */
EQ_INLINE uint32_t eq_key_code(int32_t key, eq_type t)
{
    if (eq_is_float(t)) {
        return key < 0 ? (uint32_t)-key | 1u << (eq_width(t) - 1) : (uint32_t)key;
    }
    return eq_fits_int32(t) ? (uint32_t)key : (uint32_t)key ^ 0x80000000u;
}

/* Number of bits of v, 0 for 0. */
EQ_INLINE int32_t eq_bit_length(uint64_t v)
{
#if defined(__GNUC__)
    return v != 0u ? 64 - __builtin_clzll(v) : 0;
#else
    int32_t n = 0;
    for (int32_t step = 32; step > 0; step >>= 1) {
        if (v >> step != 0) {
            n += step;
            v >>= step;
        }
    }
    return n + (int32_t)v;
#endif
}

/* Minifloat code of a grid integer that the type holds exactly; zero is the positive zero. */
EQ_INLINE uint32_t eq_float_code(int64_t grid, eq_type t)
{
    const uint64_t m = grid < 0 ? (uint64_t)-grid : (uint64_t)grid;
    const int32_t e = eq_bit_length(m) - eq_mantissa(t) - 1;
    const uint32_t shift = e > 0 ? (uint32_t)e : 0u;
    const uint32_t code = (uint32_t)(m >> shift) + (shift << eq_mantissa(t));
    return grid < 0 ? code | 1u << (eq_width(t) - 1) : code;
}

/* Write a bit pattern into element i, which has a container of its own, or 1, 2 or 4 bits of a byte whose others stay. */
EQ_INLINE void eq_store_code(void *p, int32_t i, uint32_t code, eq_type t)
{
    if (eq_is_packed(t)) {
        const uint32_t bit = (uint32_t)i * (uint32_t)eq_width(t), mask = ((1u << eq_width(t)) - 1u) << (bit & 7u);
        eq_u8 *b = (eq_u8 *)p + (bit >> 3);
        *b = (uint8_t)((*b & ~mask) | (code << (bit & 7u) & mask));
    } else if (eq_bytes(t) == 1) {
        ((eq_u8 *)p)[i] = (uint8_t)code;
    } else if (eq_bytes(t) == 2) {
        ((eq_u16 *)p)[i] = (uint16_t)code;
    } else {
        ((eq_u32 *)p)[i] = code;
    }
}

/* Write a grid integer that the type holds exactly into element i. */
EQ_INLINE void eq_store(void *p, int32_t i, int32_t grid, eq_type t)
{
    eq_store_code(p, i, eq_is_float(t) ? eq_float_code(grid, t) : (uint32_t)grid, t);
}

EQ_INLINE void eq_store64(void *p, int32_t i, int64_t grid, eq_type t)
{
    eq_store_code(p, i, eq_is_float(t) ? eq_float_code(grid, t) : (uint32_t)(uint64_t)grid, t);
}

/* Copy n bytes to where nothing else of the two lies, or to any place before them. */
EQ_SHARED void eq_copy_bytes(uint8_t *to, const uint8_t *from, int32_t n)
{
#if !defined(__ARM_FEATURE_UNALIGNED)
    if ((((uintptr_t)to | (uintptr_t)from) & 3u) == 0) {
        for (; n >= 4; n -= 4, to += 4, from += 4) {
            *(eq_u32 *)(void *)to = *(const eq_u32 *)(const void *)from;
        }
    }
#endif
    for (; n >= 16; n -= 16, to += 16, from += 16) {
        const uint32_t a = eq_word(from), b = eq_word(from + 4), c = eq_word(from + 8), d = eq_word(from + 12);
        eq_put_word(to, a);
        eq_put_word(to + 4, b);
        eq_put_word(to + 8, c);
        eq_put_word(to + 12, d);
    }
    for (; n >= 4; n -= 4, to += 4, from += 4) {
        eq_put_word(to, eq_word(from));
    }
    for (; n > 0; n--) {
        *to++ = *from++;
    }
}

/* Copy n elements that share bytes, one after the other: whole bytes of y, each from one of x or from two. */
EQ_SHARED void eq_copy_fields(void *y, int32_t yi, const void *x, int32_t xi, int32_t n, eq_type t)
{
    const int32_t bits = eq_width(t), each = 8 / bits;
    for (; n > 0 && yi % each != 0; n--) {
        eq_store_code(y, yi++, eq_code(x, xi++, t), t);
    }
    const int32_t bytes = n / each;
    const uint32_t shift = (uint32_t)(xi % each * bits);
    const eq_u8 *const from = (const eq_u8 *)x + xi / each;
    eq_u8 *const to = (eq_u8 *)y + yi / each;
    if (shift == 0) {
        eq_copy_bytes(to, from, bytes);
    } else {
        for (int32_t i = 0; i < bytes; i++) {
            to[i] = (uint8_t)((uint32_t)from[i] >> shift | (uint32_t)from[i + 1] << (8u - shift));
        }
    }
    for (int32_t i = bytes * each; i < n; i++) {
        eq_store_code(y, yi + i, eq_code(x, xi + i, t), t);
    }
}

/* Copy n elements, x from element xi in steps of `step`, to y from element yi. */
EQ_INLINE void eq_copy(void *y, int32_t yi, const void *x, int32_t xi, int32_t step, int32_t n, eq_type t)
{
    if (step == 1 && eq_is_packed(t)) {
        eq_copy_fields(y, yi, x, xi, n, t);
        return;
    }
    if (step == 1) {
        const int32_t each = eq_bytes(t);
        eq_copy_bytes((uint8_t *)y + yi * each, (const uint8_t *)x + xi * each, n * each);
        return;
    }
    for (int32_t i = 0; i < n; i++) {
        eq_store_code(y, yi + i, eq_code(x, xi + i * step, t), t);
    }
}

#endif
