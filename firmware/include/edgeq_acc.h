/* edgeq_acc.h: exact accumulators, the products that go into them, and the output stage that empties them. */
#ifndef EDGEQ_ACC_H
#define EDGEQ_ACC_H

#include "edgeq_code.h"
#include "edgeq_wide.h"

/* Sums of 96 bits, where `wide` is neither false, 32 bits, nor true, 64: `narrow` has the lowest 32 of them. */
enum { EQ_96 = 2 };

/* `wide` is a compile-time constant in every kernel and says which of both is used; the other one vanishes. */
typedef struct {
    int32_t narrow;
    int64_t wide;
} eq_acc;

/* The number that an accumulator of 96 bits holds. */
EQ_INLINE eq_wide eq_acc_wide(eq_acc a)
{
    const eq_wide v = {eq_asr64(a.wide, 32), (uint64_t)a.wide << 32 | (uint32_t)a.narrow};
    return v;
}

/* *a += v, in 96 bits */
EQ_INLINE void eq_acc_add_wide(eq_acc *a, eq_wide v)
{
    const eq_wide sum = eq_wide_add(eq_acc_wide(*a), v);
    a->narrow = (int32_t)(uint32_t)sum.low;
    a->wide = (int64_t)((uint64_t)sum.high << 32 | sum.low >> 32);
}

EQ_INLINE eq_acc eq_acc_of(int64_t v, int32_t wide)
{
    eq_acc a = {0, 0};
    if (wide == EQ_96) {
        a.narrow = (int32_t)(uint32_t)(uint64_t)v;
        a.wide = eq_asr64(v, 32);
    } else if (wide) {
        a.wide = v;
    } else {
        a.narrow = (int32_t)v;
    }
    return a;
}

/* Element i of an array of start values: int32_t, int64_t where wide, or 96 bits as two of these, the upper 64 first. */
EQ_INLINE eq_acc eq_acc_start(const void *bias, int32_t i, int32_t wide)
{
    eq_acc a = {0, 0};
    if (wide == EQ_96) {
        a.wide = ((const eq_i64 *)bias)[2 * i];
        a.narrow = (int32_t)(uint32_t)(uint64_t)((const eq_i64 *)bias)[2 * i + 1];
    } else if (wide) {
        a.wide = ((const eq_i64 *)bias)[i];
    } else {
        a.narrow = ((const eq_i32 *)bias)[i];
    }
    return a;
}

/* The four start values from element i on. */
EQ_INLINE void eq_acc_start4(eq_acc a[4], const void *bias, int32_t i, int32_t wide)
{
    a[0] = eq_acc_start(bias, i, wide);
    a[1] = eq_acc_start(bias, i + 1, wide);
    a[2] = eq_acc_start(bias, i + 2, wide);
    a[3] = eq_acc_start(bias, i + 3, wide);
}

/* *a += v * 2^shift, v an element of any type */
EQ_INLINE void eq_acc_add(eq_acc *a, const void *x, int32_t i, eq_type t, int32_t shift, int32_t wide)
{
    if (wide == EQ_96) {
        eq_acc_add_wide(a, eq_wide_shl(eq_wide_of(eq_load64(x, i, t)), shift));
    } else if (wide) {
        a->wide += eq_shl64(eq_load64(x, i, t), shift);
    } else {
        a->narrow += eq_shl32(eq_load(x, i, t), shift);
    }
}

/* *a -= v * 2^shift */
EQ_INLINE void eq_acc_subtract(eq_acc *a, const void *x, int32_t i, eq_type t, int32_t shift, int32_t wide)
{
    if (wide == EQ_96) {
        eq_acc_add_wide(a, eq_wide_shl(eq_wide_of(-eq_load64(x, i, t)), shift));
    } else if (wide) {
        a->wide -= eq_shl64(eq_load64(x, i, t), shift);
    } else {
        a->narrow -= eq_shl32(eq_load(x, i, t), shift);
    }
}

/* *a += x[xi] * w[wi] */
EQ_INLINE void eq_mac(eq_acc *a, const void *x, int32_t xi, eq_type xt, const void *w, int32_t wi, eq_type wt, int32_t wide)
{
    if (wide == EQ_96) {
        eq_acc_add_wide(a, eq_wide_product(eq_load64(x, xi, xt), eq_load64(w, wi, wt)));
    } else if (wide) {
        a->wide += eq_load64(x, xi, xt) * eq_load64(w, wi, wt);
    } else {
        a->narrow += eq_load(x, xi, xt) * eq_load(w, wi, wt);
    }
}

/* *a += v * w for a product that range analysis bounds */
EQ_INLINE void eq_acc_product(eq_acc *a, int64_t v, int32_t w, int32_t wide)
{
    if (wide == EQ_96) {
        eq_acc_add_wide(a, eq_wide_product(v, w));
    } else if (wide) {
        a->wide += v * w;
    } else {
        a->narrow += (int32_t)v * w;
    }
}

