#include "conv_dot.h"

#include "../fixed_point.h"
#include "conv_block.h"

#ifdef KERNEL_DSP

/*
 * sums[0..3] += low, sums[4..7] = high, of the words up to `end`. A word of weights is SMLAD's
 * operand as it is (256 * H + L), and by SXTB16 once more for L alone: one instruction less than to
 * take the two apart. Eight taps a turn, entered in the middle for an odd group. r0 block, r1
 * weights, r2-r5 low, r6-r9 low + 256 high, r10 weights, r11 low weights, r12 and lr values.
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

#define CONV_DOT_HIGH(low, both) \
  "sub " both ", " both ", " low \
  "\n\t"                         \
  "asr " both ", " both ", #8\n\t"

__attribute__((naked, noinline)) static void conv_dot_words(
    const int16_t *block __attribute__((unused)), const uint8_t *weights __attribute__((unused)),
    int32_t *sums __attribute__((unused)), const int16_t *end __attribute__((unused))) {
  __asm__ volatile(
      "push {r2-r11, lr}\n\t"
      "mov r12, r2\n\t"
      "sub r10, r3, r0\n\t"
      "ldm r12, {r2-r5}\n\t"
      "mov r6, r2\n\t"
      "mov r7, r3\n\t"
      "mov r8, r4\n\t"
      "mov r9, r5\n\t"
      "tst r10, #32\n\t"
      "bne 2f\n"
      "1:\n\t" CONV_DOT_WORD CONV_DOT_WORD "2:\n\t" CONV_DOT_WORD CONV_DOT_WORD
      "ldr r12, [sp, #4]\n\t"
      "cmp r0, r12\n\t"
      "bne 1b\n\t" CONV_DOT_HIGH("r2", "r6") CONV_DOT_HIGH("r3", "r7") CONV_DOT_HIGH("r4", "r8")
          CONV_DOT_HIGH("r5", "r9")
      "ldr r12, [sp]\n\t"
      "stm r12, {r2-r9}\n\t"
      "pop {r2-r11, pc}\n");
}

void conv_dot_pairs(const uint8_t *weights, const int16_t *block, uint32_t taps, int32_t *sums) {
  if (taps <= CONV_DOT_SEGMENT) {
    conv_dot_words(block, weights, sums, block + taps * SCRATCH_CONV_PIXELS);
    return;
  }
  int32_t high[SCRATCH_CONV_PIXELS] = {0, 0, 0, 0};
  for (uint32_t count; taps > 0; taps -= count) {
    count = taps < CONV_DOT_SEGMENT ? taps : CONV_DOT_SEGMENT;
    const int16_t *end = block + count * SCRATCH_CONV_PIXELS;
    conv_dot_words(block, weights, sums, end);
    for (uint32_t p = 0; p < SCRATCH_CONV_PIXELS; p++) high[p] = fixed_add(high[p], sums[p + 4u]);
    block = end;
    weights += count * 2u;
  }
  for (uint32_t p = 0; p < SCRATCH_CONV_PIXELS; p++) sums[p + 4u] = high[p];
}

#else

void conv_dot_pairs(const uint8_t *weights, const int16_t *block, uint32_t taps, int32_t *sums) {
  for (uint32_t p = 0; p < SCRATCH_CONV_PIXELS; p++) sums[p + 4u] = 0;
  for (uint32_t lane = 0; lane < taps; lane++) {
    const int32_t low = conv_dot_low(weights, lane);
    const int32_t high = conv_dot_high(weights, lane);
    const int16_t *values = block + (lane >> 1) * (2u * SCRATCH_CONV_PIXELS) + (lane & 1u);
    for (uint32_t p = 0; p < SCRATCH_CONV_PIXELS; p++) {
      const int32_t value = values[2u * p];
      sums[p] = fixed_add(sums[p], low * value);
      sums[p + 4u] = fixed_add(sums[p + 4u], high * value);
    }
  }
}

#endif

void conv_dot_dense(const int8_t *weights, const int16_t *block, uint32_t taps, int32_t *sums) {
  for (uint32_t tap = 0; tap < taps; tap++) {
    const int32_t weight = weights[tap];
    const int16_t *values = block + conv_block_at(0, tap, 0);
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
