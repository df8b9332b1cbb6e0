import type { Limits } from './activation.ts';
import { erf } from './erf.ts';
import type { Operation, OperationDraft } from './operation.ts';

/** A function of one value, and its derivative; y is f(x), as it was rounded to float32. */
interface Curve {
  f(x: number): number;
  slope(x: number, y: number): number;
}

function unary({ inputs, outputs }: OperationDraft, { f, slope }: Curve): Operation {
  const [input, output] = [inputs[0]!, outputs[0]!];
  return {
    forward: () => {
      const [x, y] = [input.values.floats, output.computed.floats];
      for (let index = 0; index < y.length; index++) y[index] = f(x[index]!);
    },
    backward: () => {
      if (!input.isTrained) return;
      const [x, y] = [input.values.floats, output.computed.floats];
      const [from, to] = [output.gradient.floats, input.gradient.floats];
      for (let index = 0; index < y.length; index++) {
        to[index]! += from[index]! * slope(x[index]!, y[index]!);
      }
    },
  };
}

const curve = (of: Curve) => (draft: OperationDraft) => unary(draft, of);

/** RELU and RELU6: what lies outside the limits is moved to them. */
function limited({ low, high }: Limits) {
  return ({ inputs, outputs, memory }: OperationDraft): Operation => {
    const [input, output] = [inputs[0]!, outputs[0]!];
    return {
      forward: () => {
        const { floats, address, length } = output.computed;
        floats.set(input.values.floats);
        memory.kernels.clamp(length, address, low, high);
      },
      backward: () => {
        if (!input.isTrained) return;
        const { address, length } = output.gradient;
        const [x, to] = [input.values.address, input.gradient.address];
        memory.kernels.addInside(length, x, address, to, low, high);
      },
    };
  };
}

export const relu = limited({ low: 0, high: Number.POSITIVE_INFINITY });
export const relu6 = limited({ low: 0, high: 6 });

export const leakyRelu = (draft: OperationDraft): Operation => {
  const alpha = Number(draft.operator.options['alpha'] ?? 0);
  return unary(draft, { f: (x) => (x > 0 ? x : alpha * x), slope: (x) => (x > 0 ? 1 : alpha) });
};

/** x relu6(x + 3) / 6 */
export const hardSwish = curve({
  f: (x) => (x * Math.min(Math.max(x + 3, 0), 6)) / 6,
  slope: (x) => {
    if (x <= -3) return 0;
    return x >= 3 ? 1 : (2 * x + 3) / 6;
  },
});

export const logistic = curve({ f: (x) => 1 / (1 + Math.exp(-x)), slope: (_, y) => y * (1 - y) });
export const tanh = curve({ f: Math.tanh, slope: (_, y) => 1 - y * y });
export const elu = curve({
  f: (x) => (x < 0 ? Math.expm1(x) : x),
  slope: (x, y) => (x < 0 ? y + 1 : 1),
});
export const abs = curve({ f: Math.abs, slope: (x) => Math.sign(x) });

/** x times the share of a normal distribution that lies below x. */
const EXACT_GELU: Curve = {
  f: (x) => 0.5 * x * (1 + erf(x * Math.SQRT1_2)),
  slope: (x) => {
    const density = Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);
    return 0.5 * (1 + erf(x * Math.SQRT1_2)) + x * density;
  },
};

/** kernels/internal/reference/gelu.h: the share by a tanh (Hendrycks and Gimpel 2016). */
const CUBIC = 0.044715;
const ROOT = Math.sqrt(2 / Math.PI);
const APPROXIMATE_GELU: Curve = {
  f: (x) => 0.5 * x * (1 + Math.tanh(ROOT * (x + CUBIC * x ** 3))),
  slope: (x) => {
    const bent = Math.tanh(ROOT * (x + CUBIC * x ** 3));
    return 0.5 * (1 + bent) + 0.5 * x * (1 - bent * bent) * ROOT * (1 + 3 * CUBIC * x * x);
  },
};

export const gelu = (draft: OperationDraft): Operation =>
  unary(draft, draft.operator.options['approximate'] === true ? APPROXIMATE_GELU : EXACT_GELU);
