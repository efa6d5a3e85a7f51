/* Tonal optimisation between two solves: values to fields and back. Mirrors dinp.diffusion.tonal.

   Mask pixels are given by their places in a field, `at`, in raster order, and the index of each one's value, `label`. */

#include "grids.h"

static const int ABOVE[4] = {C11, C00, C10, C01}; /* the colour of the cells above and below */
static const int BESIDE[4] = {C00, C11, C01, C10};

/* field[at] = values[label] */
static void spread(const double *values, const int32_t *label, const int32_t *at, N count, float *field)
{
    for (N k = 0; k < count; k++)
        field[at[k]] = (float)values[label[k]];
}

/* out[label] += residual + sum of potentials around each mask pixel: the transpose of spread and of the right-hand side. */
static void gather(const float *residual, const float *potential, const int32_t *label, const int32_t *at, N count,
                   double *out, N h, N w)
{
    N n = (h + 1) * (w + 1), s = w + 1;
    N up[4], beside[4];
    for (int c = 0; c < 4; c++) {
        up[c] = (ABOVE[c] - c) * n - DOWN_OF[c] * s;
        beside[c] = (BESIDE[c] - c) * n - RIGHT_OF[c];
    }
    for (N k = 0; k < count; k++) {
        int c = (int)(at[k] / n);
        const float *u = potential + at[k] + up[c], *v = potential + at[k] + beside[c];
        out[label[k]] += residual[at[k]] + (((u[0] + u[s]) + v[0]) + v[1]);
    }
}

/* b = sums over the neighbours of known data, on unknown pixels. */
WIDE static void sides(const float *known, const uint8_t *count, float *b, float *sum, N h, N w, N first, N last)
{
    for (N i = first; i < last; i++)
        for (int c = 0; c < 4; c++) {
            N k = RIGHT_OF[c];
            const uint8_t *n = count + (c * h + i) * w;
            float *to = row_of(b, c, i, h, w) + k;
            const float *up = const_row(known, ABOVE[c], DOWN_OF[c] ? i : i - 1, h, w);
            sum_row(sum, up + k, up + (w + 1) + k, const_row(known, BESIDE[c], i, h, w), w);
            for (N j = 0; j < w; j++)
                to[j] = sum[j] * live_of(n[j]);
        }
}

/* out = a + gain * b, and sums of squares of it, band by band. */
WIDE static void combine(const float *a, const float *b, float gain, float *out, double *sums, N h, N w, N first, N last)
{
    for (N i = first; i < last; i++) {
        float *rows[4];
        for (int c = 0; c < 4; c++) {
            N k = RIGHT_OF[c];
            const float *aa = const_row(a, c, i, h, w) + k, *bb = const_row(b, c, i, h, w) + k;
            float *to = rows[c] = row_of(out, c, i, h, w) + k;
            for (N j = 0; j < w; j++)
                to[j] = aa[j] + gain * bb[j];
        }
        double *restrict total = sums + i / BAND * w;
        const float *x0 = rows[0], *x1 = rows[1], *x2 = rows[2], *x3 = rows[3];
        for (N j = 0; j < w; j++)
            total[j] += ((x0[j] * x0[j] + x1[j] * x1[j]) + x2[j] * x2[j]) + x3[j] * x3[j];
    }
}

/* Python */

static N field_size(N h, N w) { return 4 * (h + 1) * (w + 1); }

static PyObject *failed(const char *what)
{
    PyErr_SetString(PyExc_ValueError, what);
    return NULL;
}

#define IN_ROWS(first, last, h) ((first) >= 0 && (first) <= (last) && (last) <= (h))

/* Whether places lie in a field, away from its last row and column of planes' ends, and labels in the values. */
static int within(const int32_t *label, const int32_t *at, N count, N values, N places)
{
    for (N k = 0; k < count; k++)
        if (label[k] < 0 || label[k] >= values || at[k] < 0 || at[k] >= places)
            return 0;
    return 1;
}

static PyObject *py_spread(PyObject *self, PyObject *args)
{
    (void)self;
    Py_buffer values, label, at, field;
    if (!PyArg_ParseTuple(args, "y*y*y*w*", &values, &label, &at, &field))
        return NULL;
    N count = at.len / 4;
    int good = has_room(&label, count, 4) && within(label.buf, at.buf, count, values.len / 8, field.len / 4);
    if (good) {
        Py_BEGIN_ALLOW_THREADS
        spread(values.buf, label.buf, at.buf, count, field.buf);
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&values);
    PyBuffer_Release(&label);
    PyBuffer_Release(&at);
    PyBuffer_Release(&field);
    if (!good)
        return failed("values or places are out of range");
    Py_RETURN_NONE;
}

