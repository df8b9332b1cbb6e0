/** Where things are in the areas: sizes that hold for every image, worked out of the geometry. */
#ifndef LAYOUT_H
#define LAYOUT_H

#include "boot.h"

/** One part of what is copied, read or hashed at a time. */
#define LAYOUT_PART_BYTES 256u

/** Whether sectors, alignment and slots are such that everything below holds. */
bool layout_valid(const struct boot_flash *flash);

/** Bytes from the area's start to the first sector that its trailer needs. */
uint32_t layout_trailer_start(const struct boot_flash *flash, enum boot_area area);

/** Bytes of the swap status, and of everything after it: the whole trailer. */
uint32_t layout_trailer_bytes(const struct boot_flash *flash, enum boot_area area);

/** The largest image, with header and TLVs: one that fits both slots and can be moved. */
uint32_t layout_capacity(const struct boot_flash *flash, enum boot_area area);

static inline bool layout_is_model(enum boot_area area) {
  return area == BOOT_MODEL_0 || area == BOOT_MODEL_1;
}

#endif
