/**
 * The one seam between the application and what runs models: execution plans
 * (model_engine_dunlin.c) or TensorFlow Lite Micro (engine_tflm.cc). One model is open at a time.
 */
#ifndef MODEL_ENGINE_H
#define MODEL_ENGINE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum model_status {
  MODEL_OK = 0,
  MODEL_BROKEN,
  MODEL_WRONG_KIND, /* of another format, or for another target */
  MODEL_TOO_LARGE,  /* its arena */
  MODEL_FAILED,
};

struct model_tensor {
  int8_t *values;
  uint32_t size_bytes;
};

/** "dunlin" or "tflm". */
extern const char model_engine_name[];

/** The version of the plan format; 0 if models are no plans. */
uint32_t model_engine_format(void);

/**
 * The payload stays where it is, from a multiple of 16, until the model is closed; so does the
 * arena.
 */
enum model_status model_open(const uint8_t *payload, uint32_t size_bytes, uint8_t *arena,
                             uint32_t arena_bytes);
void model_close(void);

/** Of the open model. */
uint32_t model_arena_bytes(void);
uint32_t model_input_count(void);
uint32_t model_output_count(void);
/** @param index below the count */
struct model_tensor model_input(uint32_t index);
struct model_tensor model_output(uint32_t index);

/** Inputs may be overwritten; outputs hold until the next run, or the next write to an input. */
enum model_status model_run(void);

#ifdef __cplusplus
}
#endif

#endif
