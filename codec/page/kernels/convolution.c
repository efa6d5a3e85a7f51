/* A convolution of feature maps with borders of zeros (js/restoration.js): each output is a bias and a weighted sum of
   all input maps, each at the offsets of the kernel's taps. */

#include "page.h"

enum { PIXELS = 8, CHUNK = 512 };

/* Pixels begin..end-1 of `outputs` maps of `size` floats; end is rounded up to whole vectors, for which there is room.
   weights: for each 4 outputs, each input and each tap four weights; outputs is a multiple of 4. */
EXPORTED void convolve(const float *x, int32_t inputs, int32_t size, const float *weights, const float *biases,
                       const int32_t *taps, int32_t count, float *out, int32_t outputs, int32_t begin, int32_t end)
{
    for (int32_t chunk = begin; chunk < end; chunk += CHUNK)
        for (int32_t o = 0; o < outputs; o += 4)
            for (int32_t i = chunk; i < end && i < chunk + CHUNK; i += PIXELS) {
                v128_t sum[4][2];
                for (int k = 0; k < 4; k++)
                    sum[k][0] = sum[k][1] = wasm_v128_load32_splat(biases + o + k);
                const float *w = weights + o * inputs * count;
                for (int32_t c = 0; c < inputs; c++)
                    for (int32_t t = 0; t < count; t++, w += 4) {
                        const float *at = x + c * size + i + taps[t];
                        v128_t a = wasm_v128_load(at), b = wasm_v128_load(at + 4);
                        for (int k = 0; k < 4; k++) {
                            v128_t weight = wasm_v128_load32_splat(w + k);
                            sum[k][0] = wasm_f32x4_add(sum[k][0], wasm_f32x4_mul(weight, a));
                            sum[k][1] = wasm_f32x4_add(sum[k][1], wasm_f32x4_mul(weight, b));
                        }
                    }
                for (int k = 0; k < 4; k++) {
                    wasm_v128_store(out + (o + k) * size + i, sum[k][0]);
                    wasm_v128_store(out + (o + k) * size + i + 4, sum[k][1]);
                }
            }
}