/* Element i of x for a product. */
EQ_INLINE int64_t eq_factor(const void *x, int32_t i, eq_type t, int32_t wide)
{
    return wide ? eq_load64(x, i, t) : eq_load(x, i, t);
}

/* Whether weights of a type are read several to a byte: a bit stream whose codes never cross bytes. */
EQ_INLINE bool eq_whole_bytes(eq_type wt)
{
    return eq_is_packed(wt) && 8 % eq_width(wt) == 0 && eq_fits_int32(wt);
}

/* Where the n elements from wi on of a bit stream of whole bytes lie: `head` of them before the first whole byte. */
EQ_INLINE int32_t eq_head(int32_t wi, int32_t each, int32_t n) { return eq_min(n, (each - wi % each) % each); }

/* The products of elements of x from xi on with the codes in `count` bytes. */
EQ_INLINE void eq_dot_bytes(eq_acc *a, const void *x, int32_t xi, eq_type xt, const eq_u8 *w, eq_type wt, int32_t count,
                            int32_t wide)
{
    const int32_t bits = eq_width(wt), each = 8 / bits;
    const uint32_t mask = (1u << bits) - 1u;
    for (int32_t i = 0; i < count; i++, xi += each) {
        const uint32_t byte = w[i];
        for (int32_t j = 0; j < each; j++) {
            const int32_t v = eq_decode((byte >> (j * bits)) & mask, wt);
            eq_acc_product(a, eq_factor(x, xi + j, xt, wide), v, wide);
        }
    }
}

/* *a += sum of x[xi + k] * w[wi + k], k < n: both contiguous */
EQ_INLINE void eq_dot(eq_acc *a, const void *x, int32_t xi, eq_type xt, const void *w, int32_t wi, eq_type wt,
                      int32_t n, int32_t wide)
{
    eq_acc sum = *a;
    if (eq_whole_bytes(wt)) {
        const int32_t each = 8 / eq_width(wt), head = eq_head(wi, each, n), bytes = (n - head) / each;
        for (int32_t k = 0; k < head; k++) {
            eq_mac(&sum, x, xi + k, xt, w, wi + k, wt, wide);
        }
        eq_dot_bytes(&sum, x, xi + head, xt, (const eq_u8 *)w + (wi + head) / each, wt, bytes, wide);
        xi += head + bytes * each;
        wi += head + bytes * each;
        n = (n - head) % each;
    }
    for (int32_t k = 0; k < n; k++) {
        eq_mac(&sum, x, xi + k, xt, w, wi + k, wt, wide);
    }
    *a = sum;
}

/* How many of n rows of weights a kernel takes four at a time: none where codes cross bytes. */
EQ_INLINE int32_t eq_fours(int32_t n, eq_type wt)
{
    return eq_is_packed(wt) && !eq_whole_bytes(wt) ? 0 : n - n % 4;
}

/* Four products of one element of x with element wi of four rows. */
EQ_INLINE void eq_mac4(eq_acc a[4], const void *x, int32_t xi, eq_type xt, const void *w, int32_t wi, int32_t row,
                       eq_type wt, int32_t wide)
{
    eq_mac(&a[0], x, xi, xt, w, wi, wt, wide);
    eq_mac(&a[1], x, xi, xt, w, wi + row, wt, wide);
    eq_mac(&a[2], x, xi, xt, w, wi + 2 * row, wt, wide);
    eq_mac(&a[3], x, xi, xt, w, wi + 3 * row, wt, wide);
}

/* The products of the elements of x under one byte of weights with its codes; unrolled, because `each` is constant. */
EQ_INLINE void eq_dot_byte(eq_acc *a, const int64_t v[8], uint32_t byte, eq_type wt, int32_t wide)
{
    const int32_t bits = eq_width(wt), each = 8 / bits;
    const uint32_t mask = (1u << bits) - 1u;
    for (int32_t j = 0; j < each; j++) {
        eq_acc_product(a, v[j], eq_decode((byte >> (j * bits)) & mask, wt), wide);
    }
}

/* eq_dot_bytes for four rows that lie `row` bytes apart. */
EQ_INLINE void eq_dot4_bytes(eq_acc a[4], const void *x, int32_t xi, eq_type xt, const eq_u8 *w, int32_t row,
                             eq_type wt, int32_t count, int32_t wide)
{
    const int32_t each = 8 / eq_width(wt);
    const eq_u8 *w1 = w + row, *w2 = w1 + row, *w3 = w2 + row;
    for (int32_t i = 0; i < count; i++, xi += each) {
        int64_t v[8];
        for (int32_t j = 0; j < each; j++) {
            v[j] = eq_factor(x, xi + j, xt, wide);
        }
        eq_dot_byte(&a[0], v, w[i], wt, wide);
        eq_dot_byte(&a[1], v, w1[i], wt, wide);
        eq_dot_byte(&a[2], v, w2[i], wt, wide);
        eq_dot_byte(&a[3], v, w3[i], wt, wide);
    }
}

