/* edgeq_mve_scaled.h: the inner loops of layers whose scales are no power of two, with Helium.
 *
 * Weights lie in flash as a stream of blocks of output channels. A block is its weights in groups of 16 elements, for
 * each group 16 bytes of each channel, padded with zeros; then what the output stage needs of each channel:
 *     start values   int32
 *     multipliers    int32                      (rows with one multiplier for all channels: left out)
 *     shifts         int8, negated and without the 31 of the first step        (likewise)
 * Sixteen products are summed by one VMLADAV(A). Eight sums at a time are all even registers, so that no counter of
 * the core's loop instructions is left: the loops are unrolled by four groups and entered in their midst. ADR counts
 * from a multiple of four bytes, so the code is aligned to that, whatever a compiler aligns functions to. What is read
 * beyond a window is multiplied by zeros. Sums wrap modulo 2^32 on the way and are right at the end.
 */
#ifndef EDGEQ_MVE_SCALED_H
#define EDGEQ_MVE_SCALED_H

#include "edgeq_mve_stage.h"

/* Rounds of an unrolled loop of four groups of `size` bytes for all groups after the first; where it is entered. */
EQ_INLINE int32_t eq_mve_rounds(int32_t groups) { return (groups + 2) / 4; }
EQ_INLINE int32_t eq_mve_skip(int32_t groups, int32_t size)
{
    /* No round at all: behind the loop, whose end takes 8 bytes. */
    return groups > 1 ? (4 * eq_mve_rounds(groups) - (groups - 1)) * size : 4 * size + 8;
}

/* Blocks of four channels for pairs of pixels. Changed as it runs. The assembler knows the places of the fields. */
typedef struct {
    const uint8_t *x0, *x1; /* windows of the first two pixels */
    uint8_t *y0, *y1;
    const uint8_t *w, *w_end;
    int32_t rounds, entry; /* of the unrolled loop; entry is found as it runs */
    int32_t zero, lo, hi;  /* of a code of y */
    int32_t pairs;
    int32_t x_step, y_step; /* from one pair's windows, and ends of outputs, to the next pair's */
    int32_t skip, groups;
    const uint8_t *map; /* codes of sums that are looked up, else null */
} eq_mve_pairs_t;

/* Blocks of eight channels of one vector; their order within a block is 0, 2, 4, 6, 1, 3, 5, 7 in the stage. */
typedef struct {
    const uint8_t *x;
    int32_t rounds, entry;
    const uint8_t *w, *w_end;
    uint8_t *y;
    int32_t multiplier, shift; /* where all channels have one */
    int32_t zero, lo, hi;
    int32_t skip, groups;
} eq_mve_vector_t;

/* Four channels with a filter each, of up to 16 taps, for two rows of pixels. Taps of the four lie side by side. */
typedef struct {
    const uint8_t *x0, *x1; /* windows of the first two pixels; 64 bytes are read */
    uint8_t *y0, *y1, *y_end; /* y_end: where y0 ends */
    const uint8_t *w;         /* one block */
    int32_t x_step, y_step;
    int32_t zero;
    int16_t lo[8], hi[8];
    const uint8_t *map; /* codes of sums that are looked up, else null */
} eq_mve_taps_t;

#if EQ_MVE_ASM
/* One group of the sums of pairs: 14 instructions, 56 bytes, 128 MACs. */
#define EQ_MVE_PAIRS_GROUP_(OP)                                                                                        \
    "vldrb.u8 q0, [r1], #16\n\t"                                                                                       \
    "vldrb.u8 q2, [r5], #16\n\t"                                                                                       \
    OP " r0, q0, q2\n\t"                                                                                               \
    "vldrb.u8 q1, [r3], #16\n\t"                                                                                       \
    OP " r8, q1, q2\n\t"                                                                                               \
    "vldrb.u8 q3, [r5], #16\n\t"                                                                                       \
    OP " r2, q0, q3\n\t"                                                                                               \
    OP " r10, q1, q3\n\t"                                                                                              \
    "vldrb.u8 q2, [r5], #16\n\t"                                                                                       \
    OP " r4, q0, q2\n\t"                                                                                               \
    OP " r12, q1, q2\n\t"                                                                                              \
    "vldrb.u8 q3, [r5], #16\n\t"                                                                                       \
    OP " r6, q0, q3\n\t"                                                                                               \
    OP " lr, q1, q3\n\t"

