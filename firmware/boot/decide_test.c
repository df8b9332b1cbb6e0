#include "decide.h"

#include "../engine/test.h"

/** MCUboot's tables, written out: of magic, copy_done and image_ok in both slots. */
static void test_swap(void) {
  for (uint32_t bits = 0; bits < 64u; bits++) {
    const struct trailer primary = {
        .magic = (bits & 1u) != 0, .copy_done = (bits & 2u) != 0, .image_ok = (bits & 4u) != 0};
    const struct trailer secondary = {
        .magic = (bits & 8u) != 0, .copy_done = (bits & 16u) != 0, .image_ok = (bits & 32u) != 0};
    enum boot_swap expected = (bits & 7u) == 3u ? BOOT_SWAP_REVERT : BOOT_SWAP_NONE;
    if ((bits & 8u) != 0) expected = (bits & 32u) != 0 ? BOOT_SWAP_PERMANENT : BOOT_SWAP_TEST;
    EXPECT(decide_swap(&primary, &secondary) == expected);
  }
}

static void test_interrupted(void) {
  struct trailer trailer = {.magic = true, .swap_size = 1000};
  for (uint32_t info = 0; info < 256u; info++) {
    trailer.swap_info = (uint8_t)info;
    EXPECT(decide_interrupted(&trailer, 1000) == (info >= 2u && info <= 4u));
  }
  trailer.swap_info = BOOT_SWAP_TEST;
  EXPECT(!decide_interrupted(&trailer, 999));
  trailer.swap_size = 0;
  EXPECT(!decide_interrupted(&trailer, 1000));
  trailer.swap_size = UINT32_MAX;
  EXPECT(!decide_interrupted(&trailer, 1000));
  trailer.swap_size = 1;
  trailer.copy_done = true;
  EXPECT(!decide_interrupted(&trailer, 1000));
  trailer.copy_done = trailer.magic = false;
  EXPECT(!decide_interrupted(&trailer, 1000));
}

static void test_model(void) {
  struct trailer trailer = {.copy_done = true, .image_ok = true};
  EXPECT(decide_model(&trailer) == MODEL_NONE);
  trailer.magic = true;
  EXPECT(decide_model(&trailer) == MODEL_CONFIRMED);
  trailer.image_ok = false;
  EXPECT(decide_model(&trailer) == MODEL_ON_TEST);
  trailer.copy_done = false;
  EXPECT(decide_model(&trailer) == MODEL_PENDING);
  trailer.image_ok = true;
  EXPECT(decide_model(&trailer) == MODEL_CONFIRMED);
}

static void test_newer(void) {
  struct trailer both[2] = {{.magic = true, .swap_size = 5}, {.magic = true, .swap_size = 6}};
  EXPECT(decide_newer(both) == 1);
  both[1].swap_size = 4;
  EXPECT(decide_newer(both) == 0);
  both[0].swap_size = UINT32_MAX;
  EXPECT(decide_newer(both) == 1);
  both[1].swap_size = UINT32_MAX;
  EXPECT(decide_newer(both) == 0);
  both[0].magic = false;
  EXPECT(decide_newer(both) == 1);
  both[0].magic = true;
  both[1].magic = false;
  both[1].swap_size = 0;
  EXPECT(decide_newer(both) == 0);
}

int main(void) {
  test_swap();
  test_interrupted();
  test_model();
  test_newer();
  return test_result();
}
