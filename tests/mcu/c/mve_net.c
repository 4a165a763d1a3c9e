/* A network that adds 1 to sixteen bytes with one Helium instruction: proves that MVE code runs. */
#include "harness.h"

#include <arm_mve.h>

static int8_t x[16];
static int8_t y[16];

static int32_t init(void)
{
    return 0;
}

static int32_t run(void)
{
    vst1q_s8(y, vaddq_n_s8(vld1q_s8(x), 1));
    return 0;
}

static const struct eq_input inputs[] = {{x, sizeof x}};
static const struct eq_output outputs[] = {{y, sizeof y}};

const struct eq_harness eq_harness_net = {"mve", init, run, inputs, 1u, outputs, 1u};
