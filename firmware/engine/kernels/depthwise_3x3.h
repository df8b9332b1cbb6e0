/** Kernels of 3x3 on Cortex-M4's DSP: most of what depthwise convolutions there are. */
#ifndef DEPTHWISE_3X3_H
#define DEPTHWISE_3X3_H

#include "requantize.h"

/** One channel over a band of rows. Assembler reads it by offsets. */
struct depthwise_3x3 {
  const int16_t *row;   /* the first of three, at a multiple of 4; moved on */
  uint32_t pitch_bytes; /* from one row to the next, a multiple of 4 */
  int8_t *output;
  uint32_t stride;    /* from one output to the next */
  uint32_t row_bytes; /* from one row of outputs to the next */
  uint32_t rows;      /* of outputs; counted down */
  uint32_t row_step;  /* from a row of outputs' first row to the next one's */
  int32_t bias[2];    /* the same twice */
  struct requantize_narrow narrow;
  uint32_t weights[6]; /* of each row (w0, w1) and (w1, w2) */
};

/** Windows one or two columns apart. Reads up to three values past a row's last window. */
void depthwise_3x3_by_one(struct depthwise_3x3 *run);
void depthwise_3x3_by_two(struct depthwise_3x3 *run);

#endif
