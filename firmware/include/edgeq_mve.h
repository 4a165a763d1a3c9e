/* edgeq_mve.h: what kernels for Cortex-M with Helium (MVE) share: runs of bytes copied, and flipped if unsigned.
 *
 * The multiplier takes signed bytes. An unsigned code u is read as u - 128, which is u with its top bit flipped; the
 * 128 times the sum of the weights that is missing lies in the start values. Where EQ_MVE_ASM is 0 all is plain C.
 */
#ifndef EDGEQ_MVE_H
#define EDGEQ_MVE_H

#include "edgeq_dsp.h"

#if EQ_DSP_ASM && defined(__ARM_FEATURE_MVE)
#define EQ_MVE_ASM 1
#else
#define EQ_MVE_ASM 0
#endif

/* A zero as a kernel reads it. */
EQ_INLINE uint8_t eq_mve_zero(bool is_signed) { return is_signed ? 0x00u : 0x80u; }

#if EQ_MVE_ASM
/* Writes n bytes of x to `to`; returns what follows. */
EQ_INLINE uint8_t *eq_mve_copy(uint8_t *to, const uint8_t *x, int32_t n, bool is_signed)
{
    uint8_t *end = to + n;
    if (is_signed) {
        __asm__ volatile("wlstp.8 lr, %2, 2f\n"
                         "1:\n\t"
                         "vldrb.u8 q0, [%1], #16\n\t"
                         "vstrb.8 q0, [%0], #16\n\t"
                         "letp lr, 1b\n"
                         "2:\n"
                         : "+r"(to), "+r"(x)
                         : "r"(n)
                         : "lr", "q0", "cc", "memory");
    } else {
        __asm__ volatile("vmov.i8 q1, #0x80\n\t"
                         "wlstp.8 lr, %2, 2f\n"
                         "1:\n\t"
                         "vldrb.u8 q0, [%1], #16\n\t"
                         "veor q0, q0, q1\n\t"
                         "vstrb.8 q0, [%0], #16\n\t"
                         "letp lr, 1b\n"
                         "2:\n"
                         : "+r"(to), "+r"(x)
                         : "r"(n)
                         : "lr", "q0", "q1", "cc", "memory");
    }
    return end;
}

/* Writes n zeros. */
EQ_INLINE uint8_t *eq_mve_zeros(uint8_t *to, int32_t n, bool is_signed)
{
    uint8_t *end = to + n;
    const uint32_t zero = eq_mve_zero(is_signed);
    __asm__ volatile("vdup.8 q0, %2\n\t"
                     "wlstp.8 lr, %1, 2f\n"
                     "1:\n\t"
                     "vstrb.8 q0, [%0], #16\n\t"
                     "letp lr, 1b\n"
                     "2:\n"
                     : "+r"(to)
                     : "r"(n), "r"(zero)
                     : "lr", "q0", "cc", "memory");
    return end;
}
#else
EQ_INLINE uint8_t *eq_mve_copy(uint8_t *to, const uint8_t *x, int32_t n, bool is_signed)
{
    for (; n > 0; n--) {
        *to++ = (uint8_t)(*x++ ^ eq_mve_zero(is_signed));
    }
    return to;
}

EQ_INLINE uint8_t *eq_mve_zeros(uint8_t *to, int32_t n, bool is_signed)
{
    for (; n > 0; n--) {
        *to++ = eq_mve_zero(is_signed);
    }
    return to;
}

/* start + sum of a[i] b[i], modulo 2^32; a is unsigned where the kernel reads it so. */
EQ_INLINE int32_t eq_mve_dot(int32_t start, const uint8_t *a, const uint8_t *b, int32_t n, uint8_t flip)
{
    uint32_t sum = (uint32_t)start;
    for (int32_t i = 0; i < n; i++) {
        sum += (uint32_t)((int8_t)(uint8_t)(a[i] ^ flip) * (int8_t)b[i]);
    }
    return (int32_t)sum;
}
#endif

#endif
