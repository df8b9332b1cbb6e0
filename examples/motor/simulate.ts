/**
 * A two-pole induction motor on an inverter, driving a load through a coupling, with an accelerometer on
 * its drive-end bearing. The formulas and their sources are in README.md; equation numbers refer to it.
 */
import { Random } from '../../src/core/index.ts';
import { Ring } from './ring.ts';

export const CONDITIONS = ['healthy', 'imbalance', 'misalignment', 'bearing-fault'] as const;
export type Condition = (typeof CONDITIONS)[number];

/** x: radial, horizontal; y: axial; z: radial, vertical (gravity shows here as +1 g). */
export const AXES = 3;
export const WINDOW_SAMPLES = 256;
export const SAMPLE_RATE_HZ = 1600;
export const WINDOW_VALUES = WINDOW_SAMPLES * AXES;

const STANDARD_GRAVITY_MPS2 = 9.80665;
/** Analog Devices ADXL345 rev. G, table 1: +-4 g at full resolution, 3.9 mg (1/256 g) a step. */
export const SENSOR_RANGE_G = 4;
export const SENSOR_STEP_G = 1 / 256;
/** ADXL345 table 1: 0.75 LSB rms (x, y) and 1.1 LSB (z) at 100 Hz, growing with the root of the rate. */
const SENSOR_NOISE_LSB_AT_100HZ = [0.75, 0.75, 1.1] as const;

/** A 6205 deep-groove bearing as in the data of the CWRU Bearing Data Center: 9 balls of 7.94 mm on 39.04 mm. */
const BEARING = { balls: 9, ballMm: 7.94, pitchMm: 39.04, contactAngleRad: 0 } as const;
/** Eq. 3: impacts on a defect of the outer race per turn of the shaft; 3.585 for this bearing. */
export const BPFO_PER_TURN =
  (BEARING.balls / 2) *
  (1 - (BEARING.ballMm / BEARING.pitchMm) * Math.cos(BEARING.contactAngleRad));

const SPEED_HZ = { low: 20, high: 50 } as const;
/** Speed at which amplitudes that grow with speed are stated. */
const REFERENCE_SPEED_HZ = 35;
const DRIFT_TIME_S = 8;
/** Long against the decay of the resonance (at most 18 ms), so that a window starts in full swing. */
const RUN_IN_SAMPLES = 128;
/** Standard deviation of the gap between two impacts; 1 to 2 % in practice (Randall and Antoni 2011). */
const IMPACT_SLIP = 0.015;
const KNOCKS_PER_S = 3;

/** What stays as it is for one machine: how it is built and how the sensor is glued on. */
interface Build {
  readonly massRatio: number;
  readonly radialAnisotropy: number;
  readonly lineHumG: number;
  readonly resonanceHz: number;
  readonly damping: number;
  readonly resonanceShare: readonly [number, number, number];
  readonly flowNoiseG: number;
  readonly isKnocked: boolean;
  readonly rotation: readonly number[];
}

/** How bad each fault is; a healthy machine has a little of everything but a bearing defect. */
interface Severity {
  readonly gradeMmps: number;
  readonly imbalanceAngleRad: number;
  readonly misalignmentG: number;
  readonly misalignmentAnglesRad: readonly number[];
  readonly axialShare: number;
  readonly impactG: number;
}

export interface MachineOptions {
  readonly random: Random;
  readonly condition: Condition;
  readonly rateHz?: number;
  /** Fixed speed of the shaft for tests; without it the speed is drawn and drifts. */
  readonly speedHz?: number;
}

/** Vibration of one machine, sample by sample, for as long as it is asked. */
export class Machine {
  readonly #random: Random;
  readonly #stepS: number;
  readonly #noiseG: readonly number[];
  readonly #build: Build;
  readonly #ring: Ring;
  readonly #isSpeedFixed: boolean;
  #severity: Severity;
  #speedHz: number;
  #load: number;
  #turns = 0;
  #lineCycles = 0;
  #impactPhase = 0;
  #nextImpact = 1;
  #flow = 0;

