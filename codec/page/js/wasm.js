// The kernels in WebAssembly (kernels/*.c), with the interfaces of mixer.js, networks.js and convolution.js.
import { NEXT_HISTORY, STRETCH, LOGISTIC, ratio } from "./bits.js";
import { convolve } from "./convolution.js";
import { BIT, Mixer, SEEN } from "./mixer.js";
import { Network } from "./networks.js";
import { Features } from "./restoration.js";

const PAGE = 65536, ROWS = 4, VECTOR = 16;

/** An instance of the kernels with a memory of its own, which is handed out piece by piece. */
class Arena {
  constructor(module) {
    this.kernels = new WebAssembly.Instance(module).exports;
    this.top = this.kernels.__heap_base.value;
  }

  /** Where so many bytes begin, of zeros where nothing stood before. Views made earlier may have become empty. */
  take(bytes) {
    const at = Math.ceil(this.top / VECTOR) * VECTOR, { memory } = this.kernels;
    this.top = at + bytes;
    const lacking = this.top + 64 - memory.buffer.byteLength;
    if (lacking > 0) memory.grow(Math.ceil(lacking / PAGE));
    return at;
  }

  view(Type, at, length) {
    return new Type(this.kernels.memory.buffer, at, length);
  }

  put(array) {
    const at = this.take(array.byteLength);
    this.view(array.constructor, at, array.length).set(array);
    return at;
  }
}

/** Kernels for useKernels(), of a compiled module. */
export function wasmKernels(module) {
  const shared = new Arena(module);
  return {
    mixer: (decoder, model, places) => new WasmMixer(module, decoder, model, places),
    network: (layers) => (fits(layers) ? new WasmNetwork(module, layers) : new Network(layers)),
    convolution: (x, layer) => wasmConvolve(shared, x, layer) ?? convolve(x, layer),
  };
}

/** As Mixer. Its state lies in a memory of its own: tables of a large picture take hundreds of megabytes. */
class WasmMixer {
  constructor(module, decoder, model, places) {
    const plain = new Mixer(decoder, model, 1), arena = new Arena(module), { contexts, kinds, sets, stages } = model;
    this.decoder = decoder;
    const pointers = [contexts, kinds, places, model.a, model.b, model.c, arena.take(4 * contexts * places)];
    pointers.push(arena.put(plain.maps), arena.put(plain.counts));
    for (const weights of plain.weights) pointers.push(arena.put(weights));
    for (const stage of plain.stages) pointers.push(arena.put(stage));
    pointers.push(arena.put(Int32Array.from(plain.final)));
    const at = arena.take(4 * contexts), marks = arena.take(contexts), rows = arena.take(4 * (sets.length + stages.length));
    const next = new Uint8Array([...NEXT_HISTORY[0], ...NEXT_HISTORY[1]]);
    pointers.push(at, marks, rows, arena.put(STRETCH), arena.put(Int32Array.from({ length: 256 }, (_, n) => ratio(n))));
    pointers.push(arena.put(Int32Array.from(LOGISTIC)), arena.put(next), arena.put(SEEN));
    this.state = arena.put(Int32Array.from(pointers));
    this.at = arena.view(Int32Array, at, contexts);
    this.marks = arena.view(Uint8Array, marks, contexts);
    this.rows = arena.view(Int32Array, rows, 3);
    this.stageRows = arena.view(Int32Array, rows + 12, 2);
    this.predict = arena.kernels.mix_predict;
    this.update = arena.kernels.mix_update;
  }

  decode(kind) {
    this.decoder.spend(BIT);
    const bit = this.decoder.bit(this.predict(this.state, kind));
    this.update(this.state, bit);
    return bit;
  }
}

const rounded = (n, unit) => Math.ceil(n / unit) * unit;

/** Whether the kernel can have a network: weights of 16 bits. */
function fits(layers) {
  return layers.every(({ weights }) => weights.every((w) => w >= -32768 && w <= 32767));
}

/** As Network. */
class WasmNetwork {
  constructor(module, layers) {
    this.arena = new Arena(module);
    this.inputs = layers[0].inputs;
    this.outputs = layers.at(-1).outputs;
    this.layers = layers.map((layer) => this.packed(layer));
    this.begin = this.arena.top;
  }