#define EQ_MVE_NEXT_ EQ_MVE_PAIRS_GROUP_("vmladava.s8")

/* Sums of four channels of two pixels to q0 and q1, start values added; they move two by two as d registers. */
#define EQ_MVE_JOINED_                                                                                                 \
    "vmov d0, r0, r2\n\t"                                                                                              \
    "vmov d1, r4, r6\n\t"                                                                                              \
    "vmov d2, r8, r10\n\t"                                                                                             \
    "vmov d3, r12, lr\n\t"                                                                                             \
    "vldrw.u32 q2, [r5], #16\n\t"                                                                                      \
    "vadd.i32 q0, q0, q2\n\t"                                                                                          \
    "vadd.i32 q1, q1, q2\n\t"

/* Those sums to numbers: offsets, multipliers and shifts of the stream. */
#define EQ_MVE_NUMBERS_(MULH, DOWN)                                                                                    \
    EQ_MVE_JOINED_                                                                                                     \
    "vldrw.u32 q3, [r5], #16\n\t"                                                                                      \
    MULH " q0, q0, q3\n\t"                                                                                             \
    MULH " q1, q1, q3\n\t"                                                                                             \
    DOWN                                                                                                               \
    "vldrb.s32 q2, [r5], #4\n\t"                                                                                       \
    "vrshl.s32 q0, q0, q2\n\t"                                                                                         \
    "vrshl.s32 q1, q1, q2\n\t"

/* q0 and q1 shifted by q2, and less by q3, which is one, shifted by it: their sum; uses q4. */
#define EQ_MVE_HALVES_                                                                                                 \
    "vsub.i32 q4, q0, q3\n\t"                                                                                          \
    "vshl.s32 q4, q4, q2\n\t"                                                                                          \
    "vshl.s32 q0, q0, q2\n\t"                                                                                          \
    "vadd.i32 q0, q0, q4\n\t"                                                                                          \
    "vsub.i32 q4, q1, q3\n\t"                                                                                          \
    "vshl.s32 q4, q4, q2\n\t"                                                                                          \
    "vshl.s32 q1, q1, q2\n\t"                                                                                          \
    "vadd.i32 q1, q1, q4\n\t"
#define EQ_MVE_EXACT_NUMBERS_                                                                                          \
    EQ_MVE_JOINED_                                                                                                     \
    "vldrw.u32 q3, [r5], #16\n\t"                                                                                      \
    "vldrb.s32 q2, [r5], #4\n\t"                                                                                       \
    EQ_MVE_HALVES_

/* Entries in q0 to the codes that they hold; the table is where the job says. */
#define EQ_MVE_LOOK_UP_(AT)          \
    "ldr r6, [r11, " AT "]\n\t"      \
    "vldrb.u16 q1, [r6, q0]\n\t"     \
    "vmov q0, q1\n\t"

/* The registers: r0, r2, r4, r6 sums of the first pixel, r8, r10, r12, lr of the second, r1, r3 pixels, r5 weights,
 * r7 rounds, r9 entry, r11 the job, q6, q7 bounds. NUMBERS, MAP: what becomes of sums, and of them as 16 bits. */
