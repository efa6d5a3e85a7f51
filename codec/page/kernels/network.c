/* A layer of an integer network, docs/format.md, section 7, for several rows of inputs. Products of 16 bits are summed in
   32 bits as long as they fit (a segment); sums are kept as floor(sum / 4096) and sum mod 4096, so that all is exact. */

#include "page.h"

enum { ROWS = 4, SHIFT = 12 };

/* x: (rows, 2 pairs) inputs, rows a multiple of 4. weights: for each 4 outputs and each pair two weights an output.
   high, low: biases. ends: the pair at which each segment ends. out: (rows, outputs) 32-bit, and as 16-bit to `next`
   (rows, stride), outputs a multiple of 4. */
EXPORTED void network_layer(const int16_t *x, int32_t rows, int32_t pairs, const int16_t *weights, int32_t outputs,
                            const int32_t *high, const int32_t *low, const int32_t *ends, int32_t segments,
                            int32_t least, int32_t most, int32_t *out, int16_t *next, int32_t stride)
{
    const v128_t rest = wasm_i32x4_splat((1 << SHIFT) - 1);
    for (int32_t row = 0; row < rows; row += ROWS)
        for (int32_t o = 0; o < outputs; o += 4) {
            v128_t h[ROWS], l[ROWS];
            for (int r = 0; r < ROWS; r++)
                h[r] = wasm_v128_load(high + o), l[r] = wasm_v128_load(low + o);
            const int16_t *w = weights + 2 * o * pairs;
            int32_t p = 0;
            for (int32_t s = 0; s < segments; s++) {
                v128_t sum[ROWS];
                for (int r = 0; r < ROWS; r++)
                    sum[r] = wasm_i32x4_splat(0);
                for (; p < ends[s]; p++) {
                    v128_t both = wasm_v128_load(w + 8 * p);
                    for (int r = 0; r < ROWS; r++)
                        sum[r] = wasm_i32x4_add(
                            sum[r], wasm_i32x4_dot_i16x8(both, wasm_v128_load32_splat(x + 2 * ((row + r) * pairs + p))));
                }
                for (int r = 0; r < ROWS; r++) {
                    h[r] = wasm_i32x4_add(h[r], wasm_i32x4_shr(sum[r], SHIFT));
                    l[r] = wasm_i32x4_add(l[r], wasm_v128_and(sum[r], rest));
                }
            }
            for (int r = 0; r < ROWS; r++) {
                v128_t v = wasm_i32x4_add(h[r], wasm_i32x4_shr(l[r], SHIFT));
                v = wasm_i32x4_min(wasm_i32x4_max(v, wasm_i32x4_splat(least)), wasm_i32x4_splat(most));
                wasm_v128_store(out + (row + r) * outputs + o, v);
                wasm_v128_store64_lane(next + (row + r) * stride + o, wasm_i16x8_narrow_i32x4(v, v), 0);
            }
        }
}
