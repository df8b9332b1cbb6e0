#include "runner.h"

#include "../engine/engine.h"
#include "../engine/memory.h"
#include "board.h"

/** What one call took. */
struct cost {
  uint64_t count;
  uint32_t stack_bytes;
};

static uint64_t stop(uint64_t start, uint64_t empty) {
  const uint64_t count = board_count_stop(start);
  return count > empty ? count - empty : 0;
}

static int open_plan(struct engine *engine, const struct runner_job *job, uint64_t empty,
                     struct runner_statistics *statistics) {
  enum engine_status status = engine_verify(job->plan, job->plan_bytes);
  if (status != ENGINE_OK) return (int)status;
  statistics->arena_bytes = engine_arena_bytes(job->plan, job->plan_bytes);
  uint8_t *arena = board_arena(statistics->arena_bytes);
  if (arena == NULL) return ENGINE_ARENA_TOO_SMALL;

  const uintptr_t stack_pointer = board_stack_paint();
  const uint64_t start = board_count_start();
  status = engine_open(engine, job->plan, job->plan_bytes, arena, statistics->arena_bytes);
  statistics->setup = stop(start, empty);
  statistics->stack_bytes = board_stack_used(stack_pointer);
  return (int)status;
}

static uint64_t sample_bytes(const struct engine *engine) {
  uint64_t size_bytes = 0;
  for (uint32_t index = 0; index < engine_input_count(engine); index++) {
    size_bytes += engine_input(engine, index).size_bytes;
  }
  return size_bytes;
}

/** @return what follows the inputs of this sample */
static const int8_t *copy_inputs(const struct engine *engine, const int8_t *inputs) {
  for (uint32_t index = 0; index < engine_input_count(engine); index++) {
    const struct engine_tensor tensor = engine_input(engine, index);
    memcpy(tensor.values, inputs, tensor.size_bytes);
    inputs += tensor.size_bytes;
  }
  return inputs;
}

static bool write_outputs(const struct engine *engine, const struct runner_job *job) {
  for (uint32_t index = 0; index < engine_output_count(engine); index++) {
    const struct engine_tensor tensor = engine_output(engine, index);
    if (!job->write(job->context, tensor.values, tensor.size_bytes)) return false;
  }
  return true;
}

/** Step by step, apart from the runs that count as such. */
static void profile(const struct engine *engine, const struct runner_job *job, uint64_t empty,
                    struct runner_statistics *statistics) {
  copy_inputs(engine, job->inputs);
  uint32_t at = engine_first_step(engine);
  statistics->step_count = engine_step_count(engine);
  for (uint32_t index = 0; index < statistics->step_count; index++) {
    const uint64_t start = board_count_start();
    at = engine_run_step(engine, at);
    job->steps[index] = stop(start, empty);
  }
}

static struct cost run_once(const struct engine *engine, uint64_t empty) {
  const uintptr_t stack_pointer = board_stack_paint();
  const uint64_t start = board_count_start();
  engine_run(engine);
  const uint64_t count = stop(start, empty);
  return (struct cost){count, board_stack_used(stack_pointer)};
}

static int run_samples(const struct engine *engine, const struct runner_job *job, uint64_t empty,
                       struct runner_statistics *statistics) {
  const int8_t *inputs = job->inputs;
  for (uint32_t sample = 0; sample < statistics->samples; sample++) {
    inputs = copy_inputs(engine, inputs);
    const struct cost cost = run_once(engine, empty);
    if (sample == 0) statistics->first_run = cost.count;
    statistics->all_runs += cost.count;
    if (cost.stack_bytes > statistics->stack_bytes) statistics->stack_bytes = cost.stack_bytes;
    if (!write_outputs(engine, job)) return RUNNER_OUTPUTS;
  }
  return RUNNER_OK;
}

int runner_run(const struct runner_job *job, struct runner_statistics *statistics) {
  *statistics = (struct runner_statistics){0};
  const uint64_t empty = board_count_stop(board_count_start());
  struct engine engine;
  const int status = open_plan(&engine, job, empty, statistics);
  if (status != ENGINE_OK) return status;

  const uint64_t size_bytes = sample_bytes(&engine);
  statistics->samples = job->samples;
  if (job->samples == 0 && size_bytes > 0 && size_bytes <= job->inputs_bytes) {
    statistics->samples = job->inputs_bytes / (uint32_t)size_bytes;
  }
  if (statistics->samples * size_bytes != job->inputs_bytes) return RUNNER_INPUTS;

  if (job->steps != NULL && statistics->samples > 0) profile(&engine, job, empty, statistics);
  return run_samples(&engine, job, empty, statistics);
}
