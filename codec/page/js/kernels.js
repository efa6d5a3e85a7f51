// Which kernels do the work: those in plain JavaScript, until WebAssembly's are there.
import { Mixer } from "./mixer.js";
import { Network } from "./networks.js";

const kernels = {
  mixer: (decoder, model, places) => new Mixer(decoder, model, places),
  network: (layers) => new Network(layers),
};

/** Let other kernels do the work. */
export function useKernels(others) {
  Object.assign(kernels, others);
}

export const newMixer = (decoder, model, places) => kernels.mixer(decoder, model, places);
export const convolution = (x, layer) => kernels.convolution(x, layer);
export const newNetwork = (layers) => kernels.network(layers);
