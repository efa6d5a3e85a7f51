/* The leaves of trees and where their values stand: counterparts of Tree.leaves (dinp.entropy.tree) and of
   known_data_of_leaves (dinp.bitstream.structure). */

#include <string.h>

#include "kernels.h"

static int is_sized(int right)
{
    if (!right)
        PyErr_SetString(PyExc_ValueError, "an array has the wrong size");
    return right;
}

/* find_leaves(splits of the level above or b"", own splits or b"", rows, columns, side, y int64, x int64): corners of
   the leaves of a level, in raster order; how many there are. y and x have room for all cells that exist. */
static PyObject *find_leaves(PyObject *module, PyObject *args)
{
    Py_buffer parents, splits, ys, xs;
    Py_ssize_t rows, columns, side, count = 0;
    (void)module;
    if (!PyArg_ParseTuple(args, "y*y*nnnw*w*", &parents, &splits, &rows, &columns, &side, &ys, &xs))
        return NULL;
    Py_ssize_t above = (columns + 1) / 2, room = ys.len / 8;
    int ok = is_sized((parents.len == 0 || parents.len == (rows + 1) / 2 * above) &&
                      (splits.len == 0 || splits.len == rows * columns) && xs.len == ys.len);
    if (ok) {
        Py_BEGIN_ALLOW_THREADS
        int64_t *y = ys.buf, *x = xs.buf;
        for (Py_ssize_t r = 0; r < rows; r++) {
            const uint8_t *parent = (const uint8_t *)parents.buf + r / 2 * above;
            const uint8_t *split = (const uint8_t *)splits.buf + r * columns;
            for (Py_ssize_t c = 0; c < columns; c++) {
                if (parents.len && !parent[c / 2]) {
                    c |= 1; /* nor has it another child in this row */
                    continue;
                }
                if (splits.len && split[c])
                    continue;
                if (count < room)
                    y[count] = r * side, x[count] = c * side;
                count++;
            }
        }
        Py_END_ALLOW_THREADS
        ok = is_sized(count <= room);
    }
    PyBuffer_Release(&parents), PyBuffer_Release(&splits), PyBuffer_Release(&ys), PyBuffer_Release(&xs);
    return ok ? PyLong_FromSsize_t(count) : NULL;
}

/* place_values(corners y (n,) int64, x (n,) int64, sides (n,) int64, height, width, labels (height, width) int32, y (n,)
   int64, x (n,) int64): fills the last three; leaves lie within the picture */
static PyObject *place_values(PyObject *module, PyObject *args)
{
    Py_buffer tops, lefts, sides, labels, ys, xs;
    Py_ssize_t height, width;
    (void)module;
    if (!PyArg_ParseTuple(args, "y*y*y*nnw*w*w*", &tops, &lefts, &sides, &height, &width, &labels, &ys, &xs))
        return NULL;
    Py_ssize_t n = sides.len / 8;
    int ok = is_sized(tops.len == 8 * n && lefts.len == 8 * n && ys.len == 8 * n && xs.len == 8 * n &&
                      labels.len == 4 * height * width);
    const int64_t *top = tops.buf, *left = lefts.buf, *side = sides.buf;
    for (Py_ssize_t i = 0; ok && i < n; i++)
        ok = is_sized(top[i] >= 0 && top[i] < height && left[i] >= 0 && left[i] < width && side[i] > 0);
    if (ok) {
        Py_BEGIN_ALLOW_THREADS
        int32_t *label = labels.buf;
        int64_t *y = ys.buf, *x = xs.buf;
        memset(label, -1, (size_t)labels.len);
        for (Py_ssize_t i = 0; i < n; i++) {
            int64_t h = side[i] < height - top[i] ? side[i] : height - top[i];
            int64_t w = side[i] < width - left[i] ? side[i] : width - left[i];
            int64_t r = side[i] >> 3 > 1 ? side[i] >> 3 : 1;
            y[i] = top[i] + h / 2;
            x[i] = left[i] + w / 2;
            if ((h < w ? h : w) < 4 * r) {
                label[y[i] * width + x[i]] = (int32_t)i;
                continue;
            }
            for (int64_t row = y[i] - r; row < y[i] + r; row++)
                for (int64_t column = x[i] - r; column < x[i] + r; column++)
                    label[row * width + column] = (int32_t)i;
        }
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&tops), PyBuffer_Release(&lefts), PyBuffer_Release(&sides), PyBuffer_Release(&labels);
    PyBuffer_Release(&ys), PyBuffer_Release(&xs);
    if (!ok)
        return NULL;
    Py_RETURN_NONE;
}

PyMethodDef tree_methods[] = {
    {"find_leaves", find_leaves, METH_VARARGS, "Leaves of a level of a tree."},
    {"place_values", place_values, METH_VARARGS, "Pixels at which the values of leaves stand."},
    {NULL, NULL, 0, NULL},
};
