/**
 * SMP group 1 (Zephyr, "Application/software image management group") over the bootloader's slots:
 * 0 is what runs, 1 what comes next or was before. In the firmware, and in the bootloader where
 * there is nothing to run.
 */
#ifndef IMAGE_GROUP_H
#define IMAGE_GROUP_H

#include "upload.h"

#define IMAGE_GROUP 1u

struct image_group {
  const struct boot_device *device;
  bool runs; /* the image in slot 0 */
  struct upload upload;
};

/* Each with a context of struct image_group. */
#define IMAGE_STATE 0u
#define IMAGE_UPLOAD 1u
#define IMAGE_ERASE 5u
#define IMAGE_SLOT_INFO 6u
struct smp_error image_group_state(void *context, const struct smp_request *request,
                                   struct cbor_writer *answer);
struct smp_error image_group_change_state(void *context, const struct smp_request *request,
                                          struct cbor_writer *answer);
struct smp_error image_group_upload(void *context, const struct smp_request *request,
                                    struct cbor_writer *answer);
struct smp_error image_group_erase(void *context, const struct smp_request *request,
                                   struct cbor_writer *answer);
struct smp_error image_group_slot_info(void *context, const struct smp_request *request,
                                       struct cbor_writer *answer);

#endif
