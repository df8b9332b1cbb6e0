/**
 * The device's side of SMP over a serial line (Zephyr, "SMP Protocol Specification"): packets in,
 * each answered by the command that it names. No allocation; one packet at a time.
 */
#ifndef SMP_H
#define SMP_H

#include <stdbool.h>
#include <stdint.h>

#include "cbor.h"
#include "frame.h"

/** One packet with its header, a request's as an answer's. */
#define SMP_BUFFER_BYTES 1024u
/** What a packet takes more of the line: its length and CRC, base64, three bytes a line. */
#define SMP_LINE_BYTES (SMP_BUFFER_BYTES + SMP_BUFFER_BYTES / 2u)
/** Before the CBOR. */
#define SMP_HEADER_BYTES 8u

/** Zephyr, mcumgr_err_t. */
enum smp_rc {
  SMP_OK = 0,
  SMP_UNKNOWN = 1,
  SMP_INVALID = 3,
  SMP_TOO_LONG = 7,
  SMP_UNSUPPORTED = 8,
  SMP_BUSY = 10,
  SMP_TOO_NEW = 13,
};

/** Of a group's own if `group` is not 0; else of SMP. */
struct smp_error {
  uint16_t group;
  uint16_t rc;
};

#define SMP_DONE ((struct smp_error){0, SMP_OK})
#define SMP_FAILED(code) ((struct smp_error){0, (code)})

/** One well-formed map; an empty one for a request without a body. */
struct smp_request {
  const uint8_t *map;
  uint32_t map_bytes;
};

/**
 * One command of a group. `handle` writes the whole answer, a map, unless it fails. A program lists
 * those that it has, so that it carries no others.
 */
struct smp_command {
  uint16_t group;
  uint8_t id;
  bool write;
  struct smp_error (*handle)(void *context, const struct smp_request *request,
                             struct cbor_writer *answer);
  void *context;
};

struct smp {
  struct frame_decoder decoder;
  uint8_t packet[SMP_BUFFER_BYTES + 2u]; /* with its CRC */
  uint8_t answer[SMP_BUFFER_BYTES];
  const struct smp_command *commands;
  uint32_t command_count;
  void (*send)(void *context, const uint8_t *bytes, uint32_t size_bytes);
  void *context;
};

/** @param commands have to stay where they are */
void smp_start(struct smp *smp, const struct smp_command *commands, uint32_t command_count,
               void (*send)(void *context, const uint8_t *bytes, uint32_t size_bytes),
               void *context);

/** Takes what came in, and answers every packet that it ends. */
void smp_take(struct smp *smp, const uint8_t *bytes, uint32_t size_bytes);

/** Lines and packets that were thrown away. */
uint32_t smp_damaged(const struct smp *smp);

#endif
