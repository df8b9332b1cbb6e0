import test from 'ava';
import fc from 'fast-check';
import {
  type Budget,
  bestLatency,
  chooseVariant,
  lossOf,
  lossText,
  paretoFront,
  parseBudget,
  type Variant,
} from '../../src/optimize/index.ts';
import { agreement, sampleVariant } from './sample-report.ts';

test('budgets as people write them', (t) => {
  const cases: readonly (readonly [string, Budget])[] = [
    ['size=40k', { sizeBytes: 40_000 }],
    ['size<=40kB', { sizeBytes: 40_000 }],
    ['size=1.5M,drop=1%', { sizeBytes: 1_500_000, drop: 0.01 }],
    [' size = 300 , drop = 0.02 ', { sizeBytes: 300, drop: 0.02 }],
    ['compressed=12.3456k', { compressedBytes: 12_345 }],
    ['memory=64k', { memoryBytes: 64_000 }],
    ['latency=2ms', { latencyUs: 2_000 }],
    ['latency=150', { latencyUs: 150 }],
    ['latency=.5s', { latencyUs: 500_000 }],
    ['latency=3µs', { latencyUs: 3 }],
    ['sqnr=30dB', { sqnrDb: 30 }],
    ['flash=64k,ram=16.5k', { flashBytes: 64_000, ramBytes: 16_500 }],
    ['instructions=2.5M', { instructions: 2_500_000 }],
    ['drop=100%', { drop: 1 }],
    ['drop=0', { drop: 0 }],
  ];
  for (const [text, budget] of cases) t.deepEqual(parseBudget(text), budget, text);
});

test('budgets that are none are quoted, with an example', (t) => {
  const malformed = [
    ...['', ' ', ',', 'size', 'size=', '=40k', 'size=k', 'size=40x', 'size=-1', 'size=1e3'],
    ...['size=40k,', 'size=40k,,drop=1%', 'size=1,size=2', 'weight=3', 'SIZE=40k', 'size=4 0k'],
    ...['size=40k drop=1%', 'latency=1m', 'drop=1k', 'size=NaN', 'size=Infinity', 'size=1..2'],
    ...['constructor=1', 'toString=1', 'size=40constructor', 'size=1toString', '__proto__=1'],
    ...['hasOwnProperty=1', 'drop=1valueOf'],
  ];
  for (const text of malformed) {
    const error = t.throws(() => parseBudget(text), { code: 'usage' }, text);
    t.regex(error.message, /^--budget: ".*" is not understood; write for example size=40k,drop=1%/);
  }
  t.throws(() => parseBudget('drop=5'), { code: 'usage', message: /drop of 100 %/ });
});

test('any text is a budget or a usage error', (t) => {
  const words = fc.constantFrom(
    ...['size', 'drop', 'latency', 'sqnr', '=', '<=', ',', '1', '0.5', '%', 'k', 'ms', ' ', 'e'],
    ...['constructor', 'prototype', '-', '.', 'µs'],
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(words).map((list) => list.join('')),
      ),
      (text) => {
        try {
          const values = Object.values(parseBudget(text));
          t.true(values.length > 0);
          for (const value of values) t.true(Number.isFinite(value) && value >= 0, text);
        } catch (error) {
          t.is((error as { code?: string }).code, 'usage', text);
        }
      },
    ),
    { numRuns: 2000 },
  );
});

const BASE = sampleVariant({
  ...{ name: 'int8', sizeBytes: 40_000, latencyUs: 100 },
  ...{ sqnrDb: 40, layerCount: 1 },
});
const MODELS = ['float', 'float16', 'dynamic', 'int8'] as const;
const decibels = fc.option(fc.integer({ min: 5, max: 80 }), { nil: null });

