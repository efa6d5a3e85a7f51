/* One V-cycle on a grid: down to the next grid, and up from it. Mirrors dinp.diffusion.stencils.

   A cycle starts from zero, so that what relaxation on the way down leaves can be made anew from the right-hand side on
   the way up: nothing is kept but that. Every kernel works on some rows of blocks and makes what it needs of the rows
   around them itself, row by row; several threads may share a grid. */

#include "grids.h"

/* Stencil of a coarse grid: inverse diagonal (4, h, w); conductances up (4, h + 1, w) and left (4, h, w + 1). */
typedef struct {
    const float *inverse, *up, *left;
    N h, w;
} Stencil;

static inline const float *inverse_row(const Stencil *s, int c, N i) { return s->inverse + (c * s->h + i) * s->w; }
static inline const float *up_row(const Stencil *s, int c, N i) { return s->up + (c * (s->h + 1) + i) * s->w; }
static inline const float *left_row(const Stencil *s, int c, N i)
{
    return s->left + (c * s->h + i) * (s->w + 1);
}

static const int ABOVE[4] = {C11, C00, C10, C01};  /* the colour of the cells above and below */
static const int BESIDE[4] = {C00, C11, C01, C10}; /* left and right */

/* out = sum of conductance times value over the neighbours of the cells of a colour in row i. */
static inline void weighted_row(float *restrict out, const Stencil *s, int c, N i, const float *up, const float *down,
                                const float *beside)
{
    const float *U = up_row(s, c, i), *D = up_row(s, ABOVE[c], i + DOWN_OF[c]);
    const float *L = left_row(s, c, i), *R = left_row(s, BESIDE[c], i) + RIGHT_OF[c];
    for (N j = 0; j < s->w; j++)
        out[j] = ((U[j] * up[j] + D[j] * down[j]) + L[j] * beside[j]) + R[j] * beside[j + 1];
}

static inline void relax_row(float *restrict out, const float *restrict sum, const float *restrict b,
                             const float *restrict inverse, N w)
{
    for (N j = 0; j < w; j++)
        out[j] = (sum[j] + b[j]) * inverse[j];
}

/* The finest grid: `count` (4, h, w) is the diagonal, 0 for known pixels. */

static inline const uint8_t *count_row(const uint8_t *count, int c, N i, N h, N w)
{
    return count + (c * h + i) * w;
}

static inline void scale_row(float *restrict out, const float *restrict b, const uint8_t *restrict count, N w)
{
    for (N j = 0; j < w; j++)
        out[j] = inverse_of(count[j]) * b[j];
}

WIDE static void descend_finest(const float *b, const uint8_t *count, float *coarse, int coarsest, float *scratch, N h,
                                N w, N first, N last)
{
    N s = w + 1;
    float *x01[2] = {scratch, scratch + s}, *x10[2] = {scratch + 2 * s, scratch + 3 * s};
    float *sum = scratch + 4 * s, *out = scratch + 5 * s;
    memset(scratch, 0, 4 * s * sizeof(float));
    for (N t = first - 1; t <= last; t++) { /* makes (0,1) of row t, (1,0) of row t - 1, then the result of row t - 1 */
        N i = t - 1;
        float *new01 = x01[t & 1], *new10 = x10[i & 1];
        if (t >= 0 && t < h)
            scale_row(new01 + 1, const_row(b, C01, t, h, w) + 1, count_row(count, C01, t, h, w), w);
        else
            memset(new01, 0, s * sizeof(float));
        if (i >= 0 && i >= first - 1)
            scale_row(new10, const_row(b, C10, i, h, w), count_row(count, C10, i, h, w), w);
        else
            memset(new10, 0, s * sizeof(float));
        if (i < first)
            continue;
        const uint8_t *live = count_row(count, C00, i, h, w);
        sum_row(sum, x10[(i - 1) & 1], new10, x01[i & 1], w);
        for (N j = 0; j < w; j++)
            out[j] = sum[j] * live_of(live[j]);
        live = count_row(count, C11, i, h, w);
        sum_row(sum, x01[i & 1] + 1, new01 + 1, new10, w);
        for (N j = 0; j < w; j++)
            out[j] = out[j] + sum[j] * live_of(live[j]);
        write_coarse(out, coarse, coarsest, i, h, w);
    }
}

