/* Pixels that change their region where that costs less: see `dinp.encoder.contour_moves`, which has the counterpart
   in Python, statement by statement, and says what is weighed.

   Labels are looked up beyond the border as those of the nearest pixel inside, so that no cracks are seen there. */

#include "kernels.h"
#include <math.h>
#include <stdlib.h>

typedef struct {
    int32_t *labels;
    int64_t height, width, planes;
    const double *plane, *mean, *bits;
    const uint8_t *flat;
    int64_t *area;
    const uint8_t *near; /* pixels with a move in the last sweep nearby: others stay */
    uint8_t *moved;
} field;

static int32_t label_at(const field *f, int64_t y, int64_t x)
{
    y = y < 0 ? 0 : y >= f->height ? f->height - 1 : y;
    x = x < 0 ? 0 : x >= f->width ? f->width - 1 : x;
    return f->labels[y * f->width + x];
}

static int above(const field *f, int64_t y, int64_t x)
{
    return label_at(f, y, x) != label_at(f, y - 1, x);
}

static int beside(const field *f, int64_t y, int64_t x)
{
    return label_at(f, y, x) != label_at(f, y, x - 1);
}

/* Labels well inside are looked up where they are. */
#define ABOVE(p) ((p)[0] != (p)[-w])
#define BESIDE(p) ((p)[0] != (p)[-1])

static double bits_inside(const field *f, int64_t y, int64_t x)
{
    const int64_t w = f->width;
    double sum = 0;
    for (int64_t i = y; i < y + 3; i++) {
        const int32_t *p = f->labels + i * w + x - 2;
        for (int j = 0; j < 5; j++, p++) {
            int c = ABOVE(p - 1) | BESIDE(p - 1) << 1 | ABOVE(p - w) << 2 | BESIDE(p - w) << 3;
            c |= ABOVE(p - w + 1) << 4 | BESIDE(p - w + 1) << 5 | ABOVE(p - w - 1) << 6 | BESIDE(p - w - 1) << 7;
            c |= ABOVE(p - 2) << 8 | BESIDE(p - 2 * w) << 9 | ABOVE(p - w + 2) << 10 | BESIDE(p - 2 * w + 1) << 11;
            sum += f->bits[c << 2 | ABOVE(p) | BESIDE(p) << 1];
        }
    }
    return sum;
}

static double bits_around(const field *f, int64_t y, int64_t x)
{
    if (y >= 3 && x >= 5 && y < f->height - 3 && x < f->width - 5) return bits_inside(f, y, x);
    double sum = 0;
    for (int64_t i = y; i < y + 3 && i < f->height; i++)
        for (int64_t j = x < 2 ? 0 : x - 2; j < x + 3 && j < f->width; j++) {
            int c = above(f, i, j - 1) | beside(f, i, j - 1) << 1 | above(f, i - 1, j) << 2 | beside(f, i - 1, j) << 3;
            c |= above(f, i - 1, j + 1) << 4 | beside(f, i - 1, j + 1) << 5 | above(f, i - 1, j - 1) << 6;
            c |= beside(f, i - 1, j - 1) << 7 | above(f, i, j - 2) << 8 | beside(f, i - 2, j) << 9;
            c |= above(f, i - 1, j + 2) << 10 | beside(f, i - 2, j + 1) << 11;
            sum += f->bits[c << 2 | above(f, i, j) | beside(f, i, j) << 1];
        }
    return sum;
}

static const int ROW[8] = {-1, -1, 0, 1, 1, 1, 0, -1}, COLUMN[8] = {0, 1, 1, 1, 0, -1, -1, -1};

