/** The DSP instructions of Cortex-M4 and later, where the compiler may use them: KERNEL_DSP says
 * so. */
#ifndef DSP_H
#define DSP_H

#include <stdint.h>

#if defined(__ARM_FEATURE_DSP) && defined(__thumb2__)
#define KERNEL_DSP 1

/** A word over memory that is read by halves elsewhere. */
typedef uint32_t __attribute__((may_alias)) dsp_word;

#define DSP_UNARY(name, instruction)             \
  static inline uint32_t name(uint32_t from) {   \
    uint32_t to;                                 \
    __asm__(instruction : "=r"(to) : "r"(from)); \
    return to;                                   \
  }

#define DSP_MULTIPLY_ADD(name, instruction)                                       \
  static inline int32_t name(uint32_t a, uint32_t b, int32_t sum) {               \
    int32_t to;                                                                   \
    __asm__(instruction " %0, %1, %2, %3" : "=r"(to) : "r"(a), "r"(b), "r"(sum)); \
    return to;                                                                    \
  }

/** Bytes 0 and 2 as two int16; bytes 1 and 3. */
DSP_UNARY(dsp_sxtb16, "sxtb16 %0, %1")
DSP_UNARY(dsp_sxtb16_odd, "sxtb16 %0, %1, ror #8")

/** The sum of two products of int16, and of one: b the lower half, t the upper, of a and of b. */
DSP_MULTIPLY_ADD(dsp_smlad, "smlad")
DSP_MULTIPLY_ADD(dsp_smlabb, "smlabb")
DSP_MULTIPLY_ADD(dsp_smlabt, "smlabt")
DSP_MULTIPLY_ADD(dsp_smlatb, "smlatb")
DSP_MULTIPLY_ADD(dsp_smlatt, "smlatt")

/** (a * b + 2^31) / 2^32, rounded down. */
static inline int32_t dsp_smmulr(int32_t a, int32_t b) {
  int32_t high;
  __asm__("smmulr %0, %1, %2" : "=r"(high) : "r"(a), "r"(b));
  return high;
}

static inline int8_t dsp_saturate_int8(int32_t value) {
  int32_t to;
  __asm__("ssat %0, #8, %1" : "=r"(to) : "r"(value));
  return (int8_t)to;
}

/** Two words of the plan, from a multiple of 4, and on past them. */
static inline void dsp_load_pair(const uint8_t **from, uint32_t *first, uint32_t *second) {
  __asm__("ldrd %0, %1, [%2], #8" : "=&r"(*first), "=&r"(*second), "+r"(*from));
}

#endif
#endif
