#include "conv_block.h"

#include "../memory.h"
#include "dsp.h"

struct conv_block conv_block_of(const struct engine *engine, const struct plan_window_step *step) {
  const int8_t zero = step->input_zero;
  const struct conv_block block = {
      .values = (int16_t *)(void *)(engine->arena + step->scratch),
      .image = kernel_read(engine, step->input),
      .height = step->in_h,
      .width = step->in_w,
      .row_bytes = (uint32_t)step->in_w * step->in_c,
      .depth = step->in_c,
      .kernel_h = step->kernel_h,
      .kernel_w = step->kernel_w,
      .dilation_h = step->dilation_h,
      .dilation_w = step->dilation_w,
      .stride_w = step->stride_w,
      .by_tap = step->layout == PLAN_RUNS,
      .zeros = {zero, zero, zero, zero},
  };
  return block;
}

/** Appends taps to a pixel's window: a group of four is written when it is whole. */
struct conv_block_writer {
  int16_t *to; /* of the group */
  uint32_t by_tap;
  uint32_t pending; /* taps of the group so far */
  uint32_t bits;    /* of them: 0, 8, 16 or 24 */
};

static inline void conv_block_write(struct conv_block_writer *writer, uint32_t four) {
  int16_t *to = writer->to;
  writer->to = to + 4u * SCRATCH_CONV_PIXELS;
  if (writer->by_tap) {
    to[0] = (int8_t)four;
    to[SCRATCH_CONV_PIXELS] = (int8_t)(four >> 8);
    to[2u * SCRATCH_CONV_PIXELS] = (int8_t)(four >> 16);
    to[3u * SCRATCH_CONV_PIXELS] = (int8_t)(four >> 24);
    return;
  }
#ifdef KERNEL_DSP
  dsp_word *words = (dsp_word *)(void *)to;
  words[0] = dsp_sxtb16(four);
  words[SCRATCH_CONV_PIXELS] = dsp_sxtb16_odd(four);
#else
  to[0] = (int8_t)four;
  to[1] = (int8_t)(four >> 16);
  to[2u * SCRATCH_CONV_PIXELS] = (int8_t)(four >> 8);
  to[2u * SCRATCH_CONV_PIXELS + 1u] = (int8_t)(four >> 24);
#endif
}

#ifdef KERNEL_DSP

/** Whole groups beside their fellows, quickly. @return how many taps those were */
static uint32_t conv_block_append_groups(struct conv_block_writer *writer, const int8_t *from,
                                         uint32_t advance, uint32_t count) {
  const uint32_t bits = writer->bits;
  const uint32_t taps = count & ~3u;
  dsp_word *to = (dsp_word *)(void *)writer->to;
  const dsp_word *end = to + taps * (SCRATCH_CONV_PIXELS / 2u);
  uint32_t pending = writer->pending;
  for (; to != end; to += 2u * SCRATCH_CONV_PIXELS, from += 4u * advance) {
    uint32_t four;
    memcpy(&four, from, 4);
    const uint32_t group = pending | four << bits;
    /* Of no bits pending none are left over. */
    pending = four >> 1 >> (31u - bits);
    to[0] = dsp_sxtb16(group);
    to[SCRATCH_CONV_PIXELS] = dsp_sxtb16_odd(group);
  }
  writer->pending = pending;
  writer->to = (int16_t *)(void *)to;
  return taps;
}

#endif

/** Values that lie in a row (`advance` 1), or the first of four that are the same (0). */
static void conv_block_append(struct conv_block_writer *writer, const int8_t *from,
                              uint32_t advance, uint32_t count) {
#ifdef KERNEL_DSP
  if (!writer->by_tap) {
    const uint32_t taps = conv_block_append_groups(writer, from, advance, count);
    from += taps * advance;
    count -= taps;
  }
#endif
  for (; writer->bits == 0 && count >= 4u; count -= 4u, from += 4u * advance) {
    uint32_t four;
    memcpy(&four, from, 4);
    conv_block_write(writer, four);
  }
  for (; count > 0; count--, from += advance) {
    writer->pending |= (uint32_t)(uint8_t)*from << writer->bits;
    writer->bits += 8;
    if (writer->bits == 32u) {
      conv_block_write(writer, writer->pending);
      writer->pending = writer->bits = 0;
    }
  }
}

