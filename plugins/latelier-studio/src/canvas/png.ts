/** Grey PNG files whose values arrive as they are: a canvas would mix colours and transparency. */

const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];
const MAX_BLOCK = 65_535;
const MOST_ARGUMENTS = 32_768; // of a function

/** Return the data URI of a grey picture of 8 bits. */
export function encodeGrey(pixels: Uint8Array, width: number, height: number): string {
  const rows = new Uint8Array((width + 1) * height); // each row begins with its filter, 0: none
  for (let y = 0; y < height; y++) {
    rows.set(pixels.subarray(y * width, (y + 1) * width), y * (width + 1) + 1);
  }
  const header = new Uint8Array([...bigEndian(width), ...bigEndian(height), 8, 0, 0, 0, 0]);
  const file = concat(
    Uint8Array.from(SIGNATURE),
    chunk("IHDR", header),
    chunk("IDAT", store(rows)),
    chunk("IEND", new Uint8Array()),
  );
  return `data:image/png;base64,${toBase64(file)}`;
}

function concat(...parts: Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function toBase64(data: Uint8Array): string {
  let text = "";
  for (let start = 0; start < data.length; start += MOST_ARGUMENTS) {
    text += String.fromCharCode(...data.subarray(start, start + MOST_ARGUMENTS));
  }
  return btoa(text);
}

function bigEndian(value: number): Uint8Array {
  return Uint8Array.from([24, 16, 8, 0], (shift) => (value >>> shift) & 255);
}

function chunk(name: string, data: Uint8Array): Uint8Array {
  const body = concat(new TextEncoder().encode(name), data);
  return concat(bigEndian(data.length), body, bigEndian(crc32(body)));
}

/** Return data in the format of zlib, uncompressed. */
function store(data: Uint8Array): Uint8Array {
  const parts: Uint8Array[] = [Uint8Array.of(0x78, 0x01)];
  for (let start = 0; start < data.length; start += MAX_BLOCK) {
    const block = data.subarray(start, start + MAX_BLOCK);
    const [low, high] = [block.length & 255, block.length >> 8];
    const isLast = start + MAX_BLOCK >= data.length;
    parts.push(Uint8Array.of(isLast ? 1 : 0, low, high, low ^ 255, high ^ 255), block);
  }
  return concat(...parts, bigEndian(adler32(data)));
}

function adler32(data: Uint8Array): number {
  let a = 1;
  let b = 0;
  for (const byte of data) {
    a = (a + byte) % 65_521;
    b = (b + a) % 65_521;
  }
  return ((b << 16) | a) >>> 0;
}

function crc32(data: Uint8Array): number {
  let crc = ~0;
  for (const byte of data) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}
