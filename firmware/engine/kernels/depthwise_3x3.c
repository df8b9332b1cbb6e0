#include "depthwise_3x3.h"

#include <stddef.h>

#ifdef KERNEL_DSP

/*
 * Two outputs beside each other. r0 the first column, r1 a row of it, r2 and r3 values, r4-r9
 * weights, r10 and r11 sums, r12 the pitch, lr the output. An odd row's last output is one of two,
 * of which the other is not kept. One column apart: (v0, v1) times (w0, w1) and v2 times w2 is the
 * one, v1 times w0 and (v2, v3) times (w1, w2) the other.
 */
#define DEPTHWISE_BY_ONE(at, first, last) \
  "ldrd r2, r3, [" at                     \
  "]\n\t"                                 \
  "smlad r10, r2, " first                 \
  ", r10\n\t"                             \
  "smlatb r11, r2, " first                \
  ", r11\n\t"                             \
  "smlabt r10, r3, " last                 \
  ", r10\n\t"                             \
  "smlad r11, r3, " last ", r11\n\t"

/** Two columns apart: (v0, v1) and v2, then (v2, v3) and v4. */
#define DEPTHWISE_BY_TWO(at, first, last) \
  "ldrd r2, r3, [" at                     \
  "]\n\t"                                 \
  "smlad r10, r2, " first                 \
  ", r10\n\t"                             \
  "ldr r2, [" at                          \
  ", #8]\n\t"                             \
  "smlabt r10, r3, " last                 \
  ", r10\n\t"                             \
  "smlad r11, r3, " first                 \
  ", r11\n\t"                             \
  "smlabt r11, r2, " last ", r11\n\t"

/** As requantize_signed: r1 the multiplier, r2 the offset, r3 the shift. */
#define DEPTHWISE_REQUANTIZE(sum) \
  "add " sum ", " sum ", " sum    \
  "\n\t"                          \
  "smmulr " sum ", " sum          \
  ", r1\n\t"                      \
  "add " sum ", " sum ", " sum    \
  ", asr #31\n\t"                 \
  "add " sum ", " sum             \
  ", r2\n\t"                      \
  "asr " sum ", " sum             \
  ", r3\n\t"                      \
  "ssat " sum ", #8, " sum "\n\t"

#define DEPTHWISE_AT(field) [field] "i"(offsetof(struct depthwise_3x3, field))

/** The stack: bias twice, stride, the end of the outputs' row, multiplier, offset, shift, the
 * structure. */
#define DEPTHWISE_RUN(ROW, columns_bytes) \
  __asm__ volatile(                                                                              \
      "push {r4-r11, lr}\n\t"                                                                    \
      "sub sp, sp, #32\n\t" \
      "mov r1, r0\n\t" \
      "str r1, [sp, #28]\n\t" \
      "add r2, r1, %[bias]\n\t" \
      "ldm r2, {r4-r8}\n\t" \
      "strd r4, r5, [sp]\n\t" \
      "strd r6, r7, [sp, #16]\n\t" \
      "str r8, [sp, #24]\n\t" \
      "ldr r2, [r1, %[stride]]\n\t" \
      "str r2, [sp, #8]\n\t" \
      "add r2, r1, %[weights]\n\t" \
      "ldm r2, {r4-r9}\n\t" \
      "ldm r1, {r0, r12, lr}\n" \
      "1:\n\t" \
      "ldr r2, [r1, %[row_bytes]]\n\t" \
      "add r2, r2, lr\n\t" \
      "str r2, [sp, #12]\n" \
      "2:\n\t" \
      "ldrd r10, r11, [sp]\n\t" ROW("r0", "r4", "r5") \
      "add r1, r0, r12\n\t" ROW("r1", "r6", "r7") \
      "add r1, r1, r12\n\t" ROW("r1", "r8", "r9") \
      "ldrd r1, r2, [sp, #16]\n\t" \
      "ldr r3, [sp, #24]\n\t" DEPTHWISE_REQUANTIZE("r10") DEPTHWISE_REQUANTIZE("r11") \
      "ldrd r1, r2, [sp, #8]\n\t" \
      "strb r10, [lr]\n\t" \
      "add lr, lr, r1\n\t" \
      "cmp lr, r2\n\t" \
      "beq 3f\n\t" \
      "strb r11, [lr]\n\t" \
      "add lr, lr, r1\n\t" \
      "adds r0, r0, #" columns_bytes "\n\t" \
      "cmp lr, r2\n\t" \
      "bne 2b\n" \
      "3:\n\t" \
      "ldr r1, [sp, #28]\n\t" \
      "ldr r0, [r1]\n\t" \
      "ldr r2, [r1, %[rows]]\n\t" \
      "ldr r3, [r1, %[row_step]]\n\t" \
      "add r0, r0, r3\n\t" \
      "str r0, [r1]\n\t" \
      "subs r2, r2, #1\n\t" \
      "str r2, [r1, %[rows]]\n\t" \
      "bne 1b\n\t" \
      "add sp, sp, #32\n\t" \
      "pop {r4-r11, pc}\n" \
      :                                                                                          \
      : DEPTHWISE_AT(bias), DEPTHWISE_AT(weights), DEPTHWISE_AT(stride),                         \
        DEPTHWISE_AT(row_bytes), DEPTHWISE_AT(rows), DEPTHWISE_AT(row_step) : "memory")

/** What is loaded together. */
_Static_assert(offsetof(struct depthwise_3x3, output) == 8, "DEPTHWISE_RUN");
_Static_assert(offsetof(struct depthwise_3x3, weights) == offsetof(struct depthwise_3x3, bias) + 20,
               "DEPTHWISE_RUN");

__attribute__((naked)) void depthwise_3x3_by_one(struct depthwise_3x3 *run
                                                 __attribute__((unused))) {
  DEPTHWISE_RUN(DEPTHWISE_BY_ONE, "4");
}

__attribute__((naked)) void depthwise_3x3_by_two(struct depthwise_3x3 *run
                                                 __attribute__((unused))) {
  DEPTHWISE_RUN(DEPTHWISE_BY_TWO, "8");
}

#endif
