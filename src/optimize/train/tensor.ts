import type { Region } from './memory.ts';

/** What an int8 tensor can say: real = scale * steps, for whole steps from `low` to `high`. */
export interface Grid {
  readonly scale: number;
  readonly low: number;
  readonly high: number;
}

/** An activation of the float model in training, [batch, ...shape], or a constant, [...shape]. */
export class TrainingTensor {
  readonly name: string;
  readonly shape: readonly number[];
  /** Values of one sample. */
  readonly size: number;
  readonly isConstant: boolean;
  /** Whether a parameter is behind it: else nobody asks for its gradient. */
  readonly isTrained: boolean;
  /** As its operation computes it. */
  readonly computed: Region;
  /** Loss by value, summed over its readers; before its operation goes backward, by computed value. */
  readonly gradient: Region;
  readonly #rounded: Region;
  #grid: Grid | undefined;

  constructor(
    of: { readonly name: string; readonly shape: readonly number[]; readonly size: number },
    isConstant: boolean,
    isTrained: boolean,
    regions: { readonly computed: Region; readonly rounded: Region; readonly gradient: Region },
  ) {
    this.name = of.name;
    this.shape = of.shape;
    this.size = of.size;
    this.isConstant = isConstant;
    this.isTrained = isTrained;
    this.computed = regions.computed;
    this.gradient = regions.gradient;
    this.#rounded = regions.rounded;
  }

  /** As its readers see it: rounded to the grid where there is one. */
  get values(): Region {
    return this.#grid === undefined ? this.computed : this.#rounded;
  }

  get grid(): Grid | undefined {
    return this.#grid;
  }

  /** From now on, what an int8 tensor of these steps would say; undefined: float again. */
  roundTo(grid: Grid | undefined): void {
    this.#grid = grid;
  }
}
