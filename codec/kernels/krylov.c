/* What iterations on the black pixels do between cycles: operator, steps, residuals. Mirrors dinp.diffusion.stencils. */

#include "grids.h"

static inline const uint8_t *count_row(const uint8_t *count, int c, N i, N h, N w)
{
    return count + (c * h + i) * w;
}

/* Red of row t from black rows: (sum of neighbours + b) / diagonal, b may be missing. Rows outside are zero. */
static inline void red_row(float *restrict out, float *restrict sum, const float *up, const float *down,
                           const float *beside, const float *b, const uint8_t *count, N w)
{
    sum_row(sum, up, down, beside, w);
    if (b)
        for (N j = 0; j < w; j++)
            out[j] = (sum[j] + b[j]) * inverse_of(count[j]);
    else
        for (N j = 0; j < w; j++)
            out[j] = sum[j] * inverse_of(count[j]);
}

/* p = keep * old + gain * z on black (old may be missing: p = gain * z); Sp = S p; sums of products of p and Sp, band by
   band. Returns the largest |p| of the rows. `p` is another array than `old`: rows around are read from old and z. */
WIDE static float direct(const float *z, const float *old, float keep, float gain, float *p, float *Sp,
                         const uint8_t *count, double *sums, float *scratch, N h, N w, N first, N last)
{
    N s = w + 1;
    /* rows t of (0,1) and t - 1 of (1,0) are made, then red of row t - 1, then S p of row t - 2 */
    float *p01[4], *p10[4], *x00[2], *x11[2];
    for (int k = 0; k < 4; k++) {
        p01[k] = scratch + k * s;
        p10[k] = scratch + (4 + k) * s;
    }
    for (int k = 0; k < 2; k++) {
        x00[k] = scratch + (8 + k) * s;
        x11[k] = scratch + (10 + k) * s;
    }
    float *sum = scratch + 12 * s;
    memset(scratch, 0, 12 * s * sizeof(float));
    float largest = 0;
    for (N t = first - 2; t <= last + 1; t++) {
        if (t >= 0 && t < h)
            for (int c = C01; c <= C10; c++) {
                N b = RIGHT_OF[c];
                float *to = (c == C01 ? p01 : p10)[t & 3] + b;
                const float *zz = const_row(z, c, t, h, w) + b;
                if (old) {
                    const float *o = const_row(old, c, t, h, w) + b;
                    for (N j = 0; j < w; j++)
                        to[j] = o[j] * keep + zz[j] * gain;
                } else
                    for (N j = 0; j < w; j++)
                        to[j] = zz[j] * gain;
                if (t >= first && t < last) {
                    memcpy(row_of(p, c, t, h, w) + b, to, w * sizeof(float));
                    float most = 0;
                    for (N j = 0; j < w; j++)
                        most = fabsf(to[j]) > most ? fabsf(to[j]) : most;
                    largest = most > largest ? most : largest;
                }
            }
        else {
            memset(p01[t & 3], 0, s * sizeof(float));
            memset(p10[t & 3], 0, s * sizeof(float));
        }
        N r = t - 1; /* red of this row */
        if (r < first - 1)
            continue;
        if (r >= 0 && r < h) {
            red_row(x00[r & 1], sum, p10[(r - 1) & 3], p10[r & 3], p01[r & 3], NULL, count_row(count, C00, r, h, w), w);
            red_row(x11[r & 1] + 1, sum, p01[r & 3] + 1, p01[t & 3] + 1, p10[r & 3], NULL,
                    count_row(count, C11, r, h, w), w);
        } else {
            memset(x00[r & 1], 0, s * sizeof(float));
            memset(x11[r & 1], 0, s * sizeof(float));
        }
        /* S p: (0,1) of row r needs red (1,1) of r - 1 and r; (1,0) of row r - 1 needs red (0,0) of r - 1 and r */
        N i = r - 1;
        if (r >= first && r < last) {
            const uint8_t *n = count_row(count, C01, r, h, w);
            const float *pp = p01[r & 3] + 1;
            float *to = row_of(Sp, C01, r, h, w) + 1;
            sum_row(sum, x11[(r - 1) & 1] + 1, x11[r & 1] + 1, x00[r & 1], w);
            for (N j = 0; j < w; j++)
                to[j] = (float)n[j] * pp[j] - sum[j] * live_of(n[j]);
        }
        if (i >= first) {
            const uint8_t *n = count_row(count, C10, i, h, w);
            const float *pp = p10[i & 3];
            float *to = row_of(Sp, C10, i, h, w);
            sum_row(sum, x00[i & 1], x00[r & 1], x11[i & 1], w);
            for (N j = 0; j < w; j++)
                to[j] = (float)n[j] * pp[j] - sum[j] * live_of(n[j]);
            double *total = sums + i / BAND * w;
            const float *before = row_of(Sp, C01, i, h, w) + 1, *p1 = p01[i & 3] + 1;
            for (N j = 0; j < w; j++)
                total[j] += before[j] * p1[j] + to[j] * pp[j];
        }
    }
    return largest;
}

