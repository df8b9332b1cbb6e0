import {
  operatorSpec,
  printable,
  type TfliteModel,
  type TfliteOperator,
} from '../../tflite/index.ts';
import type { Calibration } from '../calibrate/calibrate.ts';
import type { FloatModel } from '../float-model.ts';
import { copyOperator, copySignatures, GraphWriter } from '../graph-writer.ts';
import type { Affine } from './affine.ts';
import type { Int8Plan, OperatorPlan } from './int8-plan.ts';
import type { WeightScheme } from './int8-schemes.ts';
import { affineOfConstant, TensorPlaces } from './tensor-places.ts';
import { placeWeights, roundLayer } from './weighted-operator.ts';
import { type QuantizedWeights, quantizeBias } from './weights.ts';

export interface Int8Options {
  readonly inputType: 'int8' | 'float32';
  readonly outputType: 'int8' | 'float32';
  readonly biasCorrection: boolean;
  /** Steps to each side of zero of weights, by tensor, where they were trained on fewer than int8 has. */
  readonly weightSteps?: ReadonlyMap<number, number>;
}

export interface KeptOperator {
  /** Place in the written model. */
  readonly operator: number;
  readonly name: string;
  readonly reason: string;
}

export interface Int8Result {
  readonly model: TfliteModel;
  readonly keptFloat: readonly KeptOperator[];
  /** Output channels whose weights are all zero, by the float operator's label. */
  readonly deadChannels: ReadonlyMap<string, number>;
}

/** Writes the int8 model that a plan describes. It is still to be verified: `finishModel` does that. */
export function writeInt8Model(
  float: FloatModel,
  calibration: Calibration,
  plan: Int8Plan,
  options: Int8Options,
): Int8Result {
  return new Int8Writer(float, calibration, plan, options).write();
}

class Int8Writer {
  readonly #float: FloatModel;
  readonly #calibration: Calibration;
  readonly #plan: Int8Plan;
  readonly #options: Int8Options;
  readonly #writer = new GraphWriter();
  readonly #places: TensorPlaces;
  readonly #keptFloat: KeptOperator[] = [];
  readonly #deadChannels = new Map<string, number>();

  constructor(float: FloatModel, calibration: Calibration, plan: Int8Plan, options: Int8Options) {
    this.#float = float;
    this.#calibration = calibration;
    this.#plan = plan;
    this.#options = options;
    this.#places = new TensorPlaces(float, this.#writer);
  }

  write(): Int8Result {
    const { model, subgraph } = this.#float;
    const { inputType, outputType } = this.#options;
    const inputs = subgraph.inputs.map((index) =>
      inputType === 'int8'
        ? this.#places.newInt8(index, this.#affine(index))
        : this.#places.float(index),
    );
    for (const [place, operator] of subgraph.operators.entries()) {
      const plan = this.#plan.operators[place]!;
      if (plan.kind === 'int8') this.#int8Operator(operator, plan);
      else this.#floatOperator(operator, plan.reason);
    }
    const outputs = subgraph.outputs.map((index) => {
      const { type } = this.#float.graph.tensor(index);
      return type === 'float32' && outputType === 'int8'
        ? this.#places.int8(index, this.#affine(index))
        : this.#places.float(index);
    });
    const description = `${printable(model.description)} (int8, dunlin)`.trim();
    const signatures = copySignatures(this.#float, inputs, outputs);
    return {
      model: this.#writer.finish(description, inputs, outputs, signatures),
      keptFloat: this.#keptFloat,
      deadChannels: this.#deadChannels,
    };
  }

  #affine(index: number): Affine {
    const { graph } = this.#float;
    return this.#plan.affines.get(index) ?? affineOfConstant(graph.values(graph.tensor(index)));
  }

  #floatOperator(operator: TfliteOperator, reason: string): void {
    const place = copyOperator(this.#writer, this.#float, operator, (index) =>
      this.#places.float(index),
    );
    const { builtin, customCode } = this.#float.graph.code(operator);
    this.#keptFloat.push({ operator: place, name: printable(customCode ?? builtin), reason });
  }

  #int8Operator(operator: TfliteOperator, plan: OperatorPlan & { readonly kind: 'int8' }): void {
    const { scheme, activations } = plan;
    const { weights, output } = scheme;
    const { builtin, version } = this.#float.graph.code(operator);
    const moved = output === 'same' ? this.#affine(operator.outputs[0]!) : undefined;
    const inputs = operator.inputs.map((index, position) => {
      if (position === weights?.position || position === weights?.biasPosition) return -1;
      if (index === -1 || !activations.includes(position)) return this.#control(index);
      return this.#places.int8(index, moved ?? this.#affine(index));
    });
    if (weights !== undefined) {
      const activation = operator.inputs[activations[0]!]!;
      const placed = this.#weights(operator, weights, activation);
      inputs[weights.position] = placed.weights;
      inputs[weights.biasPosition] = placed.bias;
    }
    const outputs = operator.outputs.map((index) =>
      output === 'index'
        ? this.#places.float(index)
        : this.#places.newInt8(index, this.#affine(index)),
    );
    const least = weights?.version ?? operatorSpec(builtin)?.minVersion?.int8 ?? 1;
    const { options } = operator;
    this.#writer.operator({ builtin, version: Math.max(version, least), inputs, outputs, options });
  }

  #weights(operator: TfliteOperator, scheme: WeightScheme, activation: number) {
    const scales = {
      input: this.#affine(activation).scale,
      output: this.#affine(operator.outputs[0]!).scale,
    };
    const { weightSteps } = this.#options;
    const weighted = {
      float: this.#float,
      operator,
      scheme,
      input: this.#calibration.get(activation)!,
      scales,
      biasCorrection: this.#options.biasCorrection,
      ...(weightSteps === undefined ? {} : { weightSteps }),
    };
    const { weights, bias } = roundLayer(weighted);
    const dead = weights.deadChannels.length;
    if (dead > 0) this.#deadChannels.set(this.#float.graph.label(operator), dead);
    return {
      weights: placeWeights(this.#writer, weighted, weights),
      bias: this.#bias(bias, scales.input, weights),
    };
  }

  #bias(bias: Float64Array, inputScale: number, { quantization }: QuantizedWeights): number {
    const { values, quantization: own } = quantizeBias(bias, inputScale, quantization.scale);
    const data = new Uint8Array(values.buffer);
    const shape = [bias.length];
    return this.#writer.tensor({ name: '', type: 'int32', shape, quantization: own, data });
  }

  /** A shape or axes: a constant that stays as it is. */
  #control(index: number): number {
    return index === -1 ? -1 : this.#places.float(index);
  }
}
