/** Largest finite float16; IEEE 754-2008, binary16. */
export const MAX_FLOAT16 = 65_504;
const EXPONENT_BIAS = 15;
const MANTISSA_BITS = 10;
const LEAST_EXPONENT = 1 - EXPONENT_BIAS;

/** Nearest float16 of a number as its 16 bits, halves to even; what is too large becomes infinity. */
export function toFloat16Bits(value: number): number {
  if (Number.isNaN(value)) return 0x7e00;
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  // Past this, halves to even reach beyond the largest finite value.
  if (magnitude >= MAX_FLOAT16 + 16) return sign | 0x7c00;
  const exponent = Math.max(Math.floor(Math.log2(magnitude || 1)), LEAST_EXPONENT);
  const unit = 2 ** (magnitude === 0 ? LEAST_EXPONENT - MANTISSA_BITS : exponent - MANTISSA_BITS);
  const steps = roundHalfToEven(magnitude / unit);
  const base = magnitude === 0 ? 0 : (exponent - LEAST_EXPONENT) << MANTISSA_BITS;
  // A mantissa that rounds up to the next power of two carries into the exponent by itself.
  return sign | (base + steps);
}

export function fromFloat16Bits(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> MANTISSA_BITS) & 0x1f;
  const mantissa = bits & 0x3ff;
  if (exponent === 0x1f) return mantissa === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  const significand = exponent === 0 ? mantissa : mantissa | 0x400;
  return sign * significand * 2 ** (Math.max(exponent, 1) - EXPONENT_BIAS - MANTISSA_BITS);
}

/** Exact for the range above: quotients by powers of two have no rounding of their own. */
function roundHalfToEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}
