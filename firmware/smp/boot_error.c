#include "boot_error.h"

static enum model_error error_of(enum boot_status status) {
  switch (status) {
    case BOOT_FLASH:
      return MODEL_ERROR_FLASH;
    case BOOT_NO_IMAGE:
    case BOOT_BAD_HEADER:
    case BOOT_TRUNCATED:
    case BOOT_BAD_TLV:
    case BOOT_DIGEST:
      return MODEL_ERROR_BROKEN;
    case BOOT_TOO_LARGE:
      return MODEL_ERROR_TOO_LARGE;
    case BOOT_WRONG_KIND:
      return MODEL_ERROR_KIND;
    case BOOT_UNKNOWN_KEY:
    case BOOT_SIGNATURE:
      return MODEL_ERROR_SIGNATURE;
    case BOOT_DOWNGRADE:
      return MODEL_ERROR_DOWNGRADE;
    case BOOT_IN_USE:
      return MODEL_ERROR_NO_ROOM;
    case BOOT_NOT_ON_TEST:
      return MODEL_ERROR_NOT_TESTED;
    default:
      return MODEL_ERROR_UNKNOWN;
  }
}

struct smp_error boot_error(enum boot_status status) {
  return MODEL_FAILED((uint16_t)error_of(status));
}
