#include <stddef.h>

#include "conv_pairs.h"
#include "conv_runs.h"
#include "requantize.h"

/** Channels that are computed at once: two pairs. */
#define FULLY_CONNECTED_CHANNELS 4u

/** The sums of low, high, low and high, and where the weights of both pairs go on. */
struct fully_connected_pairs {
  int32_t sums[FULLY_CONNECTED_CHANNELS];
  const uint8_t *weights[2];
};

struct fully_connected {
  const struct plan_window_step *step;
  const uint8_t *weights;
  const int32_t *bias;
  struct requantize requantize;
};

#ifdef KERNEL_DSP

/*
 * As conv_pairs_words, for one pixel whose values are read as they lie. r0 values, r1 and r2 the
 * pairs' weights, r3 and r5 low sums, r4 and r6 low + 256 high, r7 and r8 values of even and of odd
 * taps, r9 and r10 weights, r12 the end of the values. Eight taps a turn, entered in the middle for
 * an odd group.
 */
#define FULLY_CONNECTED_PAIR(weights, low, both) \
  "ldrd r9, r10, [" weights                      \
  "], #8\n\t"                                    \
  "smlad " both ", r9, r7, " both                \
  "\n\t"                                         \
  "sxtb16 r9, r9\n\t"                            \
  "smlad " low ", r9, r7, " low                  \
  "\n\t"                                         \
  "smlad " both ", r10, r8, " both               \
  "\n\t"                                         \
  "sxtb16 r10, r10\n\t"                          \
  "smlad " low ", r10, r8, " low "\n\t"
#define FULLY_CONNECTED_FOUR_TAPS                                    \
  "ldr r8, [r0], #4\n\t"                                             \
  "sxtb16 r7, r8\n\t"                                                \
  "sxtb16 r8, r8, ror #8\n\t" FULLY_CONNECTED_PAIR("r1", "r3", "r4") \
      FULLY_CONNECTED_PAIR("r2", "r5", "r6")

/** `taps` is a multiple of 4. */
__attribute__((naked, noinline)) static void fully_connected_words(
    struct fully_connected_pairs *pairs __attribute__((unused)),
    const int8_t *values __attribute__((unused)), uint32_t taps __attribute__((unused))) {
  __asm__ volatile(
      "push {r0, r4-r11, lr}\n\t"
      "mov lr, r0\n\t"
      "mov r0, r1\n\t"
      "add r12, r1, r2\n\t"
      "tst r2, #4\n\t"
      "ldrd r1, r2, [lr, %[weights]]\n\t"
      "ldr r3, [lr]\n\t"
      "ldr r5, [lr, #8]\n\t"
      "mov r4, r3\n\t"
      "mov r6, r5\n\t"
      "bne 2f\n"
      "1:\n\t" FULLY_CONNECTED_FOUR_TAPS "2:\n\t" FULLY_CONNECTED_FOUR_TAPS
      "cmp r0, r12\n\t"
      "bne 1b\n\t"
      "pop {r0}\n\t"
      "strd r1, r2, [r0, %[weights]]\n\t"
      "ldr r7, [r0, #4]\n\t"
      "ldr r8, [r0, #12]\n\t"
      "sub r4, r4, r3\n\t"
      "sub r6, r6, r5\n\t"
      "add r4, r7, r4, asr #8\n\t"
      "add r6, r8, r6, asr #8\n\t"
      "stm r0, {r3-r6}\n\t"
      "pop {r4-r11, pc}\n"
      :
      : [weights] "i"(offsetof(struct fully_connected_pairs, weights))
      : "memory");
}

#else

static void fully_connected_words(struct fully_connected_pairs *pairs, const int8_t *values,
                                  uint32_t taps) {
  for (uint32_t pair = 0; pair < 2; pair++) {
    const uint8_t *weights = pairs->weights[pair];
    int32_t *sums = pairs->sums + 2u * pair;
    for (uint32_t lane = 0; lane < taps; lane++) {
      const int32_t value = values[conv_pairs_tap(lane)];
      sums[0] = fixed_add(sums[0], conv_pairs_low(weights, lane) * value);
      sums[1] = fixed_add(sums[1], conv_pairs_high(weights, lane) * value);
    }
    pairs->weights[pair] = weights + 2u * taps;
  }
}

#endif

/** Outputs of up to four channels from their sums. */
static void fully_connected_finish(const struct requantize *all, uint32_t channel, uint32_t count,
                                   const int32_t *sums, int8_t *output) {
#ifdef KERNEL_DSP
  if (all->narrow && all->step == 0) {
    const struct requantize_narrow narrow = requantize_channel(all, 0);
    for (const int8_t *end = output + count; output != end;) {
      *output++ = requantize_signed(*sums++, narrow);
    }
    return;
  }
#endif
  for (uint32_t i = 0; i < count; i++) output[i] = requantize_one(all, channel + i, sums[i]);
}

