#include "os_group.h"

#include <stddef.h>

/** Zephyr, BOOT_MODE_TYPE_BOOTLOADER. */
#define BOOT_MODE_BOOTLOADER 1u
/** Zephyr, MCUBOOT_MODE_SWAP_USING_MOVE: what image test and confirm do here. */
#define SWAP_USING_MOVE 3u

struct smp_error os_group_echo(void *context, const struct smp_request *request,
                               struct cbor_writer *answer) {
  (void)context;
  struct cbor_bytes text;
  if (!cbor_find_text(request->map, request->map_bytes, "d", &text)) return SMP_FAILED(SMP_INVALID);
  cbor_map(answer, 1);
  cbor_text(answer, "r");
  cbor_text_of(answer, text.bytes, text.size_bytes);
  return SMP_DONE;
}

struct smp_error os_group_reset(void *context, const struct smp_request *request,
                                struct cbor_writer *answer) {
  struct os_group *group = context;
  uint32_t mode = 0;
  (void)cbor_find_uint(request->map, request->map_bytes, "boot_mode", &mode);
  group->reset_asked = true;
  group->recovery_asked = mode == BOOT_MODE_BOOTLOADER;
  cbor_map(answer, 0);
  return SMP_DONE;
}

struct smp_error os_group_parameters(void *context, const struct smp_request *request,
                                     struct cbor_writer *answer) {
  (void)request;
  const struct os_group *group = context;
  cbor_map(answer, 2);
  cbor_text(answer, "buf_size");
  cbor_uint(answer, SMP_BUFFER_BYTES);
  cbor_text(answer, "buf_count");
  cbor_uint(answer, group->buffer_count);
  return SMP_DONE;
}

/** What a letter of the format stands for; NULL if nothing. Zephyr, "OS/Application info". */
static const char *info_of(const struct os_group *group, uint8_t letter) {
  if (letter == 'i') return group->board;
  return letter == 's' ? "Dunlin" : NULL;
}

/** One letter, or none; "a", all that there is, is the board. */
struct smp_error os_group_info(void *context, const struct smp_request *request,
                               struct cbor_writer *answer) {
  const struct os_group *group = context;
  struct cbor_bytes format;
  uint8_t letter = 's';
  if (cbor_find_text(request->map, request->map_bytes, "format", &format)) {
    if (format.size_bytes != 1) return SMP_FAILED(SMP_INVALID);
    letter = format.bytes[0] == 'a' ? 'i' : format.bytes[0];
  }
  const char *info = info_of(group, letter);
  if (info == NULL) return SMP_FAILED(SMP_INVALID);
  cbor_map(answer, 1);
  cbor_text(answer, "output");
  cbor_text(answer, info);
  return SMP_DONE;
}

struct smp_error os_group_bootloader(void *context, const struct smp_request *request,
                                     struct cbor_writer *answer) {
  (void)context;
  struct cbor_bytes query;
  if (!cbor_find_text(request->map, request->map_bytes, "query", &query)) {
    cbor_map(answer, 1);
    cbor_text(answer, "bootloader");
    cbor_text(answer, "Dunlin");
    return SMP_DONE;
  }
  /* "mode" is the only query there is. */
  if (query.size_bytes != 4 || query.bytes[0] != 'm') return SMP_FAILED(SMP_INVALID);
  cbor_map(answer, 2);
  cbor_text(answer, "mode");
  cbor_uint(answer, SWAP_USING_MOVE);
  cbor_text(answer, "no-downgrade");
  cbor_bool(answer, true);
  return SMP_DONE;
}
