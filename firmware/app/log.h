/** The last lines of what the application has to say, for whoever asks over the serial line. */
#ifndef LOG_H
#define LOG_H

#include <stdint.h>

#include "../smp/smp.h"

#define LOG_LINES 32u
#define LOG_LINE_BYTES 72u

enum log_level { LOG_ERROR = 0, LOG_WARNING, LOG_INFORMATION, LOG_DEBUGGING };

struct log_line {
  uint32_t ms;
  uint8_t level;
  uint8_t size_bytes;
  char text[LOG_LINE_BYTES];
};

struct log {
  struct log_line lines[LOG_LINES];
  uint32_t next; /* number of the next line */
};

/** Longer lines are cut. @param tail goes behind the text; NULL for nothing */
void log_add(struct log *log, enum log_level level, const char *text, const char *tail);
/** The same, with a number behind the text. */
void log_add_number(struct log *log, enum log_level level, const char *text, uint32_t value);

/** Lines from a number on, as many as fit; docs/smp-model-group.md, "Log". */
void log_answer(const struct log *log, uint32_t since, struct cbor_writer *answer);

#endif
