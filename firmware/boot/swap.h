/**
 * The swap of the two image slots, by way of one spare sector in the primary one: first every
 * sector of the primary slot moves up by one, then the secondary slot's sectors come in from the
 * first on, and the moved ones take their places. Invariants, whatever power does:
 *   - from the primary trailer's magic to its copy_done it alone says what is under way;
 *   - every step reads sectors that no step since has written, and is done again unless the record
 *     of its end is there; only then the next one may destroy what it has read;
 *   - the request in the secondary trailer goes only when all sectors are in their places.
 */
#ifndef SWAP_H
#define SWAP_H

#include "boot.h"

/** @param size_bytes of the larger image */
bool swap_start(const struct boot_flash *flash, enum boot_swap swap, uint32_t size_bytes);

/** Carries on what was interrupted. `*swap` is BOOT_SWAP_NONE if nothing was. */
bool swap_resume(const struct boot_flash *flash, enum boot_swap *swap);

#endif
