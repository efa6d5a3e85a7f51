/* What the coders of contours and of samples share: windows of cracks, and the way along a contour. See
   dinp.entropy.crack_coder, which specifies them. */

#ifndef DINP_CONTOURS_H
#define DINP_CONTOURS_H

#include "mixing.h"

enum {
    QUIET = 16, /* classes of a distance */
    PAD = 8     /* columns of no cracks on either side */
};

/* Known cracks in the order of their distance from (1/4, 1/4), the middle of the two cracks at hand; the vertex is the
   origin. Rows of a window: the row of the pixel (its pixels x-16..x-1), and the three above it (x-8..x+7). */
static inline void make_masks(uint32_t (*mask)[4], const int *counts, int windows)
{
    struct { int distance, row, bit; } cracks[4 * 32];
    int count = 0;
    for (int row = 0; row < 4; row++)
        for (int pixel = 0; pixel < 16; pixel++)
            for (int left = 0; left < 2; left++) {
                int dx = row ? pixel - 8 : pixel - 16;
                int y = 4 * -row + (left ? 2 : 0) - 1, x = 4 * dx + (left ? 0 : 2) - 1, k = count++;
                int distance = y * y + x * x;
                for (; k && cracks[k - 1].distance > distance; k--)
                    cracks[k] = cracks[k - 1];
                cracks[k].distance = distance, cracks[k].row = row, cracks[k].bit = 2 * pixel + left;
            }
    memset(mask, 0, (size_t)windows * sizeof mask[0]);
    for (int w = 0; w < windows; w++)
        for (int k = 0; k < counts[w]; k++)
            mask[w][cracks[k].row] |= 1u << cracks[k].bit;
}

/* The way back along the contour from the vertex above left of `cell`, moving first in direction d (0 up, 1 right, 2
   down, 3 left): 2 bits a step, the first uppermost: 0 straight, 1 left, 2 right, 3 a junction or the end. */
static inline uint32_t trace(const uint8_t *cell, size_t stride, int d, int steps)
{
    static const int back[4] = {4, 8, 1, 2}; /* the arm that one comes from, by direction: bits up, right, down, left */
    uint32_t way = 0;
    for (int k = 0; k < steps; k++) {
        cell += d == 0 ? -(ptrdiff_t)stride : d == 1 ? 1 : d == 2 ? (ptrdiff_t)stride : -1;
        int arms = (*(cell - stride) >> 1 & 1) | (*cell & 1) << 1 | (*cell >> 1 & 1) << 2 | (*(cell - 1) & 1) << 3;
        arms &= ~back[d];
        int straight = arms >> d & 1, turn = 3;
        if (arms && !(arms & (arms - 1)))
            turn = straight ? 0 : arms >> ((d + 3) & 3) & 1 ? 1 : 2;
        way = way << 2 | turn;
        if (!arms)
            return way << 2 * (steps - 1 - k) | ((1u << 2 * (steps - 1 - k)) - 1);
        if (!straight)
            d = arms >> ((d + 3) & 3) & 1 ? (d + 3) & 3 : (d + 1) & 3;
    }
    return way;
}

static inline int class_of(uint32_t distance) /* 0..15: 0, 1, 2, 3, 4-5, 6-7, 8-11, 12-15, 16-23, ... */
{
    if (distance < 4)
        return (int)distance;
    int log = 2;
#if defined(__GNUC__)
    log = 31 - __builtin_clz(distance);
#else
    while (distance >> (log + 1))
        log++;
#endif
    int c = 2 * log + (distance >> (log - 1) & 1);
    return c > 15 ? 15 : c;
}

static inline uint32_t scramble(uint32_t x)
{
    x ^= x >> 15;
    x *= 0x2C1B3C6Du;
    x ^= x >> 12;
    x *= 0x297A2D39u;
    return x ^ x >> 15;
}

/* Where nothing is near: the probability of `entry` (26 bits above a count of 5) in 2^-16. */
static inline int32_t quiet_probability(int32_t entry)
{
    int32_t p = entry >> 15;
    return p < 1 ? 1 : p;
}

static inline void quiet_update(int32_t *entry, int bit, const mix_tables *tables)
{
    int32_t n = *entry & 31, q = *entry >> 5;
    q += (int32_t)(((int64_t)((bit ? (1 << 26) - 1 : 0) - q) * tables->reciprocal[8 * n + 6]) >> 16);
    *entry = (int32_t)((uint32_t)q << 5 | (uint32_t)(n < 31 ? n + 1 : 31));
}

/* Whether no crack is near. */
static inline int is_quiet(const uint32_t *window)
{
    return !(window[0] >> 26 | (window[1] & 0x00FFFC00) | (window[2] & 0x003FF000));
}

#endif
