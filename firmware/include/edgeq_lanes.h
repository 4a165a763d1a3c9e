/* edgeq_lanes.h: the inner loop of convolutions whose operands need 16 or 32 bits: two pixels at a time.
 *
 * Weights lie in scratch in the order in which they are read, and x as the windows of two pixels, one word of each in
 * turn. A block has 16 bytes of start values and as many of sums for a pixel: four output channels, or two where sums
 * have 64 bits. A unit is one word of x of each pixel:
 *     EQ_LANES_SHORT  lanes (a, b) of x; four words of weights, one for each channel: SMLAD, 11 instructions, 16 MACs
 *     EQ_LANES_LONG   lanes (a, b) of x; two words of weights: SMLALD, 6 instructions, 8 MACs
 *     EQ_LANES_WORD   one element of x; two words of weights, an element each: SMLAL, 6 instructions, 4 MACs
 *
 * EQ_LANES_VECTOR, added to one of them, is for Helium: four words of each pixel and of each channel in turn, where there is
 * one else; VMLADAVA makes 64 MACs in 16 instructions, VMLALDAVA 32 or 16 in 10.
 *
 * Sums wrap on the way and are right at the end, as range analysis has proved.
 */
#ifndef EDGEQ_LANES_H
#define EDGEQ_LANES_H

#include "edgeq_mve.h"

enum { EQ_LANES_SHORT, EQ_LANES_LONG, EQ_LANES_WORD, EQ_LANES_VECTOR = 4 };

/* Sums of the first pixel go to sums[], those of the second `step` bytes behind; a block has 16 bytes of each. */
typedef struct {
    const eq_u32 *x, *x_end; /* units of the two pixels; at least one */
    uint8_t *sums;
    int32_t step;
    const eq_u32 *w_end, *w; /* one block or more */
    const eq_u32 *start;     /* 16 bytes for each block */
} eq_lanes_t;

/* Channels of a block. */
EQ_INLINE int32_t eq_lanes_channels(int32_t kind) { return (kind & 3) == EQ_LANES_SHORT ? 4 : 2; }
/* Words of a pixel, and of a channel, that lie side by side. */
EQ_INLINE int32_t eq_lanes_span(int32_t kind) { return (kind & EQ_LANES_VECTOR) != 0 ? 4 : 1; }

/* One block of four sums of 32 bits for each of two pixels. */
EQ_INLINE void eq_lanes_block_short(const eq_lanes_t *job, const eq_u32 *w, const eq_u32 *start, uint8_t *to,
                                    int32_t span)
{
    eq_u32 *const first = (eq_u32 *)(void *)to, *const second = (eq_u32 *)(void *)(to + job->step);
    for (int32_t k = 0; k < 4; k++, w += span) {
        uint32_t a = start[k], b = a;
        const eq_u32 *at = w;
        for (const eq_u32 *x = job->x; x < job->x_end; x += 2 * span, at += 4 * span) {
            for (int32_t j = 0; j < span; j++) {
                const int32_t low = eq_low_lane(at[j]), high = eq_high_lane(at[j]);
                a += (uint32_t)(eq_low_lane(x[j]) * low) + (uint32_t)(eq_high_lane(x[j]) * high);
                b += (uint32_t)(eq_low_lane(x[span + j]) * low) + (uint32_t)(eq_high_lane(x[span + j]) * high);
            }
        }
        first[k] = a;
        second[k] = b;
    }
}

/* a + the product of a unit of x and a word of weights */
EQ_INLINE uint64_t eq_lanes_product(uint64_t a, uint32_t x, uint32_t w, int32_t kind)
{
    if ((kind & 3) == EQ_LANES_WORD) {
        return a + (uint64_t)((int64_t)(int32_t)x * (int32_t)w);
    }
    a += (uint64_t)(int64_t)(eq_low_lane(x) * eq_low_lane(w));
    return a + (uint64_t)(int64_t)(eq_high_lane(x) * eq_high_lane(w));
}

/* One block of two sums of 64 bits for each of two pixels. */
EQ_INLINE void eq_lanes_block_long(const eq_lanes_t *job, const eq_u32 *w, const eq_u32 *start, uint8_t *to,
                                   int32_t kind)
{
    const int32_t span = eq_lanes_span(kind);
    eq_i64 *const first = (eq_i64 *)(void *)to, *const second = (eq_i64 *)(void *)(to + job->step);
    for (int32_t k = 0; k < 2; k++, w += span) {
        uint64_t a = start[2 * k] | (uint64_t)start[2 * k + 1] << 32, b = a;
        const eq_u32 *at = w;
        for (const eq_u32 *x = job->x; x < job->x_end; x += 2 * span, at += 2 * span) {
            for (int32_t j = 0; j < span; j++) {
                a = eq_lanes_product(a, x[j], at[j], kind);
                b = eq_lanes_product(b, x[span + j], at[j], kind);
            }
        }
        first[k] = (int64_t)a;
        second[k] = (int64_t)b;
    }
}