  constructor({ random, condition, rateHz = SAMPLE_RATE_HZ, speedHz }: MachineOptions) {
    this.#random = random;
    this.#stepS = 1 / rateHz;
    this.#noiseG = SENSOR_NOISE_LSB_AT_100HZ.map(
      (lsb) => lsb * Math.sqrt(rateHz / 100) * SENSOR_STEP_G,
    );
    this.#build = drawBuild(random);
    const { resonanceHz, damping, flowNoiseG } = this.#build;
    this.#ring = new Ring({
      resonanceHz,
      damping,
      broadbandG: flowNoiseG,
      stepS: this.#stepS,
    });
    this.#severity = drawSeverity(random, condition);
    this.#isSpeedFixed = speedHz !== undefined;
    this.#speedHz = speedHz ?? random.uniform(SPEED_HZ.low, SPEED_HZ.high);
    this.#load = random.uniform(0.2, 1);
    this.#turns = random.uniform();
    this.#lineCycles = random.uniform();
    this.#nextImpact = random.uniform();
  }

  /** Speed of the shaft now, in turns per second. */
  get speedHz(): number {
    return this.#speedHz;
  }

  /** The machine falls ill or is repaired: a new severity is drawn, the machine turns on. */
  setCondition(condition: Condition): void {
    this.#severity = drawSeverity(this.#random, condition);
  }

  /** Writes the next sample (x, y, z in g, as the sensor gives it) to `out` at `offset`. */
  next(out: Float32Array, offset = 0): void {
    this.#advance();
    const [x, y, z] = this.#casing();
    const r = this.#build.rotation;
    for (let axis = 0; axis < AXES; axis++) {
      const seen = r[axis * 3]! * x + r[axis * 3 + 1]! * y + r[axis * 3 + 2]! * (z + 1);
      const noisy = seen + this.#noiseG[axis]! * this.#random.gaussian();
      const clipped = Math.max(-SENSOR_RANGE_G, Math.min(SENSOR_RANGE_G - SENSOR_STEP_G, noisy));
      out[offset + axis] = Math.round(clipped / SENSOR_STEP_G) * SENSOR_STEP_G;
    }
  }

  /** Speed and load drift (Ornstein-Uhlenbeck, held in their range); angles follow the speed. */
  #advance(): void {
    const random = this.#random;
    const dt = this.#stepS;
    const kick = Math.sqrt((2 * dt) / DRIFT_TIME_S);
    this.#load += (dt / DRIFT_TIME_S) * (0.6 - this.#load) + 0.2 * kick * random.gaussian();
    this.#load = Math.max(0.2, Math.min(1, this.#load));
    if (!this.#isSpeedFixed) {
      this.#speedHz += (dt / DRIFT_TIME_S) * (35 - this.#speedHz) + 6 * kick * random.gaussian();
      this.#speedHz = Math.max(SPEED_HZ.low, Math.min(SPEED_HZ.high, this.#speedHz));
    }
    this.#turns = (this.#turns + this.#speedHz * dt) % 1;
    // Eq. 5: one pole pair, and a slip of the rotor behind the field that grows with the load.
    this.#lineCycles = (this.#lineCycles + (this.#speedHz * dt) / (1 - 0.04 * this.#load)) % 1;
    this.#advanceRing(this.#speedHz * BPFO_PER_TURN * dt);
  }

  /** @param impactStep turns of the cage of balls past the defect in one time step, in impacts */
  #advanceRing(impactStep: number): void {
    const random = this.#random;
    this.#ring.advance(random);
    this.#impactPhase += impactStep;
    if (this.#impactPhase >= this.#nextImpact) {
      const sinceSteps = Math.min(1, (this.#impactPhase - this.#nextImpact) / impactStep);
      const force = this.#severity.impactG * this.#effort();
      this.#ring.hit(force * (1 + 0.2 * random.gaussian()), sinceSteps);
      this.#impactPhase -= this.#nextImpact;
      // Eq. 3: balls slip, so the gaps are random and their error adds up (Antoni and Randall 2003).
      this.#nextImpact = 1 + IMPACT_SLIP * random.gaussian();
    }
    if (this.#build.isKnocked && random.uniform() < KNOCKS_PER_S * this.#stepS) {
      this.#ring.hit(random.uniform(0.1, 0.8), random.uniform());
    }
  }

  /** How much harder faults shake at this speed and load than at the reference ones. */
  #effort(): number {
    return (this.#speedHz / REFERENCE_SPEED_HZ) * (0.6 + 0.4 * this.#load);
  }

  /** Acceleration of the bearing housing in g, without gravity. */
  #casing(): [number, number, number] {
    const { massRatio, radialAnisotropy, lineHumG, resonanceShare, flowNoiseG } = this.#build;
    const severity = this.#severity;
    const theta = 2 * Math.PI * this.#turns;
    // Eq. 1: centrifugal force of the imbalance, turning with the shaft: z lags x by a quarter turn.
    const omega = 2 * Math.PI * this.#speedHz;
    const centrifugal = (massRatio * (severity.gradeMmps / 1000) * omega) / STANDARD_GRAVITY_MPS2;
    const spin = theta + severity.imbalanceAngleRad;
    // Eq. 2: the coupling pushes twice a turn, along the shaft as much as across.
    const [first, second, third] = severity.misalignmentAnglesRad as [number, number, number];
    const push = severity.misalignmentG * this.#effort();
    const twice = push * Math.sin(2 * theta + second);
    const once = 0.35 * push * Math.sin(theta + first);
    const thrice = 0.2 * push * Math.sin(3 * theta + third);
    const hum = lineHumG * Math.sin(4 * Math.PI * this.#lineCycles);
    this.#flow = 0.7 * this.#flow + 0.5 * flowNoiseG * this.#random.gaussian();
    const ring = this.#ring.value;
    return [
      centrifugal * Math.cos(spin) + 0.7 * twice + thrice + hum + resonanceShare[0] * ring,
      0.12 * centrifugal * Math.cos(spin) +
        severity.axialShare * (twice + once) +
        resonanceShare[1] * ring +
        this.#flow,
      radialAnisotropy * centrifugal * Math.sin(spin) +
        0.5 * twice +
        0.5 * once +
        0.6 * hum +
        resonanceShare[2] * ring,
    ];
  }
}