#define EQ_MVE_PAIRS_(name, NUMBERS, MAP)                                                                              \
    EQ_SHARED void name(eq_mve_pairs_t *from)                                                                          \
    {                                                                                                                  \
        register eq_mve_pairs_t *job __asm__("r0") = from;                                                             \
        __asm__ volatile(                                                                                              \
            "push {r4-r11, lr}\n\t"                                                                                    \
            "mov r11, r0\n\t"                                                                                          \
            "ldrd r0, r2, [r11, #36]\n\t"                                                                              \
            "vdup.16 q6, r0\n\t"                                                                                       \
            "vdup.16 q7, r2\n\t"                                                                                       \
            "ldr r0, [r11, #56]\n\t"                                                                                   \
            ".p2align 2\n\t"                                                                                           \
            "adr.w r9, 3f\n\t"                                                                                         \
            "add r9, r9, r0\n\t"                                                                                       \
            "orr r9, r9, #1\n\t"                                                                                       \
            "str r9, [r11, #28]\n\t"                                                                                   \
            "1:\n"                                                                                                     \
            "ldr r5, [r11, #16]\n\t"                                                                                   \
            "2:\n"                                                                                                     \
            "ldrd r1, r3, [r11]\n\t"                                                                                   \
            "ldrd r7, r9, [r11, #24]\n\t"                                                                              \
            EQ_MVE_PAIRS_GROUP_("vmladav.s8")                                                                          \
            "bx r9\n\t"                                                                                                \
            "3:\n"                                                                                                     \
            EQ_MVE_NEXT_ EQ_MVE_NEXT_ EQ_MVE_NEXT_ EQ_MVE_NEXT_                                                        \
            "subs.w r7, r7, #1\n\t"                                                                                    \
            "bne.w 3b\n\t"                                                                                             \
            NUMBERS                                                                                                    \
            "ldr r0, [r11, #32]\n\t"                                                                                   \
            "vqmovnb.s32 q0, q0\n\t"                                                                                   \
            "vqmovnt.s32 q0, q1\n\t"                                                                                   \
            "vqadd.s16 q0, q0, r0\n\t"                                                                                 \
            "vmax.s16 q0, q0, q6\n\t"                                                                                  \
            "vmin.s16 q0, q0, q7\n\t"                                                                                  \
            MAP                                                                                                        \
            "ldrd r7, r3, [r11, #8]\n\t"                                                                               \
            "ldr r1, [r11, #20]\n\t"                                                                                   \
            "vstrb.32 q0, [r7], #4\n\t"                                                                                \
            "vshr.u32 q0, q0, #16\n\t"                                                                                 \
            "vstrb.32 q0, [r3], #4\n\t"                                                                                \
            "strd r7, r3, [r11, #8]\n\t"                                                                               \
            "cmp r5, r1\n\t"                                                                                           \
            "bne.w 2b\n\t"                                                                                             \
            "ldrd r1, r9, [r11]\n\t"                                                                                   \
            "ldrd r0, r2, [r11, #44]\n\t"                                                                              \
            "ldr r4, [r11, #52]\n\t"                                                                                   \
            "add r1, r1, r2\n\t"                                                                                       \
            "add r9, r9, r2\n\t"                                                                                       \
            "strd r1, r9, [r11]\n\t"                                                                                   \
            "add r7, r7, r4\n\t"                                                                                       \
            "add r3, r3, r4\n\t"                                                                                       \
            "strd r7, r3, [r11, #8]\n\t"                                                                               \
            "subs r0, r0, #1\n\t"                                                                                      \
            "str r0, [r11, #44]\n\t"                                                                                   \
            "bne.w 1b\n\t"                                                                                             \
            "pop {r4-r11, lr}\n\t"                                                                                     \
            : "+&r"(job)::"r1", "r2", "r3", "r12", "q0", "q1", "q2", "q3", "q4", "q6", "q7", "cc", "memory");          \
    }

EQ_MVE_PAIRS_(eq_mve_pairs_away, EQ_MVE_NUMBERS_(EQ_MVE_TWICE_, EQ_MVE_DOWN_), "")
EQ_MVE_PAIRS_(eq_mve_pairs_up, EQ_MVE_NUMBERS_(EQ_MVE_TWICE_, ""), "")
EQ_MVE_PAIRS_(eq_mve_pairs_once, EQ_MVE_NUMBERS_(EQ_MVE_TRUNCATE_, ""), "")
EQ_MVE_PAIRS_(eq_mve_pairs_exact, EQ_MVE_EXACT_NUMBERS_, EQ_MVE_LOOK_UP_("#64"))

/* One group of the sums of a vector: 17 instructions, 68 bytes, 128 MACs. */
#define EQ_MVE_VECTOR_GROUP_(OP)                                                                                       \
    "vldrb.u8 q0, [r1], #16\n\t"                                                                                       \
    "vldrb.u8 q1, [r3], #16\n\t"                                                                                       \
    OP " r0, q0, q1\n\t"                                                                                               \
    "vldrb.u8 q2, [r3], #16\n\t"                                                                                       \
    OP " r2, q0, q2\n\t"                                                                                               \
    "vldrb.u8 q1, [r3], #16\n\t"                                                                                       \
    OP " r4, q0, q1\n\t"                                                                                               \
    "vldrb.u8 q2, [r3], #16\n\t"                                                                                       \
    OP " r6, q0, q2\n\t"                                                                                               \
    "vldrb.u8 q1, [r3], #16\n\t"                                                                                       \
    OP " r8, q0, q1\n\t"                                                                                               \
    "vldrb.u8 q2, [r3], #16\n\t"                                                                                       \
    OP " r10, q0, q2\n\t"                                                                                              \
    "vldrb.u8 q1, [r3], #16\n\t"                                                                                       \
    OP " r12, q0, q1\n\t"                                                                                              \
    "vldrb.u8 q2, [r3], #16\n\t"                                                                                       \
    OP " lr, q0, q2\n\t"

