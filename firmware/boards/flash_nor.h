/** The flash of both devices of ours, which is memory here: laid out as flash_map.h says, and as
 * strict as NOR flash. */
#ifndef FLASH_NOR_H
#define FLASH_NOR_H

#include "flash_map.h"

/** Of the board: the flash's first byte. */
uint8_t *flash_nor_start(void);

extern const struct boot_flash flash_nor;

#endif
