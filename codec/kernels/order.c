/* The coding order of values: the counterpart of Order in dinp.entropy.order. */

#include <string.h>

#include "kernels.h"
#include "order.h"

/* Twice the distance, squared, of pixel (y, x) from the centre of its block of 2^k pixels. */
static int64_t distance(int64_t y, int64_t x, int k)
{
    int64_t side = (int64_t)1 << k;
    int64_t dy = 2 * (y & (side - 1)) + 1 - side, dx = 2 * (x & (side - 1)) + 1 - side;
    return dy * dy + dx * dx;
}

static void sort_values(const int32_t *y, const int32_t *x, int64_t n, order_grids *order, int32_t *grids,
                        uint8_t *number, int32_t *by_pass, int64_t *bounds)
{
    int64_t alive = n;
    memset(grids, 0xff, (size_t)order->cells * sizeof *grids);
    for (int64_t i = 0; i < n; i++) {
        by_pass[i] = (int32_t)i; /* until the end: the values that represent a block */
        number[i] = 0;
    }
    for (int k = 0; k < ORDER_SPACINGS; k++) {
        int32_t *grid = grids + (order->at[k] - grids);
        for (int64_t a = 0; a < alive; a++) { /* by rising index: the lower one wins a tie */
            int32_t i = by_pass[a], *cell = grid + order_cell(order, k, y[i], x[i]);
            if (*cell < 0 || distance(y[i], x[i], k) < distance(y[*cell], x[*cell], k))
                *cell = i;
        }
        int64_t kept = 0;
        for (int64_t a = 0; a < alive; a++) {
            int32_t i = by_pass[a];
            if (grid[order_cell(order, k, y[i], x[i])] == i) {
                by_pass[kept++] = i;
                number[i] = (uint8_t)k;
            }
        }
        alive = kept;
    }
    int64_t place[ORDER_PASSES + 1] = {0};
    for (int64_t i = 0; i < n; i++) {
        int k = number[i], half = ((y[i] >> k) + (x[i] >> k)) & 1;
        number[i] = (uint8_t)(2 * (ORDER_SPACINGS - 1 - k) + half);
        place[number[i] + 1]++;
    }
    for (int p = 0; p < ORDER_PASSES; p++)
        place[p + 1] += place[p];
    memcpy(bounds, place, sizeof place);
    for (int64_t i = 0; i < n; i++)
        by_pass[place[number[i]]++] = (int32_t)i;
}

/* order_values(y (n,) int32, x (n,) int32, height, width, grids int32, number (n,) uint8, by_pass (n,) int32,
   bounds (19,) int64): fills the last four; without `grids` returns how many cells they need */
static PyObject *order_values(PyObject *module, PyObject *args)
{
    Py_buffer y, x, grids, number, by_pass, bounds;
    Py_ssize_t height, width;
    (void)module;
    if (!PyArg_ParseTuple(args, "y*y*nnw*w*w*w*", &y, &x, &height, &width, &grids, &number, &by_pass, &bounds))
        return NULL;
    Py_ssize_t n = number.len;
    order_grids order = order_of(grids.buf, height, width);
    int ok = y.len == 4 * n && x.len == 4 * n && by_pass.len == 4 * n && grids.len == 4 * order.cells &&
             bounds.len == 8 * (ORDER_PASSES + 1);
    for (Py_ssize_t i = 0; ok && i < n; i++) {
        int32_t row = ((int32_t *)y.buf)[i], column = ((int32_t *)x.buf)[i];
        ok = row >= 0 && row < height && column >= 0 && column < width;
    }
    if (ok) {
        Py_BEGIN_ALLOW_THREADS
        sort_values(y.buf, x.buf, n, &order, grids.buf, number.buf, by_pass.buf, bounds.buf);
        Py_END_ALLOW_THREADS
    } else
        PyErr_SetString(PyExc_ValueError, "an array has the wrong size, or a value is outside of the picture");
    PyBuffer_Release(&y), PyBuffer_Release(&x), PyBuffer_Release(&grids), PyBuffer_Release(&number);
    PyBuffer_Release(&by_pass), PyBuffer_Release(&bounds);
    if (!ok)
        return NULL;
    Py_RETURN_NONE;
}

PyMethodDef order_methods[] = {
    {"order_values", order_values, METH_VARARGS, "Coding order of values, and the grids of their representatives."},
    {NULL, NULL, 0, NULL},
};
