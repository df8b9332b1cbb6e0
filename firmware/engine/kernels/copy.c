#include "../memory.h"
#include "kernels.h"

/** Below this a call of memcpy takes longer than the bytes. */
#define COPY_LEAST_BLOCK 8u

/** Whether so many bytes at the two places lie apart; memcpy may not be asked otherwise. */
static int copy_apart(const int8_t *a, const int8_t *b, uint32_t size_bytes) {
  const uintptr_t distance = (uintptr_t)a - (uintptr_t)b;
  return distance >= size_bytes && -distance >= size_bytes;
}

static void copy_row(const struct plan_copy_step *step, const int8_t *input, int8_t *output) {
  const uint32_t count = step->shape[3];
  const uint32_t input_step = step->input_steps[3];
  const uint32_t output_step = step->output_steps[3];
  if (input_step == 1 && output_step == 1 && count >= COPY_LEAST_BLOCK &&
      copy_apart(input, output, count)) {
    memcpy(output, input, count);
    return;
  }
  uint32_t from = 0, to = 0;
  for (uint32_t left = count; left > 0; left--, from += input_step, to += output_step) {
    output[to] = input[from];
  }
}

void kernel_copy(const struct engine *engine, const struct plan_copy_step *step) {
  const uint32_t *shape = step->shape;
  const uint32_t *input_steps = step->input_steps;
  const uint32_t *output_steps = step->output_steps;
  /* Offsets and not pointers: those past the last element may be anywhere. */
  uint32_t input0 = step->input, output0 = step->output;
  for (uint32_t i = 0; i < shape[0]; i++, input0 += input_steps[0], output0 += output_steps[0]) {
    uint32_t input1 = input0, output1 = output0;
    for (uint32_t j = 0; j < shape[1]; j++, input1 += input_steps[1], output1 += output_steps[1]) {
      uint32_t input2 = input1, output2 = output1;
      for (uint32_t k = 0; k < shape[2];
           k++, input2 += input_steps[2], output2 += output_steps[2]) {
        copy_row(step, kernel_read(engine, input2), kernel_write(engine, output2));
      }
    }
  }
}
