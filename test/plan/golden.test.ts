import test from 'ava';
import { GOLDEN_PLANS } from './golden-plans.ts';
import { fnv1a, lcgInputs } from './lcg.ts';
import { executorOf } from './one-operator.ts';

const SEEDS = [1, 2, 3];

/**
 * FNV-1a over the outputs of each plan for three inputs, as tensorflow/tflite-micro at 90b983c2
 * computes them: its own interpreter and reference kernels, built by GCC 12 on x86-64.
 */
const CHECKSUMS: readonly string[] = [
  '79efebef',
  '77ba8ffa',
  '719fa194',
  'd9a10751',
  '9b6ccaae',
  'f8b1aa61',
  '5af5cea4',
  '9f174994',
  '11afd691',
  '4f7635f8',
  'f0f20de7',
  'fd664337',
  '6f5fe056',
  '1da51fe0',
  '8f62c0d0',
  '55863197',
  '406c59d5',
  '40445419',
  '8e4e4116',
  '6f1d5ebb',
  '6d4d0599',
  'ec82955b',
];

test("every operator gives the bytes of TFLite Micro's own kernel", (t) => {
  const found = GOLDEN_PLANS.map((plan) => {
    const executor = executorOf(plan);
    return fnv1a(SEEDS.flatMap((seed) => executor.run(lcgInputs(executor, seed))));
  });
  t.deepEqual(found, CHECKSUMS);
});
