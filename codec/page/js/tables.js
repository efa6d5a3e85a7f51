// Unpacks the networks and tables that docs/format.md names: dinp.page.packing has the packer.
import { clip } from "./common.js";
import { BitDecoder } from "./bits.js";
import { newNetwork } from "./kernels.js";

const RATE = 5;

/** Integers of an adaptive code; each array has its own probabilities. */
class Unpacker {
  constructor(data) {
    this.decoder = new BitDecoder(data);
  }

  start() {
    this.probabilities = new Map();
  }

  bit(context) {
    const p = this.probabilities.get(context) ?? 32768, bit = this.decoder.bit(p);
    this.probabilities.set(context, clip(bit ? p + ((65536 - p) >> RATE) : p - (p >> RATE), 64, 65472));
    return bit;
  }

  /** 0, or a sign, a class z in unary, and z bits below the leading one, of which the upper two are adaptive. */
  next() {
    if (!this.bit(0)) return 0;
    const negative = this.bit(1);
    let z = 0, number = 1;
    while (this.bit(2 + z)) z++;
    for (let k = 0; k < z; k++) number = 2 * number + (k < 2 ? this.bit(64 + 4 * z + number) : this.decoder.bit(32768));
    return negative ? -number : number;
  }
}

/**
 * {tree, mask, values}: each {network, logistic, exp2}. `layout` tells of each, in the order in which they are packed:
 * the sizes of its layers (inputs, then outputs of each) and the lengths of its tables.
 */
export function unpackModels(data, layout) {
  const unpacker = new Unpacker(data), models = {};
  const array = (length, differences) => {
    unpacker.start();
    const out = Float64Array.from({ length }, () => unpacker.next());
    for (let d = 0; d < differences; d++) for (let i = 1; i < length; i++) out[i] += out[i - 1];
    return out;
  };
  for (const [name, { sizes, tables }] of Object.entries(layout)) {
    const layers = sizes.slice(1).map((outputs, l) => {
      const inputs = sizes[l];
      return { inputs, outputs, weights: array(inputs * outputs, 0), biases: array(outputs, 0) };
    });
    models[name] = { network: newNetwork(layers) };
    for (const [table, length] of Object.entries(tables)) models[name][table] = typeof length === "string" ? models[length][table] : array(length, 2);
  }
  return models;
}