const variant = fc.record({
  sizeBytes: fc.integer({ min: 1, max: 30 }).map((size) => size * 1000),
  compressedBytes: fc.integer({ min: 500, max: 30_000 }),
  peakActivationBytes: fc.integer({ min: 1, max: 64_000 }),
  stock: fc.option(fc.integer({ min: 1, max: 400 })),
  xnn: fc.option(fc.integer({ min: 1, max: 400 })),
  logits: fc.option(decibels),
  output: decibels,
  accuracy: fc.integer({ min: 0, max: 100 }).map((percent) => percent / 100),
  microcontroller: fc.option(
    fc.oneof(
      fc.constant({ refused: 'no plan has it' }),
      fc.record({
        target: fc.constant('cortex-m4' as const),
        planBytes: fc.integer({ min: 500, max: 30_000 }),
        weightBytes: fc.constant(400),
        ramBytes: fc.integer({ min: 500, max: 30_000 }),
        instructions: fc.integer({ min: 1, max: 3_000_000 }),
      }),
      fc.constant({
        ...{ target: 'cortex-m4' as const, planBytes: 900, weightBytes: 400, ramBytes: 700 },
        instructionsReason: 'make firmware',
      }),
    ),
  ),
});

const variants = fc
  .tuple(fc.array(variant, { minLength: 1, maxLength: 4 }), fc.boolean())
  .map(([list, labelled]) =>
    list.map((each, index): Variant => {
      const { stock, xnn, logits, output, accuracy, microcontroller, ...sizes } = each;
      const plain = { ...BASE, name: MODELS[index]! };
      const { logits: _, accuracy: __, ...rest } = plain;
      const latency = (us: number) => ({ p50Us: us, p99Us: us * 2 });
      return {
        ...rest,
        ...sizes,
        name: MODELS[index]!,
        latency: {
          ...(stock === null ? {} : { stock: latency(stock) }),
          ...(xnn === null ? {} : { xnn: latency(xnn) }),
        },
        ...(logits === null ? {} : { logits: agreement(logits) }),
        output: agreement(output),
        ...(labelled ? { accuracy } : {}),
        ...(microcontroller === null ? {} : { microcontroller }),
      };
    }),
  );

const gatewayBudgets: fc.Arbitrary<Budget> = fc.record(
  {
    sizeBytes: fc.integer({ min: 500, max: 30_000 }),
    compressedBytes: fc.integer({ min: 500, max: 30_000 }),
    memoryBytes: fc.integer({ min: 500, max: 64_000 }),
    latencyUs: fc.integer({ min: 1, max: 400 }),
    drop: fc.integer({ min: 0, max: 100 }).map((percent) => percent / 100),
    sqnrDb: fc.integer({ min: 5, max: 70 }),
  },
  { requiredKeys: [] },
);

const microcontrollerBudgets: fc.Arbitrary<Budget> = fc.record(
  {
    sizeBytes: fc.integer({ min: 500, max: 30_000 }),
    flashBytes: fc.integer({ min: 500, max: 30_000 }),
    ramBytes: fc.integer({ min: 500, max: 30_000 }),
    instructions: fc.integer({ min: 1, max: 3_000_000 }),
  },
  { requiredKeys: [] },
);

const budgets = fc.oneof(gatewayBudgets, microcontrollerBudgets);

/** What is not known of a microcontroller keeps no limit of it. */
function keepsOnMicrocontroller({ microcontroller: facts }: Variant, budget: Budget): boolean {
  const { flashBytes, ramBytes, instructions } = budget;
  if (flashBytes === undefined && ramBytes === undefined && instructions === undefined) return true;
  if (facts === undefined || 'refused' in facts) return false;
  const counted = facts.instructions ?? Number.POSITIVE_INFINITY;
  return (
    facts.planBytes <= (flashBytes ?? Number.POSITIVE_INFINITY) &&
    facts.ramBytes <= (ramBytes ?? Number.POSITIVE_INFINITY) &&
    (instructions === undefined || counted <= instructions)
  );
}

