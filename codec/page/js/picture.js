// From planes to the picture: docs/format.md, sections 3, 4 and 14.
import { ALPHA_MATTE, ALPHA_OPAQUE, COLOUR_420, COLOUR_444 } from "./container.js";
import { FLOAT, PLAIN, roundFloat, samplesOf } from "./formats.js";

/** {channels: arrays of H x W samples, alpha: Uint8Array or null} of planes of values (doubles on the axis); `beside` of beside.js. */
export function assemble(file, planes, beside) {
  const { width, height, layout, format, count } = file, coloured = layout === COLOUR_420 || layout === COLOUR_444;
  const axes = coloured ? toRgb(planes.slice(0, 3), file) : planes.slice(0, count);
  const residualOf = (p) => beside.residuals.find(({ plane }) => plane === p);
  const channels = axes.map((values, p) => withResidual(values, format, coloured ? 0 : p, residualOf(p)));
  let alpha = planes.length > count ? withResidual(planes[count], PLAIN, 0, residualOf(count)) : null;
  if (file.alpha === ALPHA_OPAQUE) alpha = new Uint8Array(width * height).fill(255);
  if (file.alpha === ALPHA_MATTE) alpha = beside.matte.map((set) => 255 * set);
  for (const { planes: named, set, sample } of beside.holes)
    channels.forEach((channel, p) => {
      if ((named >> p) & 1) set.forEach((isHole, at) => isHole && (channel[at] = sample));
    });
  return { channels, alpha };
}

/** Samples, with a residual added to them as their type holds them. */
function withResidual(values, format, which, residual) {
  const out = samplesOf(values, format, which), [low, high] = format.ranges[which];
  if (!residual) return out;
  for (let i = 0; i < out.length; i++) {
    const sum = Math.min(Math.max(out[i] + residual.unit * residual.values[i], low), high);
    out[i] = format.kind === FLOAT ? roundFloat(sum, format.bits) : sum;
  }
  return out;
}

/** Full-range BT.601, before rounding. */
function toRgb([y, cb, cr], { layout, width, height }) {
  const [blue, red] = [cb, cr].map((plane) => (layout === COLOUR_420 ? doubled(plane, height, width) : plane));
  const R = new Float64Array(y.length), G = new Float64Array(y.length), B = new Float64Array(y.length);
  for (let i = 0; i < y.length; i++) {
    R[i] = y[i] + 1.402 * (red[i] - 128);
    B[i] = y[i] + 1.772 * (blue[i] - 128);
    G[i] = (y[i] - 0.299 * R[i] - 0.114 * B[i]) / 0.587;
  }
  return [R, G, B];
}

/** A plane of half the size enlarged linearly, down the columns and then along the rows, cropped. */
function doubled(plane, height, width) {
  const h = (height + 1) >> 1, w = (width + 1) >> 1, tall = new Float64Array(height * w), out = new Float64Array(height * width);
  const other = (i, n) => Math.min(Math.max((i >> 1) + (i & 1 ? 1 : -1), 0), n - 1);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < w; x++) tall[y * w + x] = 0.75 * plane[(y >> 1) * w + x] + 0.25 * plane[other(y, h) * w + x];
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) out[y * width + x] = 0.75 * tall[y * w + (x >> 1)] + 0.25 * tall[y * w + other(x, w)];
  return out;
}

/** RGBA bytes to paint: ranges of other formats are spread over 0..255, holes that are no number become transparent. */
export function paint(file, { channels, alpha }, palette) {
  const n = file.width * file.height, out = new Uint8ClampedArray(4 * n);
  if (palette) {
    for (let i = 0; i < n; i++) {
      const at = channels[0][i] * palette.channels, there = at < palette.colours.length;
      for (let k = 0; k < 4; k++) out[4 * i + k] = k === 3 && palette.channels === 3 ? 255 : there ? palette.colours[at + k] : k === 3 ? 255 : 0;
    }
    return out;
  }
  const { format } = file, plain = format.bits === 8 && format.kind !== FLOAT, grey = channels.length < 3;
  const range = (p) => format.ranges[Math.min(p, format.ranges.length - 1)];
  for (let k = 0; k < 3; k++) {
    const p = grey ? 0 : k, [low, high] = plain && !format.kind ? [0, 255] : range(p), channel = channels[p];
    for (let i = 0; i < n; i++) out[4 * i + k] = high > low ? ((channel[i] - low) * 255) / (high - low) : 128;
  }
  for (let i = 0; i < n; i++) out[4 * i + 3] = Number.isFinite(channels[0][i]) ? (alpha ? alpha[i] : 255) : 0;
  return out;
}