/* Red takes the coarse correction, black is relaxed; sums of products of b and x, if wanted, band by band. */
WIDE static void ascend_finest(const float *b, const uint8_t *count, const float *coarse, int coarsest, float *x,
                               double *sums, float *scratch, N h, N w, N first, N last)
{
    N s = w + 1;
    float *x00[2] = {scratch, scratch + s}, *x11[2] = {scratch + 2 * s, scratch + 3 * s};
    float *sum = scratch + 4 * s, *row = scratch + 5 * s;
    memset(scratch, 0, 4 * s * sizeof(float));
    for (N t = first - 1; t <= last; t++) { /* makes red of row t, then black of row t - 1 */
        N i = t - 1;
        float *new00 = x00[t & 1], *new11 = x11[t & 1];
        if (t >= 0 && t < h) {
            const uint8_t *n00 = count_row(count, C00, t, h, w), *n11 = count_row(count, C11, t, h, w);
            read_coarse(row, coarse, coarsest, t, h, w);
            for (N j = 0; j < w; j++)
                new00[j] = row[j] * live_of(n00[j]);
            for (N j = 0; j < w; j++)
                new11[j + 1] = row[j] * live_of(n11[j]);
        } else {
            memset(new00, 0, s * sizeof(float));
            memset(new11, 0, s * sizeof(float));
        }
        if (t >= first && t < last) { /* (0,1) of row t: needs (1,1) of rows t - 1 and t */
            const float *bb = const_row(b, C01, t, h, w) + 1;
            const uint8_t *n = count_row(count, C01, t, h, w);
            float *out = row_of(x, C01, t, h, w) + 1;
            sum_row(sum, x11[(t - 1) & 1] + 1, new11 + 1, new00, w);
            for (N j = 0; j < w; j++)
                out[j] = (sum[j] + bb[j]) * inverse_of(n[j]);
        }
        if (i >= first) { /* (1,0) of row t - 1: needs (0,0) of rows t - 1 and t */
            const float *bb = const_row(b, C10, i, h, w);
            const uint8_t *n = count_row(count, C10, i, h, w);
            float *out = row_of(x, C10, i, h, w);
            sum_row(sum, x00[i & 1], new00, x11[i & 1], w);
            for (N j = 0; j < w; j++)
                out[j] = (sum[j] + bb[j]) * inverse_of(n[j]);
            if (sums) {
                double *total = sums + i / BAND * w;
                const float *b01 = const_row(b, C01, i, h, w) + 1, *out01 = row_of(x, C01, i, h, w) + 1;
                for (N j = 0; j < w; j++)
                    total[j] += b01[j] * out01[j] + bb[j] * out[j];
            }
        }
    }
}

/* x += (black: b / diagonal) + loss * coarse correction, on live cells of all colours: the transpose of what `nested`
   iteration does on the finest grid. */
WIDE static void ascend_finest_transposed(const float *b, const uint8_t *count, const float *coarse, int coarsest,
                                          const float *loss, float *x, float *scratch, N h, N w, N first, N last)
{
    for (N i = first; i < last; i++) {
        const float *share = loss + i * w;
        read_coarse(scratch, coarse, coarsest, i, h, w);
        for (N j = 0; j < w; j++)
            scratch[j] = scratch[j] * share[j];
        for (int c = 0; c < 4; c++) {
            const uint8_t *n = count_row(count, c, i, h, w);
            float *out = row_of(x, c, i, h, w) + RIGHT_OF[c];
            if (c == C01 || c == C10) {
                const float *bb = const_row(b, c, i, h, w) + RIGHT_OF[c];
                for (N j = 0; j < w; j++)
                    out[j] = out[j] + (inverse_of(n[j]) * bb[j] + scratch[j] * live_of(n[j]));
            } else
                for (N j = 0; j < w; j++)
                    out[j] = out[j] + scratch[j] * live_of(n[j]);
        }
    }
}

