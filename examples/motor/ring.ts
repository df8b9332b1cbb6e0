import type { Random } from '../../src/core/index.ts';

export interface RingOptions {
  readonly resonanceHz: number;
  /** Share of critical damping. */
  readonly damping: number;
  readonly stepS: number;
  /** Stationary rms of the response to broadband excitation, in g, whatever the rate and the damping. */
  readonly broadbandG: number;
}

/**
 * The housing's resonance, eq. 4: an impact at time 0 makes it ring as
 * A exp(-damping w t) sin(w sqrt(1 - damping^2) t), with w = 2 pi resonanceHz.
 * Kept as a phasor that turns and decays, so any number of impacts add up at constant cost.
 */
export class Ring {
  readonly #decayPerStep: number;
  readonly #radPerStep: number;
  readonly #turnRe: number;
  readonly #turnIm: number;
  readonly #stirG: number;
  #re = 0;
  #im = 0;

  constructor({ resonanceHz, damping, stepS, broadbandG }: RingOptions) {
    const omega = 2 * Math.PI * resonanceHz;
    this.#decayPerStep = Math.exp(-damping * omega * stepS);
    this.#radPerStep = omega * Math.sqrt(1 - damping * damping) * stepS;
    this.#turnRe = this.#decayPerStep * Math.cos(this.#radPerStep);
    this.#turnIm = this.#decayPerStep * Math.sin(this.#radPerStep);
    this.#stirG = broadbandG * Math.sqrt(1 - this.#decayPerStep * this.#decayPerStep);
  }

  /** Acceleration in g. */
  get value(): number {
    return this.#im;
  }

  /** One time step of free ringing under broadband excitation. */
  advance(random: Random): void {
    const re = this.#re * this.#turnRe - this.#im * this.#turnIm;
    const im = this.#re * this.#turnIm + this.#im * this.#turnRe;
    this.#re = re + this.#stirG * random.gaussian();
    this.#im = im + this.#stirG * random.gaussian();
  }

  /** An impact that fell `sinceSteps` (0 to 1) time steps before now. */
  hit(amplitudeG: number, sinceSteps: number): void {
    const amplitude = amplitudeG * this.#decayPerStep ** sinceSteps;
    this.#re += amplitude * Math.cos(this.#radPerStep * sinceSteps);
    this.#im += amplitude * Math.sin(this.#radPerStep * sinceSteps);
  }
}
