/* edgeq_mve_stage.h: the output stage of scales that are no power of two with Helium, on vectors of sums.
 *
 * The first step of `tflite`, half up at 31 bits of the shift, is VQRDMULH. The rest of the shift is VRSHL, which
 * rounds half up; taking one off negative numbers first makes that half away from zero. It is left out where the
 * rest is 0, and where negative numbers are cut off at zero anyway. `half_up` is VQDMULH, which rounds down, and then
 * VRSHL. Codes are saturated to 16 bits before the zero point is added and they are clamped to 8.
 *
 * Minifloats that round half to even are looked up by twice the shifted sum, less one where the shift loses nothing:
 * exact halves have entries of their own. Multipliers are ones then, the zero point is where the table has its zero.
 */
#ifndef EDGEQ_MVE_STAGE_H
#define EDGEQ_MVE_STAGE_H

#include "edgeq_mve.h"

/* Twice, a tie going away from zero; twice, going up; once, going up, where the shift is 32 or more; looked up. */
enum { EQ_MVE_AWAY, EQ_MVE_UP, EQ_MVE_ONCE, EQ_MVE_EXACT };

#if EQ_MVE_ASM
#define EQ_MVE_TWICE_ "vqrdmulh.s32"
#define EQ_MVE_TRUNCATE_ "vqdmulh.s32"
/* Both vectors less one where they are negative; uses q2, q3. */
#define EQ_MVE_DOWN_           \
    "vshr.s32 q2, q0, #31\n\t" \
    "vshr.s32 q3, q1, #31\n\t" \
    "vadd.i32 q0, q0, q2\n\t"  \
    "vadd.i32 q1, q1, q3\n\t"

/* Calls the function of a rule, known when compiling; the second also of sums that are looked up. */
#define EQ_MVE_RULE_(name, rule, job) \
    if ((rule) == EQ_MVE_AWAY) {      \
        name##_away(job);             \
    } else if ((rule) == EQ_MVE_UP) { \
        name##_up(job);               \
    } else {                          \
        name##_once(job);             \
    }
#define EQ_MVE_MAPPED_RULE_(name, rule, job) \
    if ((rule) == EQ_MVE_EXACT) {            \
        name##_exact(job);                   \
    } else                                   \
        EQ_MVE_RULE_(name, rule, job)
#endif

/* sum * multiplier / 2^31 / 2^-shift as the assembler rounds it, 0 >= shift >= -31. */
EQ_INLINE int32_t eq_mve_scale(int32_t sum, int32_t multiplier, int32_t shift, int32_t rule)
{
    const int64_t product = (int64_t)sum * multiplier;
    int64_t v = eq_asr64(product + (rule == EQ_MVE_ONCE ? 0 : 1 << 30), 31);
    if (rule == EQ_MVE_AWAY && v < 0) {
        v--;
    }
    return (int32_t)(shift < 0 ? eq_asr64(v + ((int64_t)1 << (-shift - 1)), -shift) : v);
}

/* The code of that number. */
EQ_INLINE uint8_t eq_mve_code(int32_t v, int32_t zero, int32_t lo, int32_t hi)
{
    return (uint8_t)eq_clamp32(eq_clamp32(v, -32768, 32767) + zero, lo, hi);
}

/* The code of a sum that is looked up. */
EQ_INLINE uint8_t eq_mve_looked_up(const uint8_t *map, int32_t sum, int32_t shift, int32_t zero, int32_t lo, int32_t hi)
{
    const int32_t v = eq_asr32(sum, -shift) + eq_asr32(sum - 1, -shift);
    return map[eq_clamp32(eq_clamp32(v, -32768, 32767) + zero, lo, hi)];
}

#endif
