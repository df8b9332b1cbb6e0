/**
 * xoshiro128** 1.1 (D. Blackman, S. Vigna, "Scrambled Linear Pseudorandom Number Generators", ACM TOMS
 * 47(4), 2021), its 128 bits of state filled by splitmix32 (Weyl sequence and MurmurHash3's finalizer),
 * as its authors advise for small seeds. Integers only, so a seed gives the same numbers everywhere.
 */
export class Random {
  readonly #state = new Uint32Array(4);
  #spareGaussian: number | undefined;

  /** @param seeds 32-bit integers; each list of seeds is a stream of its own */
  constructor(...seeds: readonly number[]) {
    let weyl = 0;
    for (const seed of seeds) weyl = mix32((weyl + seed) | 0);
    for (let i = 0; i < 4; i++) {
      weyl = (weyl + 0x9e3779b9) | 0;
      this.#state[i] = mix32(weyl);
    }
  }

  /** 32 random bits, as an integer in [0, 2^32). */
  uint32(): number {
    const s = this.#state;
    const result = Math.imul(rotateLeft(Math.imul(s[1]!, 5), 7), 9) >>> 0;
    const t = s[1]! << 9;
    s[2]! ^= s[0]!;
    s[3]! ^= s[1]!;
    s[1]! ^= s[2]!;
    s[0]! ^= s[3]!;
    s[2]! ^= t;
    s[3] = rotateLeft(s[3]!, 11);
    return result;
  }

  /** Uniform in [low, high). */
  uniform(low = 0, high = 1): number {
    return low + (high - low) * (this.uint32() / 2 ** 32);
  }

  /** Log-uniform in [low, high): each factor of two is as likely as the next. */
  logUniform(low: number, high: number): number {
    return low * Math.exp(this.uniform(0, Math.log(high / low)));
  }

  /** Normal, mean 0 and variance 1 (Box and Muller 1958). */
  gaussian(): number {
    if (this.#spareGaussian !== undefined) {
      const spare = this.#spareGaussian;
      this.#spareGaussian = undefined;
      return spare;
    }
    const radius = Math.sqrt(-2 * Math.log((this.uint32() + 1) / 2 ** 32));
    const angle = (2 * Math.PI * this.uint32()) / 2 ** 32;
    this.#spareGaussian = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }

  /** Uniform integer in [0, below). */
  integer(below: number): number {
    return Math.floor(this.uniform(0, below));
  }

  /** Fisher and Yates, in place. */
  shuffle(items: Uint32Array): void {
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.integer(i + 1);
      [items[i], items[j]] = [items[j]!, items[i]!];
    }
  }
}

function rotateLeft(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}

/** The finalizer of MurmurHash3 (A. Appleby). */
function mix32(value: number): number {
  let h = value ^ (value >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return h ^ (h >>> 16);
}
