/** MQTT 3.1.1, 2.2.3: at most four bytes of remaining length, 7 bits each. */
const MAX_LENGTH_BYTES = 4;

/**
 * Watches the fixed headers of a stream of MQTT packets and says when one announces more than `maxBytes`. The
 * parser below gathers a packet in memory whatever its size, up to 256 MiB, and the broker is not trusted.
 */
export function packetGuard(maxBytes: number): (bytes: Uint8Array) => boolean {
  let skipBytes = 0;
  let lengthBytes = -1;
  let length = 0;
  return (bytes) => {
    for (let at = 0; at < bytes.byteLength; ) {
      if (skipBytes > 0) {
        const step = Math.min(skipBytes, bytes.byteLength - at);
        skipBytes -= step;
        at += step;
        continue;
      }
      const byte = bytes[at++]!;
      if (lengthBytes < 0) {
        lengthBytes = 0;
        length = 0;
        continue;
      }
      length += (byte & 0x7f) * 128 ** lengthBytes;
      lengthBytes++;
      if ((byte & 0x80) !== 0) {
        if (lengthBytes === MAX_LENGTH_BYTES) return false;
        continue;
      }
      if (length > maxBytes) return false;
      skipBytes = length;
      lengthBytes = -1;
    }
    return true;
  };
}
