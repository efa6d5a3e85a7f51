/* A small fully connected network with integer weights, four rows at a time: dinp.entropy.fixed.IntegerNetwork.

   The network comes packed (IntegerNetwork.packed) as 64-bit integers: the number of layers, then for each

       pairs      inputs / 2, rounded up
       outputs    rounded up to a multiple of 8
       segments   how many there are, then the pair at which each ends
       biases     one an output
       weights    16-bit, for each block of 8 outputs and each pair: two weights for each of the 8 outputs

   Sums of a segment fit 32 bits whatever the inputs are; they are added up as floor(sum / 4096) and sum mod 4096, so
   that all of it is exact in 32 bits, and vectors of 16-bit products do the work. Inputs are within +-(2^15 - 1). */

#ifndef DINP_NETWORK_H
#define DINP_NETWORK_H

#include <stdint.h>
#include <string.h>

#if defined(__GNUC__) && defined(__x86_64__)
#include <immintrin.h>
#define NETWORK_AVX2
#endif

enum { NETWORK_ROWS = 4, NETWORK_WIDTH = 256, NETWORK_SHIFT = 12, NETWORK_OUTPUT = 1 << 20 };

typedef struct {
    int64_t pairs, outputs, segments;
    const int64_t *ends, *biases;
    const int16_t *weights;
} network_layer;

/* The layer that begins at `at`, and where the next one does. */
static inline const int64_t *network_next(const int64_t *at, network_layer *layer)
{
    layer->pairs = at[0], layer->outputs = at[1], layer->segments = at[2];
    layer->ends = at + 3;
    layer->biases = layer->ends + layer->segments;
    layer->weights = (const int16_t *)(layer->biases + layer->outputs);
    return layer->biases + layer->outputs + layer->pairs * layer->outputs / 2;
}

/* Outputs (4, NETWORK_WIDTH) of a layer for inputs (4, NETWORK_WIDTH), clipped to least..most. */
static inline void network_layer_plain(const network_layer *layer, const int16_t (*x)[NETWORK_WIDTH],
                                       int32_t (*out)[NETWORK_WIDTH], int32_t least, int32_t most)
{
    for (int64_t o = 0; o < layer->outputs; o += 8) {
        const int16_t *weights = layer->weights + 2 * o * layer->pairs;
        for (int r = 0; r < NETWORK_ROWS; r++) {
            int32_t high[8], low[8];
            for (int j = 0; j < 8; j++) {
                high[j] = (int32_t)(layer->biases[o + j] >> NETWORK_SHIFT);
                low[j] = (int32_t)(layer->biases[o + j] & ((1 << NETWORK_SHIFT) - 1));
            }
            int64_t p = 0;
            for (int64_t s = 0; s < layer->segments; s++) {
                int32_t sum[8] = {0};
                for (; p < layer->ends[s]; p++) {
                    int32_t a = x[r][2 * p], b = x[r][2 * p + 1];
                    const int16_t *w = weights + 16 * p;
                    for (int j = 0; j < 8; j++)
                        sum[j] = (int32_t)((uint32_t)sum[j] + (uint32_t)(a * w[2 * j]) + (uint32_t)(b * w[2 * j + 1]));
                }
                for (int j = 0; j < 8; j++)
                    high[j] += sum[j] >> NETWORK_SHIFT, low[j] += sum[j] & ((1 << NETWORK_SHIFT) - 1);
            }
            for (int j = 0; j < 8; j++) {
                int32_t v = high[j] + (low[j] >> NETWORK_SHIFT);
                out[r][o + j] = v < least ? least : v > most ? most : v;
            }
        }
    }
}

