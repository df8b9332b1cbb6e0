/** A thread that computes shards of training's batches for `ShardTeam`. */
import { parentPort, workerData } from 'node:worker_threads';
import { openFloatModel } from '../float-model.ts';
import { ShardRunner } from './shard.ts';
import { learnShard, type WorkerOrder, type WorkerSetup } from './team.ts';

const setup: WorkerSetup = workerData;
const { shared, sampleCount, sampleValues, what } = setup;
const sizes = sampleValues.map(({ length }) => length / sampleCount);
const runner = new ShardRunner({
  ...setup,
  teacher: openFloatModel(setup.teacher, what),
  student: openFloatModel(setup.student, what),
  samples: {
    count: sampleCount,
    at: (index) =>
      sampleValues.map((values, input) =>
        values.subarray(index * sizes[input]!, (index + 1) * sizes[input]!),
      ),
  },
});

parentPort!.on('message', ({ step, shards, grids }: WorkerOrder) => {
  if (grids !== undefined) runner.roundTo(grids);
  let at = 0;
  for (const { values } of runner.student.parameters) {
    values.floats.set(shared.values.subarray(at, at + values.length));
    at += values.length;
  }
  for (const shard of shards) learnShard(runner, shared, step, shard);
  parentPort!.postMessage(step);
});
