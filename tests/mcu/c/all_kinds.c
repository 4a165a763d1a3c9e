/* Instructions that compilers seldom choose, so that the classifier of Thumb code meets every encoding it knows. */

int all_kinds(void);
int cycle_stretch(void);

__asm__(".pushsection .text.all_kinds, \"ax\", %progbits\n"
        ".syntax unified\n"
        ".thumb\n"
        ".global all_kinds\n"
        ".type all_kinds, %function\n"
        ".thumb_func\n"
        "all_kinds:\n"
        "    push {r4-r7, lr}\n"
        "    push.w {r4, r8, lr}\n"
        "    stmia r0!, {r1, r2}\n"
        "    ldmia r0!, {r1, r2}\n"
        "    ldmia.w r0, {r1, r8}\n"
        "    stmdb r0, {r1, r8}\n"
        "    ldrd r2, r3, [r0, #8]\n"
        "    strd r2, r3, [r0], #8\n"
        "    ldrex r1, [r0]\n"
        "    strex r2, r1, [r0]\n"
        "    ldrexb r1, [r0]\n"
        "    ldr r1, [r0, r2]\n"
        "    ldrsb r1, [r0, r2]\n"
        "    ldrh r1, [r0, r2]\n"
        "    ldrb r1, [r0, r2]\n"
        "    ldrsh r1, [r0, r2]\n"
        "    str r1, [r0, r2]\n"
        "    strh r1, [r0, r2]\n"
        "    strb r1, [r0, r2]\n"
        "    ldr.w r1, [r0, r8, lsl #2]\n"
        "    ldrsh.w r1, [r0, #-4]\n"
        "    ldrsb.w r1, [r0], #1\n"
        "    strb.w r1, [r0], #1\n"
        "    str.w r1, [r0, #4]!\n"
        "    ldr r1, [sp, #4]\n"
        "    str r1, [sp, #4]\n"
        "    vldr s0, [r0, #4]\n"
        "    vstr s0, [r0, #4]\n"
        "    vldr d0, [r0, #8]\n"
        "    vstr d0, [r0, #8]\n"
        "    vldmia r0!, {s0-s3}\n"
        "    vstmdb r0!, {s0-s3}\n"
        "    vpush {s16-s17}\n"
        "    vpop {s16-s17}\n"
        "    vmov s0, r1\n"
        "    vmov r1, s0\n"
        "    vmov d0, r1, r2\n"
        "    vadd.f32 s0, s1, s2\n"
        "    smlad r1, r2, r3, r4\n"
        "    sxtb16 r1, r2, ror #8\n"
        "    ssat r1, #8, r2, asr #3\n"
        "    smmulr r1, r2, r3\n"
        "    smlal r1, r2, r3, r4\n"
        "    sdiv r1, r2, r3\n"
        "    movw r1, #1234\n"
        "    tst.w r1, #255\n"
        "    cbz r1, 1f\n"
        "    cbnz r1, 1f\n"
        "    beq.n 1f\n"
        "    bne.w 1f\n"
        "    itt gt\n"
        "    ldrgt r1, [r0]\n"
        "    addgt r1, #1\n"
        "    blx r3\n"
        "    b.w 1f\n"
        "    tbb [pc, r1]\n"
        "    tbh [pc, r1, lsl #1]\n"
        "1:  nop\n"
        "    nop.w\n"
        "    dsb\n"
        "    pop.w {r4, r8, lr}\n"
        "    bl all_kinds\n"
        "    pop {r4-r7, pc}\n"
        ".size all_kinds, . - all_kinds\n"
        ".popsection\n");

/* Ten executions of each, so that no branch is seen as taken: 24 cycles in all. */
__asm__(".pushsection .text.cycle_stretch, \"ax\", %progbits\n"
        ".syntax unified\n"
        ".thumb\n"
        ".global cycle_stretch\n"
        ".type cycle_stretch, %function\n"
        ".thumb_func\n"
        "cycle_stretch:\n"
        "    push {r4, lr}\n"          /* 3: 1 + 2 registers */
        "    ldr r1, [r0]\n"           /* 2 */
        "    ldr r2, [r0, #4]\n"       /* 1: follows a load */
        "    adds r1, r1, r2\n"        /* 1 */
        "    ldrd r2, r3, [r0]\n"      /* 3 */
        "    smlad r1, r2, r3, r1\n"   /* 1 */
        "    str r1, [r0]\n"           /* 1 */
        "    ldrb r1, [r0]\n"          /* 1: follows a store */
        "    cmp r1, #0\n"             /* 1 */
        "    beq 1f\n"                 /* 1: not taken */
        "1:  ldmia r0!, {r1-r3}\n"     /* 4 */
        "    pop {r4, pc}\n"           /* 5: 1 + 2 registers, 2 for the jump */
        ".size cycle_stretch, . - cycle_stretch\n"
        ".popsection\n");
