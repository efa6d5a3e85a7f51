/* The coding order of values and their neighbours, as dinp.entropy.order keeps them for the kernels. */

#ifndef DINP_ORDER_H
#define DINP_ORDER_H

#include <stdint.h>

enum { ORDER_SPACINGS = 9, ORDER_BORDER = 2, ORDER_PASSES = 2 * ORDER_SPACINGS, ORDER_NEIGHBOURS = 8 };

/* The grid of representatives at one spacing: (rows, columns) with a border of two blocks on each side, -1 where there
   is none. Grids lie one behind the other, from spacing 1 on. */
typedef struct {
    const int32_t *at[ORDER_SPACINGS];
    int64_t columns[ORDER_SPACINGS];
    int64_t cells; /* of all grids */
} order_grids;

static inline order_grids order_of(const int32_t *grids, int64_t height, int64_t width)
{
    order_grids order;
    order.cells = 0;
    for (int k = 0; k < ORDER_SPACINGS; k++) {
        int64_t rows = (height >> k) + 1 + 2 * ORDER_BORDER;
        order.columns[k] = (width >> k) + 1 + 2 * ORDER_BORDER;
        order.at[k] = grids + order.cells;
        order.cells += rows * order.columns[k];
    }
    return order;
}

/* Where the block of pixel (y, x) lies in the grid of spacing 2^k. */
static inline int64_t order_cell(const order_grids *order, int k, int64_t y, int64_t x)
{
    return ((y >> k) + ORDER_BORDER) * order->columns[k] + (x >> k) + ORDER_BORDER;
}

/* Indices of the decoded neighbours of a value of pass `p` at (y, x), -1 where there is none; how many there are.
   Representatives at larger spacings are always of earlier passes, and so are, in the second half of a spacing, those
   of blocks of the other parity. */
static inline int order_neighbours(const order_grids *order, const uint8_t *number, int p, int64_t y, int64_t x,
                                   int32_t neighbours[ORDER_NEIGHBOURS])
{
    int k = ORDER_SPACINGS - 1 - p / 2, found = 0;
    const int32_t *cell[3] = {0, 0, 0};
    int64_t columns[3] = {0, 0, 0};
    for (int s = 0; s < 3 && k + s < ORDER_SPACINGS; s++) {
        cell[s] = order->at[k + s] + order_cell(order, k + s, y, x);
        columns[s] = order->columns[k + s];
    }
    for (int j = 0; j < ORDER_NEIGHBOURS; j++) {
        int place = j + (j >= ORDER_NEIGHBOURS / 2), dy = place / 3 - 1, dx = place % 3 - 1;
        neighbours[j] = -1;
        for (int s = 0; s < 3 && cell[s]; s++) {
            int32_t candidate = cell[s][dy * columns[s] + dx];
            int early = s > 0 || ((p & 1) && (dy == 0 || dx == 0));
            if (candidate >= 0 && (early || number[candidate] < p)) {
                neighbours[j] = candidate;
                found++;
                break;
            }
        }
    }
    return found;
}

#endif