/* What the assembler below does, one channel after the other. */
EQ_INLINE void eq_lanes_plain(const eq_lanes_t *job, int32_t kind)
{
    const int32_t words = eq_lanes_channels(kind) * (int32_t)(job->x_end - job->x) / 2;
    const eq_u32 *start = job->start;
    uint8_t *to = job->sums;
    for (const eq_u32 *w = job->w; w != job->w_end; w += words, start += 4, to += 16) {
        if ((kind & 3) == EQ_LANES_SHORT) {
            eq_lanes_block_short(job, w, start, to, eq_lanes_span(kind));
        } else {
            eq_lanes_block_long(job, w, start, to, kind);
        }
    }
}

#if EQ_DSP_ASM
/* The registers: r0 weights, r1 x, r2..r5 sums of the first pixel, r6..r9 of the second, r10..r12 and lr operands. */
#define EQ_LANES_SHORT_UNIT_       \
    "ldrd r10, r11, [r0], #8\n\t"  \
    "ldrd r12, lr, [r1], #8\n\t"   \
    "smlad r2, r10, r12, r2\n\t"   \
    "smlad r6, r10, lr, r6\n\t"    \
    "smlad r3, r11, r12, r3\n\t"   \
    "smlad r7, r11, lr, r7\n\t"    \
    "ldrd r10, r11, [r0], #8\n\t"  \
    "smlad r4, r10, r12, r4\n\t"   \
    "smlad r8, r10, lr, r8\n\t"    \
    "smlad r5, r11, r12, r5\n\t"   \
    "smlad r9, r11, lr, r9\n\t"
#define EQ_LANES_SHORT_SKIP_ /* r3 = 8 n; n units are 44 n bytes of code */ \
    "add r9, r3, r3, lsl #1\n\t"   \
    "add r3, r9, r3, lsl #3\n\t"   \
    "lsr r3, r3, #1\n\t"

#define EQ_LANES_SUM64_(OP)        \
    "ldrd r10, r11, [r0], #8\n\t"  \
    "ldrd r12, lr, [r1], #8\n\t"   \
    OP " r2, r3, r10, r12\n\t"     \
    OP " r6, r7, r10, lr\n\t"      \
    OP " r4, r5, r11, r12\n\t"     \
    OP " r8, r9, r11, lr\n\t"
#define EQ_LANES_SUM64_SKIP_ /* r3 = 8 n; n units are 24 n bytes of code */ \
    "add r3, r3, r3, lsl #1\n\t"

/* The loop over units is unrolled eight times and entered so that a multiple of eight is left. */
#define EQ_LANES_(name, UNIT, SKIP)                                                                                \
    EQ_SHARED void name(const eq_lanes_t *from)                                                                    \
    {                                                                                                                  \
        register const eq_lanes_t *job __asm__("r0") = from;                                                       \
        __asm__ volatile(                                                                                              \
            "push {r4-r11, lr}\n\t"                                                                                    \
            "ldm r0, {r1, r2, r4, r5, r6, r7, r8}\n\t"                                                                 \
            "sub r3, r1, r2\n\t"                                                                                       \
            "and r3, r3, #56\n\t"                                                                                      \
            SKIP                                                                                                       \
            ".p2align 2\n\t"                                                                                           \
            "adr.w r9, 2f\n\t"                                                                                         \
            "add r3, r3, r9\n\t"                                                                                       \
            "orr r3, r3, #1\n\t"                                                                                       \
            "mov r0, r7\n\t"                                                                                           \
            "push {r1-r6, r8}\n\t"                                                                                     \
            "1:\n"                                                                                                     \
            "ldr r1, [sp, #24]\n\t"                                                                                    \
            "ldm r1!, {r2-r5}\n\t"                                                                                     \
            "str r1, [sp, #24]\n\t"                                                                                    \
            "ldr r1, [sp]\n\t"                                                                                         \
            "mov r6, r2\n\t"                                                                                           \
            "mov r7, r3\n\t"                                                                                           \
            "mov r8, r4\n\t"                                                                                           \
            "mov r9, r5\n\t"                                                                                           \
            "ldr pc, [sp, #8]\n\t"                                                                                     \
            ".p2align 2\n\t"                                                                                           \
            "2:\n"                                                                                                     \
            ".rept 8\n\t" UNIT ".endr\n\t"                                                                             \
            "ldr r10, [sp, #4]\n\t"                                                                                    \
            "cmp r1, r10\n\t"                                                                                          \
            "bne.w 2b\n\t"                                                                                             \
            "ldrd r11, r12, [sp, #12]\n\t"                                                                             \
            "add r12, r12, r11\n\t"                                                                                    \
            "stm r11!, {r2-r5}\n\t"                                                                                    \
            "stm r12, {r6-r9}\n\t"                                                                                     \
            "str r11, [sp, #12]\n\t"                                                                                   \
            "ldr r12, [sp, #20]\n\t"                                                                                   \
            "cmp r0, r12\n\t"                                                                                          \
            "bne.w 1b\n\t"                                                                                             \
            "add sp, sp, #28\n\t"                                                                                      \
            "pop {r4-r11, lr}\n\t"                                                                                     \
            : "+&r"(job)::"r1", "r2", "r3", "r12", "cc", "memory");                                                    \
    }

