/* edgeq_dsp_fields.h: the inner loop of convolutions of codes and weights of up to 4 bits with DSP: four products in one
 * SMLAD, two output channels by four pixels at a time.
 *
 * A lane of 16 bits holds the weights of two output channels, v of the even one in its lowest bits and o of the odd one
 * in its highest (B = 4 or 2 bits each, o in two's complement, k = 16 - B): it is the number o * 2^k + v. x lies in
 * lanes too, as codes c without a sign (the least one taken off). One SMLAD adds the four products of two elements,
 *     (o0 c0 + o1 c1) * 2^k + (v0 c0 + v1 c1),
 * so that a sum is made of two fields. v is the weight plus z, which makes the least weight zero, and so never negative:
 * the low field only grows, by what `chunk` elements can bring at most 2^k - 1, as the generator has added up from the
 * weights themselves. It is then drained: taken to a sum of its own, modulo 2^16, and cleared. What stays is 2^k times
 * the odd channel's sum, which needs no more than 32 - k bits; the even one's is the drained sum less z times the sum of c,
 * which needs no more than 16. Both were proved by range analysis. All of it is exact.
 *
 * Weights lie in flash as a stream of 32-bit words, for each pair of channels
 *     1 word        for every 2 units of 4 bits, or every 4 of 2 bits; a unit is a pair of elements of x
 *     3 words       start values of the even and the odd channel, and their shifts, one byte each
 * and unit j of a word is what EQ_FIELDS_MASK leaves of it when it is rotated to the right by 2 B j: no bit is wasted.
 */
#ifndef EDGEQ_DSP_FIELDS_H
#define EDGEQ_DSP_FIELDS_H

#include "edgeq_dsp.h"

/* Units of a block, the loop's unit: windows are filled up with zeros to whole blocks. */
#define EQ_FIELDS_BLOCK 8

/* x: four words for each unit, one for each pixel. Codes of y go to y, y + step, y + 2 step, y + 3 step; y moves on by
 * the bytes of a pair (at least one) with each. */
typedef struct {
    uint32_t drained[2]; /* room for the drained sums of the four pixels, two lanes each */
    uint32_t mask;       /* the lowest k bits of both lanes */
    const eq_u32 *x, *first_end, *x_end;
    int32_t chunk;     /* bytes of x from one drain to the next; the first one is at first_end */
    uint32_t taken[2]; /* for the four pixels: what is taken off the drained sums, modulo 2^16 */
    uint8_t *y;
    int32_t step;
    const eq_u32 *w_end, *w; /* one pair or more */
} eq_dsp_fields_t;

/* How a code of y is saturated: to so many bits, signed or unsigned. U3, U1 and U7: a ReLU in a signed format; _8: in a
 * byte of its own. */
enum {
    EQ_FIELDS_S4, EQ_FIELDS_U4, EQ_FIELDS_U3,
    EQ_FIELDS_S2, EQ_FIELDS_U2, EQ_FIELDS_U1,
    EQ_FIELDS_S8, EQ_FIELDS_U8, EQ_FIELDS_U7,
    EQ_FIELDS_S4_8, EQ_FIELDS_U4_8, EQ_FIELDS_U3_8,
    EQ_FIELDS_S2_8, EQ_FIELDS_U2_8, EQ_FIELDS_U1_8
};

/* Bits of the place of a code of y. */
EQ_INLINE int32_t eq_fields_width(int32_t sat)
{
    return sat <= EQ_FIELDS_U3 ? 4 : sat <= EQ_FIELDS_U1 ? 2 : 8;
}

#if EQ_DSP_ASM
/* The registers: r0 weights, r1 x, r2..r5 sums of the four pixels, r6 a unit of weights, r7 end of the chunk,
 * r8 EQ_FIELDS_MASK, r9 a word of weights, r10..r12 and lr x. On the stack: the job. */
#define EQ_FIELDS_UNIT_(rotated)              \
    "and r6, r8, r9" rotated "\n\t"           \
    "ldm r1!, {r10, r11, r12, lr}\n\t"        \
    "smlad r2, r6, r10, r2\n\t"               \
    "smlad r3, r6, r11, r3\n\t"               \
    "smlad r4, r6, r12, r4\n\t"               \
    "smlad r5, r6, lr, r5\n\t"
#define EQ_FIELDS_BLOCK_4_                    \
    ".rept 4\n\t"                             \
    "ldr r9, [r0], #4\n\t"                    \
    EQ_FIELDS_UNIT_("")                       \
    EQ_FIELDS_UNIT_(", ror #8")               \
    ".endr\n\t"