/* x += alpha p, r -= alpha Sp (r may be missing) on black; sums of |r|, band by band, if wanted. */
WIDE static void advance(float *x, float *r, const float *p, const float *Sp, float alpha, double *sums, N h, N w,
                         N first, N last)
{
    for (N i = first; i < last; i++) {
        for (int c = C01; c <= C10; c++) {
            N b = RIGHT_OF[c];
            float *restrict xx = row_of(x, c, i, h, w) + b;
            const float *restrict pp = const_row(p, c, i, h, w) + b;
            for (N j = 0; j < w; j++)
                xx[j] = xx[j] + pp[j] * alpha;
            if (!r)
                continue;
            float *restrict rr = row_of(r, c, i, h, w) + b;
            const float *restrict ss = const_row(Sp, c, i, h, w) + b;
            for (N j = 0; j < w; j++)
                rr[j] = rr[j] - ss[j] * alpha;
        }
        if (sums) {
            double *restrict total = sums + i / BAND * w;
            const float *r01 = const_row(r, C01, i, h, w) + 1, *r10 = const_row(r, C10, i, h, w);
            for (N j = 0; j < w; j++)
                total[j] += fabsf(r01[j]) + fabsf(r10[j]);
        }
    }
}

/* Red relaxed from black `x` (zero where missing), and the residual on black that this leaves, without touching x. */
WIDE static void eliminate(const float *x, const float *b, const uint8_t *count, float *residual, float *scratch, N h,
                           N w, N first, N last)
{
    N s = w + 1;
    float *x00[2] = {scratch, scratch + s}, *x11[2] = {scratch + 2 * s, scratch + 3 * s};
    float *sum = scratch + 4 * s, *zero = scratch + 5 * s;
    memset(scratch, 0, 6 * s * sizeof(float));
    for (N t = first - 1; t <= last; t++) {
        N i = t - 1;
        if (t >= 0 && t < h) {
            const uint8_t *n00 = count_row(count, C00, t, h, w), *n11 = count_row(count, C11, t, h, w);
            const float *b00 = const_row(b, C00, t, h, w), *b11 = const_row(b, C11, t, h, w) + 1;
            const float *above = x ? const_row(x, C10, t - 1, h, w) : zero, *at10 = x ? const_row(x, C10, t, h, w) : zero;
            const float *at01 = x ? const_row(x, C01, t, h, w) : zero, *below = x ? const_row(x, C01, t + 1, h, w) : zero;
            red_row(x00[t & 1], sum, above, at10, at01, b00, n00, w);
            red_row(x11[t & 1] + 1, sum, at01 + 1, below + 1, at10, b11, n11, w);
        } else {
            memset(x00[t & 1], 0, s * sizeof(float));
            memset(x11[t & 1], 0, s * sizeof(float));
        }
        for (int c = C01; c <= C10; c++) {
            N k = c == C01 ? t : i, side = RIGHT_OF[c];
            if (k < first || k >= last)
                continue;
            const uint8_t *n = count_row(count, c, k, h, w);
            const float *bb = const_row(b, c, k, h, w) + side, *xx = x ? const_row(x, c, k, h, w) + side : zero;
            float *to = row_of(residual, c, k, h, w) + side;
            if (c == C01)
                sum_row(sum, x11[(t - 1) & 1] + 1, x11[t & 1] + 1, x00[t & 1], w);
            else
                sum_row(sum, x00[i & 1], x00[t & 1], x11[i & 1], w);
            for (N j = 0; j < w; j++)
                to[j] = (sum[j] + bb[j]) * live_of(n[j]) - (float)n[j] * xx[j];
        }
    }
}

