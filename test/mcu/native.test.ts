import { testBoard } from './real/sequence.ts';

testBoard('native');