function drawBuild(random: Random): Build {
  return {
    massRatio: random.uniform(0.2, 0.35),
    radialAnisotropy: random.uniform(0.5, 1),
    lineHumG: random.uniform(0, 0.06),
    resonanceHz: random.uniform(480, 700),
    damping: random.uniform(0.025, 0.06),
    resonanceShare: [random.uniform(0.5, 0.9), random.uniform(0.15, 0.4), random.uniform(0.7, 1)],
    flowNoiseG: random.uniform(0.01, 0.05),
    isKnocked: random.uniform() < 0.3,
    rotation: drawRotation(random, (8 * Math.PI) / 180),
  };
}

/** Severities overlap a little at their edges, as they do in a factory: no model can be right always. */
function drawSeverity(random: Random, condition: Condition): Severity {
  return {
    // ISO 21940-11: grade G 2.5 and below is what a motor leaves the works with; G 16 is rough.
    gradeMmps: condition === 'imbalance' ? random.logUniform(12, 60) : random.logUniform(0.6, 6.3),
    imbalanceAngleRad: random.uniform(0, 2 * Math.PI),
    misalignmentG:
      condition === 'misalignment' ? random.logUniform(0.07, 0.4) : random.logUniform(0.003, 0.03),
    misalignmentAnglesRad: [0, 1, 2].map(() => random.uniform(0, 2 * Math.PI)),
    axialShare: random.uniform(0.6, 1.2),
    impactG: condition === 'bearing-fault' ? random.logUniform(0.15, 1.2) : 0,
  };
}

/** The sensor is never glued on straight: small turns about all three axes. Row-major 3 x 3. */
function drawRotation(random: Random, limitRad: number): number[] {
  const [a, b, c] = [0, 1, 2].map(() => random.uniform(-limitRad, limitRad)) as [
    number,
    number,
    number,
  ];
  const [ca, sa, cb, sb, cc, sc] = [
    Math.cos(a),
    Math.sin(a),
    Math.cos(b),
    Math.sin(b),
    Math.cos(c),
    Math.sin(c),
  ];
  return [
    ca * cb,
    ca * sb * sc - sa * cc,
    ca * sb * cc + sa * sc,
    sa * cb,
    sa * sb * sc + ca * cc,
    sa * sb * cc - ca * sc,
    -sb,
    cb * sc,
    cb * cc,
  ];
}

/** One window of a machine of its own, [256, 3] in g, time first. */
export function simulateWindow(random: Random, condition: Condition): Float32Array {
  const machine = new Machine({ random, condition });
  const window = new Float32Array(WINDOW_VALUES);
  for (let i = 0; i < RUN_IN_SAMPLES; i++) machine.next(window);
  for (let i = 0; i < WINDOW_SAMPLES; i++) machine.next(window, i * AXES);
  return window;
}

export interface WindowSet {
  readonly count: number;
  /** [count, 256, 3] in g */
  readonly windows: Float32Array;
  /** Index into CONDITIONS of each window. */
  readonly labels: Uint8Array;
}

/** `count` windows of as many machines, the conditions in turn. Another seed: other machines. */
export function simulateSet(seed: number, count: number): WindowSet {
  const windows = new Float32Array(count * WINDOW_VALUES);
  const labels = new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    const label = i % CONDITIONS.length;
    labels[i] = label;
    const window = simulateWindow(new Random(seed, i), CONDITIONS[label]!);
    windows.set(window, i * WINDOW_VALUES);
  }
  return { count, windows, labels };
}