/** How much of a window's row lies before the image, inside it and after it, in pixels. */
struct conv_block_part {
  uint32_t before, inside, after;
};

static struct conv_block_part conv_block_part_of(const struct conv_block *block, int32_t x) {
  const int32_t kernel = (int32_t)block->kernel_w;
  const int32_t before = x >= 0 ? 0 : -x < kernel ? -x : kernel;
  const int32_t end = x + kernel > block->width ? block->width - x : kernel;
  const int32_t inside = end > before ? end - before : 0;
  const struct conv_block_part part = {(uint32_t)before, (uint32_t)inside,
                                       (uint32_t)(kernel - before - inside)};
  return part;
}

/** A row of a window pixel by pixel, whatever lies between them. */
static void conv_block_spread(const struct conv_block *block, struct conv_block_writer *writer,
                              const int8_t *row, int32_t x) {
  for (uint32_t kx = 0; kx < block->kernel_w; kx++, x += block->dilation_w) {
    if (x < 0 || x >= block->width) {
      conv_block_append(writer, block->zeros, 0, block->depth);
    } else {
      conv_block_append(writer, row + (uint32_t)x * block->depth, 1, block->depth);
    }
  }
}

void conv_block_window(const struct conv_block *block, uint32_t pixel, int32_t y, int32_t x) {
  const uint32_t depth = block->depth;
  const struct conv_block_part part = conv_block_part_of(block, x);
  const uint32_t first = x < 0 ? 0 : (uint32_t)x * depth;
  struct conv_block_writer writer = {.to = block->values + (block->by_tap ? pixel : 2u * pixel),
                                     .by_tap = block->by_tap};
  for (uint32_t ky = 0; ky < block->kernel_h; ky++, y += block->dilation_h) {
    const int8_t *row = block->image + (uint32_t)y * block->row_bytes;
    if (y < 0 || y >= block->height) {
      conv_block_append(&writer, block->zeros, 0, block->kernel_w * depth);
    } else if (block->dilation_w != 1) {
      conv_block_spread(block, &writer, row, x);
    } else {
      if (part.before > 0) conv_block_append(&writer, block->zeros, 0, part.before * depth);
      if (part.inside > 0) conv_block_append(&writer, row + first, 1, part.inside * depth);
      if (part.after > 0) conv_block_append(&writer, block->zeros, 0, part.after * depth);
    }
  }
  if (writer.bits > 0) conv_block_write(&writer, writer.pending);
}

#ifdef KERNEL_DSP

/**
 * Groups of four taps of all four pixels, whose values lie `step` apart. @return where the next
 * group goes r0 to, r1 to r4 the pixels' values, r5 to r11 and lr groups, r12 the end of the first
 * pixel's.
 */
__attribute__((naked, noinline)) static dsp_word *conv_block_groups(
    dsp_word *to __attribute__((unused)), const int8_t *from __attribute__((unused)),
    uint32_t step __attribute__((unused)), uint32_t size_bytes __attribute__((unused))) {
  __asm__ volatile(
      "push {r4-r11, lr}\n\t"
      "add r12, r1, r3\n\t"
      "mov r5, r2\n\t"
      "add r2, r1, r5\n\t"
      "add r3, r2, r5\n\t"
      "add r4, r3, r5\n"
      "1:\n\t"
      "ldr r5, [r1], #4\n\t"
      "ldr r6, [r2], #4\n\t"
      "ldr r7, [r3], #4\n\t"
      "ldr r8, [r4], #4\n\t"
      "sxtb16 r9, r5\n\t"
      "sxtb16 r10, r6\n\t"
      "sxtb16 r11, r7\n\t"
      "sxtb16 lr, r8\n\t"
      "stm r0!, {r9-r11, lr}\n\t"
      "sxtb16 r5, r5, ror #8\n\t"
      "sxtb16 r6, r6, ror #8\n\t"
      "sxtb16 r7, r7, ror #8\n\t"
      "sxtb16 r8, r8, ror #8\n\t"
      "stm r0!, {r5-r8}\n\t"
      "cmp r1, r12\n\t"
      "bne 1b\n\t"
      "pop {r4-r11, pc}\n" ::
          : "memory");
}

/** A group's taps 0 and 2 (or 1 and 3) of all pixels from r9, r10, r11 and lr, two words for each
 * tap. */
