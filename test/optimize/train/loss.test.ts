import test from 'ava';
import { openFloatModel } from '../../../src/optimize/float-model.ts';
import { lossGradients, type Target } from '../../../src/optimize/train/loss.ts';
import { Network } from '../../../src/optimize/train/network.ts';
import { targetsOf } from '../../../src/optimize/train/targets.ts';
import { serializeModel } from '../../../src/tflite/index.ts';
import { ModelBuilder } from '../../tflite/model-builder.ts';
import { RandomValues } from '../random-values.ts';
import { NO_SIGNAL, openSmall, smallClassifier, smallSamples } from './small-training.ts';

const BATCH = 3;

/** Two heads: one that classifies and one that measures. */
function twoHeads(seed: number) {
  const random = new RandomValues(seed);
  const b = new ModelBuilder();
  const [input, logits, classes, more, kinds, real] = [6, 4, 4, 2, 2, 3].map((width) =>
    b.tensor([1, width]),
  ) as [number, number, number, number, number, number];
  for (const [output, width] of [
    [logits, 4],
    [more, 2],
    [real, 3],
  ] as const) {
    const weights = b.tensor([width, 6], { data: random.normals(width * 6, 0.5) });
    b.operator('FULLY_CONNECTED', [input, weights, -1], [output]);
  }
  b.operator('SOFTMAX', [logits], [classes], { beta: 1 });
  b.operator('SOFTMAX', [more], [kinds], { beta: 1 });
  return openFloatModel(serializeModel(b.build([input], [classes, kinds, real])), 'two.tflite');
}

async function pairOf(seed: number) {
  const [teacher, student] = [twoHeads(seed), twoHeads(seed + 1)];
  const random = new RandomValues(seed);
  const rows = Array.from({ length: BATCH }, () => Float32Array.from(random.normals(6, 1)));
  const samples = { count: BATCH, at: (index: number) => [rows[index]!] };
  const targets = await targetsOf(teacher, student, samples, NO_SIGNAL);
  const networks = [teacher, student].map((float) => new Network(float, BATCH));
  for (const network of networks) {
    const input = network.tensor(network.float.subgraph.inputs[0]!);
    for (const [place, row] of rows.entries()) input.computed.floats.set(row, place * 6);
    network.forward();
  }
  return { teacher: networks[0]!, student: networks[1]!, targets };
}

/** The loss with one value of one target a little more. */
function lossAt(
  { teacher, student, targets }: Awaited<ReturnType<typeof pairOf>>,
  labels: Int32Array | undefined,
  target: Target,
  place: number,
  by: number,
): number {
  const { floats } = student.tensor(target.student).values;
  const before = floats[place]!;
  floats[place] = before + by;
  const loss = lossGradients(student, teacher, targets, labels, 2 * BATCH);
  floats[place] = before;
  return loss;
}

for (const [name, labels] of [
  ['without labels', undefined],
  ['with labels, one of them unknown', Int32Array.of(3, -1, 0)],
] as const) {
  test(`gradients are what finite differences say, ${name}`, async (t) => {
    for (let seed = 0; seed < 10; seed++) {
      const pair = await pairOf(seed);
      const { teacher, student, targets } = pair;
      t.deepEqual(
        targets.map(({ isLogits, width }) => [isLogits, width]),
        [
          [true, 4],
          [true, 2],
          [false, 3],
        ],
      );
      student.clearGradients();
      const loss = lossGradients(student, teacher, targets, labels, 2 * BATCH);
      t.true(Number.isFinite(loss) && loss > 0);
      const gradients = targets.map((target) => [
        ...student.tensor(target.student).gradient.floats,
      ]);
      for (const [index, target] of targets.entries()) {
        const scale = Math.max(...gradients[index]!.map(Math.abs));
        for (const [place, gradient] of gradients[index]!.entries()) {
          const step = 2 ** -7;
          const ends = [step, -step].map((by) => lossAt(pair, labels, target, place, by));
          const slope = (ends[0]! - ends[1]!) / (2 * step);
          t.true(Math.abs(slope - gradient) < 1e-3 * scale, `${slope} ${gradient}`);
        }
      }
    }
  });
}

test('the loss is a share of the variance; labels add their cross entropy, halved, of the first output alone', async (t) => {
  const pair = await pairOf(20);
  const { teacher, student, targets } = pair;
  const batch = BATCH;
  const plain = lossGradients(student, teacher, targets, undefined, batch);
  const wanted = targets.reduce(
    (sum, { teacher: from, student: to, variance, width, classWeights }) => {
      const [a, b] = [teacher.tensor(from).values.floats, student.tensor(to).values.floats];
      // Every class that the teacher names counts the same.
      const weightAt = (at: number): number => {
        const row = a.subarray(at - (at % width), at - (at % width) + width);
        return classWeights?.[row.indexOf(Math.max(...row))] ?? 1;
      };
      const squares = a.reduce(
        (total, value, at) => total + weightAt(at) * (value - b[at]!) ** 2,
        0,
      );
      return sum + squares / a.length / variance;
    },
    0,
  );
  t.true(Math.abs(plain / wanted - 1) < 1e-9);
  const labels = Int32Array.of(1, 3, 2);
  const entropy = [...labels.entries()].reduce((sum, [row, label]) => {
    const logits = student.tensor(targets[0]!.student).values.floats.subarray(row * 4, row * 4 + 4);
    const total = logits.reduce((all, value) => all + Math.exp(value), 0);
    return sum + Math.log(total) - logits[label]!;
  }, 0);
  const more = lossGradients(student, teacher, targets, labels, batch) - plain;
  t.true(Math.abs(more - (0.5 * entropy) / 3) < 1e-5, `${more}`);
  const none = Int32Array.of(-1, -1, -1);
  t.is(lossGradients(student, teacher, targets, none, batch), plain);
  // The same as what it was taught by: nothing is lost, and nothing is to be changed.
  teacher.clearGradients();
  const own = targets.map((target) => ({ ...target, student: target.teacher }));
  t.is(lossGradients(teacher, teacher, own, undefined, batch), 0);
  t.true(
    own.every(({ student: index }) => teacher.tensor(index).gradient.floats.every((g) => g === 0)),
  );
});

test('targets: logits below a softmax, the variance of what the teacher says, never zero', async (t) => {
  const float = openSmall(smallClassifier());
  const samples = smallSamples(50);
  const [target] = await targetsOf(float, float, samples, NO_SIGNAL);
  const softmax = float.subgraph.operators.at(-1)!;
  t.like(target, {
    teacher: softmax.inputs[0]!,
    student: softmax.inputs[0]!,
    isLogits: true,
    width: 4,
  });
  t.true(target!.variance > 0.01);
  const still = { count: 40, at: () => [new Float32Array(12)] };
  const constant = new ModelBuilder();
  const [input, output] = [constant.tensor([1, 12]), constant.tensor([1, 12])];
  constant.operator('RELU', [input], [output]);
  const silent = openSmall(constant.build([input], [output]));
  t.true((await targetsOf(silent, silent, still, NO_SIGNAL))[0]!.variance > 0);
  const stop = new AbortController();
  stop.abort(new Error('stop'));
  await t.throwsAsync(targetsOf(float, float, samples, stop.signal), { message: 'stop' });
});
