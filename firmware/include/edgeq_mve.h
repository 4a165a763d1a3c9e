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
                         : "+&r"(to), "+&r"(x)
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
                         : "+&r"(to), "+&r"(x)
                         : "r"(n)
                         : "lr", "q0", "q1", "cc", "memory");
    }
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
#endif

#endif
