/* A network of two layers by hand, for tests of toolchains and runners: mid = 3 x, y = (mid + 1) * 1000003 / d.
 *
 * BREAK picks a way to go wrong: see go_wrong().
 */
#include "harness.h"

#include <string.h>

#ifndef BREAK
#define BREAK GOOD
#endif
#define N 16

/* Macros, not an enum: some are asked for by the preprocessor. */
#define GOOD 0
#define WRONG_OUTPUT 1
#define HARD_FAULT 2
#define LOOP 3
#define BAD_RUN 4
#define BAD_INIT 5
#define DEEP_STACK 6
#define LOCKUP 7
#define UNDEFINED 8

static int8_t x[N];
static int8_t bias;
static int32_t mid[N];
static int32_t y[N];
static volatile int32_t divisor = 7;
static volatile float half = 0.5f;

static int32_t init(void)
{
    return BREAK == BAD_INIT ? 77 : 0;
}

static void go_wrong(void)
{
    if (BREAK == WRONG_OUTPUT) {
        y[5]++;
    }
    if (BREAK == HARD_FAULT) {
        *(volatile uint32_t *)(uintptr_t)0xF0000000u = 1u;
    }
    if (BREAK == LOOP) {
        for (;;) {
            __asm__ volatile("");
        }
    }
#if BREAK == DEEP_STACK
    volatile uint8_t large[7950];
    for (uint32_t i = 0; i < sizeof large; i++) {
        large[i] = (uint8_t)i;
    }
#endif
#if BREAK == LOCKUP
    __asm__ volatile(".syntax unified\n ldr r0, =0xF0000000\n mov sp, r0\n push {r0}\n .ltorg" : : : "r0");
#endif
#if BREAK == UNDEFINED && defined(__riscv)
    __asm__ volatile(".word 0");
#elif BREAK == UNDEFINED
    __asm__ volatile("udf #0");
#endif
}

static int32_t run(void)
{
    for (int i = 0; i < N; i++) {
        mid[i] = 3 * x[i] + 2 * bias;
    }
    EDGEQ_HOOK(0, mid, sizeof mid);
    for (int i = 0; i < N; i++) {
        /* A 64-bit division makes the linker fetch libgcc or compiler-rt. */
        y[i] = (int32_t)(((int64_t)mid[i] + 1) * 1000003 / divisor);
    }
    /* Proves that the FPU is on where there is one: 8 * 0.5 is 4 exactly. */
    if ((int32_t)(8.0f * half) != 4) {
        return 99;
    }
    go_wrong();
    EDGEQ_HOOK(1, y, sizeof y);
    return BREAK == BAD_RUN ? -5 : 0;
}

static const struct eq_input inputs[] = {{x, sizeof x}, {&bias, sizeof bias}};
static const struct eq_output outputs[] = {{y, sizeof y}, {mid, 4u}};

const struct eq_harness eq_harness_net = {"tiny", init, run, inputs, 2u, outputs, 2u};