#define CONV_BLOCK_TAPS(first, second) \
  "pkhbt r12, r9, r10, lsl #16\n\t"    \
  "pkhtb r10, r10, r9, asr #16\n\t"    \
  "pkhbt r9, r11, lr, lsl #16\n\t"     \
  "pkhtb lr, lr, r11, asr #16\n\t"     \
  "strd r12, r9, [r0, #" first         \
  "]\n\t"                              \
  "strd r10, lr, [r0, #" second "]\n\t"

/** The same for a block that lies by taps. The stack holds the end. */
__attribute__((naked, noinline)) static dsp_word *conv_block_taps(
    dsp_word *to __attribute__((unused)), const int8_t *from __attribute__((unused)),
    uint32_t step __attribute__((unused)), uint32_t size_bytes __attribute__((unused))) {
  __asm__ volatile(
      "push {r4-r11, lr}\n\t"
      "add r12, r1, r3\n\t"
      "push {r12}\n\t"
      "mov r5, r2\n\t"
      "add r2, r1, r5\n\t"
      "add r3, r2, r5\n\t"
      "add r4, r3, r5\n"
      "1:\n\t"
      "ldr r5, [r1], #4\n\t"
      "ldr r6, [r2], #4\n\t"
      "ldr r7, [r3], #4\n\t"
      "ldr r8, [r4], #4\n\t"
      "sxtb16 r9, r5\n\t"
      "sxtb16 r10, r6\n\t"
      "sxtb16 r11, r7\n\t"
      "sxtb16 lr, r8\n\t" CONV_BLOCK_TAPS("0", "16")
      "sxtb16 r9, r5, ror #8\n\t"
      "sxtb16 r10, r6, ror #8\n\t"
      "sxtb16 r11, r7, ror #8\n\t"
      "sxtb16 lr, r8, ror #8\n\t" CONV_BLOCK_TAPS("8", "24")
      "ldr r12, [sp]\n\t"
      "add r0, r0, #32\n\t"
      "cmp r1, r12\n\t"
      "bne 1b\n\t"
      "pop {r12}\n\t"
      "pop {r4-r11, pc}\n" ::: "memory");
}

/**
 * Whether groups of four taps can be read in a row: where a row's taps do not make whole ones, what
 * follows it is read too, which the weights past the last take as nothing. It must be of the image,
 * and of no other row of taps.
 */
static int conv_block_has_groups(const struct conv_block *block, int32_t y, int32_t x,
                                 uint32_t row_taps) {
  if ((row_taps & 3u) == 0) return 1;
  const int32_t last = y * block->width + x + 3 * block->stride_w;
  const uint32_t end = (uint32_t)last * block->depth + kernel_round_up(row_taps, 4u);
  return block->kernel_h == 1u && end <= (uint32_t)block->height * block->row_bytes;
}

int conv_block_four_windows(const struct conv_block *block, int32_t y, int32_t x) {
  const uint32_t row_taps = block->kernel_w * block->depth;
  const int32_t reach = 3 * block->stride_w + (int32_t)block->kernel_w;
  if (block->dilation_w != 1 || x < 0 || x + reach > block->width ||
      !conv_block_has_groups(block, y, x, row_taps)) {
    return 0;
  }
  const uint32_t group_taps = kernel_round_up(row_taps, 4u);
  const uint32_t pixel_bytes = (uint32_t)block->stride_w * block->depth;
  dsp_word *to = (dsp_word *)(void *)block->values;
  for (uint32_t ky = 0; ky < block->kernel_h; ky++, y += block->dilation_h) {
    if (y < 0 || y >= block->height) {
      uint32_t zeros;
      memcpy(&zeros, block->zeros, 4);
      const uint32_t two = dsp_sxtb16(zeros);
      for (const dsp_word *end = to + 2u * group_taps; to != end;) *to++ = two;
      continue;
    }
    const int8_t *from = block->image + (uint32_t)y * block->row_bytes + (uint32_t)x * block->depth;
    to = block->by_tap ? conv_block_taps(to, from, pixel_bytes, group_taps)
                       : conv_block_groups(to, from, pixel_bytes, group_taps);
  }
  return 1;
}

#else

int conv_block_four_windows(const struct conv_block *block, int32_t y, int32_t x) {
  (void)block, (void)y, (void)x;
  return 0;
}

#endif