/* Red of x from its black. */
WIDE static void relax_red(float *x, const float *b, const uint8_t *count, float *scratch, N h, N w, N first, N last)
{
    for (N i = first; i < last; i++) {
        red_row(row_of(x, C00, i, h, w), scratch, const_row(x, C10, i - 1, h, w), const_row(x, C10, i, h, w),
                const_row(x, C01, i, h, w), const_row(b, C00, i, h, w), count_row(count, C00, i, h, w), w);
        red_row(row_of(x, C11, i, h, w) + 1, scratch, const_row(x, C01, i, h, w) + 1, const_row(x, C01, i + 1, h, w) + 1,
                const_row(x, C10, i, h, w), const_row(b, C11, i, h, w) + 1, count_row(count, C11, i, h, w), w);
    }
}

/* b = r + sum of differences of x to its neighbours, on unknown pixels (on all, where `count` is missing); x and r are
   planes of H x W doubles, either may be missing. */
WIDE static void load(const double *x, const double *r, const uint8_t *count, float *b, float *row, N H, N W, N h, N w,
                      N first, N last)
{
    for (N y = 2 * first; y < 2 * last && y < H; y++) {
        const double *rr = r ? r + y * W : NULL, *xx = x ? x + y * W : NULL;
        if (x) {
            const double *up = y > 0 ? xx - W : xx, *down = y + 1 < H ? xx + W : xx;
            if (W == 1)
                row[0] = (float)(((rr ? rr[0] : 0) + (up[0] - xx[0])) + (down[0] - xx[0]));
            else {
                double s = ((rr ? rr[0] : 0) + (up[0] - xx[0])) + (down[0] - xx[0]);
                row[0] = (float)(s + (xx[1] - xx[0]));
                if (rr)
                    for (N j = 1; j < W - 1; j++)
                        row[j] = (float)((((rr[j] + (up[j] - xx[j])) + (down[j] - xx[j])) + (xx[j + 1] - xx[j])) -
                                         (xx[j] - xx[j - 1]));
                else
                    for (N j = 1; j < W - 1; j++)
                        row[j] = (float)((((up[j] - xx[j]) + (down[j] - xx[j])) + (xx[j + 1] - xx[j])) -
                                         (xx[j] - xx[j - 1]));
                N j = W - 1;
                s = ((rr ? rr[j] : 0) + (up[j] - xx[j])) + (down[j] - xx[j]);
                row[j] = (float)(s - (xx[j] - xx[j - 1]));
            }
        } else
            for (N j = 0; j < W; j++)
                row[j] = (float)rr[j];
        row[W] = 0;
        int even = y & 1 ? C10 : C00, odd = y & 1 ? C11 : C01;
        float *b0 = row_of(b, even, y / 2, h, w), *b1 = row_of(b, odd, y / 2, h, w) + 1;
        if (!count) {
            for (N j = 0; j < w; j++) {
                b0[j] = row[2 * j];
                b1[j] = row[2 * j + 1];
            }
            continue;
        }
        const uint8_t *n0 = count_row(count, even, y / 2, h, w), *n1 = count_row(count, odd, y / 2, h, w);
        for (N j = 0; j < w; j++) {
            b0[j] = row[2 * j] * live_of(n0[j]);
            b1[j] = row[2 * j + 1] * live_of(n1[j]);
        }
    }
}

/* The plane y (H x W doubles) += gain * x. */
WIDE static void add(const float *x, double gain, double *y, N H, N W, N h, N w, N first, N last)
{
    for (N k = 2 * first; k < 2 * last && k < H; k++) {
        const float *x0 = const_row(x, k & 1 ? C10 : C00, k / 2, h, w);
        const float *x1 = const_row(x, k & 1 ? C11 : C01, k / 2, h, w) + 1;
        double *to = y + k * W;
        for (N j = 0; j < W / 2; j++) {
            to[2 * j] += gain * x0[j];
            to[2 * j + 1] += gain * x1[j];
        }
        if (W & 1)
            to[W - 1] += gain * x0[W / 2];
    }
}

/* Python */

static N field_size(N h, N w) { return (h + 1) * (w + 1); }
static N sums_size(N h, N w) { return (h + BAND - 1) / BAND * w; }

static PyObject *failed(const char *what)
{
    PyErr_SetString(PyExc_ValueError, what);
    return NULL;
}

