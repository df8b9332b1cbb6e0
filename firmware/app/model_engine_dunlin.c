#include "../engine/engine.h"
#include "../engine/plan_format.h"
#include "model_engine.h"

const char model_engine_name[] = "dunlin";

static struct engine engine;
static uint32_t arena_bytes_used;

uint32_t model_engine_format(void) { return PLAN_VERSION; }

static enum model_status status_of(enum engine_status status) {
  switch (status) {
    case ENGINE_OK:
      return MODEL_OK;
    case ENGINE_NOT_A_PLAN:
    case ENGINE_VERSION:
    case ENGINE_UNKNOWN_STEP:
      return MODEL_WRONG_KIND;
    case ENGINE_ARENA_TOO_SMALL:
      return MODEL_TOO_LARGE;
    default:
      return MODEL_BROKEN;
  }
}

enum model_status model_open(const uint8_t *payload, uint32_t size_bytes, uint8_t *arena,
                             uint32_t arena_bytes) {
  enum engine_status status = engine_verify(payload, size_bytes);
  if (status == ENGINE_OK) {
    status = engine_open(&engine, payload, size_bytes, arena, arena_bytes);
  }
  arena_bytes_used = status == ENGINE_OK ? engine_arena_bytes(payload, size_bytes) : 0;
  return status_of(status);
}

void model_close(void) { arena_bytes_used = 0; }

uint32_t model_arena_bytes(void) { return arena_bytes_used; }

uint32_t model_input_count(void) { return engine_input_count(&engine); }

uint32_t model_output_count(void) { return engine_output_count(&engine); }

struct model_tensor model_input(uint32_t index) {
  const struct engine_tensor tensor = engine_input(&engine, index);
  return (struct model_tensor){tensor.values, tensor.size_bytes};
}

struct model_tensor model_output(uint32_t index) {
  const struct engine_tensor tensor = engine_output(&engine, index);
  return (struct model_tensor){tensor.values, tensor.size_bytes};
}

enum model_status model_run(void) {
  engine_run(&engine);
  return MODEL_OK;
}
