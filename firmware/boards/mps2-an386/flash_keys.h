/**
 * The public keys that a device trusts: put behind the bootloader when a board is made, by QEMU's
 * loader or a programmer, so that one bootloader does for every fleet.
 */
#ifndef FLASH_KEYS_H
#define FLASH_KEYS_H

#include "../../boot/boot.h"

#define FLASH_KEYS_MAGIC 0x59454b44u /* "DKEY" */
#define FLASH_KEYS_MAX 7u

struct flash_keys {
  uint32_t magic;
  uint32_t count;
  uint8_t keys[FLASH_KEYS_MAX][BOOT_KEY_BYTES];
};

/** The linker script ends the bootloader before it. */
#define FLASH_KEYS ((const struct flash_keys *)0x0000ff00u)

#endif
