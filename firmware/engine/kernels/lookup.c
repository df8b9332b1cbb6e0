#include "kernels.h"

void kernel_lookup(const struct engine *engine, const struct plan_lookup_step *step) {
  const int8_t *table = (const int8_t *)engine->plan + step->table + 128;
  const int8_t *input = kernel_read(engine, step->input);
  int8_t *output = kernel_write(engine, step->output);
  const int8_t *end = input + step->size_bytes;
  /* Loads side by side do not wait for each other. */
  for (; end - input >= 4; input += 4, output += 4) {
    const int8_t first = input[0], second = input[1], third = input[2], fourth = input[3];
    output[0] = table[first];
    output[1] = table[second];
    output[2] = table[third];
    output[3] = table[fourth];
  }
  while (input != end) *output++ = table[*input++];
}