/** Whether a variant keeps every limit that can be told of it. */
function keeps(one: Variant, float: Variant, budget: Budget): boolean {
  const quality = (one.logits ?? one.output).sqnrDb ?? Number.POSITIVE_INFINITY;
  return (
    one.sizeBytes <= (budget.sizeBytes ?? Number.POSITIVE_INFINITY) &&
    one.compressedBytes <= (budget.compressedBytes ?? Number.POSITIVE_INFINITY) &&
    one.peakActivationBytes <= (budget.memoryBytes ?? Number.POSITIVE_INFINITY) &&
    (bestLatency(one)?.p50Us ?? 0) <= (budget.latencyUs ?? Number.POSITIVE_INFINITY) &&
    lossOf(one, float).share <= (budget.drop ?? Number.POSITIVE_INFINITY) + 1e-9 &&
    quality >= (budget.sqnrDb ?? Number.NEGATIVE_INFINITY) &&
    keepsOnMicrocontroller(one, budget)
  );
}

test('the choice keeps every limit, is about the smallest that does, and there is one if one does', (t) => {
  let [chosen, none] = [0, 0];
  fc.assert(
    fc.property(variants, budgets, (list, budget) => {
      const choice = chooseVariant(list, budget);
      // Without limits the model as it came is no choice where others were made.
      const free = Object.keys(budget).length === 0 && list.length > 1;
      const able = free ? list.slice(1) : list;
      const fitting = able.filter((one) => keeps(one, list[0]!, budget));
      t.true(choice.reason.length > 0 && !choice.reason.includes('undefined'), choice.reason);
      t.false(/NaN|Infinity/.test(choice.reason), choice.reason);
      if (choice.variant === undefined) {
        none += 1;
        t.deepEqual(fitting, []);
        t.regex(choice.reason, /^No variant fits the budget; closest is \w+, which /);
        return;
      }
      chosen += 1;
      const found = fitting.find(({ name }) => name === choice.variant);
      t.not(found, undefined);
      const least = Math.min(...fitting.map(({ sizeBytes }) => sizeBytes));
      t.true(found!.sizeBytes <= 1.15 * least);
    }),
    { numRuns: 1000 },
  );
  t.true(chosen > 50 && none > 50, `${chosen} ${none}`);
});

test('the Pareto front leaves out what another beats, and nothing else', (t) => {
  fc.assert(
    fc.property(variants, (list) => {
      const front = paretoFront(list);
      const latency = (one: Variant): number => bestLatency(one)?.p50Us ?? Number.NaN;
      const quality = (one: Variant): number =>
        (one.logits ?? one.output).sqnrDb ?? Number.POSITIVE_INFINITY;
      // Latencies within a twentieth of each other are equal, and so are unknown ones.
      const slower = (a: Variant, b: Variant): boolean =>
        latency(a) - latency(b) > 0.05 * Math.min(latency(a), latency(b));
      const beats = (a: Variant, b: Variant): boolean =>
        !(
          a.sizeBytes > b.sizeBytes ||
          a.compressedBytes > b.compressedBytes ||
          slower(a, b) ||
          quality(a) < quality(b)
        ) &&
        (a.sizeBytes < b.sizeBytes ||
          a.compressedBytes < b.compressedBytes ||
          slower(b, a) ||
          quality(a) > quality(b));
      t.true(front.size > 0);
      for (const one of list) {
        t.is(front.has(one.name), !list.some((other) => beats(other, one)), one.name);
      }
    }),
    { numRuns: 500 },
  );
});

test('a loss is of accuracy with labels, of agreement for a classifier, else of the signal', (t) => {
  const { logits: _, accuracy: __, ...plain } = BASE;
  const half = agreement(30, { top1ByClass: 0.97 });
  const float = { ...plain, accuracy: 0.9, logits: half };
  t.deepEqual(lossOf({ ...plain, accuracy: 0.5, logits: half }, float), {
    share: 0.4,
    of: 'accuracy',
  });
  const agreed = lossOf({ ...plain, logits: half }, plain);
  t.is(agreed.of, 'agreement');
  t.true(Math.abs(agreed.share - 0.03) < 1e-12);
  t.deepEqual(lossOf({ ...plain, output: agreement(40) }, plain), { share: 0.01, of: 'signal' });
  t.deepEqual(lossOf({ ...plain, output: agreement(null) }, plain), { share: 0, of: 'signal' });
  t.is(lossText({ share: -0.005, of: 'accuracy' }), 'gains 0.50 % of accuracy');
});

