/* Groups of pixels: numbers for equal keys, and moments of a plane over pieces. `dinp.bitstream.regions` and
   `dinp.encoder.pieces` have the counterparts in numpy. */

#include "kernels.h"
#include <stdlib.h>
#include <string.h>

static uint64_t mixed(uint64_t z) /* the finaliser of splitmix64 */
{
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Numbers keys in the order of their first appearance; returns how many there are, -1 without memory. */
static int64_t number_keys(const int64_t *keys, int64_t n, int32_t *number, int64_t *found)
{
    int64_t count = 0;
    uint64_t size = 64;
    while (size < 2 * (uint64_t)n) size *= 2;
    int32_t *table = malloc(size * sizeof *table);
    if (!table) return -1;
    memset(table, 0xff, size * sizeof *table);
    for (int64_t i = 0; i < n; i++) {
        if (i && keys[i] == keys[i - 1]) { /* most are, along a row */
            number[i] = number[i - 1];
            continue;
        }
        uint64_t at = mixed((uint64_t)keys[i]) & (size - 1);
        while (table[at] >= 0 && found[table[at]] != keys[i]) at = (at + 1) & (size - 1);
        if (table[at] < 0) {
            table[at] = (int32_t)count;
            found[count++] = keys[i];
        }
        number[i] = table[at];
    }
    free(table);
    return count;
}

static PyObject *group_keys(PyObject *self, PyObject *args)
{
    /* keys, numbers, keys found -> how many */
    Py_buffer b[3];
    (void)self;
    if (!PyArg_ParseTuple(args, "y*w*w*", &b[0], &b[1], &b[2])) return NULL;
    int64_t n = b[0].len / 8, count = -2;
    if (b[1].len == 4 * n && b[2].len == 8 * n && n < INT32_MAX) {
        Py_BEGIN_ALLOW_THREADS
        count = number_keys(b[0].buf, n, b[1].buf, b[2].buf);
        Py_END_ALLOW_THREADS
    }
    for (int i = 0; i < 3; i++) PyBuffer_Release(&b[i]);
    if (count == -1) return PyErr_NoMemory();
    if (count < 0) {
        PyErr_SetString(PyExc_ValueError, "arrays do not fit one another");
        return NULL;
    }
    return PyLong_FromLongLong(count);
}

static int add_moments(const int32_t *piece, const double *plane, int64_t height, int64_t width, int64_t first,
                       int64_t count, double *out)
{
    for (int64_t i = 0; i < height; i++) {
        double y = (double)i / 16;
        for (int64_t j = 0; j < width; j++) {
            int64_t p = *piece++ - first;
            double f = *plane++, x = (double)j / 16;
            if (p < 0) continue;
            if (p >= count) return -1;
            double *s = out + 10 * p;
            s[0] += 1;
            s[1] += y;
            s[2] += x;
            s[3] += y * y;
            s[4] += x * x;
            s[5] += y * x;
            s[6] += f;
            s[7] += f * y;
            s[8] += f * x;
            s[9] += f * f;
        }
    }
    return 0;
}

static PyObject *piece_moments(PyObject *self, PyObject *args)
{
    /* piece of each pixel, plane, height, width, first piece, moments (pieces, 10) to add to */
    Py_buffer b[3];
    long long height, width, first;
    int wrong = 1;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*y*LLLw*", &b[0], &b[1], &height, &width, &first, &b[2])) return NULL;
    int64_t size = height * width;
    if (size > 0 && b[0].len == 4 * size && b[1].len == 8 * size && b[2].len % 80 == 0 && first >= 0) {
        Py_BEGIN_ALLOW_THREADS
        wrong = add_moments(b[0].buf, b[1].buf, height, width, first, b[2].len / 80, b[2].buf);
        Py_END_ALLOW_THREADS
    }
    for (int i = 0; i < 3; i++) PyBuffer_Release(&b[i]);
    if (wrong) {
        PyErr_SetString(PyExc_ValueError, "arrays do not fit one another");
        return NULL;
    }
    Py_RETURN_NONE;
}

PyMethodDef group_methods[] = {
    {"group_keys", group_keys, METH_VARARGS, "Number equal keys in the order of their first appearance."},
    {"piece_moments", piece_moments, METH_VARARGS, "Moments of a plane over pieces."},
    {NULL, NULL, 0, NULL},
};
