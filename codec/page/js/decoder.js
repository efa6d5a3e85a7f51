// A dinp file, decoded: its parts, planes without and with restoration, and the picture.
import { decodeBeside } from "./beside.js";
import { PLAIN } from "./formats.js";
import { CHUNKS, readContainer, stepsFor } from "./container.js";
import { inpaint } from "./inpaint.js";
import { convolve } from "./convolution.js";
import { useKernels } from "./kernels.js";
import { decodeLossless } from "./lossless.js";
import { assemble } from "./picture.js";
import { CONVOLUTIONS, restore } from "./restoration.js";
import { decodeSection } from "./sections.js";

useKernels({ convolution: convolve });

/** How closely planes are computed, in levels of the axis; the format asks for 0.01 x 2^-depth. */
const ACCURACY = 0.0025;

/**
 * Decode a file. `models` of tables.js; `weights` by version of restoration, those that are at hand; `progress(share, what)`.
 *
 * Returns {file, sections, plain, restored, lossless, palette}: `plain` and `restored` ({channels, alpha}) are pictures, the
 * latter null where no plane is restored; `lossless` tells of files without loss.
 */
export function decode(data, models, weights = {}, progress = () => {}) {
  const file = readContainer(data), { width, height, chunks } = file;
  const content = chunks.find(({ type }) => type === CHUNKS.LOSSLESS);
  if (content) return decodeWithoutLoss(file, content);
  const sections = [], total = file.planes.length;
  file.planes.forEach((plane, p) => {
    progress((0.3 * p) / total, `reading ${plane.name}`);
    sections.push(decodeSection(file.sections[p], plane, models, stepsFor(file, p), sections[0]));
  });
  const beside = decodeBeside(file, models);
  const planes = file.planes.map((plane, p) => {
    progress(0.3 + (0.3 * p) / total, `inpainting ${plane.name}`);
    const { known, regions, depth } = sections[p];
    return inpaint(known, plane.height, plane.width, regions?.labels, ACCURACY * 2 ** -depth);
  });
  const plain = assemble(file, planes, beside);
  const restores = ({ restoration, regions }) => weights[restoration] && !regions, toRestore = sections.filter(restores).length;
  if (!toRestore) return { file, sections, plain, restored: null, lossless: null };
  let done = 0;
  const restored = planes.map((u, p) => {
    const section = sections[p], { restoration } = section, { name, height: h, width: w } = file.planes[p];
    if (!restores(section)) return u;
    const all = CONVOLUTIONS * toRestore * (restoration === 1 ? 2 : 1), step = () => progress(0.6 + (0.4 * done++) / all, `restoring ${name}`);
    return restore(u, section, sidesOf(section, h, w), h, w, weights[restoration], step);
  });
  return { file, sections, plain, restored: assemble(file, restored, beside), lossless: null };
}

function decodeWithoutLoss(file, { content }) {
  const { width, height, count, format } = file, report = {};
  const channels = file.layout === 2 ? 3 : count, formats = Array.from({ length: channels }, () => format);
  if (file.planes.at(-1).alpha) formats.push(PLAIN);
  const samples = decodeLossless(content, formats, height, width, report);
  const plain = { channels: samples.slice(0, channels), alpha: samples[channels] ?? null };
  const palette = file.chunks.find(({ type }) => type === CHUNKS.PALETTE) ?? null;
  return { file, sections: [], plain, restored: null, lossless: report, palette };
}

/** log2 of the side of each pixel's cell. */
function sidesOf({ structure, k, cells }, height, width) {
  const sides = new Uint8Array(height * width).fill(k);
  if (structure === 0)
    cells.sides.forEach((side, i) => {
      const log = Math.log2(side), bottom = Math.min(cells.y[i] + side, height), right = Math.min(cells.x[i] + side, width);
      for (let y = cells.y[i]; y < bottom; y++) sides.fill(log, y * width + cells.x[i], y * width + right);
    });
  return sides;
}
