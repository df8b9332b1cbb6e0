/** What trailers ask for: pure. */
#ifndef DECIDE_H
#define DECIDE_H

#include "trailer.h"

/** MCUboot, design.md, "Image trailers", states II to V; of two whole slots. */
enum boot_swap decide_swap(const struct trailer *primary, const struct trailer *secondary);

/** Whether the primary slot's trailer is of a swap that did not end; `capacity` bounds its size. */
bool decide_interrupted(const struct trailer *primary, uint32_t capacity);

enum model_state {
  MODEL_NONE,
  MODEL_PENDING,
  MODEL_ON_TEST,
  MODEL_CONFIRMED,
};

enum model_state decide_model(const struct trailer *trailer);

/** Of two model slots, the one that was put to use last: 0 or 1. */
uint32_t decide_newer(const struct trailer trailers[2]);

#endif
