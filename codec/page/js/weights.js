// Weights of restorations: 16-bit floats one after the other, dinp.page.packing has the packer.
import { halfToNumber } from "./formats.js";

/** {NAME: {weight, bias, shape}} of `data`, for `shapes` = {NAME: [out, in, rows, columns]}. */
export function unpackWeights(data, shapes) {
  const halves = new DataView(data.buffer, data.byteOffset, data.byteLength), layers = {};
  const numbers = Float32Array.from({ length: 65536 }, (_, half) => halfToNumber(half));
  let at = 0;
  const floats = (length) => {
    const out = new Float32Array(length);
    for (let i = 0; i < length; i++) out[i] = numbers[halves.getUint16(2 * at++, true)];
    return out;
  };
  for (const [name, shape] of Object.entries(shapes)) {
    const weight = floats(shape[0] * shape[1] * shape[2] * shape[3]);
    layers[name] = { weight, bias: floats(shape[0]), shape };
  }
  return layers;
}
