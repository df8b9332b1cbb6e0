/**
 * The bootloader's library (docs/bootloader.md): signed firmware images that are swapped into the
 * primary slot, tested, confirmed or reverted; signed models in two slots of their own. C11; no
 * allocation, no libc beyond memcpy and memset, no state of its own: all of it is in flash, and
 * whatever power leaves of it is carried on.
 */
#ifndef BOOT_H
#define BOOT_H

#include "boot_flash.h"

/** Sectors of an image at most; MCUboot's own default, and so part of where a trailer starts. */
#ifndef BOOT_MAX_SECTORS
#define BOOT_MAX_SECTORS 128u
#endif

#define BOOT_KEY_BYTES 32u
#define BOOT_DIGEST_BYTES 32u

/** Of models. */
#define BOOT_MODEL_SLOTS 2u

/** @param slot below BOOT_MODEL_SLOTS */
static inline enum boot_area boot_model_area(uint32_t slot) {
  return slot == 0 ? BOOT_MODEL_0 : BOOT_MODEL_1;
}

enum boot_status {
  BOOT_OK = 0,
  BOOT_FLASH,       /* the flash refused an operation */
  BOOT_LAYOUT,      /* areas that no image can be swapped between */
  BOOT_NO_IMAGE,    /* no image starts there, or none that may run */
  BOOT_BAD_HEADER,  /* flags or sizes that no image of ours has */
  BOOT_TOO_LARGE,   /* more than the slot can hold, or than can be swapped */
  BOOT_WRONG_KIND,  /* a model where firmware should be, or firmware where a model should be */
  BOOT_TRUNCATED,   /* erased flash where the image's end should be */
  BOOT_BAD_TLV,     /* records that are missing, double, unknown or of another size */
  BOOT_DIGEST,      /* bytes have changed */
  BOOT_UNKNOWN_KEY, /* signed with a key that is not among the device's */
  BOOT_SIGNATURE,   /* not what the key's owner signed */
  BOOT_DOWNGRADE,   /* its counter is below the device's */
  BOOT_IN_USE,      /* the slot holds what runs, or what would be reverted to */
  BOOT_NOT_ON_TEST, /* no model is */
};

/** A slot's use in swap_info and by SMP clients: MCUboot's numbers. */
enum boot_swap {
  BOOT_SWAP_NONE = 1,
  BOOT_SWAP_TEST = 2,
  BOOT_SWAP_PERMANENT = 3,
  BOOT_SWAP_REVERT = 4,
};

/** Public keys, of any of which a signature does. */
struct boot_device {
  const struct boot_flash *flash;
  const uint8_t (*keys)[BOOT_KEY_BYTES];
  uint32_t key_count;
};

/** What the checks have found in a slot; the payload starts after the header. */
struct boot_image {
  uint32_t header_bytes;
  uint32_t payload_bytes;
  uint32_t size_bytes; /* with header and TLVs */
  uint32_t counter;
  uint8_t version[8]; /* major, minor, revision and build as in the header */
  uint8_t digest[BOOT_DIGEST_BYTES];
};

struct boot_firmware {
  struct boot_image image;
  bool confirmed;
  enum boot_swap swapped;   /* what this start has done, or finished */
  enum boot_status refused; /* why it has not done what was asked for */
};

struct boot_model {
  struct boot_image image;
  uint32_t slot; /* 0 or 1 */
  bool confirmed;
  enum boot_status refused; /* why a model that was pending is not */
};

/**
 * Everything before the jump: carries on a swap that lost power, raises the counter if the firmware
 * in the primary slot is confirmed, swaps if that is asked for or a test was not confirmed, and
 * checks what is then to run.
 * @return BOOT_OK: jump to the primary slot; else there is nothing that may run
 */
enum boot_status boot_start(const struct boot_device *device, struct boot_firmware *firmware);

/** Whole, signed, of its kind and not a downgrade, as the image stands in its slot. */
enum boot_status boot_check(const struct boot_device *device, enum boot_area slot,
                            struct boot_image *image);

/** What the slot's image says about itself, quickly: its digest is the one that it claims. */
enum boot_status boot_describe(const struct boot_device *device, enum boot_area slot,
                               struct boot_image *image);

/** What the next start would do, unless it refuses the image. */
enum boot_status boot_next_swap(const struct boot_device *device, enum boot_swap *swap);

/** From the firmware: the secondary slot's image is to run, once or for good. Checks it first. */
enum boot_status boot_request(const struct boot_device *device, bool permanent);

/** From the firmware that runs: it is good. The next start raises the counter. */
enum boot_status boot_confirm(const struct boot_device *device);

/** The largest image that the slot can take, with header and TLVs; 0 if there is no such slot. */
uint32_t boot_capacity(const struct boot_device *device, enum boot_area slot);

/** Erases the secondary slot for an upload; not while a test could be reverted to what it holds. */
enum boot_status boot_clear(const struct boot_device *device);

enum boot_moment {
  BOOT_AT_START, /* first of all after a reset: a model that was on test then is dropped */
  BOOT_RUNNING,  /* a model on test stays */
};

/**
 * The model to run: the one that is pending goes on test, else the newest confirmed one whose
 * image holds. Raises the models' counter if that one is confirmed.
 * @return BOOT_OK, or BOOT_NO_IMAGE if there is none
 */
enum boot_status boot_model_select(const struct boot_device *device, enum boot_moment moment,
                                   struct boot_model *model);

/** The slot's model is to run, on test or for good. Checks it first. */
enum boot_status boot_model_request(const struct boot_device *device, uint32_t slot,
                                    bool permanent);

/** The model on test is good. The next selection raises the counter. */
enum boot_status boot_model_confirm(const struct boot_device *device);

/** Drops the model on test; the next selection gives the one of before. */
enum boot_status boot_model_revert(const struct boot_device *device);

/** Erases a slot for an upload; not the one that a selection would give now. */
enum boot_status boot_model_clear(const struct boot_device *device, uint32_t slot);

#endif