static void fully_connected_in_pairs(const struct fully_connected *layer, const int8_t *values,
                                     int8_t *output) {
  const uint32_t channels = layer->step->out_c;
  const uint32_t taps = kernel_round_up(layer->step->in_c, 4u);
  const uint32_t segment = conv_pairs_segment(layer->step, taps);
  const int32_t *bias = layer->bias;
  const uint8_t *weights = layer->weights;
  for (uint32_t channel = 0; channel < channels; channel += FULLY_CONNECTED_CHANNELS) {
    const uint32_t left = channels - channel;
    const uint32_t count = left < FULLY_CONNECTED_CHANNELS ? left : FULLY_CONNECTED_CHANNELS;
    /* Where there is no second pair, the first is computed twice. */
    struct fully_connected_pairs pairs = {
        .weights = {weights, count > 2u ? weights + 2u * taps : weights}};
    for (uint32_t i = 0; i < count; i++) pairs.sums[i] = *bias++;
    for (uint32_t first = 0; first < taps; first += segment) {
      const uint32_t rest = taps - first;
      fully_connected_words(&pairs, values + first, rest < segment ? rest : segment);
    }
    fully_connected_finish(&layer->requantize, channel, count, pairs.sums, output + channel);
    weights += FULLY_CONNECTED_CHANNELS * taps;
  }
}

#ifdef KERNEL_DSP

/** An entry: its gap in four bits of r4, its weight in a half of r5 or r6; r3 the values, r12 the
 * sum. */
#define FULLY_CONNECTED_ENTRY(bit, half, weight) \
  "ubfx lr, r4, #" bit                           \
  ", #4\n\t"                                     \
  "add r3, r3, lr\n\t"                           \
  "ldrsb lr, [r3]\n\t"                           \
  "smlab" half " r12, lr, " weight ", r12\n\t"

/** The sum of a channel's products: `groups` groups of entries. */
__attribute__((naked, noinline)) static int32_t fully_connected_entries(
    const uint16_t *gaps __attribute__((unused)), const int8_t *weights __attribute__((unused)),
    uint32_t groups __attribute__((unused)), const int8_t *values __attribute__((unused))) {
  __asm__ volatile(
      "push {r4-r6, lr}\n\t"
      "mov r12, #0\n\t"
      "cmp r2, #0\n\t"
      "beq 2f\n"
      "1:\n\t"
      "ldrh r4, [r0], #2\n\t"
      "ldr r5, [r1], #4\n\t"
      "sxtb16 r6, r5, ror #8\n\t"
      "sxtb16 r5, r5\n\t" FULLY_CONNECTED_ENTRY("0", "b", "r5")
          FULLY_CONNECTED_ENTRY("4", "b", "r6") FULLY_CONNECTED_ENTRY("8", "t", "r5")
              FULLY_CONNECTED_ENTRY("12", "t", "r6")
      "subs r2, r2, #1\n\t"
      "bne 1b\n"
      "2:\n\t"
      "mov r0, r12\n\t"
      "pop {r4-r6, pc}\n" ::: "memory");
}

#else

static int32_t fully_connected_entries(const uint16_t *gaps, const int8_t *weights, uint32_t groups,
                                       const int8_t *values) {
  int32_t sum = 0;
  for (; groups > 0; groups--) {
    uint32_t group = *gaps++;
    for (uint32_t i = 0; i < 4u; i++, group >>= 4) {
      values += group & 15u;
      sum = fixed_add(sum, *weights++ * *values);
    }
  }
  return sum;
}

#endif

static void fully_connected_in_runs(const struct fully_connected *layer, const int8_t *values,
                                    int8_t *output) {
  struct conv_runs runs = conv_runs_of(layer->weights, layer->step->out_c);
  for (uint32_t channel = 0; channel < layer->step->out_c; channel++) {
    const uint32_t groups = *runs.groups++;
    const int32_t sum = fixed_add(layer->bias[channel],
                                  fully_connected_entries(runs.gaps, runs.weights, groups, values));
    fully_connected_finish(&layer->requantize, channel, 1, &sum, output + channel);
    runs.gaps += groups;
    runs.weights += 4u * groups;
  }
}

static void fully_connected_in_rows(const struct fully_connected *layer, const int8_t *values,
                                    int8_t *output) {
  const uint32_t taps = layer->step->in_c;
  const int8_t *weights = (const int8_t *)layer->weights;
  for (uint32_t channel = 0; channel < layer->step->out_c; channel++) {
    int32_t sum = layer->bias[channel];
    for (uint32_t tap = 0; tap < taps; tap++) sum = fixed_add(sum, *weights++ * values[tap]);
    output[channel] = requantize_one(&layer->requantize, channel, sum);
  }
}

void kernel_fully_connected(const struct engine *engine, const struct plan_window_step *step) {
  const struct fully_connected layer = {
      .step = step,
      .weights = engine->plan + step->weights,
      .bias = (const int32_t *)(const void *)(engine->plan + step->bias),
      .requantize = requantize_of(engine, step),
  };
  const int8_t *values = kernel_read(engine, step->input);
  int8_t *output = kernel_write(engine, step->output);
  for (uint32_t batch = 0; batch < step->batches; batch++) {
    if (step->layout == PLAN_PAIRS) {
      fully_connected_in_pairs(&layer, values, output);
    } else if (step->layout == PLAN_RUNS) {
      fully_connected_in_runs(&layer, values, output);
    } else {
      fully_connected_in_rows(&layer, values, output);
    }
    requantize_finish(&layer.requantize, output, step->out_c);
    values += step->in_c;
    output += step->out_c;
  }
}