/* Four dot products of the same x with four rows of w that lie `row` elements apart (whole bytes in a bit stream). */
EQ_INLINE void eq_dot4(eq_acc a[4], const void *x, int32_t xi, eq_type xt, const void *w, int32_t wi, int32_t row,
                       eq_type wt, int32_t n, int32_t wide)
{
    if (eq_whole_bytes(wt)) {
        const int32_t each = 8 / eq_width(wt), head = eq_head(wi, each, n), bytes = (n - head) / each;
        for (int32_t k = 0; k < head; k++) {
            eq_mac4(a, x, xi + k, xt, w, wi + k, row, wt, wide);
        }
        eq_dot4_bytes(a, x, xi + head, xt, (const eq_u8 *)w + (wi + head) / each, row / each, wt, bytes, wide);
        xi += head + bytes * each;
        wi += head + bytes * each;
        n = (n - head) % each;
    }
    for (int32_t k = 0; k < n; k++) {
        eq_mac4(a, x, xi + k, xt, w, wi + k, row, wt, wide);
    }
}

/* Shift of channel i: from the array where there is one, else the common one. */
EQ_INLINE int32_t eq_channel_shift(const int8_t *shifts, int32_t shift, int32_t i)
{
    return shifts != NULL ? shifts[i] : shift;
}

/* y[i] = a / 2^shift: rounded by `rule`, brought within lo..hi as it says, encoded */
EQ_INLINE void eq_put(void *y, int32_t i, eq_acc a, int32_t shift, int64_t lo, int64_t hi, eq_type yt, int32_t rule,
                      int32_t wide)
{
    const bool left = (rule & EQ_LEFT) != 0 && shift < 0;
    if (wide == EQ_96) {
        eq_wide_put(y, i, eq_acc_wide(a), shift, lo, hi, yt, rule);
    } else if (!wide && eq_is_float(yt) && eq_code_fits(yt)) {
        eq_store_code(y, i, eq_code32(a.narrow, shift, eq_code_key(lo, yt), eq_code_key(hi, yt), rule, yt), yt);
    } else if (wide || eq_is_float(yt)) {
        int64_t v = wide ? a.wide : a.narrow;
        if (left) {
            v = eq_shl64(v, -shift);
            shift = 0;
        }
        v = eq_is_float(yt) ? eq_float_round(v, shift, rule, yt) : eq_round64(v, shift, rule);
        eq_store64(y, i, eq_bound64(v, lo, hi, rule), yt);
    } else {
        const int32_t v = left ? eq_shl32(a.narrow, -shift) : eq_round32(a.narrow, shift, rule);
        eq_store(y, i, eq_bound32(v, (int32_t)lo, (int32_t)hi, rule), yt);
    }
}

/* y[i + k] = a[k] / 2^(shift of channel o + k), k < 4 */
EQ_INLINE void eq_put4(void *y, int32_t i, const eq_acc a[4], const int8_t *shifts, int32_t shift, int32_t o,
                       int64_t lo, int64_t hi, eq_type yt, int32_t rule, int32_t wide)
{
    eq_put(y, i, a[0], eq_channel_shift(shifts, shift, o), lo, hi, yt, rule, wide);
    eq_put(y, i + 1, a[1], eq_channel_shift(shifts, shift, o + 1), lo, hi, yt, rule, wide);
    eq_put(y, i + 2, a[2], eq_channel_shift(shifts, shift, o + 2), lo, hi, yt, rule, wide);
    eq_put(y, i + 3, a[3], eq_channel_shift(shifts, shift, o + 3), lo, hi, yt, rule, wide);
}

/* y[i] = a * 2^up / den: rounded by `rule`, brought within lo..hi as it says, encoded; den > 0; up to 64 bits */
EQ_INLINE void eq_put_ratio(void *y, int32_t i, eq_acc a, int32_t up, int64_t den, int64_t lo, int64_t hi, eq_type yt,
                            int32_t rule, int32_t wide)
{
    if (eq_is_float(yt)) {
        const int64_t v = eq_shl64(wide ? a.wide : a.narrow, up);
        eq_store64(y, i, eq_clamp64(eq_float_ratio(v, den, rule, yt), lo, hi), yt);
    } else if (wide) {
        eq_store64(y, i, eq_bound64(eq_ratio64(eq_shl64(a.wide, up), den, rule), lo, hi, rule), yt);
    } else {
        const int32_t v = eq_ratio32(eq_shl32(a.narrow, up), (int32_t)den, rule);
        eq_store(y, i, eq_bound32(v, (int32_t)lo, (int32_t)hi, rule), yt);
    }
}

#endif