#define EQ_MVE_MORE_ EQ_MVE_VECTOR_GROUP_("vmladava.s8")

/* Multiplier and shift from the job, or from the stream; both vectors by them. */
#define EQ_MVE_ALL_(MULH, DOWN)                                                                                        \
    "ldrd r0, r2, [r11, #24]\n\t"                                                                                      \
    MULH " q0, q0, r0\n\t"                                                                                             \
    MULH " q1, q1, r0\n\t"                                                                                             \
    DOWN                                                                                                               \
    "vrshl.s32 q0, r2\n\t"                                                                                             \
    "vrshl.s32 q1, r2\n\t"
#define EQ_MVE_EACH_(MULH, DOWN)                                                                                       \
    "vldrw.u32 q2, [r3], #16\n\t"                                                                                      \
    "vldrw.u32 q3, [r3], #16\n\t"                                                                                      \
    MULH " q0, q0, q2\n\t"                                                                                             \
    MULH " q1, q1, q3\n\t"                                                                                             \
    DOWN                                                                                                               \
    "vldrb.s32 q2, [r3], #4\n\t"                                                                                       \
    "vldrb.s32 q3, [r3], #4\n\t"                                                                                       \
    "vrshl.s32 q0, q0, q2\n\t"                                                                                         \
    "vrshl.s32 q1, q1, q3\n\t"

/* The registers: r0 to lr, even ones, sums of channels 0 to 7, r1 x, r3 weights, r7 rounds, r9 entry, r11 the job,
 * q6, q7 bounds. */
#define EQ_MVE_VECTOR_(name, STAGE)                                                                                    \
    EQ_SHARED void name(eq_mve_vector_t *from)                                                                         \
    {                                                                                                                  \
        register eq_mve_vector_t *job __asm__("r0") = from;                                                            \
        __asm__ volatile(                                                                                              \
            "push {r4-r11, lr}\n\t"                                                                                    \
            "mov r11, r0\n\t"                                                                                          \
            "ldrd r0, r2, [r11, #36]\n\t"                                                                              \
            "vdup.16 q6, r0\n\t"                                                                                       \
            "vdup.16 q7, r2\n\t"                                                                                       \
            "ldr r0, [r11, #44]\n\t"                                                                                   \
            ".p2align 2\n\t"                                                                                           \
            "adr.w r9, 3f\n\t"                                                                                         \
            "add r9, r9, r0\n\t"                                                                                       \
            "orr r9, r9, #1\n\t"                                                                                       \
            "ldr r3, [r11, #12]\n\t"                                                                                   \
            "2:\n"                                                                                                     \
            "ldrd r1, r7, [r11]\n\t"                                                                                   \
            EQ_MVE_VECTOR_GROUP_("vmladav.s8")                                                                         \
            "bx r9\n\t"                                                                                                \
            "3:\n"                                                                                                     \
            EQ_MVE_MORE_ EQ_MVE_MORE_ EQ_MVE_MORE_ EQ_MVE_MORE_                                                        \
            "subs.w r7, r7, #1\n\t"                                                                                    \
            "bne.w 3b\n\t"                                                                                             \
            "vmov d0, r0, r4\n\t"                                                                                      \
            "vmov d1, r8, r12\n\t"                                                                                     \
            "vmov d2, r2, r6\n\t"                                                                                      \
            "vmov d3, r10, lr\n\t"                                                                                     \
            "vldrw.u32 q2, [r3], #16\n\t"                                                                              \
            "vldrw.u32 q3, [r3], #16\n\t"                                                                              \
            "vadd.i32 q0, q0, q2\n\t"                                                                                  \
            "vadd.i32 q1, q1, q3\n\t"                                                                                  \
            STAGE                                                                                                      \
            "ldr r0, [r11, #32]\n\t"                                                                                   \
            "ldrd r4, r5, [r11, #16]\n\t"                                                                              \
            "vqmovnb.s32 q0, q0\n\t"                                                                                   \
            "vqmovnt.s32 q0, q1\n\t"                                                                                   \
            "vqadd.s16 q0, q0, r0\n\t"                                                                                 \
            "vmax.s16 q0, q0, q6\n\t"                                                                                  \
            "vmin.s16 q0, q0, q7\n\t"                                                                                  \
            "vstrb.16 q0, [r5], #8\n\t"                                                                                \
            "str r5, [r11, #20]\n\t"                                                                                   \
            "cmp r3, r4\n\t"                                                                                           \
            "bne.w 2b\n\t"                                                                                             \
            "str r3, [r11, #12]\n\t"                                                                                   \
            "pop {r4-r11, lr}\n\t"                                                                                     \
            : "+&r"(job)::"r1", "r2", "r3", "r12", "q0", "q1", "q2", "q3", "q6", "q7", "cc", "memory");                \
    }

