#include "conv_dot.h"

#include <stddef.h>

#include "../fixed_point.h"
#include "conv_block.h"

#ifdef KERNEL_DSP

/*
 * A word of weights is SMLAD's operand as it is (256 * H + L), and by SXTB16 once more for L alone:
 * one instruction less than to take the two apart. What the first gives less the second is 256
 * times the sum of H. r0 block, r1 weights, r2-r5 low, r6-r9 low + 256 high, r10 weights, r11 low
 * weights, r12 and lr values.
 */
#define CONV_DOT_WORD          \
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
#define CONV_DOT_FOUR_TAPS CONV_DOT_WORD CONV_DOT_WORD
#define CONV_DOT_SIXTEEN_TAPS \
  CONV_DOT_FOUR_TAPS CONV_DOT_FOUR_TAPS CONV_DOT_FOUR_TAPS CONV_DOT_FOUR_TAPS

/** lr: the high channel's bias. */
#define CONV_DOT_HIGH(low, both) \
  "sub " both ", " both ", " low \
  "\n\t"                         \
  "add " both ", lr, " both ", asr #8\n\t"

/** As requantize_signed: r0 the multiplier, r1 the offset, r10 the shift. */
#define CONV_DOT_REQUANTIZE(sum) \
  "add " sum ", " sum ", " sum   \
  "\n\t"                         \
  "smmulr " sum ", " sum         \
  ", r0\n\t"                     \
  "add " sum ", " sum ", " sum   \
  ", asr #31\n\t"                \
  "add " sum ", " sum            \
  ", r1\n\t"                     \
  "asr " sum ", " sum            \
  ", r10\n\t"                    \
  "ssat " sum ", #8, " sum "\n\t"

/** A channel's four pixels; r12 the pairs, `next` 0 or 1 and `word` four times it for the low or
 * the high. */
#define CONV_DOT_FINISH(next, word, s0, s1, s2, s3)                                    \
  "ldrd r0, r10, [r12, %[multipliers]]\n\t"                                            \
  "ldr r0, [r0, #" word                                                                \
  "]\n\t"                                                                              \
  "ldrsb r10, [r10, #" next                                                            \
  "]\n\t"                                                                              \
  "ldr lr, [r12, %[unit]]\n\t"                                                         \
  "mvn r1, r10\n\t"                                                                    \
  "neg r10, r10\n\t"                                                                   \
  "lsl r1, lr, r1\n\t"                                                                 \
  "ldrd r11, lr, [r12, %[output]]\n\t" CONV_DOT_REQUANTIZE(s0) CONV_DOT_REQUANTIZE(s1) \
      CONV_DOT_REQUANTIZE(s2) CONV_DOT_REQUANTIZE(s3) "strb " s0 ", [r11, #" next      \
                                                      "]!\n\t"                         \
                                                      "strb " s1                       \
                                                      ", [r11, lr]\n\t"                \
                                                      "strb " s2                       \
                                                      ", [r11, lr, lsl #1]\n\t"        \
                                                      "add r11, r11, lr\n\t"           \
                                                      "strb " s3 ", [r11, lr, lsl #1]\n\t"

#define CONV_PAIRS_AT(field) [field] "i"(offsetof(struct conv_pairs, field))

