/** A block of four windows (conv_block.h) times the weights of many channels. */
#ifndef CONV_TASK_H
#define CONV_TASK_H

#include <stddef.h>

#include "conv_block.h"
#include "requantize.h"

/** Weights of PLAN_RUNS from a channel on. */
struct conv_runs {
  const uint16_t *gaps;
  const int8_t *weights;
  const uint16_t *groups;
};

/** Assembler reads it by offsets. */
struct conv_task {
  const int16_t *block;
  /* Pairs of channels, or channels of runs, that are worked out to the end; each narrow, with a
     multiplier of its own. 0: one, of which there are only sums. */
  uint32_t count;
  const int32_t *bias; /* of the next channel, as the four below */
  const int32_t *multipliers;
  const int8_t *shifts;
  int8_t *output; /* of the first of four pixels, a stride apart */
  uint32_t stride;
  int32_t unit; /* requantize_unit */
  /* Without a count: those of a channel, or of the low channel of a pair, as they start; then of
   * both. */
  int32_t sums[2u * SCRATCH_CONV_PIXELS];
  /* Of PLAN_PAIRS, set by conv_pairs. */
  const int16_t *wide_end; /* of whole turns of CONV_PAIRS_TURN taps */
  const int16_t *end;
  const uint8_t *pair_weights; /* moved on */
  struct conv_runs runs;       /* moved on */
};

#ifdef KERNEL_DSP

#define CONV_TASK_AT(field) [field] "i"(offsetof(struct conv_task, field))

/** What is loaded two at a time. */
#define CONV_TASK_BESIDE(first, second)                                                       \
  _Static_assert(offsetof(struct conv_task, second) == offsetof(struct conv_task, first) + 4, \
                 "conv_task")

/** As requantize_signed: r0 the multiplier, r1 the offset, r10 the shift. */
#define CONV_TASK_REQUANTIZE(sum) \
  "add " sum ", " sum ", " sum    \
  "\n\t"                          \
  "smmulr " sum ", " sum          \
  ", r0\n\t"                      \
  "add " sum ", " sum ", " sum    \
  ", asr #31\n\t"                 \
  "add " sum ", " sum             \
  ", r1\n\t"                      \
  "asr " sum ", " sum             \
  ", r10\n\t"                     \
  "ssat " sum ", #8, " sum "\n\t"

/** A channel's four outputs from its sums. r12 the task, where `next` channels on are `word` bytes
 * of a word each.
 */
#define CONV_TASK_FINISH(next, word, s0, s1, s2, s3)                                     \
  "ldrd r0, r10, [r12, %[multipliers]]\n\t"                                              \
  "ldr r0, [r0, #" word                                                                  \
  "]\n\t"                                                                                \
  "ldrsb r10, [r10, #" next                                                              \
  "]\n\t"                                                                                \
  "ldr lr, [r12, %[unit]]\n\t"                                                           \
  "mvn r1, r10\n\t"                                                                      \
  "neg r10, r10\n\t"                                                                     \
  "lsl r1, lr, r1\n\t"                                                                   \
  "ldrd r11, lr, [r12, %[output]]\n\t" CONV_TASK_REQUANTIZE(s0) CONV_TASK_REQUANTIZE(s1) \
      CONV_TASK_REQUANTIZE(s2) CONV_TASK_REQUANTIZE(s3) "strb " s0 ", [r11, #" next      \
                                                        "]!\n\t"                         \
                                                        "strb " s1                       \
                                                        ", [r11, lr]\n\t"                \
                                                        "strb " s2                       \
                                                        ", [r11, lr, lsl #1]\n\t"        \
                                                        "add r11, r11, lr\n\t"           \
                                                        "strb " s3 ", [r11, lr, lsl #1]\n\t"

/** So many channels on, `words` bytes of their words: sets the flags of the count. */
#define CONV_TASK_NEXT(channels, words)    \
  "ldrd r0, r1, [r12, %[count]]\n\t"       \
  "ldrd r2, r3, [r12, %[multipliers]]\n\t" \
  "ldr r4, [r12, %[output]]\n\t"           \
  "adds r1, r1, #" words                   \
  "\n\t"                                   \
  "adds r2, r2, #" words                   \
  "\n\t"                                   \
  "adds r3, r3, #" channels                \
  "\n\t"                                   \
  "adds r4, r4, #" channels                \
  "\n\t"                                   \
  "subs r0, r0, #1\n\t"                    \
  "strd r0, r1, [r12, %[count]]\n\t"       \
  "strd r2, r3, [r12, %[multipliers]]\n\t" \
  "str r4, [r12, %[output]]\n\t"

CONV_TASK_BESIDE(count, bias);
CONV_TASK_BESIDE(multipliers, shifts);
CONV_TASK_BESIDE(output, stride);

#endif
#endif
