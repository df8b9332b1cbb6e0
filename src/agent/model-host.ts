import { DunlinError } from '../core/index.ts';
import {
  dequantize,
  quantize,
  type Sandbox,
  type TensorSpec,
  type VariantReason,
} from '../inference/index.ts';
import type { ReleaseDocument } from '../update/index.ts';
import { singleTensor, softmax } from './golden-gate.ts';
import type { Prediction, ServedRelease, WindowHost } from './pipeline.ts';

/** Outputs of a model that is no classifier, sent as they are up to this many. */
export const MAX_VALUES = 16;

/** Which variant serves and why; one that was left out at its installation is not there when a device comes. */
export interface HostChoice {
  readonly variant: 'cpu' | 'edgetpu';
  readonly reason: VariantReason | 'edgetpu-not-installed';
}

export interface HostedRelease extends ServedRelease {
  readonly variant: HostChoice['variant'];
  readonly variantReason: HostChoice['reason'];
}

/** A release in service: a loaded model and what its outputs mean. */
export class ModelHost implements WindowHost {
  readonly isReady = true;
  readonly release: HostedRelease;
  readonly #model: Sandbox;
  readonly #input: TensorSpec;
  readonly #output: TensorSpec;

  constructor(release: HostedRelease, model: Sandbox) {
    this.release = release;
    this.#model = model;
    this.#input = singleTensor(model.inputs);
    this.#output = singleTensor(model.outputs);
  }

  get path(): Sandbox['path'] {
    return this.#model.path;
  }

  /** Why this variant and this path: a code. */
  get reason(): string {
    const { variantReason } = this.release;
    return variantReason === 'edgetpu-no-variant' ? this.#model.pathReason : variantReason;
  }

  get pid(): number | undefined {
    return this.#model.pid;
  }

  /** Values of one window that the model takes. */
  get inputItems(): number {
    return this.#input.shape.reduce((product, size) => product * size, 1);
  }

  /** @param window float32, as many values as the model's input has */
  async infer(window: Float32Array): Promise<Prediction> {
    requireWindowItems(window, this.inputItems);
    const { outputs, latencyUs } = await this.#model.infer([quantize(window, this.#input)]);
    return predictionOf(this.release.document, outputs[0]!, this.#output, latencyUs);
  }

  close(): Promise<void> {
    return this.#model.close();
  }
}

/** What a model's output means by its release. */
export function predictionOf(
  { task, golden }: ReleaseDocument,
  output: Uint8Array,
  spec: TensorSpec,
  latencyUs: number,
): Prediction {
  const values = dequantize(output, spec);
  if (task.kind !== 'classification')
    return { latencyUs, values: [...values.slice(0, MAX_VALUES)] };
  const probabilities = golden.on === 'logits' ? values : softmax(values);
  const top = probabilities.indexOf(Math.max(...probabilities));
  return {
    latencyUs,
    label: task.labels[top] ?? String(top),
    confidence: Math.min(1, probabilities[top] ?? 0),
  };
}

/** @throws `input-invalid` */
export function requireWindowItems(window: Float32Array, inputItems: number): void {
  if (window.length === inputItems) return;
  throw new DunlinError(
    `a window has ${window.length} values, the model takes ${inputItems}; ` +
      'check window.samples and channels in the configuration',
    { code: 'input-invalid' },
  );
}
