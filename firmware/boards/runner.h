/** Runs a plan over samples and measures it, on any board. */
#ifndef RUNNER_H
#define RUNNER_H

#include <stdbool.h>
#include <stdint.h>

/** What fails besides the engine; its codes (enum engine_status) are below these. */
enum runner_status {
  RUNNER_OK = 0,
  RUNNER_INPUTS = 64, /* not as many bytes as the samples have */
  RUNNER_OUTPUTS,     /* no room for them, or a host that does not read them */
  RUNNER_REQUEST,     /* the host asked for nothing that the board knows, or for too much */
  RUNNER_FAULT,       /* the processor has stopped at an exception */
  RUNNER_FILE,        /* one that cannot be read or written */
  RUNNER_USAGE,
};

/** The steps that a plan can have. */
#define RUNNER_MAX_STEPS 65535u

struct runner_job {
  const uint8_t *plan; /* starts at a multiple of 4 */
  uint32_t plan_bytes;
  const int8_t *inputs; /* all inputs of the first sample in order, then of the next */
  uint32_t inputs_bytes;
  uint32_t samples; /* 0: as many as there are inputs of */
  /** Takes the outputs in the same order. @return whether there was room */
  bool (*write)(void *context, const int8_t *values, uint32_t size_bytes);
  void *context;
  uint64_t *steps; /* RUNNER_MAX_STEPS of them, filled if not NULL: what each step of the first
                      sample took */
};

/** Counts are in the board's unit, without what counting costs. */
struct runner_statistics {
  uint64_t setup;     /* engine_open */
  uint64_t first_run; /* engine_run of the first sample */
  uint64_t all_runs;
  uint32_t samples;
  uint32_t step_count; /* of job->steps */
  uint32_t arena_bytes;
  uint32_t stack_bytes; /* of engine_open or engine_run, whichever takes more */
};

/** @return 0, or an engine_status or runner_status */
int runner_run(const struct runner_job *job, struct runner_statistics *statistics);

#endif