#define EQ_FIELDS_BLOCK_2_                    \
    ".rept 2\n\t"                             \
    "ldr r9, [r0], #4\n\t"                    \
    EQ_FIELDS_UNIT_("")                       \
    EQ_FIELDS_UNIT_(", ror #4")               \
    EQ_FIELDS_UNIT_(", ror #8")               \
    EQ_FIELDS_UNIT_(", ror #12")              \
    ".endr\n\t"
#define EQ_FIELDS_MASK_4_ "movw r8, #0xF00F\n\tmovt r8, #0xF00F\n\t"
#define EQ_FIELDS_MASK_2_ "movw r8, #0xC003\n\tmovt r8, #0xC003\n\t"

/* Both codes of a pixel: EVEN and ODD its sums, SAT the saturation, JOIN both to one store. */
#define EQ_FIELDS_PIXEL_(K, EVEN, ODD, SAT, JOIN) \
    "sxtah r1, r6, " EVEN "\n\t"              \
    "add " ODD ", r7, " ODD ", asr #" K "\n\t" \
    "asr r1, r1, r8\n\t"                      \
    "asr " ODD ", " ODD ", lr\n\t"            \
    SAT("r1")                                 \
    SAT(ODD)                                  \
    JOIN(ODD)

#define EQ_FIELDS_NEXT_ "add r11, r11, r12\n\t"
#define EQ_FIELDS_JOIN4_(odd) "bfi r1, " odd ", #4, #4\n\tstrb r1, [r11]\n\t"
#define EQ_FIELDS_JOIN2_(odd) "bfi r1, " odd ", #2, #2\n\tstrb r1, [r11]\n\t"
#define EQ_FIELDS_JOIN8_(odd) "bfi r1, " odd ", #8, #8\n\tstrh r1, [r11]\n\t"
#define EQ_FIELDS_SAT_S4_(r) "ssat " r ", #4, " r "\n\t"
#define EQ_FIELDS_SAT_U4_(r) "usat " r ", #4, " r "\n\t"
#define EQ_FIELDS_SAT_U3_(r) "usat " r ", #3, " r "\n\t"
#define EQ_FIELDS_SAT_S2_(r) "ssat " r ", #2, " r "\n\t"
#define EQ_FIELDS_SAT_U2_(r) "usat " r ", #2, " r "\n\t"
#define EQ_FIELDS_SAT_U1_(r) "usat " r ", #1, " r "\n\t"
#define EQ_FIELDS_SAT_S8_(r) "ssat " r ", #8, " r "\n\t"
#define EQ_FIELDS_SAT_U8_(r) "usat " r ", #8, " r "\n\t"
#define EQ_FIELDS_SAT_U7_(r) "usat " r ", #7, " r "\n\t"

#define EQ_FIELDS_(name, MASK, BLOCK, K, SAT, JOIN, BYTES)                                                             \
    static __attribute__((noinline, unused)) void name(const eq_dsp_fields_t *from)                                    \
    {                                                                                                                  \
        register const eq_dsp_fields_t *job __asm__("r0") = from;                                                      \
        __asm__ volatile(                                                                                              \
            "push {r4-r11, lr}\n\t"                                                                                    \
            "ldm r0!, {r1-r12}\n\t"                                                                                    \
            "push {r1-r12}\n\t"                                                                                        \
            "ldr r0, [r0]\n\t"                                                                                         \
            "1:\n\t"                                                                                                   \
            MASK                                                                                                       \
            "ldrd r1, r7, [sp, #12]\n\t"                                                                               \
            "movs r2, #0\n\t"                                                                                          \
            "movs r3, #0\n\t"                                                                                          \
            "movs r4, #0\n\t"                                                                                          \
            "movs r5, #0\n\t"                                                                                          \
            "strd r2, r3, [sp]\n\t"                                                                                    \
            "2:\n\t"                                                                                                   \
            BLOCK                                                                                                      \
            "cmp r1, r7\n\t"                                                                                           \
            "bne.w 2b\n\t"                                                                                             \
            "ldm sp, {r9, r10, r11}\n\t"                                                                               \
            "pkhbt r12, r2, r3, lsl #16\n\t"                                                                           \
            "pkhbt lr, r4, r5, lsl #16\n\t"                                                                            \
            "and r12, r12, r11\n\t"                                                                                    \
            "and lr, lr, r11\n\t"                                                                                      \
            "uadd16 r9, r9, r12\n\t"                                                                                   \
            "uadd16 r10, r10, lr\n\t"                                                                                  \
            "bfc r2, #0, #" K "\n\t"                                                                                   \
            "bfc r3, #0, #" K "\n\t"                                                                                   \
            "bfc r4, #0, #" K "\n\t"                                                                                   \
            "bfc r5, #0, #" K "\n\t"                                                                                   \
            "ldrd r11, r12, [sp, #20]\n\t"                                                                             \
            "strd r9, r10, [sp]\n\t"                                                                                   \
            "add r7, r7, r12\n\t"                                                                                      \
            "cmp r1, r11\n\t"                                                                                          \
            "bne.w 2b\n\t"                                                                                             \
            "ldm r0!, {r6, r7, r8}\n\t"                                                                                \
            "ldrd r11, r12, [sp, #28]\n\t"                                                                             \
            "usub16 r9, r9, r11\n\t"                                                                                   \
            "usub16 r10, r10, r12\n\t"                                                                                 \
            "ldrd r11, r12, [sp, #36]\n\t"                                                                             \
            "lsr lr, r8, #8\n\t"                                                                                       \
            "add r1, r11, #" BYTES "\n\t"                                                                              \
            "str r1, [sp, #36]\n\t"                                                                                    \
            EQ_FIELDS_PIXEL_(K, "r9", "r2", SAT, JOIN)                                                                 \
            EQ_FIELDS_NEXT_                                                                                            \
            EQ_FIELDS_PIXEL_(K, "r9, ror #16", "r3", SAT, JOIN)                                                        \
            EQ_FIELDS_NEXT_                                                                                            \
            EQ_FIELDS_PIXEL_(K, "r10", "r4", SAT, JOIN)                                                                \
            EQ_FIELDS_NEXT_                                                                                            \
            EQ_FIELDS_PIXEL_(K, "r10, ror #16", "r5", SAT, JOIN)                                                       \
            "ldr r12, [sp, #44]\n\t"                                                                                   \
            "cmp r0, r12\n\t"                                                                                          \
            "bne.w 1b\n\t"                                                                                             \
            "add sp, sp, #48\n\t"                                                                                      \
            "pop {r4-r11, lr}\n\t"                                                                                     \
            : "+&r"(job)::"r1", "r2", "r3", "r12", "cc", "memory");                                                    \
    }