test('a loss of exactly what is allowed is allowed', (t) => {
  const { logits: _, ...plain } = BASE;
  const float = { ...plain, name: 'float', accuracy: 0.9, sizeBytes: 100_000 };
  const int8 = { ...plain, accuracy: 0.89 };
  t.true(lossOf(int8, float).share > 0.01);
  t.is(chooseVariant([float, int8], { drop: 0.01 }).variant, 'int8');
  t.is(chooseVariant([float, int8], { drop: 0.0099 }).variant, 'float');
});

test('a bare one is no share: one percent is meant', (t) => {
  for (const text of ['drop=1', 'drop=101%', 'drop=2']) {
    t.throws(() => parseBudget(text), { code: 'usage' }, text);
  }
  t.deepEqual(parseBudget('drop=1%'), { drop: 0.01 });
});

test('a few microseconds are noise: int8 is chosen then, and never the float model without limits', (t) => {
  const plain = { compressedBytes: 900, sqnrDb: 40, layerCount: 1 };
  const list = [
    sampleVariant({ ...plain, name: 'float', sizeBytes: 1000, latencyUs: 1 }),
    sampleVariant(
      { ...plain, name: 'float16', sizeBytes: 1000, latencyUs: 3 },
      { fullyInt8: false },
    ),
    sampleVariant({ ...plain, name: 'int8', sizeBytes: 1010, latencyUs: 4 }, { fullyInt8: true }),
  ];
  t.is(chooseVariant(list, {}).variant, 'int8');
  t.is(chooseVariant([list[0]!, list[2]!], {}).variant, 'int8');
  const slow = { ...list[2]!, latency: { stock: { p50Us: 400, p99Us: 500 } } };
  t.is(chooseVariant([list[0]!, list[1]!, slow], {}).variant, 'float16');
});

test('a limit of a microcontroller is kept by facts alone, and the reason says what is missing', (t) => {
  const facts = { target: 'cortex-m4', planBytes: 9_000, weightBytes: 8_000, ramBytes: 3_000 };
  const float = { ...BASE, name: 'float', fullyInt8: false };
  const reasonOf = (microcontroller: Variant['microcontroller'], budget: Budget): string => {
    const int8 = { ...BASE, ...(microcontroller === undefined ? {} : { microcontroller }) };
    return chooseVariant([int8], budget).reason;
  };
  const plan = facts as Variant['microcontroller'];
  t.is(
    chooseVariant([float, { ...BASE, microcontroller: plan! }], { flashBytes: 9_000 }).variant,
    'int8',
  );
  t.regex(
    reasonOf(plan, { flashBytes: 8_999 }),
    /takes 9\.0 kB of flash where 9\.0 kB are allowed/,
  );
  t.regex(reasonOf(plan, { ramBytes: 2_000 }), /takes 3\.0 kB of RAM where 2\.0 kB are allowed/);
  const counted = { ...facts, instructions: 2_500_000 } as Variant['microcontroller'];
  t.regex(
    reasonOf(counted, { instructions: 1_000_000 }),
    /takes 2\.50 M instructions where 1\.00 M are allowed/,
  );
  const uncounted = { ...facts, instructionsReason: 'make firmware' } as Variant['microcontroller'];
  t.regex(
    reasonOf(uncounted, { instructions: 1 }),
    /has no count of instructions \(make firmware\): /,
  );
  t.regex(
    reasonOf({ refused: 'TILE is in no plan' }, { ramBytes: 1 }),
    /has no plan for a microcontroller \(TILE is in no plan\)/,
  );
  t.regex(reasonOf(undefined, { flashBytes: 1 }), /was not compiled for a microcontroller/);
  t.regex(
    chooseVariant([float], { flashBytes: 1 }).reason,
    /float, which is not int8 throughout, as a microcontroller needs it/,
  );
});
