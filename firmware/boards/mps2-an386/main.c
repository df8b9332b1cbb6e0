/** Runs the plan of a request (request.h) and answers on the UART. */
#include <stddef.h>

#include "../../engine/memory.h"
#include "../board.h"
#include "../report.h"
#include "../runner.h"
#include "board_start.h"
#include "request.h"
#include "symbols.h"

_Noreturn void main(void);

static bool keep_output(void *context, const int8_t *values, uint32_t size_bytes) {
  uint8_t **end = context;
  if (size_bytes > REQUEST_STEPS_ADDRESS - (uint32_t)*end) return false;
  memcpy(*end, values, size_bytes);
  *end += size_bytes;
  return true;
}

static bool is_known(const struct request *request) {
  return request->magic == REQUEST_MAGIC &&
         request->plan_bytes <= REQUEST_INPUTS_ADDRESS - REQUEST_PLAN_ADDRESS &&
         request->inputs_bytes <= REQUEST_OUTPUTS_ADDRESS - REQUEST_INPUTS_ADDRESS &&
         (request->flags & ~REQUEST_PROFILE) == 0;
}

static uint32_t bytes_between(const void *start, const void *end) {
  return (uint32_t)((const uint8_t *)end - (const uint8_t *)start);
}

static void report(const struct runner_job *job, const struct runner_statistics *statistics) {
  report_number("{", "instructions", statistics->first_run);
  report_number(",", "instructionsAll", statistics->all_runs);
  report_number(",", "setupInstructions", statistics->setup);
  report_number(",", "arenaBytes", statistics->arena_bytes);
  report_number(",", "dataBytes", bytes_between(__data_start, __data_end));
  report_number(",", "bssBytes", bytes_between(__bss_start, __bss_end));
  report_number(",", "stackBytes", statistics->stack_bytes);
  report_number(",", "engineFlashBytes", bytes_between(__engine_start, __engine_end));
  report_number(",", "planBytes", job->plan_bytes);
  report_number(",", "samples", statistics->samples);
  if (job->steps != NULL) report_numbers(",", "steps", job->steps, statistics->step_count);
  report_text("}\n");
}

void main(void) {
  board_start();
  const struct request *request = (const struct request *)REQUEST_ADDRESS;
  if (!is_known(request)) report_failure(RUNNER_REQUEST);
  uint8_t *outputs = (uint8_t *)REQUEST_OUTPUTS_ADDRESS;
  uint8_t *outputs_end = outputs;
  const struct runner_job job = {
      .plan = (const uint8_t *)REQUEST_PLAN_ADDRESS,
      .plan_bytes = request->plan_bytes,
      .inputs = (const int8_t *)REQUEST_INPUTS_ADDRESS,
      .inputs_bytes = request->inputs_bytes,
      .samples = request->samples,
      .write = keep_output,
      .context = &outputs_end,
      .steps = (request->flags & REQUEST_PROFILE) != 0 ? (uint64_t *)REQUEST_STEPS_ADDRESS : NULL,
  };
  struct runner_statistics statistics;
  const int status = runner_run(&job, &statistics);
  if (status != RUNNER_OK) report_failure(status);
  report(&job, &statistics);
  board_write(outputs, (uint32_t)(outputs_end - outputs));
  board_exit(RUNNER_OK);
}
