import test, { type ExecutionContext } from 'ava';
import { Conv, Depthwise, type Layer, Mean, sizeOf } from '../../examples/motor/layers.ts';
import { createMotorNetwork, Network, softmax } from '../../examples/motor/network.ts';
import { train } from '../../examples/motor/train.ts';
import { Random } from '../../src/core/index.ts';

const STEP = 1e-2;
/** Values are float32, so a difference quotient is good to about a thousandth. */
const TOLERANCE = 4e-3;

/** Loss of a layer under test: a fixed random weighting of its outputs. */
function weigh(layer: Layer, input: Float32Array, weights: Float32Array): number {
  const output = new Float32Array(sizeOf(layer.output));
  layer.forward(input, output);
  return output.reduce((sum, value, i) => sum + value * weights[i]!, 0);
}

function randomValues(random: Random, size: number): Float32Array {
  return Float32Array.from({ length: size }, () => random.gaussian());
}

/** Every derivative of a layer against the difference quotient. */
function checkGradients(t: ExecutionContext, layer: Layer, random: Random): void {
  for (const { values } of layer.parameters) {
    // Far from the RELU's kink for most outputs, with some of them off.
    values.forEach((_, i) => {
      values[i] = 0.5 * random.gaussian();
    });
  }
  const input = randomValues(random, sizeOf(layer.input));
  const weights = randomValues(random, sizeOf(layer.output));
  const output = new Float32Array(sizeOf(layer.output));
  layer.forward(input, output);
  const inputGradient = new Float32Array(input.length);
  layer.backward(input, output, Float32Array.from(weights), inputGradient);
  const checks = [
    { values: input, gradient: inputGradient },
    ...layer.parameters.map(({ values, gradient }) => ({ values, gradient })),
  ];
  for (const { values, gradient } of checks) {
    let kinks = 0;
    values.forEach((value, i) => {
      values[i] = value + STEP;
      const above = weigh(layer, input, weights);
      values[i] = value - STEP;
      const below = weigh(layer, input, weights);
      values[i] = value;
      const here = weigh(layer, input, weights);
      // Across a kink of the RELU both sides' slopes differ, and no quotient is right.
      if (Math.abs(above - 2 * here + below) > STEP * TOLERANCE) {
        kinks += 1;
        return;
      }
      const quotient = (above - below) / (2 * STEP);
      t.true(
        Math.abs(quotient - gradient[i]!) < TOLERANCE * Math.max(1, Math.abs(quotient)),
        `${layer.kind} [${i}]: ${gradient[i]} against ${quotient}`,
      );
    });
    t.true(kinks < values.length / 2, `${kinks} kinks of ${values.length}`);
  }
}

test('gradients of a convolution', (t) => {
  const random = new Random(1);
  const input = { length: 11, channels: 3 };
  checkGradients(t, new Conv(input, 4, { kernel: 3, stride: 2, relu: true }, random), random);
  checkGradients(t, new Conv(input, 8, { kernel: 5, stride: 1, relu: false }, random), random);
});

test('gradients of a fully connected layer', (t) => {
  const random = new Random(2);
  const input = { length: 1, channels: 7 };
  const layer = new Conv(input, 4, { kernel: 1, stride: 1, relu: true }, random);
  t.is(layer.kind, 'dense');
  checkGradients(t, layer, random);
});

test('gradients of a depthwise convolution', (t) => {
  const random = new Random(3);
  checkGradients(t, new Depthwise({ length: 9, channels: 5 }, 4, random), random);
});

test('gradients of the mean over time', (t) => {
  checkGradients(t, new Mean({ length: 6, channels: 3 }), new Random(4));
});

test('gradient of softmax cross-entropy, through a network', (t) => {
  const random = new Random(5);
  const first = new Conv(
    { length: 9, channels: 2 },
    8,
    { kernel: 3, stride: 2, relu: true },
    random,
  );
  const mean = new Mean(first.output);
  const last = new Conv(mean.output, 4, { kernel: 1, stride: 1, relu: false }, random);
  const network = new Network([first, mean, last]);
  const input = randomValues(random, 18);
  const loss = (): number => -Math.log(softmax(network.forward(input))[2]!);
  network.learn(input, 2);
  const gradient = Float32Array.from(last.weights.gradient);
  last.weights.values.forEach((value, i) => {
    last.weights.values[i] = value + STEP;
    const above = loss();
    last.weights.values[i] = value - STEP;
    const below = loss();
    last.weights.values[i] = value;
    t.true(Math.abs((above - below) / (2 * STEP) - gradient[i]!) < TOLERANCE);
  });
});

test('a channel count that the kernel cannot do is refused', (t) => {
  const options = { kernel: 1, stride: 1, relu: false };
  t.throws(() => new Conv({ length: 4, channels: 3 }, 6, options, new Random(1)), {
    message: /multiple of 4/,
  });
});

test('training lowers the loss and is reproducible', (t) => {
  const run = () => {
    const network = createMotorNetwork(new Random(1));
    const losses: number[] = [];
    const plan = { seed: 9, steps: 100, batch: 8, learningRate: 3e-3 };
    train(network, plan, ({ loss }) => losses.push(loss));
    return { network, losses };
  };
  const { network, losses } = run();
  t.true(losses[1]! < losses[0]!, losses.join(' '));
  const again = run().network;
  t.deepEqual(
    network.parameters.map(({ values }) => values),
    again.parameters.map(({ values }) => values),
  );
});