/* Right-hand side of the next grid for nested iteration: sums over blocks, less what is lost on the way. */
WIDE static void restrict_sums(const float *b, const float *loss, float *coarse, int coarsest, float *scratch, N h, N w,
                               N first, N last)
{
    for (N i = first; i < last; i++) {
        const float *b00 = const_row(b, C00, i, h, w), *b11 = const_row(b, C11, i, h, w) + 1;
        const float *b01 = const_row(b, C01, i, h, w) + 1, *b10 = const_row(b, C10, i, h, w), *share = loss + i * w;
        for (N j = 0; j < w; j++)
            scratch[j] = (((b00[j] + b11[j]) + b01[j]) + b10[j]) * share[j];
        write_coarse(scratch, coarse, coarsest, i, h, w);
    }
}

/* The other grids: all four colours have right-hand sides. */

typedef struct { /* rows of one colour around the one that is being made */
    float *row[2];
} Ring;

static inline void scale_rows(const Stencil *s, const float *b, N t, Ring *red00, Ring *red11)
{
    float *x00 = red00->row[t & 1], *x11 = red11->row[t & 1] + 1;
    if (t < 0 || t >= s->h) {
        memset(red00->row[t & 1], 0, (s->w + 1) * sizeof(float));
        memset(red11->row[t & 1], 0, (s->w + 1) * sizeof(float));
        return;
    }
    const float *b00 = const_row(b, C00, t, s->h, s->w), *b11 = const_row(b, C11, t, s->h, s->w) + 1;
    const float *d00 = inverse_row(s, C00, t), *d11 = inverse_row(s, C11, t);
    for (N j = 0; j < s->w; j++)
        x00[j] = d00[j] * b00[j];
    for (N j = 0; j < s->w; j++)
        x11[j] = d11[j] * b11[j];
}

/* Black of the rows for which red is there: (0,1) of row t, (1,0) of row t - 1. */
static inline void black_rows(const Stencil *s, const float *b, N t, Ring *red00, Ring *red11, float *new01,
                              float *new10, float *sum)
{
    N i = t - 1, h = s->h, w = s->w;
    if (t >= 0 && t < h) {
        weighted_row(sum, s, C01, t, red11->row[(t - 1) & 1] + 1, red11->row[t & 1] + 1, red00->row[t & 1]);
        relax_row(new01 + 1, sum, const_row(b, C01, t, h, w) + 1, inverse_row(s, C01, t), w);
    } else
        memset(new01, 0, (w + 1) * sizeof(float));
    if (i >= 0 && i < h) {
        weighted_row(sum, s, C10, i, red00->row[i & 1], red00->row[t & 1], red11->row[i & 1]);
        relax_row(new10, sum, const_row(b, C10, i, h, w), inverse_row(s, C10, i), w);
    } else
        memset(new10, 0, (w + 1) * sizeof(float));
}

static inline void make_rings(Ring *rings, int count, float *scratch, N s)
{
    memset(scratch, 0, 2 * count * s * sizeof(float));
    for (int k = 0; k < count; k++) {
        rings[k].row[0] = scratch + 2 * k * s;
        rings[k].row[1] = scratch + (2 * k + 1) * s;
    }
}

/* Row by row: red from zero, black, and the residual that is left of red, restricted; or, where `x` is given, x = that
   approximation + loss * coarse correction (transposed nested iteration) in place of the residual. */
WIDE static void descend_coarse(const Stencil *s, const float *b, float *coarse, int coarsest, const float *loss,
                                float *x, float *scratch, N first, N last)
{
    N h = s->h, w = s->w;
    Ring ring[4];
    make_rings(ring, 4, scratch, w + 1);
    Ring *x00 = ring, *x11 = ring + 1, *x01 = ring + 2, *x10 = ring + 3;
    float *sum = scratch + 8 * (w + 1), *out = scratch + 9 * (w + 1);
    /* (0,1) of row `last` needs red of row `last`; (1,0) of row first - 1 red of rows first - 1 and first */
    for (N t = first - 1; t <= last; t++) {
        N i = t - 1;
        scale_rows(s, b, t, x00, x11);
        black_rows(s, b, t, x00, x11, x01->row[t & 1], x10->row[i & 1], sum);
        if (i < first)
            continue;
        if (x) {
            read_coarse(out, coarse, coarsest, i, h, w);
            for (N j = 0; j < w; j++)
                out[j] = out[j] * loss[i * w + j];
            const float *rows[4] = {x01->row[i & 1] + 1, x10->row[i & 1], x00->row[i & 1], x11->row[i & 1] + 1};
            for (int c = 0; c < 4; c++) {
                float *to = row_of(x, c, i, h, w) + RIGHT_OF[c];
                for (N j = 0; j < w; j++)
                    to[j] = rows[c][j] + out[j];
            }
            continue;
        }
        weighted_row(out, s, C00, i, x10->row[(i - 1) & 1], x10->row[i & 1], x01->row[i & 1]);
        weighted_row(sum, s, C11, i, x01->row[i & 1] + 1, x01->row[t & 1] + 1, x10->row[i & 1]);
        for (N j = 0; j < w; j++)
            out[j] = out[j] + sum[j];
        write_coarse(out, coarse, coarsest, i, h, w);
    }
}

