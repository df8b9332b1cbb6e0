/**
 * Checks a .tflite before TFLite Micro reads it, which checks little itself. What remains is in
 * docs/TFLM.md: kernels whose rule is TFLM_BY_KERNEL, and numbers at which a kernel stops for ever.
 */
#ifndef ENGINE_TFLM_CHECK_H
#define ENGINE_TFLM_CHECK_H

#include "engine_tflm_operators.h"
#include "model_engine.h"
#include "tensorflow/lite/schema/schema_generated.h"

/** More than a microcontroller's models have. */
#define TFLM_MAX_TENSORS 1024u
#define TFLM_MAX_OPERATORS 1024u
#define TFLM_MAX_CODES 256u
#define TFLM_MAX_BUFFERS 4096u
#define TFLM_MAX_METADATA 32u
#define TFLM_MAX_ENDS 16u /* inputs, and outputs, of a model */
#define TFLM_MAX_RANK 6u

/** A tensor whose shape and type have been checked. */
struct tflm_shape {
  uint32_t rank;
  int32_t sizes[TFLM_MAX_RANK];
  uint32_t count; /* of elements */
};

/**
 * Whether a file is a whole model that this firmware can run in an arena; puts the operators that
 * it names into an empty resolver.
 */
enum model_status tflm_check(const uint8_t* payload, uint32_t size_bytes, uint32_t arena_bytes,
                             tflm_resolver& resolver);

/** Of a tensor that has passed its own checks. */
tflm_shape tflm_shape_of(const tflite::Tensor& tensor);

/** Whether shapes, options and numbers of an operator go together; its indices, counts and types
 * have been checked. */
bool tflm_fits(const tflm_operator& spec, const tflite::Operator& op,
               const tflite::SubGraph& graph);

#endif
