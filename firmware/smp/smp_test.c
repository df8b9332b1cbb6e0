#include "smp.h"

#include <string.h>

#include "test_smp.h"

#define GROUP 70u

static uint32_t calls;

static struct smp_error work(void *context, const struct smp_request *request,
                             struct cbor_writer *answer) {
  EXPECT(context == &calls);
  calls++;
  uint32_t size_bytes = 0;
  (void)cbor_find_uint(request->map, request->map_bytes, "fill", &size_bytes);
  cbor_map(answer, 1);
  cbor_text(answer, "done");
  static const uint8_t zeros[SMP_BUFFER_BYTES];
  if (size_bytes > 0) {
    cbor_bytes_of(answer, zeros, size_bytes);
  } else {
    cbor_bool(answer, true);
  }
  return SMP_DONE;
}

static struct smp_error fail(void *context, const struct smp_request *request,
                             struct cbor_writer *answer) {
  (void)context;
  (void)request;
  cbor_map(answer, 3); /* what was begun goes */
  return (struct smp_error){GROUP, 5};
}

static const struct smp_command commands[] = {
    {GROUP, 1, false, work, &calls},
    {GROUP, 2, true, fail, NULL},
};

static struct smp smp;

static void test_dispatch(void) {
  const struct cbor_writer empty = test_map(0);
  test_ask(&smp, false, GROUP, 1, &empty);
  EXPECT(test_flag("done") && calls == 1);
  EXPECT(test_answer[0] == (TEST_VERSION_2 | 1u) && test_answer[5] == GROUP);
  EXPECT(test_answer[6] == 7 && test_answer[7] == 1);
  test_send(&smp, TEST_READ | TEST_VERSION_2, GROUP, 1, NULL, 0); /* no body is an empty map */
  EXPECT(test_flag("done") && calls == 2);

  test_ask(&smp, true, GROUP, 1, &empty);
  EXPECT(test_number("rc") == SMP_UNSUPPORTED && test_answer[0] == (TEST_VERSION_2 | 3u));
  test_ask(&smp, false, GROUP, 3, &empty);
  EXPECT(test_number("rc") == SMP_UNSUPPORTED);
  test_ask(&smp, false, GROUP + 256u, 1, &empty);
  EXPECT(test_number("rc") == SMP_UNSUPPORTED);
  EXPECT(calls == 2);
}

static void test_errors(void) {
  const struct cbor_writer empty = test_map(0);
  test_ask(&smp, true, GROUP, 2, &empty);
  EXPECT(test_is_error(GROUP, 5));
  test_send(&smp, TEST_WRITE, GROUP, 2, "\xa0", 1); /* version 1 */
  EXPECT(test_number("rc") == SMP_UNKNOWN);
  test_send(&smp, TEST_READ | 2u * TEST_VERSION_2, GROUP, 1, "\xa0", 1);
  EXPECT(test_number("rc") == SMP_TOO_NEW);
  test_send(&smp, TEST_READ | TEST_VERSION_2, GROUP, 1, "\xa1\x01", 2);
  EXPECT(test_number("rc") == SMP_INVALID);
  EXPECT(calls == 2);
}

/** Answers, lengths that are not the packet's, reserved bits: silence. */
static void test_silence(void) {
  for (uint32_t first = 0; first < 256; first++) {
    const uint32_t operation = first & 7u;
    test_send(&smp, first, GROUP, 1, "\xa0", 1);
    const bool answers = (operation == 0 || operation == 2) && first < 32;
    EXPECT(answers == (test_answer_bytes > 0));
  }
}

static void test_answer_that_is_too_long(void) {
  const uint32_t sizes[] = {SMP_BUFFER_BYTES - SMP_HEADER_BYTES - 9u,
                            SMP_BUFFER_BYTES - SMP_HEADER_BYTES - 8u};
  for (uint32_t index = 0; index < 2; index++) {
    struct cbor_writer map = test_map(1);
    cbor_text(&map, "fill");
    cbor_uint(&map, sizes[index]);
    test_ask(&smp, false, GROUP, 1, &map);
    EXPECT((test_number("rc") == SMP_TOO_LONG) == (index == 1));
    EXPECT((test_answer_bytes == SMP_BUFFER_BYTES) == (index == 0));
  }
}

int main(void) {
  smp_start(&smp, commands, 2, test_receive, NULL);
  test_dispatch();
  test_errors();
  test_silence();
  test_answer_that_is_too_long();
  EXPECT(smp_damaged(&smp) == 0);
  return test_result();
}