/* Red takes the coarse correction (upon b / diagonal, or in nested iteration upon zero); black, then red are relaxed. */
WIDE static void ascend_coarse(const Stencil *s, const float *b, const float *coarse, int coarsest, int nested, float *x,
                               float *scratch, N first, N last)
{
    N h = s->h, w = s->w;
    Ring ring[4];
    make_rings(ring, 4, scratch, w + 1);
    Ring *x00 = ring, *x11 = ring + 1, *x01 = ring + 2, *x10 = ring + 3;
    float *sum = scratch + 8 * (w + 1), *row = scratch + 9 * (w + 1);
    for (N t = first - 1; t <= last; t++) {
        N i = t - 1;
        scale_rows(s, b, t, x00, x11);
        if (t >= 0 && t < h) {
            float *r00 = x00->row[t & 1], *r11 = x11->row[t & 1] + 1;
            read_coarse(row, coarse, coarsest, t, h, w);
            if (nested) {
                memcpy(r00, row, w * sizeof(float));
                memcpy(r11, row, w * sizeof(float));
            } else {
                for (N j = 0; j < w; j++)
                    r00[j] = r00[j] + row[j];
                for (N j = 0; j < w; j++)
                    r11[j] = r11[j] + row[j];
            }
        }
        black_rows(s, b, t, x00, x11, x01->row[t & 1], x10->row[i & 1], sum);
        if (i < first)
            continue;
        memcpy(row_of(x, C01, i, h, w) + 1, x01->row[i & 1] + 1, w * sizeof(float));
        memcpy(row_of(x, C10, i, h, w), x10->row[i & 1], w * sizeof(float));
        weighted_row(sum, s, C00, i, x10->row[(i - 1) & 1], x10->row[i & 1], x01->row[i & 1]);
        relax_row(row_of(x, C00, i, h, w), sum, const_row(b, C00, i, h, w), inverse_row(s, C00, i), w);
        weighted_row(sum, s, C11, i, x01->row[i & 1] + 1, x01->row[t & 1] + 1, x10->row[i & 1]);
        relax_row(row_of(x, C11, i, h, w) + 1, sum, const_row(b, C11, i, h, w) + 1, inverse_row(s, C11, i), w);
    }
}

/* Python */

static N field_size(N h, N w) { return (h + 1) * (w + 1); }

static N coarse_size(N h, N w, int coarsest)
{
    return coarsest ? h * w : 4 * field_size((h + 1) / 2, (w + 1) / 2);
}

static PyObject *failed(const char *what)
{
    PyErr_SetString(PyExc_ValueError, what);
    return NULL;
}

#define IN_ROWS(first, last, h) ((first) >= 0 && (first) <= (last) && (last) <= (h))