EQ_MVE_VECTOR_(eq_mve_vector_all_away, EQ_MVE_ALL_(EQ_MVE_TWICE_, EQ_MVE_DOWN_))
EQ_MVE_VECTOR_(eq_mve_vector_all_up, EQ_MVE_ALL_(EQ_MVE_TWICE_, ""))
EQ_MVE_VECTOR_(eq_mve_vector_all_once, EQ_MVE_ALL_(EQ_MVE_TRUNCATE_, ""))
EQ_MVE_VECTOR_(eq_mve_vector_each_away, EQ_MVE_EACH_(EQ_MVE_TWICE_, EQ_MVE_DOWN_))
EQ_MVE_VECTOR_(eq_mve_vector_each_up, EQ_MVE_EACH_(EQ_MVE_TWICE_, ""))
EQ_MVE_VECTOR_(eq_mve_vector_each_once, EQ_MVE_EACH_(EQ_MVE_TRUNCATE_, ""))

/* What becomes of sums of taps, whose stage r5 does not leave. */
#define EQ_MVE_TAPS_NUMBERS_(MULH, DOWN)                                                                               \
    "vldrw.u32 q3, [r5, #16]\n\t"                                                                                      \
    MULH " q0, q0, q3\n\t"                                                                                             \
    MULH " q1, q1, q3\n\t"                                                                                             \
    DOWN                                                                                                               \
    "vldrb.s32 q2, [r5, #32]\n\t"                                                                                      \
    "vrshl.s32 q0, q0, q2\n\t"                                                                                         \
    "vrshl.s32 q1, q1, q2\n\t"
/* … and the weights of the first channel again, which lie before it. */
#define EQ_MVE_TAPS_EXACT_                                                                                             \
    "vldrw.u32 q3, [r5, #16]\n\t"                                                                                      \
    "vldrb.s32 q2, [r5, #32]\n\t"                                                                                      \
    EQ_MVE_HALVES_                                                                                                     \
    "vldrb.u8 q4, [r5, #-64]\n\t"

/* The registers: as for pairs, but r9 the second pixel, r5 the stage's numbers, r7, r3 outputs, q0 to q3 taps of four
 * channels, q4 to q7 their weights. */