#define IN_ROWS(first, last, h) ((first) >= 0 && (first) <= (last) && (last) <= (h))
#define RELEASE(buffer)                                                                                                \
    if ((buffer).obj)                                                                                                  \
    PyBuffer_Release(&(buffer))

static PyObject *py_direct(PyObject *self, PyObject *args)
{
    (void)self;
    Py_buffer z, old = {0}, p, Sp, count, sums;
    float keep, gain, largest = 0;
    N h, w, first, last;
    if (!PyArg_ParseTuple(args, "y*z*ffw*w*y*w*nnnn", &z, &old, &keep, &gain, &p, &Sp, &count, &sums, &h, &w, &first,
                          &last))
        return NULL;
    N black = 2 * field_size(h, w);
    int good = h > 0 && w > 0 && IN_ROWS(first, last, h) && has_room(&z, black, 4) &&
               (!old.buf || has_room(&old, black, 4)) && has_room(&p, black, 4) && has_room(&Sp, black, 4) &&
               has_room(&count, 4 * h * w, 1) && has_room(&sums, sums_size(h, w), 8) && p.buf != old.buf;
    float *scratch = good ? malloc(13 * (w + 1) * sizeof(float)) : NULL;
    if (scratch) {
        Py_BEGIN_ALLOW_THREADS
        largest = direct(z.buf, old.buf, keep, gain, p.buf, Sp.buf, count.buf, sums.buf, scratch, h, w, first, last);
        Py_END_ALLOW_THREADS
        free(scratch);
    }
    RELEASE(z);
    RELEASE(old);
    RELEASE(p);
    RELEASE(Sp);
    RELEASE(count);
    RELEASE(sums);
    if (!good)
        return failed("arrays of a direction are too small");
    return scratch ? PyFloat_FromDouble(largest) : PyErr_NoMemory();
}

static PyObject *py_advance(PyObject *self, PyObject *args)
{
    (void)self;
    Py_buffer x, p, r = {0}, Sp = {0}, sums = {0};
    float alpha;
    N h, w, first, last;
    if (!PyArg_ParseTuple(args, "w*y*fz*z*z*nnnn", &x, &p, &alpha, &r, &Sp, &sums, &h, &w, &first, &last))
        return NULL;
    N black = 2 * field_size(h, w);
    int good = h > 0 && w > 0 && IN_ROWS(first, last, h) && has_room(&x, black, 4) && has_room(&p, black, 4) &&
               (!r.buf || (!r.readonly && has_room(&r, black, 4) && has_room(&Sp, black, 4))) &&
               (!sums.buf || (r.buf && !sums.readonly && has_room(&sums, sums_size(h, w), 8)));
    if (good) {
        Py_BEGIN_ALLOW_THREADS
        advance(x.buf, r.buf, p.buf, Sp.buf, alpha, sums.buf, h, w, first, last);
        Py_END_ALLOW_THREADS
    }
    RELEASE(x);
    RELEASE(r);
    RELEASE(p);
    RELEASE(Sp);
    RELEASE(sums);
    if (!good)
        return failed("arrays of a step are too small");
    Py_RETURN_NONE;
}

static PyObject *py_eliminate(PyObject *self, PyObject *args)
{
    (void)self;
    Py_buffer x = {0}, b, count, residual;
    N h, w, first, last;
    if (!PyArg_ParseTuple(args, "z*y*y*w*nnnn", &x, &b, &count, &residual, &h, &w, &first, &last))
        return NULL;
    N black = 2 * field_size(h, w);
    int good = h > 0 && w > 0 && IN_ROWS(first, last, h) && (!x.buf || has_room(&x, black, 4)) &&
               has_room(&b, 2 * black, 4) && has_room(&count, 4 * h * w, 1) && has_room(&residual, black, 4);
    float *scratch = good ? malloc(6 * (w + 1) * sizeof(float)) : NULL;
    if (scratch) {
        Py_BEGIN_ALLOW_THREADS
        eliminate(x.buf, b.buf, count.buf, residual.buf, scratch, h, w, first, last);
        Py_END_ALLOW_THREADS
        free(scratch);
    }
    RELEASE(x);
    RELEASE(b);
    RELEASE(count);
    RELEASE(residual);
    if (!good)
        return failed("arrays of a residual are too small");
    if (!scratch)
        return PyErr_NoMemory();
    Py_RETURN_NONE;
}