EQ_LANES_(eq_lanes_short, EQ_LANES_SHORT_UNIT_, EQ_LANES_SHORT_SKIP_)
EQ_LANES_(eq_lanes_long, EQ_LANES_SUM64_("smlald"), EQ_LANES_SUM64_SKIP_)
EQ_LANES_(eq_lanes_word, EQ_LANES_SUM64_("smlal"), EQ_LANES_SUM64_SKIP_)

#if EQ_MVE_ASM
/* The registers: r1 x, r5 weights, r7 the end of x, r9 start values; sums of the first pixel in r0, r2, r4, r6, of the
 * second in r8, r10, r12, lr: even ones, as the instruction wants. */
EQ_SHARED void eq_lanes_vector_short(const eq_lanes_t *from)
{
    register const eq_lanes_t *job __asm__("r0") = from;
    __asm__ volatile("push {r4-r11, lr}\n\t"
                     "ldm r0, {r1-r7}\n\t"
                     "push {r1-r5}\n\t"
                     "mov r9, r7\n\t"
                     "mov r5, r6\n\t"
                     "mov r7, r2\n\t"
                     "1:\n\t"
                     "ldr r1, [sp]\n\t"
                     "ldrd r0, r2, [r9], #8\n\t"
                     "ldrd r4, r6, [r9], #8\n\t"
                     "mov r8, r0\n\t"
                     "mov r10, r2\n\t"
                     "mov r12, r4\n\t"
                     "mov lr, r6\n\t"
                     "2:\n\t"
                     "vldrw.u32 q0, [r1], #16\n\t"
                     "vldrw.u32 q2, [r5], #16\n\t"
                     "vmladava.s16 r0, q0, q2\n\t"
                     "vldrw.u32 q1, [r1], #16\n\t"
                     "vmladava.s16 r8, q1, q2\n\t"
                     "vldrw.u32 q3, [r5], #16\n\t"
                     "vmladava.s16 r2, q0, q3\n\t"
                     "vmladava.s16 r10, q1, q3\n\t"
                     "vldrw.u32 q2, [r5], #16\n\t"
                     "vmladava.s16 r4, q0, q2\n\t"
                     "vmladava.s16 r12, q1, q2\n\t"
                     "vldrw.u32 q3, [r5], #16\n\t"
                     "vmladava.s16 r6, q0, q3\n\t"
                     "vmladava.s16 lr, q1, q3\n\t"
                     "cmp r1, r7\n\t"
                     "bne 2b\n\t"
                     "ldrd r3, r11, [sp, #8]\n\t"
                     "strd r0, r2, [r3], #8\n\t"
                     "strd r4, r6, [r3], #8\n\t"
                     "str r3, [sp, #8]\n\t"
                     "add r3, r3, r11\n\t"
                     "strd r8, r10, [r3, #-16]\n\t"
                     "strd r12, lr, [r3, #-8]\n\t"
                     "ldr r11, [sp, #16]\n\t"
                     "cmp r5, r11\n\t"
                     "bne 1b\n\t"
                     "add sp, sp, #20\n\t"
                     "pop {r4-r11, lr}\n\t"
                     : "+&r"(job)::"r1", "r2", "r3", "r12", "q0", "q1", "q2", "q3", "cc", "memory");
}

