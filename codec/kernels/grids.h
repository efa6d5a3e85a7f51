/* Grids of the diffusion solver: four colours, each a plane of its own. Mirrors dinp.diffusion.stencils.

   A grid of 2h x 2w cells is held as 2x2 blocks: h x w of each colour (a, b), the position in the block. The colours
   stand in the order (0,1), (1,0), (0,0), (1,1): black first, then red. A plane has h + 1 rows and columns, a border of
   zeros on the side where a neighbour may lie outside: cell (i, j) of colour (a, b) is at row i + a, column j + b. */

#ifndef DINP_GRIDS_H
#define DINP_GRIDS_H

#include "kernels.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__)
#define WIDE __attribute__((target_clones("avx2", "default"))) /* the same results, in wider registers */
#else
#define WIDE
#endif

enum { C01, C10, C00, C11 };
static const int DOWN_OF[4] = {0, 1, 0, 1}; /* a */
static const int RIGHT_OF[4] = {1, 0, 0, 1}; /* b */

#define BAND 32 /* rows whose products share a row of sums: see dinp.diffusion.stencils.inner_product */

typedef Py_ssize_t N;

/* Row i of a colour, from its padding on; rows -1 and h are border where a neighbour reads them. */
static inline float *row_of(float *field, int c, N i, N h, N w)
{
    return field + c * (h + 1) * (w + 1) + (i + DOWN_OF[c]) * (w + 1);
}

static inline const float *const_row(const float *field, int c, N i, N h, N w)
{
    return field + c * (h + 1) * (w + 1) + (i + DOWN_OF[c]) * (w + 1);
}

/* Sums over the four neighbours of each cell of a row: up and down from the cell's column on, beside from the padding. */
static inline void sum_row(float *restrict out, const float *up, const float *down, const float *beside, N w)
{
    for (N j = 0; j < w; j++)
        out[j] = ((up[j] + down[j]) + beside[j]) + beside[j + 1];
}

/* 1 and 1 / count for counts from 1 to 4, else 0: without comparisons, which compilers make branches of. */
static inline float live_of(uint8_t count) { return (float)((count + 3) >> 2); }
static inline float inverse_of(uint8_t count) { return live_of(count) / (float)(count + 1 - ((count + 3) >> 2)); }

/* A block-row of the grid above, from or to its colours (or from the coarsest grid, an array of cells). */
static inline void read_coarse(float *restrict row, const float *coarse, int coarsest, N i, N h, N w)
{
    if (coarsest) {
        memcpy(row, coarse + i * w, w * sizeof(float));
        return;
    }
    N ch = (h + 1) / 2, cw = (w + 1) / 2, half = w / 2;
    const float *even = const_row(coarse, i & 1 ? C10 : C00, i / 2, ch, cw);
    const float *odd = const_row(coarse, i & 1 ? C11 : C01, i / 2, ch, cw) + 1;
    for (N j = 0; j < half; j++) {
        row[2 * j] = even[j];
        row[2 * j + 1] = odd[j];
    }
    if (w & 1)
        row[w - 1] = even[half];
}

static inline void write_coarse(const float *restrict row, float *coarse, int coarsest, N i, N h, N w)
{
    if (coarsest) {
        memcpy(coarse + i * w, row, w * sizeof(float));
        return;
    }
    N ch = (h + 1) / 2, cw = (w + 1) / 2, half = w / 2;
    float *even = row_of(coarse, i & 1 ? C10 : C00, i / 2, ch, cw);
    float *odd = row_of(coarse, i & 1 ? C11 : C01, i / 2, ch, cw) + 1;
    for (N j = 0; j < half; j++) {
        even[j] = row[2 * j];
        odd[j] = row[2 * j + 1];
    }
    if (w & 1)
        even[half] = row[w - 1];
}

/* How long arrays must be. */
static inline int has_room(const Py_buffer *buffer, N count, N size)
{
    return buffer->len >= count * size;
}

#endif
