/** Digits of the largest safe integer: keys sort as their numbers do. */
const KEY_DIGITS = 16;
const TOPIC_LENGTH_BYTES = 2;

export function keyOf(sequence: number): string {
  return `e${String(sequence).padStart(KEY_DIGITS, '0')}`;
}

export function sequenceOf(key: string): number {
  return Number(key.slice(1));
}

/** Length of the topic (16 bits, as in MQTT), topic, payload. */
export function encodeEntry(topic: string, payload: Uint8Array): Uint8Array {
  const name = Buffer.from(topic, 'utf8');
  const value = Buffer.alloc(TOPIC_LENGTH_BYTES + name.byteLength + payload.byteLength);
  value.writeUInt16BE(name.byteLength);
  value.set(name, TOPIC_LENGTH_BYTES);
  value.set(payload, TOPIC_LENGTH_BYTES + name.byteLength);
  return value;
}

export function decodeEntry(value: Uint8Array): { topic: string; payload: Uint8Array } {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  const end = TOPIC_LENGTH_BYTES + bytes.readUInt16BE();
  return { topic: bytes.toString('utf8', TOPIC_LENGTH_BYTES, end), payload: bytes.subarray(end) };
}
