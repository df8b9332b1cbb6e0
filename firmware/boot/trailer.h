/**
 * A slot's last bytes: MCUboot's image trailer. Invariants, whatever power does:
 *   - the magic is written last, so that a trailer with it is whole;
 *   - the magic is cleared to zeros before its sector is erased, so that a half erased trailer
 *     never has it: bits that erasing has set are not the magic's by chance;
 *   - a flag or record counts only as exactly 0x01; a half written one is written again;
 *   - where a flag could not be set any more, there is no trailer.
 */
#ifndef TRAILER_H
#define TRAILER_H

#include "boot.h"

/** Swap size, swap info, copy done, image OK: 8 bytes each; magic: 16. */
#define TRAILER_FIXED_BYTES 48u
/** Of a swap: one for every sector that is moved, two for every pair that is swapped. */
#define TRAILER_MAX_RECORDS (3u * BOOT_MAX_SECTORS)

enum trailer_flag { TRAILER_COPY_DONE, TRAILER_IMAGE_OK };

struct trailer {
  bool magic; /* and flags that are set or can be */
  bool copy_done;
  bool image_ok;
  uint8_t swap_info;
  uint32_t swap_size; /* of a model: its number, one more for each that is put to use */
};

bool trailer_read(const struct boot_flash *flash, enum boot_area area, struct trailer *trailer);

/** Leaves the trailer's sectors erased. */
bool trailer_clear(const struct boot_flash *flash, enum boot_area area);

/** The whole slot, its trailer first. */
bool trailer_erase_slot(const struct boot_flash *flash, enum boot_area area);

/** A new trailer in place of any that was there; without copy_done, which comes later. */
bool trailer_write(const struct boot_flash *flash, enum boot_area area,
                   const struct trailer *trailer);

/** Of a trailer that has its magic. */
bool trailer_set(const struct boot_flash *flash, enum boot_area area, enum trailer_flag flag);

/** The primary slot's swap status: `index` below TRAILER_MAX_RECORDS. */
bool trailer_set_record(const struct boot_flash *flash, uint32_t index);

/**
 * Of the first `most` records, how many are set one after the other from the first on. `*sane` is
 * false if one could not be set any more: then no swap of ours has left them.
 */
bool trailer_read_records(const struct boot_flash *flash, uint32_t most, uint32_t *count,
                          bool *sane);

#endif
