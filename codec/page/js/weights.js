// Weights of restorations: 16-bit floats one after the other, dinp.page.packing has the packer.
import { halfToNumber } from "./formats.js";

/** {NAME: {weight, bias, shape}} of `data`, for `shapes` = {NAME: [out, in, rows, columns]}. */
export function unpackWeights(data, shapes) {
  const halves = new DataView(data.buffer, data.byteOffset, data.byteLength), layers = {};
  let at = 0;
  const floats = (length) => Float32Array.from({ length }, () => halfToNumber(halves.getUint16(2 * at++, true)));
  for (const [name, shape] of Object.entries(shapes)) {
    const weight = floats(shape[0] * shape[1] * shape[2] * shape[3]);
    layers[name] = { weight, bias: floats(shape[0]), shape };
  }
  return layers;
}