#ifdef NETWORK_AVX2
/* The same for one or two blocks of 8 outputs. */
#define NETWORK_BLOCK(name, blocks)                                                                                    \
    __attribute__((target("avx2"))) static void name(const network_layer *layer, int64_t o,                            \
                                                     const int16_t (*x)[NETWORK_WIDTH], int32_t (*out)[NETWORK_WIDTH], \
                                                     int32_t least, int32_t most)                                      \
    {                                                                                                                  \
        const __m256i *weights[blocks];                                                                                \
        __m256i high[blocks][NETWORK_ROWS], low[blocks][NETWORK_ROWS];                                                 \
        const __m256i rest = _mm256_set1_epi32((1 << NETWORK_SHIFT) - 1);                                              \
        for (int b = 0; b < blocks; b++) {                                                                             \
            int32_t h[8], l[8];                                                                                        \
            for (int j = 0; j < 8; j++) {                                                                              \
                int64_t bias = layer->biases[o + 8 * b + j];                                                           \
                h[j] = (int32_t)(bias >> NETWORK_SHIFT), l[j] = (int32_t)(bias & ((1 << NETWORK_SHIFT) - 1));          \
            }                                                                                                          \
            weights[b] = (const __m256i *)(layer->weights + 2 * (o + 8 * b) * layer->pairs);                           \
            for (int r = 0; r < NETWORK_ROWS; r++) {                                                                   \
                high[b][r] = _mm256_loadu_si256((const __m256i *)h);                                                   \
                low[b][r] = _mm256_loadu_si256((const __m256i *)l);                                                    \
            }                                                                                                          \
        }                                                                                                              \
        int64_t p = 0;                                                                                                 \
        for (int64_t s = 0; s < layer->segments; s++) {                                                                \
            __m256i sum[blocks][NETWORK_ROWS];                                                                         \
            for (int b = 0; b < blocks; b++)                                                                           \
                for (int r = 0; r < NETWORK_ROWS; r++)                                                                 \
                    sum[b][r] = _mm256_setzero_si256();                                                                \
            for (; p < layer->ends[s]; p++)                                                                            \
                for (int r = 0; r < NETWORK_ROWS; r++) {                                                               \
                    int32_t pair;                                                                                      \
                    memcpy(&pair, &x[r][2 * p], 4);                                                                    \
                    const __m256i both = _mm256_set1_epi32(pair);                                                      \
                    for (int b = 0; b < blocks; b++)                                                                   \
                        sum[b][r] = _mm256_add_epi32(                                                                  \
                            sum[b][r], _mm256_madd_epi16(both, _mm256_loadu_si256(weights[b] + p)));                   \
                }                                                                                                      \
            for (int b = 0; b < blocks; b++)                                                                           \
                for (int r = 0; r < NETWORK_ROWS; r++) {                                                               \
                    high[b][r] = _mm256_add_epi32(high[b][r], _mm256_srai_epi32(sum[b][r], NETWORK_SHIFT));            \
                    low[b][r] = _mm256_add_epi32(low[b][r], _mm256_and_si256(sum[b][r], rest));                        \
                }                                                                                                      \
        }                                                                                                              \
        for (int b = 0; b < blocks; b++)                                                                               \
            for (int r = 0; r < NETWORK_ROWS; r++) {                                                                   \
                __m256i v = _mm256_add_epi32(high[b][r], _mm256_srli_epi32(low[b][r], NETWORK_SHIFT));                 \
                v = _mm256_min_epi32(_mm256_max_epi32(v, _mm256_set1_epi32(least)), _mm256_set1_epi32(most));          \
                _mm256_storeu_si256((__m256i *)&out[r][o + 8 * b], v);                                                 \
            }                                                                                                          \
    }

NETWORK_BLOCK(network_one_block, 1)
NETWORK_BLOCK(network_two_blocks, 2)
#endif

/* Outputs (4, NETWORK_WIDTH) for inputs (4, NETWORK_WIDTH) within +-(2^15 - 1), which are overwritten; inputs beyond
   those of the network, up to an even number, must be 0. `plain` asks for what processors without AVX2 do. */
static inline void network_run(const int64_t *packed, int16_t (*x)[NETWORK_WIDTH], int32_t (*out)[NETWORK_WIDTH],
                               int plain)
{
#ifdef NETWORK_AVX2
    int wide = !plain && __builtin_cpu_supports("avx2");
#else
    (void)plain;
#endif
    const int64_t *at = packed + 1;
    for (int64_t number = packed[0]; number > 0; number--) {
        network_layer layer;
        at = network_next(at, &layer);
        int32_t least = number > 1 ? 0 : -NETWORK_OUTPUT, most = number > 1 ? INT16_MAX : NETWORK_OUTPUT;
#ifdef NETWORK_AVX2
        if (wide) {
            int64_t o = 0;
            for (; o + 16 <= layer.outputs; o += 16)
                network_two_blocks(&layer, o, (const int16_t (*)[NETWORK_WIDTH])x, out, least, most);
            if (o < layer.outputs)
                network_one_block(&layer, o, (const int16_t (*)[NETWORK_WIDTH])x, out, least, most);
        } else
#endif
            network_layer_plain(&layer, (const int16_t (*)[NETWORK_WIDTH])x, out, least, most);
        if (number > 1)
            for (int r = 0; r < NETWORK_ROWS; r++)
                for (int64_t j = 0; j < layer.outputs; j++)
                    x[r][j] = (int16_t)out[r][j];
    }
}

#endif
