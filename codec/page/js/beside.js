// What stands beside planes: residuals, holes and mattes: docs/format.md, section 4.
import { reject } from "./common.js";
import { CHUNKS } from "./container.js";
import { decodeContours } from "./contours.js";
import { decodeMask } from "./flags.js";
import { RangeDecoder } from "./ranges.js";
import { decodeResiduals } from "./residuals.js";

/** Set pixels (H x W of 0 and 1) of a mask stream. */
export function decodeMaskStream(data, models, height, width) {
  if (!data.length || data[0] > 2) reject("a mask is told in a way that none is");
  const stream = data.subarray(1);
  if (!data[0]) {
    const decoder = new RangeDecoder(stream), mask = decodeMask(decoder, models.mask, height, width);
    decoder.finish();
    return mask;
  }
  const cells = decodeContours(stream, height, width), mask = new Uint8Array(height * width);
  for (let at = 0; at < mask.length; at++) {
    const above = at >= width ? mask[at - width] ^ (cells[at] & 1) : -1, left = at % width ? mask[at - 1] ^ (cells[at] >> 1) : -1;
    if (above >= 0 && left >= 0 && above !== left) reject("its contours are of no mask");
    mask[at] = at ? (above >= 0 ? above : left) : data[0] - 1;
  }
  return mask;
}

/** What stands beside planes: residuals (by plane), holes and the matte, decoded once for the plain and the restored picture. */
export function decodeBeside(file, models) {
  const { width, height, chunks } = file, beside = { residuals: [], holes: [], matte: null };
  for (const chunk of chunks) {
    if (chunk.type === CHUNKS.RESIDUAL) beside.residuals.push({ ...chunk, values: decodeResiduals(chunk.stream, height, width) });
    if (chunk.type === CHUNKS.HOLES) beside.holes.push({ ...chunk, set: decodeMaskStream(chunk.mask, models, height, width) });
    if (chunk.type === CHUNKS.MATTE) beside.matte = decodeMaskStream(chunk.content, models, height, width);
  }
  return beside;
}
