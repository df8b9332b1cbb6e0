/**
 * The execution plan as it lies in flash, byte for byte: docs/plan-format.md says the same in
 * words. Little-endian; every structure starts at a multiple of 4 from the start of the file; a
 * reserved field is zero. The structures are read in place, so nothing here may be padded by a
 * compiler.
 */
#ifndef PLAN_FORMAT_H
#define PLAN_FORMAT_H

#include <stdint.h>

#define PLAN_MAGIC 0x4e4c5044u /* "DPLN" */
#define PLAN_VERSION 1u
/** The CRC covers what follows it; the SHA-256 what follows that. */
#define PLAN_CRC_START 16u
#define PLAN_SHA256_START 48u

/** A place of a tensor: an offset in the arena, or with this bit one in the plan itself (a
 * constant). */
#define PLAN_PLACE_CONSTANT 0x80000000u

#define PLAN_MAX_RANK 6u
#define PLAN_COPY_RANK 4u
/** What an arena, a plan or a tensor may have: it keeps every sum of two in 32 bits. */
#define PLAN_MAX_BYTES 0x10000000u

struct plan_header {
  uint32_t magic;
  uint16_t version;
  uint8_t target; /* enum plan_target, for people: every engine runs every plan */
  uint8_t reserved;
  uint32_t size_bytes;
  uint32_t crc32; /* IEEE 802.3 */
  uint8_t sha256[32];
  uint32_t arena_bytes;
  uint16_t input_count;
  uint16_t output_count;
  uint32_t io_offset; /* plan_io of the inputs, then of the outputs */
  uint32_t steps_offset;
  uint16_t step_count;
  uint16_t reserved2;
};
_Static_assert(sizeof(struct plan_header) == 68, "plan_header");

enum plan_target { PLAN_NATIVE, PLAN_CORTEX_M0, PLAN_CORTEX_M4, PLAN_CORTEX_M55 };

/** An int8 tensor that the caller fills or reads. */
struct plan_io {
  uint32_t place; /* in the arena */
  uint32_t size_bytes;
  uint32_t scale; /* the bits of a float32 */
  int32_t zero_point;
  uint32_t rank;
  uint32_t shape[PLAN_MAX_RANK]; /* zeros past the rank */
};
_Static_assert(sizeof(struct plan_io) == 44, "plan_io");

enum plan_kind {
  PLAN_CONV_2D = 1,
  PLAN_DEPTHWISE_CONV_2D = 2,
  PLAN_FULLY_CONNECTED = 3,
  PLAN_AVERAGE_POOL_2D = 4,
  PLAN_MAX_POOL_2D = 5,
  PLAN_ADD = 6,
  PLAN_SUB = 7,
  PLAN_MUL = 8,
  PLAN_LOOKUP = 9,
  PLAN_SOFTMAX = 10,
  PLAN_MEAN = 11,
  PLAN_COPY = 12,
  PLAN_FILL = 13,
};

/** What every step begins with. */
struct plan_step {
  uint8_t kind;
  uint8_t flags;
  uint16_t size_bytes; /* of the whole step; the next one follows it */
  uint16_t source;     /* the model's operator that it comes from, the first if several */
  uint16_t reserved;
};
_Static_assert(sizeof(struct plan_step) == 8, "plan_step");

/** One multiplier and shift for all channels, not one for each. */
#define PLAN_SHARED_MULTIPLIER 1u
/** The compiler has shown that every shift is -22 to -1 and every sum within 2^30. */
#define PLAN_NARROW_SUMS 2u
/** Of PLAN_PAIRS: the compiler has shown that no high channel's sum of products leaves 23 bits and a sign. */
#define PLAN_UNBROKEN_SUMS 4u

/** How the weights of a convolution or a fully connected layer lie; K = kernel_h * kernel_w * in_c.
 */
enum plan_layout {
  /** [out_c][K] bytes; of a depthwise convolution [out_c][kernel_h * kernel_w]. */
  PLAN_DENSE = 0,
  /**
   * For SMLAD: output channels in twos, a low one L and a high one H (rows past the last are
   * zeros), K rounded up to a multiple of 4 by zeros. Of each group of four taps 0 to 3 two words
   * lie in a row: taps 0 and 2, then 1 and 3. A word is two 16-bit lanes, one a tap; a lane is 256
   * * H + L as a signed number.
   */
  PLAN_PAIRS = 1,
  /**
   * For pruned weights. Entries (gap, weight) in groups of four. [out_c] uint16: groups of each
   * row; padded to 4 bytes; then a uint16 for each group: gap i in bits 4i to 4i+3; padded to 4
   * bytes; then 4 weights (int8) for each group. A row starts at tap 0; each entry moves forward by
   * its gap and puts its weight there.
   */
  PLAN_RUNS = 2,
};

