#include "decide.h"

enum boot_swap decide_swap(const struct trailer *primary, const struct trailer *secondary) {
  if (secondary->magic) return secondary->image_ok ? BOOT_SWAP_PERMANENT : BOOT_SWAP_TEST;
  if (primary->magic && primary->copy_done && !primary->image_ok) return BOOT_SWAP_REVERT;
  return BOOT_SWAP_NONE;
}

bool decide_interrupted(const struct trailer *primary, uint32_t capacity) {
  return primary->magic && !primary->copy_done && primary->swap_info >= BOOT_SWAP_TEST &&
         primary->swap_info <= BOOT_SWAP_REVERT && primary->swap_size > 0 &&
         primary->swap_size <= capacity;
}

enum model_state decide_model(const struct trailer *trailer) {
  if (!trailer->magic) return MODEL_NONE;
  if (trailer->image_ok) return MODEL_CONFIRMED;
  return trailer->copy_done ? MODEL_ON_TEST : MODEL_PENDING;
}

/** Numbers may pass 2^32 and start again: what counts is which is ahead. */
uint32_t decide_newer(const struct trailer trailers[2]) {
  if (!trailers[0].magic) return 1;
  if (!trailers[1].magic) return 0;
  const uint32_t ahead = trailers[1].swap_size - trailers[0].swap_size;
  return ahead != 0 && ahead < 0x80000000u ? 1 : 0;
}
