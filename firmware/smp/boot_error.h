/** What the bootloader's library refuses, as SMP says it. */
#ifndef BOOT_ERROR_H
#define BOOT_ERROR_H

#include "../boot/boot.h"
#include "smp.h"

/** docs/smp-model-group.md, "Errors". */
#define MODEL_GROUP 64u
#define MODEL_STATE 0u
enum model_error {
  MODEL_ERROR_UNKNOWN = 1,
  MODEL_ERROR_NOT_FOUND,
  MODEL_ERROR_TOO_LARGE,
  MODEL_ERROR_BROKEN,
  MODEL_ERROR_DIGEST,
  MODEL_ERROR_SIGNATURE,
  MODEL_ERROR_DOWNGRADE,
  MODEL_ERROR_KIND,
  MODEL_ERROR_FLASH,
  MODEL_ERROR_NOT_TESTED,
  MODEL_ERROR_NO_MODEL,
  MODEL_ERROR_TOO_MUCH,
  MODEL_ERROR_BUSY,
  MODEL_ERROR_BOARD,
  MODEL_ERROR_NO_ROOM,
};

#define MODEL_FAILED(code) ((struct smp_error){MODEL_GROUP, (code)})

/** Numbers of the model group, which the image group uses as well. */
struct smp_error boot_error(enum boot_status status);

#endif