/* The registers: r4 x, r5 weights, r10 the end of x, r11 start values; sums of the first pixel in r0:r1 and r2:r3, of
 * the second in r6:r7 and r8:r9. */
#define EQ_LANES_VECTOR_(name, OP)                                                                                     \
    EQ_SHARED void name(const eq_lanes_t *from)                                                                        \
    {                                                                                                                  \
        register const eq_lanes_t *job __asm__("r0") = from;                                                           \
        __asm__ volatile("push {r4-r11, lr}\n\t"                                                                       \
                         "ldm r0, {r1-r7}\n\t"                                                                         \
                         "push {r1-r5}\n\t"                                                                            \
                         "mov r10, r2\n\t"                                                                             \
                         "mov r11, r7\n\t"                                                                             \
                         "mov r5, r6\n\t"                                                                              \
                         "1:\n\t"                                                                                      \
                         "ldr r4, [sp]\n\t"                                                                            \
                         "ldrd r0, r1, [r11], #8\n\t"                                                                  \
                         "ldrd r2, r3, [r11], #8\n\t"                                                                  \
                         "mov r6, r0\n\t"                                                                              \
                         "mov r7, r1\n\t"                                                                              \
                         "mov r8, r2\n\t"                                                                              \
                         "mov r9, r3\n\t"                                                                              \
                         "2:\n\t"                                                                                      \
                         "vldrw.u32 q0, [r4], #16\n\t"                                                                 \
                         "vldrw.u32 q2, [r5], #16\n\t"                                                                 \
                         OP " r0, r1, q0, q2\n\t"                                                                      \
                         "vldrw.u32 q1, [r4], #16\n\t"                                                                 \
                         OP " r6, r7, q1, q2\n\t"                                                                      \
                         "vldrw.u32 q3, [r5], #16\n\t"                                                                 \
                         OP " r2, r3, q0, q3\n\t"                                                                      \
                         OP " r8, r9, q1, q3\n\t"                                                                      \
                         "cmp r4, r10\n\t"                                                                             \
                         "bne 2b\n\t"                                                                                  \
                         "ldrd r4, r12, [sp, #8]\n\t"                                                                  \
                         "strd r0, r1, [r4], #8\n\t"                                                                   \
                         "strd r2, r3, [r4], #8\n\t"                                                                   \
                         "str r4, [sp, #8]\n\t"                                                                        \
                         "add r4, r4, r12\n\t"                                                                         \
                         "strd r6, r7, [r4, #-16]\n\t"                                                                 \
                         "strd r8, r9, [r4, #-8]\n\t"                                                                  \
                         "ldr r12, [sp, #16]\n\t"                                                                      \
                         "cmp r5, r12\n\t"                                                                             \
                         "bne 1b\n\t"                                                                                  \
                         "add sp, sp, #20\n\t"                                                                         \
                         "pop {r4-r11, lr}\n\t"                                                                        \
                         : "+&r"(job)::"r1", "r2", "r3", "r12", "q0", "q1", "q2", "q3", "cc", "memory");               \
    }

EQ_LANES_VECTOR_(eq_lanes_vector_long, "vmlaldava.s16")
EQ_LANES_VECTOR_(eq_lanes_vector_word, "vmlaldava.s32")

EQ_INLINE void eq_lanes_vector(const eq_lanes_t *job, int32_t kind)
{
    if ((kind & 3) == EQ_LANES_SHORT) {
        eq_lanes_vector_short(job);
    } else if ((kind & 3) == EQ_LANES_LONG) {
        eq_lanes_vector_long(job);
    } else {
        eq_lanes_vector_word(job);
    }
}
#else
EQ_INLINE void eq_lanes_vector(const eq_lanes_t *job, int32_t kind) { eq_lanes_plain(job, kind); }
#endif

/* The sums of all blocks of one job; its kind is known when compiling. */
EQ_INLINE void eq_lanes_run(const eq_lanes_t *job, int32_t kind)
{
    if (kind == EQ_LANES_SHORT) {
        eq_lanes_short(job);
    } else if (kind == EQ_LANES_LONG) {
        eq_lanes_long(job);
    } else if (kind == EQ_LANES_WORD) {
        eq_lanes_word(job);
    } else {
        eq_lanes_vector(job, kind);
    }
}
#else
/* The same without assembler. */
EQ_INLINE void eq_lanes_run(const eq_lanes_t *job, int32_t kind) { eq_lanes_plain(job, kind); }
#endif

#endif
