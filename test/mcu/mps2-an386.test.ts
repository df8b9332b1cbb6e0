import { testBoard } from './real/sequence.ts';

testBoard('mps2-an386');