static PyObject *py_gather(PyObject *self, PyObject *args)
{
    (void)self;
    Py_buffer residual, potential, label, at, out;
    N h, w;
    if (!PyArg_ParseTuple(args, "y*y*y*y*w*nn", &residual, &potential, &label, &at, &out, &h, &w))
        return NULL;
    N count = at.len / 4;
    int good = h > 0 && w > 0 && has_room(&residual, field_size(h, w), 4) && has_room(&potential, field_size(h, w), 4) &&
               has_room(&label, count, 4) && within(label.buf, at.buf, count, out.len / 8, field_size(h, w));
    if (good) { /* neighbours must lie in the field, too */
        const int32_t *places = at.buf;
        N n = (h + 1) * (w + 1);
        for (N k = 0; k < count && good; k++) {
            int c = (int)(places[k] / n);
            N row = places[k] % n / (w + 1) - DOWN_OF[c], column = places[k] % (w + 1) - RIGHT_OF[c];
            good = row >= 0 && row < h && column >= 0 && column < w;
        }
    }
    if (good) {
        Py_BEGIN_ALLOW_THREADS
        gather(residual.buf, potential.buf, label.buf, at.buf, count, out.buf, h, w);
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&residual);
    PyBuffer_Release(&potential);
    PyBuffer_Release(&label);
    PyBuffer_Release(&at);
    PyBuffer_Release(&out);
    if (!good)
        return failed("values or places are out of range");
    Py_RETURN_NONE;
}

static PyObject *py_sides(PyObject *self, PyObject *args)
{
    (void)self;
    Py_buffer known, count, b;
    N h, w, first, last;
    if (!PyArg_ParseTuple(args, "y*y*w*nnnn", &known, &count, &b, &h, &w, &first, &last))
        return NULL;
    int good = h > 0 && w > 0 && IN_ROWS(first, last, h) && has_room(&known, field_size(h, w), 4) &&
               has_room(&b, field_size(h, w), 4) && has_room(&count, 4 * h * w, 1);
    float *scratch = good ? malloc(w * sizeof(float)) : NULL;
    if (scratch) {
        Py_BEGIN_ALLOW_THREADS
        sides(known.buf, count.buf, b.buf, scratch, h, w, first, last);
        Py_END_ALLOW_THREADS
        free(scratch);
    }
    PyBuffer_Release(&known);
    PyBuffer_Release(&count);
    PyBuffer_Release(&b);
    if (!good)
        return failed("fields are too small");
    if (!scratch)
        return PyErr_NoMemory();
    Py_RETURN_NONE;
}

static PyObject *py_combine(PyObject *self, PyObject *args)
{
    (void)self;
    Py_buffer a, b, out, sums;
    float gain;
    N h, w, first, last;
    if (!PyArg_ParseTuple(args, "y*y*fw*w*nnnn", &a, &b, &gain, &out, &sums, &h, &w, &first, &last))
        return NULL;
    int good = h > 0 && w > 0 && IN_ROWS(first, last, h) && has_room(&a, field_size(h, w), 4) &&
               has_room(&b, field_size(h, w), 4) && has_room(&out, field_size(h, w), 4) &&
               has_room(&sums, (h + BAND - 1) / BAND * w, 8);
    if (good) {
        Py_BEGIN_ALLOW_THREADS
        combine(a.buf, b.buf, gain, out.buf, sums.buf, h, w, first, last);
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&a);
    PyBuffer_Release(&b);
    PyBuffer_Release(&out);
    PyBuffer_Release(&sums);
    if (!good)
        return failed("fields are too small");
    Py_RETURN_NONE;
}

PyMethodDef tonal_methods[] = {
    {"tonal_spread", py_spread, METH_VARARGS, "See dinp.diffusion.tonal.FieldSteps."},
    {"tonal_gather", py_gather, METH_VARARGS, "See dinp.diffusion.tonal.FieldSteps."},
    {"tonal_sides", py_sides, METH_VARARGS, "See dinp.diffusion.tonal.FieldSteps."},
    {"tonal_combine", py_combine, METH_VARARGS, "See dinp.diffusion.tonal.FieldSteps."},
    {NULL, NULL, 0, NULL},
};
