/** The command line of the native device, and keys as PEM has them (RFC 7468, RFC 8410). */
#define _GNU_SOURCE

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device_native.h"

#define USAGE                                                                                   \
  "usage: dunlin-mcu-native --flash FILE --link PATH --key FILE...\n"                           \
  "A microcontroller as a process of this machine: the bootloader, and the firmware that it "   \
  "runs.\n"                                                                                     \
  "  --flash FILE  its flash; made, erased, if it is not there\n"                               \
  "  --link PATH   where a link to its serial port goes\n"                                      \
  "  --key FILE    a public key whose signatures it trusts (mcu.pub.pem of dunlin keys init)\n" \
  "An erased device waits for firmware: dunlin mcu flash PATH FILE. SIGKILL is a power cut.\n"

#define MAX_PEM_BYTES 1024u
/** RFC 8410: what comes before the key's bytes, and all of it. */
#define SPKI_PREFIX_BYTES 12u
#define SPKI_BYTES (SPKI_PREFIX_BYTES + BOOT_KEY_BYTES)
#define PEM_BEGIN "-----BEGIN PUBLIC KEY-----"
#define PEM_END "-----END PUBLIC KEY-----"

static int base64_value(char character) {
  static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const char *found = character == '\0' ? NULL : strchr(alphabet, character);
  return found == NULL ? -1 : (int)(found - alphabet);
}

/** @return how many bytes, at most SPKI_BYTES */
static uint32_t decode(const char *text, const char *end, uint8_t bytes[SPKI_BYTES]) {
  uint32_t bits = 0, bit_count = 0, count = 0;
  for (; text < end; text++) {
    const int value = base64_value(*text);
    if (value < 0) continue;
    bits = bits << 6 | (uint32_t)value;
    bit_count += 6;
    if (bit_count < 8) continue;
    bit_count -= 8;
    if (count < SPKI_BYTES) bytes[count++] = (uint8_t)(bits >> bit_count);
  }
  return count;
}

static void read_key(struct native *native, const char *path) {
  static const uint8_t prefix[SPKI_PREFIX_BYTES] = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03,
                                                    0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};
  char text[MAX_PEM_BYTES + 1];
  uint8_t spki[SPKI_BYTES];
  if (native->key_count == NATIVE_MAX_KEYS) native_fail(path, "is one key too many");
  FILE *file = fopen(path, "rb");
  if (file == NULL) native_fail(path, strerror(errno));
  text[fread(text, 1, MAX_PEM_BYTES, file)] = '\0';
  fclose(file);
  const char *begin = strstr(text, PEM_BEGIN), *end = strstr(text, PEM_END);
  if (begin == NULL || end == NULL || decode(begin + strlen(PEM_BEGIN), end, spki) != SPKI_BYTES ||
      memcmp(spki, prefix, sizeof prefix) != 0) {
    native_fail(path, "is not an Ed25519 public key in PEM");
  }
  memcpy(native->keys[native->key_count++], spki + SPKI_PREFIX_BYTES, BOOT_KEY_BYTES);
}

void native_parse(struct native *native, char **arguments) {
  native->program = arguments[0];
  native->arguments = arguments;
  for (char **option = arguments + 1; *option != NULL; option += 2) {
    if (option[1] == NULL) break;
    if (strcmp(option[0], "--flash") == 0)
      native->flash_path = option[1];
    else if (strcmp(option[0], "--link") == 0)
      native->link_path = option[1];
    else if (strcmp(option[0], "--key") == 0)
      read_key(native, option[1]);
    else
      break;
    if (option[2] != NULL) continue;
    if (native->flash_path == NULL || native->link_path == NULL || native->key_count == 0) break;
    return;
  }
  fputs(USAGE, stderr);
  exit(EXIT_FAILURE);
}
