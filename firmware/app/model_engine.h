/**
 * What runs the models of this firmware, chosen at build time: model_engine_dunlin.c (execution
 * plans) or engine_tflm.cc (.tflite files, by a TFLite Micro library of the user's; docs/TFLM.md).
 * One model is open at a time. No allocation; whatever a model's bytes are, model_open says so.
 */
#ifndef MODEL_ENGINE_H
#define MODEL_ENGINE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Where a model and an arena must start: what TFLite files are aligned to. */
#define MODEL_ALIGNMENT 16u

enum model_status {
  MODEL_OK = 0,
  MODEL_BROKEN,     /* bytes that no such model has */
  MODEL_WRONG_KIND, /* another format, or asks for what this firmware was built without */
  MODEL_TOO_LARGE,  /* for the arena */
  MODEL_FAILED,     /* while running, or none is open */
};

struct model_tensor {
  int8_t *values;
  uint32_t size_bytes;
};

/** "dunlin" or "tflm" */
extern const char model_engine_name[];

/** The version of the plans' format; 0 with tflm. */
uint32_t model_engine_format(void);

/**
 * Checks a model and makes it ready to run; one that is open is closed first. Both memories start
 * at a multiple of MODEL_ALIGNMENT, and stay as they are until it is closed: the model is run in
 * place. After anything but MODEL_OK no model is open, and the arena is free.
 */
enum model_status model_open(const uint8_t *payload, uint32_t size_bytes, uint8_t *arena,
                             uint32_t arena_bytes);
void model_close(void);

/** Of the open model; 0 if there is none. */
uint32_t model_arena_bytes(void);
uint32_t model_input_count(void);
uint32_t model_output_count(void);

/** @param index below the count; beyond it no bytes */
struct model_tensor model_input(uint32_t index);
struct model_tensor model_output(uint32_t index);

/** One inference: outputs hold until the next. Inputs may be overwritten. */
enum model_status model_run(void);

#ifdef __cplusplus
}
#endif

#endif
