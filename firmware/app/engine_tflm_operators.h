/** The operators of a firmware with TFLite Micro, and what each takes as given. */
#ifndef ENGINE_TFLM_OPERATORS_H
#define ENGINE_TFLM_OPERATORS_H

#include <cstdint>

#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"

/** Different operators in one model; each costs about 48 bytes of RAM. */
#ifndef TFLM_MAX_KINDS
#define TFLM_MAX_KINDS 24
#endif

using tflm_resolver = tflite::MicroMutableOpResolver<TFLM_MAX_KINDS>;

/** How the shapes of an operator's tensors must go together: what the kernels do not ask. */
enum tflm_rule : uint8_t {
  TFLM_BY_KERNEL,  /* its kernel refuses or bears what does not go together */
  TFLM_SAME_COUNT, /* input 0 and the output have as many elements */
  TFLM_BROADCAST,  /* the output's shape is that of both inputs, broadcast */
  TFLM_CONV,
  TFLM_DEPTHWISE,
  TFLM_FULLY_CONNECTED,
  TFLM_POOL,
};

/** What src/tflite/operator-table.ts says of an operator, and what its kernel takes as given. */
struct tflm_needs {
  uint8_t inputs_least, inputs_most;
  uint8_t optional_from; /* inputs from this one on may be absent */
  uint8_t outputs_most;
  uint8_t control; /* a bit for each input that steers the operator and must be a constant */
  uint8_t max_rank;
  tflm_rule rule;
  bool int8_only; /* the kernel takes inputs 0 and 1 and the output to be int8, unasked */
};

struct tflm_operator {
  TfLiteStatus (*add)(tflm_resolver&); /* null: left out of this firmware */
  tflite::BuiltinOperator code;
  tflite::BuiltinOptions options; /* without its table a kernel would read garbage; NONE: no need */
  tflm_needs needs;
};

/** @return null if this firmware has no such operator */
const tflm_operator* tflm_find_operator(tflite::BuiltinOperator code);

#endif