static PyObject *finest(PyObject *self, PyObject *args)
{
    (void)self;
    Py_buffer b, count = {0}, coarse, loss = {0}, x = {0}, sums = {0};
    int task, coarsest;
    N h, w, first, last;
    if (!PyArg_ParseTuple(args, "iy*z*w*iz*z*z*nnnn", &task, &b, &count, &coarse, &coarsest, &loss, &x, &sums, &h, &w,
                          &first, &last))
        return NULL;
    int planes = task == 3 ? 4 : 2;
    int good = h > 0 && w > 0 && IN_ROWS(first, last, h) && has_room(&b, planes * field_size(h, w), 4) &&
               (task == 3 || has_room(&count, 4 * h * w, 1)) && has_room(&coarse, coarse_size(h, w, coarsest), 4) &&
               (task == 0 || task == 1 || has_room(&loss, h * w, 4)) &&
               (task == 0 || task == 3 || (x.buf && !x.readonly && has_room(&x, (task == 2 ? 4 : 2) * field_size(h, w), 4))) &&
               (!sums.buf || (!sums.readonly && has_room(&sums, (h + BAND - 1) / BAND * w, 8)));
    float *scratch = good ? malloc(6 * (w + 1) * sizeof(float)) : NULL;
    if (scratch) {
        Py_BEGIN_ALLOW_THREADS
        if (task == 0)
            descend_finest(b.buf, count.buf, coarse.buf, coarsest, scratch, h, w, first, last);
        else if (task == 1)
            ascend_finest(b.buf, count.buf, coarse.buf, coarsest, x.buf, sums.buf, scratch, h, w, first, last);
        else if (task == 2)
            ascend_finest_transposed(b.buf, count.buf, coarse.buf, coarsest, loss.buf, x.buf, scratch, h, w, first,
                                     last);
        else
            restrict_sums(b.buf, loss.buf, coarse.buf, coarsest, scratch, h, w, first, last);
        Py_END_ALLOW_THREADS
        free(scratch);
    }
    PyBuffer_Release(&b);
    if (count.obj)
        PyBuffer_Release(&count);
    PyBuffer_Release(&coarse);
    if (loss.obj)
        PyBuffer_Release(&loss);
    if (x.obj)
        PyBuffer_Release(&x);
    if (sums.obj)
        PyBuffer_Release(&sums);
    if (!good)
        return failed("arrays of the finest grid are too small");
    if (!scratch)
        return PyErr_NoMemory();
    Py_RETURN_NONE;
}

static PyObject *coarser(PyObject *self, PyObject *args)
{
    (void)self;
    Py_buffer inverse, up, left, b, coarse, loss = {0}, x = {0};
    int task, coarsest;
    N h, w, first, last;
    if (!PyArg_ParseTuple(args, "iy*y*y*y*w*iz*z*nnnn", &task, &inverse, &up, &left, &b, &coarse, &coarsest, &loss, &x,
                          &h, &w, &first, &last))
        return NULL;
    int good = h > 0 && w > 0 && IN_ROWS(first, last, h) && has_room(&inverse, 4 * h * w, 4) &&
               has_room(&up, 4 * (h + 1) * w, 4) && has_room(&left, 4 * h * (w + 1), 4) &&
               has_room(&b, 4 * field_size(h, w), 4) && has_room(&coarse, coarse_size(h, w, coarsest), 4) &&
               (task < 3 || has_room(&loss, h * w, 4)) &&
               (task == 0 || (x.buf && !x.readonly && has_room(&x, 4 * field_size(h, w), 4)));
    float *scratch = good ? malloc(10 * (w + 1) * sizeof(float)) : NULL;
    if (scratch) {
        Stencil s = {inverse.buf, up.buf, left.buf, h, w};
        Py_BEGIN_ALLOW_THREADS
        if (task == 0)
            descend_coarse(&s, b.buf, coarse.buf, coarsest, NULL, NULL, scratch, first, last);
        else if (task == 3)
            descend_coarse(&s, b.buf, coarse.buf, coarsest, loss.buf, x.buf, scratch, first, last);
        else
            ascend_coarse(&s, b.buf, coarse.buf, coarsest, task == 2, x.buf, scratch, first, last);
        Py_END_ALLOW_THREADS
        free(scratch);
    }
    PyBuffer_Release(&inverse);
    PyBuffer_Release(&up);
    PyBuffer_Release(&left);
    PyBuffer_Release(&b);
    PyBuffer_Release(&coarse);
    if (loss.obj)
        PyBuffer_Release(&loss);
    if (x.obj)
        PyBuffer_Release(&x);
    if (!good)
        return failed("arrays of a coarse grid are too small");
    if (!scratch)
        return PyErr_NoMemory();
    Py_RETURN_NONE;
}

PyMethodDef multigrid_methods[] = {
    {"multigrid_finest", finest, METH_VARARGS, "See dinp.diffusion.stencils.Finest."},
    {"multigrid_coarse", coarser, METH_VARARGS, "See dinp.diffusion.stencils.Coarse."},
    {NULL, NULL, 0, NULL},
};
