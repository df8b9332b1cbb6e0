/** What engine.c calls: one function a kind of step, each in a file of its own. Their steps have
 * been checked. */
#ifndef KERNELS_H
#define KERNELS_H

#include "../engine.h"
#include "../plan_format.h"

static inline const int8_t *kernel_read(const struct engine *engine, uint32_t place) {
  return (place & PLAN_PLACE_CONSTANT) != 0
             ? (const int8_t *)(engine->plan + (place & ~PLAN_PLACE_CONSTANT))
             : (const int8_t *)(engine->arena + place);
}

static inline int8_t *kernel_write(const struct engine *engine, uint32_t place) {
  return (int8_t *)(engine->arena + place);
}

static inline uint32_t kernel_round_up(uint32_t value, uint32_t multiple) {
  return (value + multiple - 1u) / multiple * multiple;
}

/** Taps of a window over all its depth. */
static inline uint32_t kernel_taps(const struct plan_window_step *step) {
  return (uint32_t)step->kernel_h * step->kernel_w * step->in_c;
}

void kernel_conv_2d(const struct engine *engine, const struct plan_window_step *step);
void kernel_depthwise_conv_2d(const struct engine *engine, const struct plan_window_step *step);
void kernel_fully_connected(const struct engine *engine, const struct plan_window_step *step);
void kernel_average_pool_2d(const struct engine *engine, const struct plan_window_step *step);
void kernel_max_pool_2d(const struct engine *engine, const struct plan_window_step *step);
void kernel_add(const struct engine *engine, const struct plan_binary_step *step);
void kernel_sub(const struct engine *engine, const struct plan_binary_step *step);
void kernel_mul(const struct engine *engine, const struct plan_binary_step *step);
void kernel_lookup(const struct engine *engine, const struct plan_lookup_step *step);
void kernel_softmax(const struct engine *engine, const struct plan_softmax_step *step);
void kernel_mean(const struct engine *engine, const struct plan_mean_step *step);
void kernel_copy(const struct engine *engine, const struct plan_copy_step *step);
void kernel_fill(const struct engine *engine, const struct plan_fill_step *step);

#endif
