/* A network whose run() is assembly, so that the number of its instructions is known by reading it:
 * 1 + 100 * 2 + 2 = 203, on Thumb and on RISC-V alike; with IT_BLOCK (not on Cortex-M0) two more, one of which
 * is passed over: 205. */
#include "harness.h"

static uint8_t x[4];

static int32_t init(void)
{
    return 0;
}

int32_t counted_run(void);

#if defined(__riscv)
__asm__(".pushsection .text.counted_run, \"ax\", %progbits\n"
        ".global counted_run\n"
        ".type counted_run, %function\n"
        "counted_run:\n"
        "    li a0, 100\n"
        "1:  addi a0, a0, -1\n"
        "    bnez a0, 1b\n"
        "    li a0, 0\n"
        "    ret\n"
        ".size counted_run, . - counted_run\n"
        ".popsection\n");
#else
__asm__(".pushsection .text.counted_run, \"ax\", %progbits\n"
        ".syntax unified\n"
        ".thumb\n"
        ".global counted_run\n"
        ".type counted_run, %function\n"
        ".thumb_func\n"
        "counted_run:\n"
        "    movs r0, #100\n"
        "1:  subs r0, r0, #1\n"
        "    bne 1b\n"
#if defined(IT_BLOCK)
        "    it ne\n"
        "    movne r0, #9\n"
#endif
        "    movs r0, #0\n"
        "    bx lr\n"
        ".size counted_run, . - counted_run\n"
        ".popsection\n");
#endif

static const struct eq_input inputs[] = {{x, sizeof x}};
static const struct eq_output outputs[] = {{x, sizeof x}};

const struct eq_harness eq_harness_net = {"count", init, counted_run, inputs, 1u, outputs, 1u};
