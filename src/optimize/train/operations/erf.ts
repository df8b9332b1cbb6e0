/** Where the series takes too many terms and the fraction few. */
const FRACTION_FROM = 2.5;
const SERIES_TERMS = 40;
const FRACTION_TERMS = 40;
/** From here on, 1 in double precision. */
const ONE_FROM = 6;

/**
 * The error function, to about 1e-15: Abramowitz and Stegun 1964, 7.1.6 near zero, the continued fraction 7.1.14 of its
 * complement further out.
 */
export function erf(x: number): number {
  const size = Math.abs(x);
  if (size >= ONE_FROM) return Math.sign(x);
  const factor = Math.exp(-size * size) / Math.sqrt(Math.PI);
  if (size < FRACTION_FROM) {
    let [term, sum] = [size, size];
    for (let n = 1; n <= SERIES_TERMS; n++) {
      term *= (2 * size * size) / (2 * n + 1);
      sum += term;
    }
    return Math.sign(x) * 2 * factor * sum;
  }
  let fraction = size;
  for (let n = FRACTION_TERMS; n >= 1; n--) fraction = size + n / 2 / fraction;
  return Math.sign(x) * (1 - factor / fraction);
}
