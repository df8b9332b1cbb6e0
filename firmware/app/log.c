#include "log.h"

#include <stddef.h>

#include "../boards/device.h"

#define MICROSECONDS_PER_MILLISECOND 1000u
#define MAX_DIGITS 10u
/** What a line takes of an answer besides its text, and the answer besides its lines. */
#define LINE_FIELDS_BYTES 40u
#define ANSWER_FIELDS_BYTES 48u

static void append(struct log_line *line, const char *text) {
  for (; *text != '\0' && line->size_bytes < LOG_LINE_BYTES; text++) {
    line->text[line->size_bytes++] = *text;
  }
}

void log_add(struct log *log, enum log_level level, const char *text, const char *tail) {
  struct log_line *line = &log->lines[log->next % LOG_LINES];
  line->ms = (uint32_t)(device_microseconds() / MICROSECONDS_PER_MILLISECOND);
  line->level = (uint8_t)level;
  line->size_bytes = 0;
  append(line, text);
  if (tail != NULL) append(line, tail);
  log->next++;
}

void log_add_number(struct log *log, enum log_level level, const char *text, uint32_t value) {
  char digits[MAX_DIGITS + 1];
  uint32_t first = MAX_DIGITS;
  digits[first] = '\0';
  do {
    digits[--first] = (char)('0' + value % 10u);
    value /= 10u;
  } while (value > 0);
  log_add(log, level, text, digits + first);
}

static void answer_line(const struct log_line *line, uint32_t number, struct cbor_writer *answer) {
  cbor_map(answer, 4);
  cbor_text(answer, "n");
  cbor_uint(answer, number);
  cbor_text(answer, "ms");
  cbor_uint(answer, line->ms);
  cbor_text(answer, "level");
  cbor_uint(answer, line->level);
  cbor_text(answer, "text");
  cbor_text_of(answer, line->text, line->size_bytes);
}

void log_answer(const struct log *log, uint32_t since, struct cbor_writer *answer) {
  const uint32_t oldest = log->next > LOG_LINES ? log->next - LOG_LINES : 0;
  const uint32_t first = since < oldest ? oldest : since < log->next ? since : log->next;
  uint32_t room = answer->capacity_bytes - ANSWER_FIELDS_BYTES, end = first;
  while (end < log->next) {
    const uint32_t line_bytes = LINE_FIELDS_BYTES + log->lines[end % LOG_LINES].size_bytes;
    if (line_bytes > room) break;
    room -= line_bytes;
    end++;
  }
  cbor_map(answer, 3);
  cbor_text(answer, "next");
  cbor_uint(answer, end);
  cbor_text(answer, "lost");
  cbor_uint(answer, first > since ? first - since : 0);
  cbor_text(answer, "lines");
  cbor_array(answer, end - first);
  for (uint32_t number = first; number < end; number++) {
    answer_line(&log->lines[number % LOG_LINES], number, answer);
  }
}