static PyObject *py_relax_red(PyObject *self, PyObject *args)
{
    (void)self;
    Py_buffer x, b, count;
    N h, w, first, last;
    if (!PyArg_ParseTuple(args, "w*y*y*nnnn", &x, &b, &count, &h, &w, &first, &last))
        return NULL;
    N all = 4 * field_size(h, w);
    int good = h > 0 && w > 0 && IN_ROWS(first, last, h) && has_room(&x, all, 4) && has_room(&b, all, 4) &&
               has_room(&count, 4 * h * w, 1);
    float *scratch = good ? malloc((w + 1) * sizeof(float)) : NULL;
    if (scratch) {
        Py_BEGIN_ALLOW_THREADS
        relax_red(x.buf, b.buf, count.buf, scratch, h, w, first, last);
        Py_END_ALLOW_THREADS
        free(scratch);
    }
    RELEASE(x);
    RELEASE(b);
    RELEASE(count);
    if (!good)
        return failed("arrays of a relaxation are too small");
    if (!scratch)
        return PyErr_NoMemory();
    Py_RETURN_NONE;
}

static int fits(N H, N W, N h, N w) { return H > 0 && W > 0 && H <= 2 * h && W <= 2 * w && W + 1 >= 2 * w; }

static PyObject *py_load(PyObject *self, PyObject *args)
{
    (void)self;
    Py_buffer x = {0}, r = {0}, count = {0}, b;
    N H, W, h, w, first, last;
    if (!PyArg_ParseTuple(args, "z*z*z*w*nnnnnn", &x, &r, &count, &b, &H, &W, &h, &w, &first, &last))
        return NULL;
    int good = fits(H, W, h, w) && IN_ROWS(first, last, h) && (x.buf || r.buf) && (!x.buf || has_room(&x, H * W, 8)) &&
               (!r.buf || has_room(&r, H * W, 8)) && (!count.buf || has_room(&count, 4 * h * w, 1)) &&
               has_room(&b, 4 * field_size(h, w), 4);
    float *scratch = good ? malloc((W + 2) * sizeof(float)) : NULL;
    if (scratch) {
        Py_BEGIN_ALLOW_THREADS
        load(x.buf, r.buf, count.buf, b.buf, scratch, H, W, h, w, first, last);
        Py_END_ALLOW_THREADS
        free(scratch);
    }
    RELEASE(x);
    RELEASE(r);
    RELEASE(count);
    RELEASE(b);
    if (!good)
        return failed("arrays of a right-hand side are too small");
    if (!scratch)
        return PyErr_NoMemory();
    Py_RETURN_NONE;
}

static PyObject *py_add(PyObject *self, PyObject *args)
{
    (void)self;
    Py_buffer x, y;
    double gain;
    N H, W, h, w, first, last;
    if (!PyArg_ParseTuple(args, "y*dw*nnnnnn", &x, &gain, &y, &H, &W, &h, &w, &first, &last))
        return NULL;
    int good = fits(H, W, h, w) && IN_ROWS(first, last, h) && has_room(&x, 4 * field_size(h, w), 4) &&
               has_room(&y, H * W, 8);
    if (good) {
        Py_BEGIN_ALLOW_THREADS
        add(x.buf, gain, y.buf, H, W, h, w, first, last);
        Py_END_ALLOW_THREADS
    }
    RELEASE(x);
    RELEASE(y);
    if (!good)
        return failed("arrays of a sum are too small");
    Py_RETURN_NONE;
}

PyMethodDef krylov_methods[] = {
    {"krylov_direction", py_direct, METH_VARARGS, "See dinp.diffusion.stencils.Finest.direction."},
    {"krylov_advance", py_advance, METH_VARARGS, "See dinp.diffusion.stencils.Finest.advance."},
    {"krylov_eliminate", py_eliminate, METH_VARARGS, "See dinp.diffusion.stencils.Finest.eliminate."},
    {"krylov_relax_red", py_relax_red, METH_VARARGS, "See dinp.diffusion.stencils.Finest.relax_red."},
    {"krylov_load", py_load, METH_VARARGS, "See dinp.diffusion.stencils.Finest.load."},
    {"krylov_add", py_add, METH_VARARGS, "See dinp.diffusion.stencils.Finest.add."},
    {NULL, NULL, 0, NULL},
};
