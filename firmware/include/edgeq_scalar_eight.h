/* edgeq_scalar_eight.h: the inner loop of the form of eight: eight output channels of one pixel. */
#ifndef EDGEQ_SCALAR_EIGHT_H
#define EDGEQ_SCALAR_EIGHT_H

#include "edgeq_scalar.h"

/* One block: x, the products of n elements (a multiple of four, and not zero) and the start values in `sum`. */
typedef struct {
    const uint8_t *x, *x_end; /* n elements */
    const uint8_t *w;         /* n times eight */
    uint32_t sum[8];
} eq_scalar_eight_t;

#if EQ_SCALAR_THUMB1
/* r0 x, r1 w, r2 and r3 factors, r4..r7 and r8..r11 sums, r12 the end of x. */
#define EQ_SCALAR_LOW_(offset, sum) \
    "ldrb r3, [r1, #" offset "]\n\t" \
    "muls r3, r2, r3\n\t"           \
    "adds " sum ", " sum ", r3\n\t"
#define EQ_SCALAR_HIGH_(offset, sum) \
    "ldrb r3, [r1, #" offset "]\n\t" \
    "muls r3, r2, r3\n\t"            \
    "add " sum ", r3\n\t"
#define EQ_SCALAR_ELEMENT_(x, a, b, c, d, e, f, g, h) \
    "ldrb r2, [r0, #" x "]\n\t"                       \
    EQ_SCALAR_LOW_(a, "r4")                           \
    EQ_SCALAR_LOW_(b, "r5")                           \
    EQ_SCALAR_LOW_(c, "r6")                           \
    EQ_SCALAR_LOW_(d, "r7")                           \
    EQ_SCALAR_HIGH_(e, "r8")                          \
    EQ_SCALAR_HIGH_(f, "r9")                          \
    EQ_SCALAR_HIGH_(g, "r10")                         \
    EQ_SCALAR_HIGH_(h, "r11")

EQ_SCALAR_SHARED void eq_scalar_eight(eq_scalar_eight_t *from)
{
    register eq_scalar_eight_t *job __asm__("r0") = from;
    __asm__ volatile(
        ".syntax unified\n\t"
        "push {r0, r4-r7}\n\t"
        "mov r4, r8\n\t"
        "mov r5, r9\n\t"
        "mov r6, r10\n\t"
        "mov r7, r11\n\t"
        "push {r4-r7}\n\t"
        "ldm r0!, {r1, r2, r3, r4, r5, r6, r7}\n\t"
        "mov r12, r2\n\t"
        "push {r1}\n\t"
        "mov r1, r3\n\t"
        "ldm r0!, {r2, r3}\n\t"
        "mov r8, r2\n\t"
        "mov r9, r3\n\t"
        "ldm r0!, {r2, r3}\n\t"
        "mov r10, r2\n\t"
        "mov r11, r3\n\t"
        "pop {r0}\n\t"
        "1:\n\t"
        EQ_SCALAR_ELEMENT_("0", "0", "1", "2", "3", "4", "5", "6", "7")
        EQ_SCALAR_ELEMENT_("1", "8", "9", "10", "11", "12", "13", "14", "15")
        EQ_SCALAR_ELEMENT_("2", "16", "17", "18", "19", "20", "21", "22", "23")
        EQ_SCALAR_ELEMENT_("3", "24", "25", "26", "27", "28", "29", "30", "31")
        "adds r0, r0, #4\n\t"
        "adds r1, r1, #32\n\t"
        "cmp r0, r12\n\t"
        "bne 1b\n\t"
        "ldr r0, [sp, #16]\n\t"
        "adds r0, r0, #12\n\t"
        "stm r0!, {r4-r7}\n\t"
        "mov r4, r8\n\t"
        "mov r5, r9\n\t"
        "mov r6, r10\n\t"
        "mov r7, r11\n\t"
        "stm r0!, {r4-r7}\n\t"
        "pop {r4-r7}\n\t"
        "mov r8, r4\n\t"
        "mov r9, r5\n\t"
        "mov r10, r6\n\t"
        "mov r11, r7\n\t"
        "pop {r0, r4-r7}\n\t"
        : "+r"(job)::"r1", "r2", "r3", "r12", "cc", "memory");
}
#else
#define EQ_SCALAR_EIGHT_(i) s##i += v * w[i]
EQ_SCALAR_SHARED void eq_scalar_eight(eq_scalar_eight_t *job)
{
    const eq_u8 *w = job->w, *end = job->x_end;
    uint32_t s0 = job->sum[0], s1 = job->sum[1], s2 = job->sum[2], s3 = job->sum[3];
    uint32_t s4 = job->sum[4], s5 = job->sum[5], s6 = job->sum[6], s7 = job->sum[7];
    for (const eq_u8 *x = job->x; x != end; x += 4) {
        for (int32_t k = 0; k < 4; k++, w += 8) {
            const uint32_t v = x[k];
            EQ_SCALAR_EIGHT_(0);
            EQ_SCALAR_EIGHT_(1);
            EQ_SCALAR_EIGHT_(2);
            EQ_SCALAR_EIGHT_(3);
            EQ_SCALAR_EIGHT_(4);
            EQ_SCALAR_EIGHT_(5);
            EQ_SCALAR_EIGHT_(6);
            EQ_SCALAR_EIGHT_(7);
        }
    }
    job->sum[0] = s0;
    job->sum[1] = s1;
    job->sum[2] = s2;
    job->sum[3] = s3;
    job->sum[4] = s4;
    job->sum[5] = s5;
    job->sum[6] = s6;
    job->sum[7] = s7;
}
#endif

#endif