  packed({ inputs, outputs, weights, biases }) {
    const pairs = rounded(inputs, 8) / 2, wide = rounded(outputs, 8), packed = new Int16Array(2 * pairs * wide); // of a next layer's inputs too
    const high = new Int32Array(wide), low = new Int32Array(wide), ends = [], sums = new Float64Array(outputs);
    for (let i = 0; i < inputs; i++) for (let o = 0; o < outputs; o++) packed[(o >> 2) * 8 * pairs + (i >> 1) * 8 + 2 * (o & 3) + (i & 1)] = weights[i * outputs + o];
    for (let o = 0; o < outputs; o++) [high[o], low[o]] = [Math.floor(biases[o] / 4096), biases[o] - 4096 * Math.floor(biases[o] / 4096)];
    for (let p = 0; p < pairs; p++) {
      const add = (o) => [2 * p, 2 * p + 1].reduce((sum, i) => sum + (i < inputs ? Math.abs(weights[i * outputs + o]) : 0), 0);
      if (sums.some((sum, o) => sum + add(o) > 65535)) { // 65535 x 32767 fits 32 bits
        ends.push(p);
        sums.fill(0);
      }
      sums.forEach((_, o) => (sums[o] += add(o)));
    }
    ends.push(pairs);
    const { arena } = this;
    return { pairs, outputs: wide, weights: arena.put(packed), high: arena.put(high), low: arena.put(low), ends: arena.put(Int32Array.from(ends)), segments: ends.length };
  }

  run(inputs, rows) {
    const { arena, layers } = this, { kernels } = arena, BATCH = 256, result = new Int32Array(rows * this.outputs);
    arena.top = this.begin;
    const widest = Math.max(...layers.map(({ pairs, outputs }) => Math.max(2 * pairs, outputs)));
    const places = [0, 1].map(() => arena.take(2 * BATCH * widest)), out = arena.take(4 * BATCH * widest), stride = 2 * layers[0].pairs;
    for (let from = 0; from < rows; from += BATCH) {
      const count = Math.min(BATCH, rows - from), padded = rounded(count, ROWS), x = arena.view(Int16Array, places[0], padded * stride).fill(0);
      for (let r = 0; r < count; r++)
        for (let i = 0, source = (from + r) * this.inputs; i < this.inputs; i++) {
          const v = inputs[source + i];
          x[r * stride + i] = v < -32767 ? -32767 : v > 32767 ? 32767 : v;
        }
      layers.forEach((layer, l) => {
        const last = l === layers.length - 1, next = last ? layer.outputs : 2 * layers[l + 1].pairs;
        kernels.network_layer(places[l & 1], padded, layer.pairs, layer.weights, layer.outputs, layer.high, layer.low, layer.ends,
          layer.segments, last ? -1048576 : 0, last ? 1048576 : 32767, out, places[(l + 1) & 1], next);
      });
      const wide = layers.at(-1).outputs, found = arena.view(Int32Array, out, padded * wide);
      for (let r = 0; r < count; r++) for (let o = 0; o < this.outputs; o++) result[(from + r) * this.outputs + o] = found[r * wide + o];
    }
    return result;
  }
}

/** As convolve(); null for shapes that the kernel does not have. */
function wasmConvolve(arena, x, layer) {
  const [outputs, , side] = layer.shape, inputs = x.channels, taps = side === 3 ? 9 : 1, begin = x.stride + 1;
  if (outputs % 4) return null;
  layer.packed ??= packKernels(layer.weight, outputs, inputs, taps);
  const { stride, size } = x, top = arena.top, { kernels } = arena;
  const offsets = taps === 1 ? [0] : [-1, 0, 1].flatMap((dy) => [-1, 0, 1].map((dx) => dy * stride + dx));
  const weights = arena.put(layer.packed), biases = arena.put(layer.bias), tapsAt = arena.put(Int32Array.from(offsets));
  const from = arena.put(x.data), to = arena.take(4 * outputs * size + 64), out = new Features(outputs, x.height, x.width);
  kernels.convolve(from, inputs, size, weights, biases, tapsAt, taps, to, outputs, begin, size - begin);
  const found = arena.view(Float32Array, to, outputs * size);
  for (let o = 0; o < outputs; o++)
    for (let y = 0; y < x.height; y++) out.data.set(found.subarray(out.row(o, y), out.row(o, y) + x.width), out.row(o, y));
  arena.top = top;
  return out;
}

/** For each 4 outputs, each input and each tap: four weights. */
function packKernels(weight, outputs, inputs, taps) {
  const packed = new Float32Array(weight.length);
  for (let o = 0; o < outputs; o++)
    for (let c = 0; c < inputs; c++)
      for (let t = 0; t < taps; t++) packed[(((o >> 2) * inputs + c) * taps + t) * 4 + (o & 3)] = weight[(o * inputs + c) * taps + t];
  return packed;
}
