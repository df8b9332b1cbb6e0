#include "conv_pairs.h"

#include <stddef.h>

#include "../fixed_point.h"

#ifdef KERNEL_DSP

/*
 * A word of weights is SMLAD's operand as it is (256 * H + L), and by SXTB16 once more for L alone:
 * one instruction less than to take the two apart. What the first gives less the second is 256
 * times the sum of H. r0 block, r1 weights, r2-r5 low, r6-r9 low + 256 high, r10 weights, r11 low
 * weights, r12 and lr values.
 */
#define CONV_PAIRS_WORD        \
  "ldr r10, [r1], #4\n\t"      \
  "ldrd r12, lr, [r0], #8\n\t" \
  "sxtb16 r11, r10\n\t"        \
  "smlad r2, r11, r12, r2\n\t" \
  "smlad r6, r10, r12, r6\n\t" \
  "smlad r3, r11, lr, r3\n\t"  \
  "smlad r7, r10, lr, r7\n\t"  \
  "ldrd r12, lr, [r0], #8\n\t" \
  "smlad r4, r11, r12, r4\n\t" \
  "smlad r8, r10, r12, r8\n\t" \
  "smlad r5, r11, lr, r5\n\t"  \
  "smlad r9, r10, lr, r9\n\t"
#define CONV_PAIRS_FOUR_TAPS CONV_PAIRS_WORD CONV_PAIRS_WORD
#define CONV_PAIRS_SIXTEEN_TAPS \
  CONV_PAIRS_FOUR_TAPS CONV_PAIRS_FOUR_TAPS CONV_PAIRS_FOUR_TAPS CONV_PAIRS_FOUR_TAPS

/** lr: the high channel's bias. */
#define CONV_PAIRS_HIGH(low, both) \
  "sub " both ", " both ", " low   \
  "\n\t"                           \
  "add " both ", lr, " both ", asr #8\n\t"

/** The stack holds the task, wide_end and end. */
__attribute__((naked, noinline)) static void conv_pairs_words(struct conv_task *task
                                                              __attribute__((unused))) {
  __asm__ volatile(
      "push {r4-r11, lr}\n\t"
      "mov r12, r0\n\t"
      "ldrd r10, r11, [r0, %[wide_end]]\n\t"
      "push {r0, r10, r11}\n\t"
      "ldr r10, [r12, %[count]]\n\t"
      "cmp r10, #0\n\t"
      "bne 1f\n\t"
      "add r2, r12, %[sums]\n\t"
      "ldm r2, {r2-r5}\n\t"
      "b 2f\n"
      /* A pair. */
      "1:\n\t"
      "ldr r2, [r12, %[bias]]\n\t"
      "ldr r2, [r2]\n\t"
      "mov r3, r2\n\t"
      "mov r4, r2\n\t"
      "mov r5, r2\n"
      "2:\n\t"
      "ldr r0, [r12, %[block]]\n\t"
      "ldr r1, [r12, %[pair_weights]]\n\t"
      "mov r6, r2\n\t"
      "mov r7, r3\n\t"
      "mov r8, r4\n\t"
      "mov r9, r5\n\t"
      "ldr r12, [sp, #4]\n\t"
      "cmp r0, r12\n\t"
      "beq 4f\n"
      "3:\n\t" CONV_PAIRS_SIXTEEN_TAPS
      "ldr r12, [sp, #4]\n\t"
      "cmp r0, r12\n\t"
      "bne 3b\n"
      "4:\n\t"
      "ldr r12, [sp, #8]\n\t"
      "cmp r0, r12\n\t"
      "beq 6f\n"
      "5:\n\t" CONV_PAIRS_FOUR_TAPS
      "ldr r12, [sp, #8]\n\t"
      "cmp r0, r12\n\t"
      "bne 5b\n"
      "6:\n\t"
      "ldr r12, [sp]\n\t"
      "ldrd r10, r11, [r12, %[count]]\n\t"
      "str r1, [r12, %[pair_weights]]\n\t"
      "movs lr, r10\n\t"
      "it ne\n\t"
      "ldrne lr, [r11, #4]\n\t" CONV_PAIRS_HIGH("r2", "r6") CONV_PAIRS_HIGH("r3", "r7")
          CONV_PAIRS_HIGH("r4", "r8") CONV_PAIRS_HIGH("r5", "r9")
      "cmp r10, #0\n\t"
      "beq 7f\n\t" CONV_TASK_FINISH("0", "0", "r2", "r3", "r4", "r5")
          CONV_TASK_FINISH("1", "4", "r6", "r7", "r8", "r9")
      /* On to the next channels. */
      CONV_TASK_NEXT("2", "8")
      "bne 1b\n\t"
      "b 8f\n"
      "7:\n\t"
      "add r12, r12, %[sums]\n\t"
      "stm r12, {r2-r9}\n"
      "8:\n\t"
      "add sp, sp, #12\n\t"
      "pop {r4-r11, pc}\n"
      :
      : CONV_TASK_AT(block), CONV_TASK_AT(wide_end), CONV_TASK_AT(pair_weights),
        CONV_TASK_AT(count), CONV_TASK_AT(multipliers), CONV_TASK_AT(output),
        CONV_TASK_AT(unit), CONV_TASK_AT(sums), CONV_TASK_AT(bias)
      : "memory");
}

CONV_TASK_BESIDE(wide_end, end);

void conv_pairs(struct conv_task *task, uint32_t taps) {
  const uint32_t wide = taps / CONV_PAIRS_TURN * CONV_PAIRS_TURN;
  task->wide_end = task->block + wide * SCRATCH_CONV_PIXELS;
  task->end = task->block + taps * SCRATCH_CONV_PIXELS;
  conv_pairs_words(task);
}

#else

/** One pair: here there is never a count. */
void conv_pairs(struct conv_task *task, uint32_t taps) {
  int32_t *sums = task->sums;
  for (uint32_t p = 0; p < SCRATCH_CONV_PIXELS; p++) sums[p + SCRATCH_CONV_PIXELS] = 0;
  for (uint32_t lane = 0; lane < taps; lane++) {
    const int32_t low = conv_pairs_low(task->pair_weights, lane);
    const int32_t high = conv_pairs_high(task->pair_weights, lane);
    const int16_t *values = task->block + (lane >> 1) * (2u * SCRATCH_CONV_PIXELS) + (lane & 1u);
    for (uint32_t p = 0; p < SCRATCH_CONV_PIXELS; p++) {
      const int32_t value = values[2u * p];
      sums[p] = fixed_add(sums[p], low * value);
      sums[p + SCRATCH_CONV_PIXELS] = fixed_add(sums[p + SCRATCH_CONV_PIXELS], high * value);
    }
  }
  task->pair_weights += 2u * taps;
}

#endif
