/** Writes a line of JSON to the host piece by piece, without a buffer or libc. */
#ifndef REPORT_H
#define REPORT_H

#include <stdint.h>

void report_text(const char *text);

/** One member of an object. @param before what stands before it: "{" or "," */
void report_number(const char *before, const char *name, uint64_t value);
void report_numbers(const char *before, const char *name, const uint64_t *values, uint32_t count);

/** Writes {"error":code} and ends with that code as the status. */
_Noreturn void report_failure(int code);

#endif
