// What is in a file: docs/format.md, sections 2 and 4. Nothing here takes memory by a size that a file tells.
import { DinpError, reject } from "./common.js";
import { PLAIN, UNSIGNED, readBound, readFormat } from "./formats.js";

export const MAX_PIXELS = 89478485;
export const GREY = 0;
export const COLOUR_420 = 1;
export const COLOUR_444 = 2;
export const PLANES = 3;
export const ALPHA_PLANE = 1;
export const ALPHA_OPAQUE = 2;
export const ALPHA_MATTE = 3;
export const CHUNKS = {
  ICC: 0x01, EXIF: 0x02, XMP: 0x03, CICP: 0x04, MATTE: 0x81, LOSSLESS: 0x82,
  HOLES: 0xc1, RESIDUAL: 0xc2, STEPS: 0xc3, PALETTE: 0xc4,
};
const MAGIC = [0x8d, 0x64, 0x69, 0x6e, 0x0d, 0x0a];

/** Reads bytes one after another; rejects where they end. */
export class Reader {
  constructor(data) {
    this.data = data;
    this.at = 0;
  }
  get left() {
    return this.data.length - this.at;
  }
  byte() {
    if (this.at >= this.data.length) reject("it is cut off");
    return this.data[this.at++];
  }
  bytes(count) {
    if (count > this.left) reject("it is cut off");
    return this.data.subarray(this.at, (this.at += count));
  }
  varint() {
    for (let value = 0, k = 0; k < 4; k++) {
      const byte = this.byte();
      value += (byte & 127) * 2 ** (7 * k);
      if (byte < 128) {
        if (k && !byte) reject("a number is written in a way that none is");
        return value;
      }
    }
    return reject("a number is too long");
  }
}

