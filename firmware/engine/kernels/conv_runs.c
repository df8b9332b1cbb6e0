#include "conv_runs.h"

#include <stddef.h>

#ifdef KERNEL_DSP

/*
 * An entry: its gap in four bits of r8, its weight in a half of r9 or r10. r0 the block, r1 gaps,
 * r2 weights, r3 groups, r4 to r7 sums, r11 and r12 the values of four pixels.
 */
#define CONV_RUNS_ENTRY(bit, half, weight) \
  "ubfx lr, r8, #" bit                     \
  ", #4\n\t"                               \
  "add r0, r0, lr, lsl #3\n\t"             \
  "ldrd r11, r12, [r0]\n\t"                \
  "smlab" half " r4, r11, " weight         \
  ", r4\n\t"                               \
  "smlat" half " r5, r11, " weight         \
  ", r5\n\t"                               \
  "smlab" half " r6, r12, " weight         \
  ", r6\n\t"                               \
  "smlat" half " r7, r12, " weight ", r7\n\t"

/** The stack holds the task. */
__attribute__((naked, noinline)) static void conv_runs_entries(struct conv_task *task
                                                               __attribute__((unused))) {
  __asm__ volatile(
      "push {r0, r4-r11, lr}\n\t"
      "mov r12, r0\n"
      /* A channel. */
      "1:\n\t"
      "ldrd r1, r4, [r12, %[count]]\n\t"
      "cmp r1, #0\n\t"
      "itte ne\n\t"
      "ldrne r4, [r4]\n\t"
      "movne r5, r4\n\t"
      "addeq r4, r12, %[sums]\n\t"
      "itte ne\n\t"
      "movne r6, r4\n\t"
      "movne r7, r4\n\t"
      "ldmeq r4, {r4-r7}\n\t"
      "ldr r3, [r12, %[groups]]\n\t"
      "ldr r0, [r12, %[block]]\n\t"
      "ldrd r1, r2, [r12, %[gaps]]\n\t"
      "ldrh r8, [r3], #2\n\t"
      "str r3, [r12, %[groups]]\n\t"
      "movs r3, r8\n\t"
      "beq 3f\n"
      "2:\n\t"
      "ldrh r8, [r1], #2\n\t"
      "ldr r9, [r2], #4\n\t"
      "sxtb16 r10, r9, ror #8\n\t"
      "sxtb16 r9, r9\n\t" CONV_RUNS_ENTRY("0", "b", "r9") CONV_RUNS_ENTRY("4", "b", "r10")
          CONV_RUNS_ENTRY("8", "t", "r9") CONV_RUNS_ENTRY("12", "t", "r10")
      "subs r3, r3, #1\n\t"
      "bne 2b\n"
      "3:\n\t"
      "ldr r12, [sp]\n\t"
      "strd r1, r2, [r12, %[gaps]]\n\t"
      "ldr r3, [r12, %[count]]\n\t"
      "cmp r3, #0\n\t"
      "beq 4f\n\t" CONV_TASK_FINISH("0", "0", "r4", "r5", "r6", "r7") CONV_TASK_NEXT("1", "4")
      "bne 1b\n\t"
      "b 5f\n"
      "4:\n\t"
      "add r12, r12, %[sums]\n\t"
      "stm r12, {r4-r7}\n"
      "5:\n\t"
      "pop {r0, r4-r11, pc}\n"
      :
      : CONV_TASK_AT(block), CONV_TASK_AT(count), CONV_TASK_AT(multipliers), CONV_TASK_AT(output),
        CONV_TASK_AT(unit), CONV_TASK_AT(sums), [gaps] "i"(offsetof(struct conv_task, runs.gaps)),
        [groups] "i"(offsetof(struct conv_task, runs.groups))
      : "memory");
}

CONV_TASK_BESIDE(runs.gaps, runs.weights);

void conv_runs(struct conv_task *task) { conv_runs_entries(task); }

#else

/** One channel: here there is never a count. */
void conv_runs(struct conv_task *task) {
  const int16_t *values = task->block;
  int32_t *sums = task->sums;
  for (uint32_t groups = *task->runs.groups++; groups > 0; groups--) {
    uint32_t gaps = *task->runs.gaps++;
    for (uint32_t i = 0; i < 4u; i++, gaps >>= 4) {
      values += (gaps & 15u) * SCRATCH_CONV_PIXELS;
      const int32_t weight = *task->runs.weights++;
      for (uint32_t p = 0; p < SCRATCH_CONV_PIXELS; p++) {
        sums[p] = fixed_add(sums[p], weight * values[p]);
      }
    }
  }
}

#endif
