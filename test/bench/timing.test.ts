import test from 'ava';
import { cyclesOf, multipliesOf } from '../../bench/mcu/timing.ts';

const allOf = (code: readonly string[]): number => {
  const { memory, stalls, division } = cyclesOf(code);
  return code.length + memory + stalls + division;
};

/** Arm's "Load/store timings" ("normally three cycles total"); Arm 100166_0001_00, table 3-1. */
for (const [code, cycles] of [
  [['ldr r0, [r1]', 'ldr r1, [r2]'], 3],
  [['ldr r0, [r1, r2]', 'str r0, [r3, #20]'], 3],
  [['ldr r0, [r1, r2]', 'str r1, [r3, r2]'], 3],
  [['ldr r0, [r1, r5]', 'ldr r1, [r2]', 'ldr r2, [r3, #4]'], 4],
  [['ldr r0, [r1]', 'ldr r2, [r0]'], 4],
  [['str.w r0, [r1, #4]', 'ldr r2, [r3]'], 3],
  [['str r0, [r1, r2]'], 2],
  [['ldrd r0, r1, [r2, #8]'], 3],
  [['stm r0!, {r4, r5, r6}'], 4],
  [['push {r4-r11, lr}'], 10],
  [['udiv r0, r1, r2'], 12],
  [['add r0, r1', 'ldrsb r2, [r0]'], 4],
  [['cmp r0, r1', 'ldr r2, [r0]'], 3],
  [['itt hi', 'ldrhi r1, [sp, #100]', 'addhi r2, r2, r1'], 4],
  [['smlad r0, r1, r2, r0', 'smmulr r0, r0, r3', 'umull r0, r1, r2, r3'], 3],
  [['bls #0x40', 'movs r0, #1', 'lsls r0, r0, #2', 'cbz r0, #0x40'], 4],
] as const) {
  test(`${code.join('; ')}: ${cycles} cycles`, (t) => {
    t.is(allOf(code), cycles);
  });
}

test('what is not known is not guessed', (t) => {
  t.throws(() => cyclesOf(['vadd.f32 s0, s1, s2']), { message: /vadd/ });
});

test('multiply-accumulates', (t) => {
  t.is(multipliesOf(['smlad r0, r1, r2, r0', 'smlabt r0, r1, r2, r0', 'mul r0, r1, r2']), 2);
});
