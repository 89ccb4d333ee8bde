/** Grey PNG files whose values arrive as they are: a canvas would mix colours and transparency. */

const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];
const MAX_BLOCK = 65_535;

/** Return the data URI of a grey picture of 8 bits. */
export function encodeGrey(pixels: Uint8Array, width: number, height: number): string {
  const rows = new Uint8Array((width + 1) * height); // each row begins with its filter, 0: none
  for (let y = 0; y < height; y++) {
    rows.set(pixels.subarray(y * width, (y + 1) * width), y * (width + 1) + 1);
  }
  const header = new Uint8Array([...bigEndian(width), ...bigEndian(height), 8, 0, 0, 0, 0]);
  const file = [
    ...SIGNATURE,
    ...chunk("IHDR", header),
    ...chunk("IDAT", store(rows)),
    ...chunk("IEND", new Uint8Array()),
  ];
  let text = "";
  for (const byte of file) text += String.fromCharCode(byte);
  return `data:image/png;base64,${btoa(text)}`;
}

function bigEndian(value: number): number[] {
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 255);
}

function chunk(name: string, data: Uint8Array): Uint8Array {
  const body = new Uint8Array([...new TextEncoder().encode(name), ...data]);
  return new Uint8Array([...bigEndian(data.length), ...body, ...bigEndian(crc32(body))]);
}

/** Return data in the format of zlib, uncompressed. */
function store(data: Uint8Array): Uint8Array {
  const parts: number[] = [0x78, 0x01];
  for (let start = 0; start < data.length; start += MAX_BLOCK) {
    const block = data.subarray(start, start + MAX_BLOCK);
    const size = [block.length & 255, block.length >> 8];
    const isLast = start + MAX_BLOCK >= data.length;
    parts.push(isLast ? 1 : 0, ...size, ...size.map((byte) => byte ^ 255));
    for (const byte of block) parts.push(byte);
  }
  return new Uint8Array([...parts, ...bigEndian(adler32(data))]);
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
