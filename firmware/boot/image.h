/** MCUboot's image format as imgtool signs it with an Ed25519 key and a security counter. */
#ifndef IMAGE_H
#define IMAGE_H

#include "boot.h"

/**
 * Reads the slot's image and checks all of it; `least_counter` is the device's. The image's sizes
 * hold as soon as its structure does, whatever is returned; else size_bytes is 0.
 */
enum boot_status image_check(const struct boot_device *device, enum boot_area slot,
                             uint32_t least_counter, struct boot_image *image);

/** Whether two SHA-256 are one. */
bool image_same(const uint8_t a[BOOT_DIGEST_BYTES], const uint8_t b[BOOT_DIGEST_BYTES]);

/** What stands in the slot by its own word: structure and sizes hold, nothing else is checked. */
enum boot_status image_describe(const struct boot_flash *flash, enum boot_area slot,
                                struct boot_image *image);

#endif