#define EQ_MVE_TAPS_(name, NUMBERS, MAP)                                                                               \
    EQ_SHARED void name(eq_mve_taps_t *from)                                                                           \
    {                                                                                                                  \
        register eq_mve_taps_t *job __asm__("r0") = from;                                                              \
        __asm__ volatile(                                                                                              \
            "push {r4-r11, lr}\n\t"                                                                                    \
            "mov r11, r0\n\t"                                                                                          \
            "ldrd r1, r9, [r11]\n\t"                                                                                   \
            "ldrd r7, r3, [r11, #8]\n\t"                                                                               \
            "ldr r5, [r11, #20]\n\t"                                                                                   \
            "vldrb.u8 q4, [r5], #16\n\t"                                                                               \
            "vldrb.u8 q5, [r5], #16\n\t"                                                                               \
            "vldrb.u8 q6, [r5], #16\n\t"                                                                               \
            "vldrb.u8 q7, [r5], #16\n\t"                                                                               \
            "1:\n"                                                                                                     \
            "vld40.8 {q0, q1, q2, q3}, [r1]\n\t"                                                                       \
            "vld41.8 {q0, q1, q2, q3}, [r1]\n\t"                                                                       \
            "vld42.8 {q0, q1, q2, q3}, [r1]\n\t"                                                                       \
            "vld43.8 {q0, q1, q2, q3}, [r1]\n\t"                                                                       \
            "vmladav.s8 r0, q0, q4\n\t"                                                                                \
            "vmladav.s8 r2, q1, q5\n\t"                                                                                \
            "vmladav.s8 r4, q2, q6\n\t"                                                                                \
            "vmladav.s8 r6, q3, q7\n\t"                                                                                \
            "vld40.8 {q0, q1, q2, q3}, [r9]\n\t"                                                                       \
            "vld41.8 {q0, q1, q2, q3}, [r9]\n\t"                                                                       \
            "vld42.8 {q0, q1, q2, q3}, [r9]\n\t"                                                                       \
            "vld43.8 {q0, q1, q2, q3}, [r9]\n\t"                                                                       \
            "vmladav.s8 r8, q0, q4\n\t"                                                                                \
            "vmladav.s8 r10, q1, q5\n\t"                                                                               \
            "vmladav.s8 r12, q2, q6\n\t"                                                                               \
            "vmladav.s8 lr, q3, q7\n\t"                                                                                \
            "vmov d0, r0, r2\n\t"                                                                                      \
            "vmov d1, r4, r6\n\t"                                                                                      \
            "vmov d2, r8, r10\n\t"                                                                                     \
            "vmov d3, r12, lr\n\t"                                                                                     \
            "vldrw.u32 q2, [r5]\n\t"                                                                                   \
            "vadd.i32 q0, q0, q2\n\t"                                                                                  \
            "vadd.i32 q1, q1, q2\n\t"                                                                                  \
            NUMBERS                                                                                                    \
            "ldrd r0, r2, [r11, #24]\n\t"                                                                              \
            "ldr r4, [r11, #32]\n\t"                                                                                   \
            "vqmovnb.s32 q0, q0\n\t"                                                                                   \
            "vqmovnt.s32 q0, q1\n\t"                                                                                   \
            "vqadd.s16 q0, q0, r4\n\t"                                                                                 \
            "vldrh.u16 q2, [r11, #36]\n\t"                                                                             \
            "vmax.s16 q0, q0, q2\n\t"                                                                                  \
            "vldrh.u16 q3, [r11, #52]\n\t"                                                                             \
            "vmin.s16 q0, q0, q3\n\t"                                                                                  \
            MAP                                                                                                        \
            "add r1, r1, r0\n\t"                                                                                       \
            "add r9, r9, r0\n\t"                                                                                       \
            "ldr r6, [r11, #16]\n\t"                                                                                   \
            "vstrb.32 q0, [r7]\n\t"                                                                                    \
            "vshr.u32 q0, q0, #16\n\t"                                                                                 \
            "vstrb.32 q0, [r3]\n\t"                                                                                    \
            "add r7, r7, r2\n\t"                                                                                       \
            "add r3, r3, r2\n\t"                                                                                       \
            "cmp r7, r6\n\t"                                                                                           \
            "bne.w 1b\n\t"                                                                                             \
            "pop {r4-r11, lr}\n\t"                                                                                     \
            : "+&r"(job)::"r1", "r2", "r3", "r12", "q0", "q1", "q2", "q3", "q4", "q5", "q6", "q7", "cc", "memory");    \
    }

EQ_MVE_TAPS_(eq_mve_taps_away, EQ_MVE_TAPS_NUMBERS_(EQ_MVE_TWICE_, EQ_MVE_DOWN_), "")
EQ_MVE_TAPS_(eq_mve_taps_up, EQ_MVE_TAPS_NUMBERS_(EQ_MVE_TWICE_, ""), "")
EQ_MVE_TAPS_(eq_mve_taps_once, EQ_MVE_TAPS_NUMBERS_(EQ_MVE_TRUNCATE_, ""), "")
EQ_MVE_TAPS_(eq_mve_taps_exact, EQ_MVE_TAPS_EXACT_, EQ_MVE_LOOK_UP_("#68"))

/* The blocks of one job, with `rule` and `each` known when compiling. */
EQ_INLINE void eq_mve_pairs(eq_mve_pairs_t *job, int32_t rule)
{
    EQ_MVE_MAPPED_RULE_(eq_mve_pairs, rule, job)
}

EQ_INLINE void eq_mve_vector(eq_mve_vector_t *job, int32_t rule, bool each)
{
    if (each) {
        EQ_MVE_RULE_(eq_mve_vector_each, rule, job)
    } else {
        EQ_MVE_RULE_(eq_mve_vector_all, rule, job)
    }
}

