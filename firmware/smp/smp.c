#include "smp.h"

#include "../engine/memory.h"

/* Zephyr, "Frame: The envelope": reserved:3 version:2 operation:3, flags, length, group, sequence,
 * id; big endian. */
#define OPERATION_READ 0u
#define OPERATION_WRITE 2u
#define OPERATION_BITS 7u
#define VERSION_SHIFT 3u
#define VERSION_BITS 3u
#define VERSION_1 0u
#define VERSION_2 1u
#define RESERVED_SHIFT 5u
#define LENGTH_AT 2u
#define GROUP_AT 4u
#define ID_AT 7u

static uint32_t load_16(const uint8_t *bytes) { return (uint32_t)bytes[0] << 8 | bytes[1]; }

static void store_16(uint8_t *bytes, uint32_t value) {
  bytes[0] = (uint8_t)(value >> 8);
  bytes[1] = (uint8_t)value;
}

void smp_start(struct smp *smp, const struct smp_command *commands, uint32_t command_count,
               void (*send)(void *context, const uint8_t *bytes, uint32_t size_bytes),
               void *context) {
  frame_decoder_init(&smp->decoder, smp->packet, sizeof smp->packet);
  smp->commands = commands;
  smp->command_count = command_count;
  smp->send = send;
  smp->context = context;
}

static struct smp_error handle(const struct smp *smp, const uint8_t *packet, uint32_t size_bytes,
                               struct cbor_writer *answer) {
  static const uint8_t empty_map[] = {0xa0};
  const uint32_t group = load_16(packet + GROUP_AT);
  const bool write = (packet[0] & OPERATION_BITS) == OPERATION_WRITE;
  struct smp_request request = {packet + SMP_HEADER_BYTES, size_bytes - SMP_HEADER_BYTES};
  if ((packet[0] >> VERSION_SHIFT & VERSION_BITS) > VERSION_2) return SMP_FAILED(SMP_TOO_NEW);
  if (request.map_bytes == 0) request = (struct smp_request){empty_map, sizeof empty_map};
  if (!cbor_map_valid(request.map, request.map_bytes)) return SMP_FAILED(SMP_INVALID);
  for (uint32_t index = 0; index < smp->command_count; index++) {
    const struct smp_command *command = &smp->commands[index];
    if (command->group != group || command->id != packet[ID_AT] || command->write != write)
      continue;
    return command->handle(command->context, &request, answer);
  }
  return SMP_FAILED(SMP_UNSUPPORTED);
}

/** Zephyr, "Minimal response". Version 1 has no groups of errors: it gets the unknown one. */
static void answer_error(struct cbor_writer *answer, struct smp_error error, uint32_t version) {
  answer->size_bytes = 0;
  answer->full = false;
  cbor_map(answer, 1);
  if (error.group == 0 || version == VERSION_1) {
    cbor_text(answer, "rc");
    cbor_uint(answer, error.group == 0 ? error.rc : (uint32_t)SMP_UNKNOWN);
    return;
  }
  cbor_text(answer, "err");
  cbor_map(answer, 2);
  cbor_text(answer, "group");
  cbor_uint(answer, error.group);
  cbor_text(answer, "rc");
  cbor_uint(answer, error.rc);
}

/** Requests alone are answered: never an answer, lest two devices keep each other busy. */
static void answer_packet(struct smp *smp, uint32_t size_bytes) {
  const uint8_t *packet = smp->packet;
  if (size_bytes < SMP_HEADER_BYTES || packet[0] >> RESERVED_SHIFT != 0) return;
  if (load_16(packet + LENGTH_AT) != size_bytes - SMP_HEADER_BYTES) return;
  const uint32_t operation = packet[0] & OPERATION_BITS;
  const uint32_t version = packet[0] >> VERSION_SHIFT & VERSION_BITS;
  if (operation != OPERATION_READ && operation != OPERATION_WRITE) return;

  struct cbor_writer answer = {.bytes = smp->answer + SMP_HEADER_BYTES,
                               .capacity_bytes = SMP_BUFFER_BYTES - SMP_HEADER_BYTES};
  struct smp_error error = handle(smp, packet, size_bytes, &answer);
  if (error.rc == SMP_OK && answer.full) error = SMP_FAILED(SMP_TOO_LONG);
  if (error.rc != SMP_OK) answer_error(&answer, error, version);
  memcpy(smp->answer, packet, SMP_HEADER_BYTES);
  smp->answer[0]++; /* the operation: a read's answer is 1, a write's 3 */
  smp->answer[1] = 0;
  store_16(smp->answer + LENGTH_AT, answer.size_bytes);
  frame_write(smp->answer, SMP_HEADER_BYTES + answer.size_bytes, smp->send, smp->context);
}

void smp_take(struct smp *smp, const uint8_t *bytes, uint32_t size_bytes) {
  for (uint32_t index = 0; index < size_bytes; index++) {
    const uint32_t packet_bytes = frame_take(&smp->decoder, bytes[index]);
    if (packet_bytes > 0) answer_packet(smp, packet_bytes);
  }
}

uint32_t smp_damaged(const struct smp *smp) { return smp->decoder.damaged; }
