// Convolutions of feature maps in plain JavaScript: 3x3, 1x1, and 2x2 on disjoint blocks, which is 1x1 of `blocks()`.
import { Features } from "./restoration.js";

/** `shape` = [out, in, rows, columns]; 2x2 kernels take maps of blocks. */
export function convolve(x, { weight, bias, shape }) {
  const [outputs, inputs, side] = shape, out = new Features(outputs, x.height, x.width);
  for (let o = 0; o < outputs; o++) {
    for (let y = 0; y < x.height; y++) out.data.fill(bias[o], out.row(o, y), out.row(o, y) + x.width);
    if (side === 3) for (let c = 0; c < inputs; c++) addKernel(out, o, x, c, weight, (o * inputs + c) * 9);
    else for (let c = 0; c < x.channels; c++) addScaled(out, o, x, c, weight[o * x.channels + c]);
  }
  return out;
}

function addScaled(out, o, x, c, w) {
  for (let y = 0; y < x.height; y++) {
    const to = out.row(o, y), from = x.row(c, y);
    for (let k = 0; k < x.width; k++) out.data[to + k] += w * x.data[from + k];
  }
}

function addKernel(out, o, x, c, weight, at) {
  const a = weight[at], b = weight[at + 1], d = weight[at + 2], e = weight[at + 3], f = weight[at + 4], g = weight[at + 5];
  const h = weight[at + 6], i = weight[at + 7], j = weight[at + 8], { data, stride } = x;
  for (let y = 0; y < x.height; y++) {
    let to = out.row(o, y), p = x.row(c, y);
    for (let k = 0; k < x.width; k++, to++, p++)
      out.data[to] += a * data[p - stride - 1] + b * data[p - stride] + d * data[p - stride + 1] + e * data[p - 1] + f * data[p] + g * data[p + 1]
        + h * data[p + stride - 1] + i * data[p + stride] + j * data[p + stride + 1];
  }
}
