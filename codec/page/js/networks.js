// Integer networks that foretell probabilities: docs/format.md, section 7.
import { clip } from "./common.js";

/** A network of layers {inputs, outputs, weights (inputs x outputs), biases}; runs rows of inputs at once. */
export class Network {
  constructor(layers) {
    this.layers = layers;
    this.inputs = layers[0].inputs;
    this.outputs = layers[layers.length - 1].outputs;
    this.sums = new Float64Array(Math.max(...layers.map((layer) => layer.outputs)));
  }

  /** Outputs (rows x outputs) for inputs (rows x inputs), which are clipped. */
  run(inputs, rows) {
    const out = new Int32Array(rows * this.outputs);
    const row = new Float64Array(this.inputs);
    for (let r = 0; r < rows; r++) {
      let x = row;
      for (let i = 0; i < this.inputs; i++) x[i] = clip(inputs[r * this.inputs + i], -32767, 32767);
      for (let l = 0; l < this.layers.length; l++) {
        const last = l === this.layers.length - 1;
        x = this.layer(this.layers[l], x, last ? -1048576 : 0, last ? 1048576 : 32767);
      }
      out.set(x, r * this.outputs);
    }
    return out;
  }

  layer({ inputs, outputs, weights, biases }, x, least, most) {
    const { sums } = this, y = new Float64Array(outputs);
    for (let o = 0; o < outputs; o++) sums[o] = biases[o];
    for (let i = 0; i < inputs; i++) {
      const value = x[i];
      if (value) for (let o = 0, w = i * outputs; o < outputs; o++, w++) sums[o] += value * weights[w];
    }
    for (let o = 0; o < outputs; o++) y[o] = clip(Math.floor(sums[o] / 4096), least, most);
    return y;
  }
}