#define EQ_FIELDS_OUTPUT_(sat, SAT, JOIN, BYTES)                                                                       \
    EQ_FIELDS_(eq_dsp_fields_4_##sat, EQ_FIELDS_MASK_4_, EQ_FIELDS_BLOCK_4_, "12", SAT, JOIN, BYTES)                   \
    EQ_FIELDS_(eq_dsp_fields_2_##sat, EQ_FIELDS_MASK_2_, EQ_FIELDS_BLOCK_2_, "14", SAT, JOIN, BYTES)

EQ_FIELDS_OUTPUT_(s4, EQ_FIELDS_SAT_S4_, EQ_FIELDS_JOIN4_, "1")
EQ_FIELDS_OUTPUT_(u4, EQ_FIELDS_SAT_U4_, EQ_FIELDS_JOIN4_, "1")
EQ_FIELDS_OUTPUT_(u3, EQ_FIELDS_SAT_U3_, EQ_FIELDS_JOIN4_, "1")
EQ_FIELDS_OUTPUT_(s2, EQ_FIELDS_SAT_S2_, EQ_FIELDS_JOIN2_, "1")
EQ_FIELDS_OUTPUT_(u2, EQ_FIELDS_SAT_U2_, EQ_FIELDS_JOIN2_, "1")
EQ_FIELDS_OUTPUT_(u1, EQ_FIELDS_SAT_U1_, EQ_FIELDS_JOIN2_, "1")
EQ_FIELDS_OUTPUT_(s8, EQ_FIELDS_SAT_S8_, EQ_FIELDS_JOIN8_, "2")
EQ_FIELDS_OUTPUT_(u8, EQ_FIELDS_SAT_U8_, EQ_FIELDS_JOIN8_, "2")
EQ_FIELDS_OUTPUT_(u7, EQ_FIELDS_SAT_U7_, EQ_FIELDS_JOIN8_, "2")
EQ_FIELDS_OUTPUT_(s4_8, EQ_FIELDS_SAT_S4_, EQ_FIELDS_JOIN8_, "2")
EQ_FIELDS_OUTPUT_(u4_8, EQ_FIELDS_SAT_U4_, EQ_FIELDS_JOIN8_, "2")
EQ_FIELDS_OUTPUT_(u3_8, EQ_FIELDS_SAT_U3_, EQ_FIELDS_JOIN8_, "2")
EQ_FIELDS_OUTPUT_(s2_8, EQ_FIELDS_SAT_S2_, EQ_FIELDS_JOIN8_, "2")
EQ_FIELDS_OUTPUT_(u2_8, EQ_FIELDS_SAT_U2_, EQ_FIELDS_JOIN8_, "2")
EQ_FIELDS_OUTPUT_(u1_8, EQ_FIELDS_SAT_U1_, EQ_FIELDS_JOIN8_, "2")

#define EQ_FIELDS_CALL_(sat)          \
    if (wb == 4) {                    \
        eq_dsp_fields_4_##sat(job);   \
    } else {                          \
        eq_dsp_fields_2_##sat(job);   \
    }                                 \
    break;

/* All pairs of a job. wb: bits of a weight, 4 or 2; both are known when compiling. */
EQ_INLINE void eq_dsp_fields(const eq_dsp_fields_t *job, int32_t wb, int32_t sat)
{
    switch (sat) {
    case EQ_FIELDS_S4: EQ_FIELDS_CALL_(s4)
    case EQ_FIELDS_U4: EQ_FIELDS_CALL_(u4)
    case EQ_FIELDS_U3: EQ_FIELDS_CALL_(u3)
    case EQ_FIELDS_S2: EQ_FIELDS_CALL_(s2)
    case EQ_FIELDS_U2: EQ_FIELDS_CALL_(u2)
    case EQ_FIELDS_U1: EQ_FIELDS_CALL_(u1)
    case EQ_FIELDS_S8: EQ_FIELDS_CALL_(s8)
    case EQ_FIELDS_U8: EQ_FIELDS_CALL_(u8)
    case EQ_FIELDS_U7: EQ_FIELDS_CALL_(u7)
    case EQ_FIELDS_S4_8: EQ_FIELDS_CALL_(s4_8)
    case EQ_FIELDS_U4_8: EQ_FIELDS_CALL_(u4_8)
    case EQ_FIELDS_U3_8: EQ_FIELDS_CALL_(u3_8)
    case EQ_FIELDS_S2_8: EQ_FIELDS_CALL_(s2_8)
    case EQ_FIELDS_U2_8: EQ_FIELDS_CALL_(u2_8)
    default: EQ_FIELDS_CALL_(u1_8)
    }
}
#else
/* A sum of 32 bits, saturated. */
EQ_INLINE uint32_t eq_fields_code(int32_t v, uint32_t shift, int32_t sat)
{
    static const int8_t bits[] = {3, 4, 3, 1, 2, 1, 7, 8, 7, 3, 4, 3, 1, 2, 1};
    const bool is_signed = sat % 3 == 0;
    const int32_t most = (1 << bits[sat]) - 1, code = eq_clamp32(eq_dsp_asr(v, shift), is_signed ? ~most : 0, most);
    return (uint32_t)code & ((1u << eq_fields_width(sat)) - 1u);
}

/* Both fields of one pixel (0 to 3) of one pair, as the assembler sums them. */
EQ_INLINE void eq_fields_sum(const eq_dsp_fields_t *job, const eq_u32 *w, int32_t pixel, int32_t wb, uint32_t sum[2])
{
    const uint32_t field = job->mask & 0xFFFFu, top = ~field & 0xFFFFu, ends = top | ((1u << wb) - 1u);
    const int32_t each = 8 / wb, chunk = job->chunk / 16;
    const eq_u32 *drain = job->first_end;
    sum[0] = sum[1] = 0;
    for (int32_t u = 0; job->x + 4 * u < job->x_end; u++) {
        const uint32_t word = w[u / each], by = (uint32_t)(2 * wb * (u % each));
        const uint32_t unit = by == 0 ? word : word >> by | word << (32u - by);
        sum[1] = (uint32_t)eq_smlad(unit & (ends | ends << 16), job->x[4 * u + pixel], (int32_t)sum[1]);
        if (job->x + 4 * (u + 1) == drain) {
            sum[0] += sum[1] & field;
            sum[1] &= ~field;
            drain += 4 * chunk;
        }
    }
}

/* All pairs of a job. wb: bits of a weight, 4 or 2. */
EQ_INLINE void eq_dsp_fields(const eq_dsp_fields_t *job, int32_t wb, int32_t sat)
{
    const int32_t words = (int32_t)(job->x_end - job->x) / 4 * wb / 8, width = eq_fields_width(sat);
    uint8_t *y = job->y;
    for (const eq_u32 *w = job->w; w != job->w_end; w += words + 3, y += width == 8 ? 2 : 1) {
        const uint32_t shifts = w[words + 2];
        for (int32_t i = 0; i < 4; i++) {
            uint32_t sum[2];
            eq_fields_sum(job, w, i, wb, sum);
            const uint32_t taken = job->taken[i / 2] >> (16 * (i % 2));
            const int32_t even = (int32_t)(w[words] + (uint32_t)eq_low_lane(sum[0] - taken));
            const int32_t odd = (int32_t)(w[words + 1] + (uint32_t)eq_asr32((int32_t)sum[1], 16 - wb));
            const uint32_t first = eq_fields_code(even, shifts & 0xFFu, sat);
            const uint32_t both = first | eq_fields_code(odd, shifts >> 8 & 0xFFu, sat) << width;
            y[i * job->step] = (uint8_t)both;
            if (width == 8) {
                y[i * job->step + 1] = (uint8_t)(both >> 8);
            }
        }
    }
}
#endif

#endif