/* Squared error of a pixel as one of region r; the pixel itself does not count among its neighbours. */
static double error_in(const field *f, int64_t y, int64_t x, int32_t r)
{
    double error = 0;
    for (int64_t p = 0; p < f->planes; p++) {
        const double *plane = f->plane + p * f->height * f->width;
        double own = plane[y * f->width + x], value = own;
        if (f->flat[r]) value = f->mean[p * f->height * f->width + r];
        else {
            double sum = 0;
            int count = 0;
            for (int k = 0; k < 8; k++) {
                int64_t i = y + ROW[k], j = x + COLUMN[k];
                if (i < 0 || j < 0 || i >= f->height || j >= f->width || f->labels[i * f->width + j] != r) continue;
                sum += plane[i * f->width + j];
                count++;
            }
            if (count) value = sum / count;
        }
        error += (own - value) * (own - value);
    }
    return error;
}

static int64_t sweep(field *f, double bit_cost, double region_bits)
{
    int64_t moves = 0;
    for (int64_t y = 0; y < f->height; y++)
        for (int64_t x = 0; x < f->width; x++) {
            int32_t own = f->labels[y * f->width + x], ring[8];
            int alike = 0, runs = 0;
            for (int k = 0; k < 8; k++) {
                int64_t i = y + ROW[k], j = x + COLUMN[k];
                ring[k] = i < 0 || j < 0 || i >= f->height || j >= f->width ? -1 : f->labels[i * f->width + j];
                if (!(k & 1)) alike += ring[k] == own || ring[k] < 0;
            }
            if (alike == 4 || !f->near[y * f->width + x]) continue;
            for (int k = 0; k < 8; k += 2) /* parts of the region that meet here: each begins with a side neighbour */
                runs += ring[k] == own && !(ring[(k + 7) & 7] == own && ring[(k + 6) & 7] == own);
            if (runs > 1) continue;
            double before = bits_around(f, y, x), stays = error_in(f, y, x, own), least = -1e-9;
            int32_t best = own;
            for (int k = 0; k < 8; k += 2) {
                int32_t other = ring[k];
                if (other < 0 || other == own || other == best) continue;
                f->labels[y * f->width + x] = other;
                double bits = bits_around(f, y, x) - before;
                f->labels[y * f->width + x] = own;
                if (f->area[own] == 1) bits -= region_bits;
                double change = error_in(f, y, x, other) - stays + bit_cost * bits;
                if (change < least) {
                    least = change;
                    best = other;
                }
            }
            if (best == own) continue;
            f->labels[y * f->width + x] = best;
            f->area[own]--;
            f->area[best]++;
            f->moved[y * f->width + x] = 1;
            moves++;
        }
    return moves;
}

static PyObject *move_contours(PyObject *self, PyObject *args)
{
    /* labels, planes, means by region (planes, H x W), flat, areas, bits, where to look, moved, height, width, bit cost,
       region bits -> moves */
    Py_buffer b[8];
    long long height, width;
    double bit_cost, region_bits;
    (void)self;
    if (!PyArg_ParseTuple(args, "w*y*y*y*w*y*y*w*LLdd", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5], &b[6], &b[7],
                          &height, &width, &bit_cost, &region_bits))
        return NULL;
    int64_t size = height * width, moves = -1;
    if (size > 0 && b[0].len == 4 * size && b[1].len % (8 * size) == 0 && b[2].len == b[1].len && b[3].len == size &&
        b[4].len == 8 * size && b[5].len == 8 * 4 * 4096 && b[6].len == size && b[7].len == size) {
        field f = {b[0].buf, height, width, b[1].len / (8 * size), b[1].buf, b[2].buf, b[5].buf, b[3].buf, b[4].buf,
                   b[6].buf, b[7].buf};
        Py_BEGIN_ALLOW_THREADS
        moves = sweep(&f, bit_cost, region_bits);
        Py_END_ALLOW_THREADS
    }
    for (int i = 0; i < 8; i++) PyBuffer_Release(&b[i]);
    if (moves < 0) {
        PyErr_SetString(PyExc_ValueError, "arrays do not fit one another");
        return NULL;
    }
    return PyLong_FromLongLong(moves);
}

PyMethodDef contour_moves_methods[] = {
    {"move_contours", move_contours, METH_VARARGS, "Let pixels change their region where that costs less."},
    {NULL, NULL, 0, NULL},
};