EQ_INLINE void eq_mve_taps(eq_mve_taps_t *job, int32_t rule)
{
    EQ_MVE_MAPPED_RULE_(eq_mve_taps, rule, job)
}
#else
/* start + sum of the products of x and channel `k` of `channels` in groups of 16. Bytes of x that only zeros multiply
 * are not read. */
EQ_INLINE int32_t eq_mve_grouped(int32_t start, const uint8_t *x, int32_t step, const uint8_t *w, int32_t k,
                                 int32_t channels, int32_t groups)
{
    uint32_t sum = (uint32_t)start;
    for (int32_t g = 0; g < groups; g++) {
        for (int32_t i = 0; i < 16; i++) {
            const int32_t weight = (int8_t)w[16 * (g * channels + k) + i];
            if (weight != 0) {
                sum += (uint32_t)((int8_t)x[(16 * g + i) * step] * weight);
            }
        }
    }
    return (int32_t)sum;
}

/* The code of channel k of a block of four; map: where sums are looked up. */
EQ_INLINE uint8_t eq_mve_four(const uint8_t *x, int32_t step, const uint8_t *w, int32_t k, int32_t groups,
                              int32_t rule, int32_t zero, int32_t lo, int32_t hi, const uint8_t *map)
{
    const uint8_t *stage = w + 64 * groups + 4 * k;
    const int32_t sum = eq_mve_grouped((int32_t)eq_word(stage), x, step, w, k, 4, groups);
    const int32_t shift = (int8_t)w[64 * groups + 32 + k];
    if (rule == EQ_MVE_EXACT) {
        return eq_mve_looked_up(map, sum, shift, zero, lo, hi);
    }
    return eq_mve_code(eq_mve_scale(sum, (int32_t)eq_word(stage + 16), shift, rule), zero, lo, hi);
}

EQ_INLINE void eq_mve_pairs(eq_mve_pairs_t *job, int32_t rule)
{
    for (; job->pairs > 0; job->pairs--) {
        for (const uint8_t *w = job->w; w != job->w_end; w += 64 * job->groups + 36) {
            for (int32_t k = 0; k < 4; k++) {
                *job->y0++ = eq_mve_four(job->x0, 1, w, k, job->groups, rule, job->zero, job->lo, job->hi,
                                         job->map);
                *job->y1++ = eq_mve_four(job->x1, 1, w, k, job->groups, rule, job->zero, job->lo, job->hi,
                                         job->map);
            }
        }
        job->x0 += job->x_step;
        job->x1 += job->x_step;
        job->y0 += job->y_step;
        job->y1 += job->y_step;
    }
}

EQ_INLINE void eq_mve_vector(eq_mve_vector_t *job, int32_t rule, bool each)
{
    for (; job->w != job->w_end; job->w += 128 * job->groups + (each ? 72 : 32)) {
        const uint8_t *stage = job->w + 128 * job->groups;
        for (int32_t k = 0; k < 8; k++) {
            const int32_t at = k / 2 + 4 * (k % 2);
            const int32_t sum = eq_mve_grouped((int32_t)eq_word(stage + 4 * at), job->x, 1, job->w, k, 8, job->groups);
            const int32_t multiplier = each ? (int32_t)eq_word(stage + 32 + 4 * at) : job->multiplier;
            const int32_t shift = each ? (int8_t)stage[64 + at] : job->shift;
            *job->y++ = eq_mve_code(eq_mve_scale(sum, multiplier, shift, rule), job->zero, job->lo, job->hi);
        }
    }
}

EQ_INLINE void eq_mve_taps(eq_mve_taps_t *job, int32_t rule)
{
    do {
        for (int32_t k = 0; k < 4; k++) {
            job->y0[k] = eq_mve_four(job->x0 + k, 4, job->w, k, 1, rule, job->zero, job->lo[0], job->hi[0],
                                     job->map);
            job->y1[k] = eq_mve_four(job->x1 + k, 4, job->w, k, 1, rule, job->zero, job->lo[0], job->hi[0],
                                     job->map);
        }
        job->x0 += job->x_step;
        job->x1 += job->x_step;
        job->y0 += job->y_step;
        job->y1 += job->y_step;
    } while (job->y0 != job->y_end);
}
#endif

#endif