/** The stack holds the pairs, wide_end and end. */
__attribute__((naked, noinline)) static void conv_pairs_words(struct conv_pairs *pairs
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
      "ldrd r11, r1, [r12, %[end]]\n\t"
      "mov r6, r2\n\t"
      "mov r7, r3\n\t"
      "mov r8, r4\n\t"
      "mov r9, r5\n\t"
      "ldr r12, [sp, #4]\n\t"
      "cmp r0, r12\n\t"
      "beq 4f\n"
      "3:\n\t" CONV_DOT_SIXTEEN_TAPS
      "ldr r12, [sp, #4]\n\t"
      "cmp r0, r12\n\t"
      "bne 3b\n"
      "4:\n\t"
      "ldr r12, [sp, #8]\n\t"
      "cmp r0, r12\n\t"
      "beq 6f\n"
      "5:\n\t" CONV_DOT_FOUR_TAPS
      "ldr r12, [sp, #8]\n\t"
      "cmp r0, r12\n\t"
      "bne 5b\n"
      "6:\n\t"
      "ldr r12, [sp]\n\t"
      "ldrd r10, r11, [r12, %[count]]\n\t"
      "str r1, [r12, %[weights]]\n\t"
      "movs lr, r10\n\t"
      "it ne\n\t"
      "ldrne lr, [r11, #4]\n\t" CONV_DOT_HIGH("r2", "r6") CONV_DOT_HIGH("r3", "r7")
          CONV_DOT_HIGH("r4", "r8") CONV_DOT_HIGH("r5", "r9")
      "cmp r10, #0\n\t"
      "beq 7f\n\t" CONV_DOT_FINISH("0", "0", "r2", "r3", "r4", "r5")
          CONV_DOT_FINISH("1", "4", "r6", "r7", "r8", "r9")
      /* On to the next channels. */
      "ldrd r0, r1, [r12, %[count]]\n\t"
      "ldrd r2, r3, [r12, %[multipliers]]\n\t"
      "ldr r4, [r12, %[output]]\n\t"
      "adds r1, r1, #8\n\t"
      "adds r2, r2, #8\n\t"
      "adds r3, r3, #2\n\t"
      "adds r4, r4, #2\n\t"
      "subs r0, r0, #1\n\t"
      "strd r0, r1, [r12, %[count]]\n\t"
      "strd r2, r3, [r12, %[multipliers]]\n\t"
      "str r4, [r12, %[output]]\n\t"
      "bne 1b\n\t"
      "b 8f\n"
      "7:\n\t"
      "add r12, r12, %[sums]\n\t"
      "stm r12, {r2-r9}\n"
      "8:\n\t"
      "add sp, sp, #12\n\t"
      "pop {r4-r11, pc}\n"
      :
      : CONV_PAIRS_AT(block), CONV_PAIRS_AT(wide_end), CONV_PAIRS_AT(end), CONV_PAIRS_AT(weights),
        CONV_PAIRS_AT(count), CONV_PAIRS_AT(multipliers), CONV_PAIRS_AT(output),
        CONV_PAIRS_AT(unit), CONV_PAIRS_AT(sums), CONV_PAIRS_AT(bias));
}

/** What is loaded two at a time. */
#define CONV_PAIRS_BESIDE(first, second)                                                        \
  _Static_assert(offsetof(struct conv_pairs, second) == offsetof(struct conv_pairs, first) + 4, \
                 "conv_pairs_words")
CONV_PAIRS_BESIDE(wide_end, end);
CONV_PAIRS_BESIDE(end, weights);
CONV_PAIRS_BESIDE(count, bias);
CONV_PAIRS_BESIDE(multipliers, shifts);
CONV_PAIRS_BESIDE(output, stride);

void conv_dot_pairs(struct conv_pairs *pairs, const int16_t *block, uint32_t taps) {
  pairs->block = block;
  pairs->wide_end = block + taps / CONV_DOT_TURN * CONV_DOT_TURN * SCRATCH_CONV_PIXELS;
  pairs->end = block + taps * SCRATCH_CONV_PIXELS;
  conv_pairs_words(pairs);
}

#else

/** One pair: here there is never a count. */
void conv_dot_pairs(struct conv_pairs *pairs, const int16_t *block, uint32_t taps) {
  int32_t *sums = pairs->sums;
  for (uint32_t p = 0; p < SCRATCH_CONV_PIXELS; p++) sums[p + SCRATCH_CONV_PIXELS] = 0;
  for (uint32_t lane = 0; lane < taps; lane++) {
    const int32_t low = conv_dot_low(pairs->weights, lane);
    const int32_t high = conv_dot_high(pairs->weights, lane);
    const int16_t *values = block + (lane >> 1) * (2u * SCRATCH_CONV_PIXELS) + (lane & 1u);
    for (uint32_t p = 0; p < SCRATCH_CONV_PIXELS; p++) {
      const int32_t value = values[2u * p];
      sums[p] = fixed_add(sums[p], low * value);
      sums[p + SCRATCH_CONV_PIXELS] = fixed_add(sums[p + SCRATCH_CONV_PIXELS], high * value);
    }
  }
  pairs->weights += 2u * taps;
}

#endif

void conv_dot_dense(const int8_t *weights, const int16_t *block, uint32_t taps, int32_t *sums) {
  for (uint32_t tap = 0; tap < taps; tap++) {
    const int32_t weight = weights[tap];
    const int16_t *values = block + conv_block_beside(tap);
    for (uint32_t p = 0; p < SCRATCH_CONV_PIXELS; p++) {
      sums[p] = fixed_add(sums[p], weight * values[2u * p]);
    }
  }
}

void conv_dot_runs(struct conv_runs *runs, const int16_t *block, int32_t *sums) {
  for (uint32_t groups = *runs->groups++; groups > 0; groups--) {
    uint32_t gaps = *runs->gaps++;
    for (uint32_t i = 0; i < 4; i++, gaps >>= 4) {
      block += (gaps & 15u) * SCRATCH_CONV_PIXELS;
      const int32_t weight = *runs->weights++;
      for (uint32_t p = 0; p < SCRATCH_CONV_PIXELS; p++) {
        sums[p] = fixed_add(sums[p], weight * block[p]);
      }
    }
  }
}