export function crc32(data) {
  let crc = -1;
  for (let i = 0; i < data.length; i++) {
    crc ^= data[i];
    for (let k = 0; k < 8; k++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

/** A file's header, chunks and sections: {width, height, layout, alpha, format, chunks, sections, planes}. */
export function readContainer(data, maxPixels = MAX_PIXELS) {
  if (data.length < 14 || MAGIC.some((byte, k) => data[k] !== byte))
    throw new DinpError(data.length < 14 ? "the file is too short for a dinp file" : "this is no dinp file");
  if (data[6] >> 4 !== 1) throw new DinpError(`the file has format version ${data[6] >> 4}; this decoder reads version 1`);
  const body = new Reader(data.subarray(0, data.length - 4));
  body.at = 7;
  const flags = body.byte(), layout = flags & 3, alpha = (flags >> 2) & 3;
  if (flags >> 6) reject("a reserved flag is set");
  const width = body.varint() + 1, height = body.varint() + 1;
  if (width * height > maxPixels) throw new DinpError(`the picture has ${width} x ${height} pixels, more than the limit of ${maxPixels}`);
  const count = layout === PLANES ? body.byte() : layout === GREY ? 1 : 3;
  if (count < 1 || count > 4) reject("it has no number of planes that can be");
  if (layout === PLANES && !(flags & 16)) reject("planes without a sample format");
  const format = flags & 16 ? readFormat(body, layout === PLANES ? count : 1) : PLAIN;
  const file = { width, height, layout, alpha, count, format, bytes: data.length, version: `${data[6] >> 4}.${data[6] & 15}` };
  file.planes = planesOf(file);
  file.chunks = flags & 32 ? readChunks(body, file) : [];
  const sizes = [];
  for (let k = 1; k < file.planes.length; k++) sizes.push(body.varint());
  file.sections = sizes.map((size) => body.bytes(size));
  file.sections.push(body.bytes(body.left));
  const crc = new DataView(data.buffer, data.byteOffset + data.length - 4, 4).getUint32(0, true);
  if (crc !== crc32(data.subarray(0, data.length - 4))) reject("its checksum does not match");
  checkTogether(file);
  return file;
}

/** The planes that have a section: {name, width, height, format, range, alpha}. */
function planesOf({ layout, alpha, count, width, height, format }) {
  const names = layout === GREY ? ["grey"] : layout === PLANES ? ["0", "1", "2", "3"] : ["Y", "Cb", "Cr"];
  const planes = [];
  for (let p = 0; p < count; p++) {
    const half = layout === COLOUR_420 && p > 0;
    planes.push({
      name: names[p], width: half ? (width + 1) >> 1 : width, height: half ? (height + 1) >> 1 : height,
      format, range: layout === PLANES ? p : 0, alpha: false,
    });
  }
  if (alpha === ALPHA_PLANE) planes.push({ name: "alpha", width, height, format: PLAIN, range: 0, alpha: true });
  return planes;
}

/** Whether a plane has four chunks of holes already. */
function tooOften(planes, before) {
  return [0, 1, 2, 3, 4].some((p) => (planes >> p) & 1 && before.filter((other) => (other >> p) & 1).length >= 4);
}

/** The steps that a chunk gives a plane for its cells, or undefined. */
export function stepsFor({ chunks }, p) {
  return chunks.find(({ type, planes }) => type === CHUNKS.STEPS && (planes >> p) & 1)?.steps;
}

function readChunks(body, file) {
  const chunks = [], seen = new Map();
  for (let type = body.byte(); type; type = body.byte()) {
    const content = new Reader(body.bytes(body.varint())), chunk = { type, content: content.data, planes: 0 };
    if (type & 64) {
      chunk.planes = content.byte();
      if (!chunk.planes || chunk.planes >> file.planes.length) reject("a chunk is for planes that there are not");
      chunk.content = content.data.subarray(1);
    }
    const known = Object.values(CHUNKS).includes(type), before = seen.get(type) ?? [];
    if (type === CHUNKS.HOLES ? tooOften(chunk.planes, before) : type & 64 ? before.some((planes) => planes & chunk.planes) : known && before.length)
      reject("a chunk stands there twice");
    seen.set(type, [...before, chunk.planes]);
    chunks.push(checkChunk(chunk, file));
  }
  return chunks;
}

/** What a chunk tells, as far as it can be read without its streams. */
function checkChunk(chunk, file) {
  const reader = new Reader(chunk.content), colours = file.layout === COLOUR_420 || file.layout === COLOUR_444;
  if (chunk.type === CHUNKS.HOLES) {
    if (chunk.planes & ~((1 << file.count) - 1) || (colours && chunk.planes !== 7)) reject("holes in planes that have none");
    chunk.sample = readBound(reader, file.format.kind, file.format.bits);
    chunk.mask = reader.bytes(reader.left);
  } else if (chunk.type === CHUNKS.RESIDUAL) {
    const plane = 31 - Math.clz32(chunk.planes), format = plane >= file.count ? PLAIN : file.format;
    if (chunk.planes !== 1 << plane) chunk.severalPlanes = true;
    chunk.plane = plane;
    chunk.unit = readBound(reader, format.kind, format.bits);
    if (!(chunk.unit > 0) || !Number.isFinite(chunk.unit)) reject("residuals have no unit");
    chunk.stream = reader.bytes(reader.left);
  } else if (chunk.type === CHUNKS.STEPS) {
    const sides = reader.byte();
    if (!sides) reject("steps of no cells");
    chunk.steps = [0, 0, 0, 0, 0, 0, 0, 0];
    for (let k = 0; k < 8; k++) {
      if (!((sides >> k) & 1)) continue;
      chunk.steps[k] = reader.varint();
      if (chunk.steps[k] < 1 || chunk.steps[k] >= 1 << 19) reject("a step is none");
    }
    if (reader.left) reject("steps are followed by something");
  } else if (chunk.type === CHUNKS.PALETTE) {
    chunk.channels = reader.byte();
    const colours = reader.left / chunk.channels;
    if ((chunk.channels !== 3 && chunk.channels !== 4) || !Number.isInteger(colours) || colours < 1 || colours > 256) reject("its palette is none");
    chunk.colours = reader.bytes(reader.left);
  }
  return chunk;
}

/** The rules on what may stand beside what: the fourth list of section 2. */
function checkTogether(file) {
  const of = (type) => file.chunks.filter((chunk) => chunk.type === type);
  for (const { type } of file.chunks)
    if (type & 128 && !Object.values(CHUNKS).includes(type))
      throw new DinpError("the file has a part that this decoder does not know; it needs a newer one");
  if ((file.alpha === ALPHA_MATTE) !== (of(CHUNKS.MATTE).length > 0)) reject("alpha and its matte are not both there");
  if (of(CHUNKS.LOSSLESS).length) {
    const beside = of(CHUNKS.HOLES).length + of(CHUNKS.RESIDUAL).length + of(CHUNKS.STEPS).length;
    if (file.sections.some((section) => section.length) || file.alpha > ALPHA_PLANE || file.layout === COLOUR_420 || beside)
      reject("samples without loss stand beside others");
  }
  if (of(CHUNKS.PALETTE).length) {
    const { kind, bits, depth, ranges } = file.format;
    const plain = kind === UNSIGNED && bits === 8 && !depth && ranges[0][0] === 0 && ranges[0][1] === 255;
    if (!of(CHUNKS.LOSSLESS).length || file.layout !== GREY || file.alpha || !plain) reject("its palette has no samples");
  }
  if (of(CHUNKS.RESIDUAL).some((chunk) => chunk.severalPlanes)) reject("a residual is for several planes");
}
