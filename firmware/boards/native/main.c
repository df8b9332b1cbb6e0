/**
 * dunlin-plan-native PLAN INPUTS OUTPUTS [--profile]: the engine as a Linux process, for tests and
 * for trying a plan without a board. One line of JSON on stdout; times are in nanoseconds, since a
 * host does not tell its instructions.
 */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "../../engine/plan_format.h"
#include "../board.h"
#include "../report.h"
#include "../runner.h"

#define MAX_INPUTS_BYTES 0x40000000u
#define NANOSECONDS_PER_SECOND 1000000000u

struct file {
  uint8_t *bytes;
  uint32_t size_bytes;
};

void board_write(const void *bytes, uint32_t size_bytes) { fwrite(bytes, 1, size_bytes, stdout); }

uint64_t board_count_start(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * NANOSECONDS_PER_SECOND + (uint64_t)now.tv_nsec;
}

uint64_t board_count_stop(uint64_t start) { return board_count_start() - start; }

uintptr_t board_stack_paint(void) { return 0; }

uint32_t board_stack_used(uintptr_t stack_pointer) {
  (void)stack_pointer;
  return 0;
}

/** Exactly as large, so that a sanitizer sees what reaches past its end. */
uint8_t *board_arena(uint32_t size_bytes) { return malloc(size_bytes); }

void board_exit(int status) { exit(status); }

static _Noreturn void fail_file(const char *path, const char *problem) {
  fprintf(stderr, "dunlin-plan-native: %s: %s\n", path, problem);
  report_failure(RUNNER_FILE);
}

static struct file read_file(const char *path, uint32_t max_bytes) {
  FILE *stream = fopen(path, "rb");
  struct stat status;
  if (stream == NULL || fstat(fileno(stream), &status) != 0) fail_file(path, strerror(errno));
  if (!S_ISREG(status.st_mode)) fail_file(path, "is not a file");
  if (status.st_size > (off_t)max_bytes) fail_file(path, "is too large");
  const struct file file = {malloc((size_t)status.st_size), (uint32_t)status.st_size};
  if (file.bytes == NULL) fail_file(path, "does not fit into memory");
  if (fread(file.bytes, 1, file.size_bytes, stream) != file.size_bytes) {
    fail_file(path, "cannot be read to its end");
  }
  fclose(stream);
  return file;
}

static bool write_output(void *stream, const int8_t *values, uint32_t size_bytes) {
  return fwrite(values, 1, size_bytes, stream) == size_bytes;
}

static void report(const struct runner_job *job, const struct runner_statistics *statistics) {
  report_number("{", "samples", statistics->samples);
  report_number(",", "arenaBytes", statistics->arena_bytes);
  report_number(",", "planBytes", job->plan_bytes);
  report_number(",", "setupNanoseconds", statistics->setup);
  report_number(",", "nanoseconds", statistics->first_run);
  report_number(",", "nanosecondsAll", statistics->all_runs);
  if (job->steps != NULL) {
    report_numbers(",", "stepNanoseconds", job->steps, statistics->step_count);
  }
  report_text("}\n");
}

int main(int argument_count, char **arguments) {
  const bool profile = argument_count == 5 && strcmp(arguments[4], "--profile") == 0;
  if (argument_count != 4 && !profile) {
    fprintf(stderr, "usage: dunlin-plan-native PLAN INPUTS OUTPUTS [--profile]\n");
    return RUNNER_USAGE;
  }
  const struct file plan = read_file(arguments[1], PLAN_MAX_BYTES);
  const struct file inputs = read_file(arguments[2], MAX_INPUTS_BYTES);
  FILE *outputs = fopen(arguments[3], "wb");
  if (outputs == NULL) fail_file(arguments[3], strerror(errno));
  uint64_t *steps = profile ? malloc(RUNNER_MAX_STEPS * sizeof *steps) : NULL;
  const struct runner_job job = {
      .plan = plan.bytes,
      .plan_bytes = plan.size_bytes,
      .inputs = (const int8_t *)inputs.bytes,
      .inputs_bytes = inputs.size_bytes,
      .write = write_output,
      .context = outputs,
      .steps = steps,
  };
  struct runner_statistics statistics;
  const int status = runner_run(&job, &statistics);
  if (fclose(outputs) != 0 || status == RUNNER_OUTPUTS) fail_file(arguments[3], strerror(errno));
  if (status != RUNNER_OK) report_failure(status);
  report(&job, &statistics);
  return fflush(stdout) == 0 ? RUNNER_OK : RUNNER_FILE;
}
