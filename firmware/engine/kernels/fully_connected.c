#include "../memory.h"
#include "conv_dot.h"
#include "requantize.h"

/** Channels that are computed at once: two pairs. */
#define FULLY_CONNECTED_PAIRS 2u
#define FULLY_CONNECTED_CHANNELS (2u * FULLY_CONNECTED_PAIRS)

/** The sums of two pairs of channels, and where their weights go on. */
struct fully_connected_pairs {
  int32_t low[FULLY_CONNECTED_PAIRS], high[FULLY_CONNECTED_PAIRS];
  const uint8_t *weights[FULLY_CONNECTED_PAIRS];
};

struct fully_connected {
  const struct plan_window_step *step;
  const uint8_t *weights;
  const int32_t *bias;
  struct requantize requantize;
};

#ifdef KERNEL_DSP

/** As conv_dot_words, for one pixel whose values are read as they lie. `taps` is a multiple of 4.
 */
static void fully_connected_words(struct fully_connected_pairs *pairs, const int8_t *values,
                                  uint32_t taps) {
  const int8_t *end = values + taps;
  const uint8_t *first = pairs->weights[0];
  const uint8_t *second = pairs->weights[1];
  int32_t low0 = pairs->low[0], low1 = pairs->low[1];
  int32_t both0 = low0, both1 = low1;
  while (values != end) {
    uint32_t four, word, next;
    memcpy(&four, values, 4);
    values += 4;
    const uint32_t even = dsp_sxtb16(four);
    const uint32_t odd = dsp_sxtb16_odd(four);
    dsp_load_pair(&first, &word, &next);
    both0 = dsp_smlad(word, even, both0);
    low0 = dsp_smlad(dsp_sxtb16(word), even, low0);
    both0 = dsp_smlad(next, odd, both0);
    low0 = dsp_smlad(dsp_sxtb16(next), odd, low0);
    dsp_load_pair(&second, &word, &next);
    both1 = dsp_smlad(word, even, both1);
    low1 = dsp_smlad(dsp_sxtb16(word), even, low1);
    both1 = dsp_smlad(next, odd, both1);
    low1 = dsp_smlad(dsp_sxtb16(next), odd, low1);
  }
  pairs->high[0] = fixed_add(pairs->high[0], fixed_subtract(both0, low0) >> 8);
  pairs->high[1] = fixed_add(pairs->high[1], fixed_subtract(both1, low1) >> 8);
  pairs->low[0] = low0;
  pairs->low[1] = low1;
  pairs->weights[0] = first;
  pairs->weights[1] = second;
}

#else

static void fully_connected_words(struct fully_connected_pairs *pairs, const int8_t *values,
                                  uint32_t taps) {
  for (uint32_t pair = 0; pair < FULLY_CONNECTED_PAIRS; pair++) {
    const uint8_t *weights = pairs->weights[pair];
    for (uint32_t lane = 0; lane < taps; lane++) {
      const int32_t value = values[conv_dot_tap(lane)];
      pairs->low[pair] = fixed_add(pairs->low[pair], conv_dot_low(weights, lane) * value);
      pairs->high[pair] = fixed_add(pairs->high[pair], conv_dot_high(weights, lane) * value);
    }
    pairs->weights[pair] = weights + 2u * taps;
  }
}

#endif

static void fully_connected_in_pairs(const struct fully_connected *layer, const int8_t *values,
                                     int8_t *output) {
  const uint32_t channels = layer->step->out_c;
  const uint32_t taps = kernel_round_up(layer->step->in_c, 4u);
  const uint8_t *weights = layer->weights;
  for (uint32_t channel = 0; channel < channels; channel += FULLY_CONNECTED_CHANNELS) {
    const uint32_t left = channels - channel;
    const uint32_t count = left < FULLY_CONNECTED_CHANNELS ? left : FULLY_CONNECTED_CHANNELS;
    /* Where there is no second pair, the first is computed twice. */
    struct fully_connected_pairs pairs = {
        .weights = {weights, count > 2u ? weights + 2u * taps : weights}};
    for (uint32_t i = 0; i < count; i++) {
      *((i & 1u) == 0 ? &pairs.low[i >> 1] : &pairs.high[i >> 1]) = layer->bias[channel + i];
    }
    for (uint32_t first = 0; first < taps; first += CONV_DOT_SEGMENT) {
      const uint32_t rest = taps - first;
      fully_connected_words(&pairs, values + first,
                            rest < CONV_DOT_SEGMENT ? rest : CONV_DOT_SEGMENT);
    }
    for (uint32_t i = 0; i < count; i++) {
      const int32_t sum = (i & 1u) == 0 ? pairs.low[i >> 1] : pairs.high[i >> 1];
      output[channel + i] = requantize_one(&layer->requantize, channel + i, sum);
    }
    weights += FULLY_CONNECTED_CHANNELS * taps;
  }
}

/** Moves on to the next channel. */
static int32_t fully_connected_runs(struct conv_runs *runs, const int8_t *values, int32_t sum) {
  for (uint32_t groups = *runs->groups++; groups > 0; groups--) {
    uint32_t gaps = *runs->gaps++;
    for (uint32_t i = 0; i < 4; i++, gaps >>= 4) {
      values += gaps & 15u;
      sum = fixed_add(sum, *runs->weights++ * *values);
    }
  }
  return sum;
}

static int32_t fully_connected_dense(const int8_t *weights, const int8_t *values, uint32_t taps,
                                     int32_t sum) {
  for (uint32_t tap = 0; tap < taps; tap++) sum = fixed_add(sum, weights[tap] * values[tap]);
  return sum;
}

static void fully_connected_in_rows(const struct fully_connected *layer, const int8_t *values,
                                    int8_t *output) {
  const uint32_t channels = layer->step->out_c;
  const uint32_t taps = layer->step->in_c;
  const int8_t *dense = (const int8_t *)layer->weights;
  const int sparse = layer->step->layout == PLAN_RUNS;
  struct conv_runs runs;
  if (sparse) runs = conv_runs_of(layer->weights, channels);
  for (uint32_t channel = 0; channel < channels; channel++, dense += taps) {
    const int32_t bias = layer->bias[channel];
    const int32_t sum = sparse ? fully_connected_runs(&runs, values, bias)
                               : fully_connected_dense(dense, values, taps, bias);
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
    } else {
      fully_connected_in_rows(&layer, values, output);
    }
    requantize_finish(&layer.requantize, output, step->out_c);
    values += step->in_c;
    output += step->out_c;
  }
}