/**
 * CONV_2D, DEPTHWISE_CONV_2D, FULLY_CONNECTED (batches of in_c to out_c, all else 1) and the pools
 * (weights, bias, multipliers and shifts are 0). NHWC. Sums start at the bias, into which the
 * input's zero point is folded over the whole window: what lies outside the image counts as
 * input_zero. Of a pool only what lies inside counts.
 */
struct plan_window_step {
  struct plan_step step;
  uint32_t input;
  uint32_t output;
  uint32_t scratch; /* in the arena, a multiple of 4; plan_scratch_bytes of it */
  uint32_t weights; /* offsets in the plan, multiples of 4 */
  uint32_t weights_bytes;
  uint32_t bias;        /* int32 [out_c] */
  uint32_t multipliers; /* int32 [out_c] or [1], times 2^-31 */
  uint32_t shifts;      /* int8 [out_c] or [1], left if positive: -31 to 30 */
  uint16_t batches;
  uint16_t in_h, in_w, in_c;
  uint16_t out_h, out_w, out_c;
  uint16_t band_rows; /* of a depthwise convolution: output rows that are made of one filling of the
                         scratch */
  uint8_t kernel_h, kernel_w;
  uint8_t stride_h, stride_w;
  uint8_t dilation_h, dilation_w;
  uint8_t pad_top, pad_left;
  int8_t input_zero, output_zero;
  int8_t min, max;
  uint8_t layout;
  uint8_t reserved[3];
};
_Static_assert(sizeof(struct plan_window_step) == 72, "plan_window_step");

/** ADD, SUB and MUL with broadcasting: a step of 0 repeats an operand along a dimension. */
struct plan_binary_step {
  struct plan_step step;
  uint32_t a, b;   /* constants too */
  uint32_t output; /* row-major, without gaps */
  uint32_t shape[PLAN_COPY_RANK];
  uint32_t a_steps[PLAN_COPY_RANK]; /* in elements */
  uint32_t b_steps[PLAN_COPY_RANK];
  int32_t a_multiplier, b_multiplier; /* of MUL: 0 */
  int32_t output_multiplier;
  int8_t a_shift, b_shift, output_shift; /* -31 to 30 */
  int8_t a_zero, b_zero, output_zero;
  int8_t min, max;
};
_Static_assert(sizeof(struct plan_binary_step) == 88, "plan_binary_step");

/** A function of one value: output = table[input + 128]. In place too. */
struct plan_lookup_step {
  struct plan_step step;
  uint32_t input;
  uint32_t output;
  uint32_t size_bytes;
  uint32_t table; /* int8 [256] in the plan */
};
_Static_assert(sizeof(struct plan_lookup_step) == 24, "plan_lookup_step");

/** Over each row; the output's scale is 1/256 and its zero point -128. */
struct plan_softmax_step {
  struct plan_step step;
  uint32_t input;
  uint32_t output;
  uint32_t rows;
  uint32_t depth;
  int32_t multiplier;
  int32_t shift; /* -31 to 30 */
  int32_t least; /* differences from the maximum below this count as nothing; at most 0 */
};
_Static_assert(sizeof(struct plan_softmax_step) == 36, "plan_softmax_step");

/** [outer, reduced, inner] to [outer, inner]. */
struct plan_mean_step {
  struct plan_step step;
  uint32_t input;
  uint32_t output;
  uint32_t outer;
  uint32_t reduced;
  uint32_t inner;
  int32_t multiplier; /* the division by `reduced` is in it */
  int8_t shift;       /* -31 to 30 */
  int8_t input_zero, output_zero;
  int8_t reserved;
};
_Static_assert(sizeof(struct plan_mean_step) == 36, "plan_mean_step");

/** Moves a block: PAD, CONCATENATION and STRIDED_SLICE are made of it. */
struct plan_copy_step {
  struct plan_step step;
  uint32_t input; /* of the first element; constants too */
  uint32_t output;
  uint32_t shape[PLAN_COPY_RANK];
  uint32_t input_steps[PLAN_COPY_RANK]; /* in elements */
  uint32_t output_steps[PLAN_COPY_RANK];
};
_Static_assert(sizeof(struct plan_copy_step) == 64, "plan_copy_step");

struct plan_fill_step {
  struct plan_step step;
  uint32_t output;
  uint32_t size_bytes;
  int32_t value; /* an int8 */
};
_Static_assert(sizeof(struct plan_fill_step) == 20, "plan_fill_step");

#endif
