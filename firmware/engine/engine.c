#include "engine.h"

#include "check.h"
#include "engine_config.h"
#include "kernels/kernels.h"
#include "memory.h"

static const struct plan_header *engine_header(const struct engine *engine) {
  return (const struct plan_header *)(const void *)engine->plan;
}

enum engine_status engine_verify(const uint8_t *plan, uint32_t size_bytes) {
  const enum engine_status status = check_start(plan, size_bytes);
  if (status != ENGINE_OK) return status;
  const struct plan_header *header = (const struct plan_header *)(const void *)plan;
  const uint32_t crc = check_crc32(plan + PLAN_CRC_START, header->size_bytes - PLAN_CRC_START);
  return crc == header->crc32 ? ENGINE_OK : ENGINE_CRC;
}

enum engine_status engine_open(struct engine *engine, const uint8_t *plan, uint32_t size_bytes,
                               uint8_t *arena, uint32_t arena_bytes) {
  enum engine_status status = check_start(plan, size_bytes);
  if (status != ENGINE_OK) return status;
  if (((uintptr_t)arena & 3u) != 0) return ENGINE_MISALIGNED;
  status = check_plan(plan, arena_bytes);
  if (status != ENGINE_OK) return status;
  engine->plan = plan;
  engine->arena = arena;
  return ENGINE_OK;
}

uint32_t engine_arena_bytes(const uint8_t *plan, uint32_t size_bytes) {
  uint32_t arena_bytes;
  if (size_bytes < sizeof(struct plan_header)) return 0;
  /* Nobody has checked where the plan starts. */
  memcpy(&arena_bytes, plan + offsetof(struct plan_header, arena_bytes), sizeof arena_bytes);
  return arena_bytes;
}

uint32_t engine_input_count(const struct engine *engine) {
  return engine_header(engine)->input_count;
}

uint32_t engine_output_count(const struct engine *engine) {
  return engine_header(engine)->output_count;
}

struct engine_tensor engine_input(const struct engine *engine, uint32_t index) {
  const uint8_t *table = engine->plan + engine_header(engine)->io_offset;
  const struct plan_io *io = (const struct plan_io *)(const void *)table + index;
  return (struct engine_tensor){kernel_write(engine, io->place), io->size_bytes};
}

struct engine_tensor engine_output(const struct engine *engine, uint32_t index) {
  return engine_input(engine, engine_input_count(engine) + index);
}

uint32_t engine_first_step(const struct engine *engine) {
  return engine_header(engine)->steps_offset;
}

uint32_t engine_step_count(const struct engine *engine) {
  return engine_header(engine)->step_count;
}

/* The condition is constant: a kernel that is left out is not even mentioned to the linker. */
#define ENGINE_RUN(name, kernel, type)                               \
  case PLAN_##name:                                                  \
    if (ENGINE_##name) kernel(engine, (const struct type *)address); \
    break

uint32_t engine_run_step(const struct engine *engine, uint32_t at) {
  const void *address = engine->plan + at;
  const struct plan_step *step = address;
  switch (step->kind) {
    ENGINE_RUN(CONV_2D, kernel_conv_2d, plan_window_step);
    ENGINE_RUN(DEPTHWISE_CONV_2D, kernel_depthwise_conv_2d, plan_window_step);
    ENGINE_RUN(FULLY_CONNECTED, kernel_fully_connected, plan_window_step);
    ENGINE_RUN(AVERAGE_POOL_2D, kernel_average_pool_2d, plan_window_step);
    ENGINE_RUN(MAX_POOL_2D, kernel_max_pool_2d, plan_window_step);
    ENGINE_RUN(ADD, kernel_add, plan_binary_step);
    ENGINE_RUN(SUB, kernel_sub, plan_binary_step);
    ENGINE_RUN(MUL, kernel_mul, plan_binary_step);
    ENGINE_RUN(LOOKUP, kernel_lookup, plan_lookup_step);
    ENGINE_RUN(SOFTMAX, kernel_softmax, plan_softmax_step);
    ENGINE_RUN(MEAN, kernel_mean, plan_mean_step);
    ENGINE_RUN(COPY, kernel_copy, plan_copy_step);
    ENGINE_RUN(FILL, kernel_fill, plan_fill_step);
    default:
      break; /* Not in a plan that engine_open has let pass. */
  }
  return at + step->size_bytes;
}

void engine_run(const struct engine *engine) {
  uint32_t at = engine_first_step(engine);
  for (uint32_t left = engine_step_count(engine); left > 0; left--) {
    at = engine_run_step(engine, at);
  }
}
