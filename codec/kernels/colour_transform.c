/* Pictures to planes and back, chroma at half resolution. Mirrors dinp.pictures.colour_transform, operation by operation. */

#include "grids.h"

typedef struct {
    double red, green, blue, cb_scale, cr_scale;
} Weights;

/* Some rows of chroma, and the rows of luma above them, from interleaved samples, bytes or doubles. */
#define SPLIT(name, type)                                                                                              \
    WIDE static void name(const type *picture, const Weights *k, double *luma, double *cb, double *cr, N H, N W,       \
                          N first, N last)                                                                             \
    {                                                                                                                  \
        N w = (W + 1) / 2;                                                                                             \
        for (N i = first; i < last; i++) {                                                                             \
            N bottom = 2 * i + 1 < H ? 2 * i + 1 : 2 * i;                                                              \
            for (N y = 2 * i; y <= bottom; y++) {                                                                      \
                const type *p = picture + y * W * 3;                                                                   \
                double *out = luma + y * W;                                                                            \
                for (N x = 0; x < W; x++)                                                                              \
                    out[x] = (k->red * p[3 * x] + k->green * p[3 * x + 1]) + k->blue * p[3 * x + 2];                   \
            }                                                                                                          \
            const type *p = picture + 2 * i * W * 3, *q = picture + bottom * W * 3;                                    \
            const double *l = luma + 2 * i * W, *m = luma + bottom * W;                                                \
            for (N j = 0; j < w; j++) {                                                                                \
                N a = 2 * j, b = 2 * j + 1 < W ? 2 * j + 1 : 2 * j;                                                    \
                double grey = ((l[a] + m[a]) + (l[b] + m[b])) / 4;                                                     \
                double blue = (((double)p[3 * a + 2] + (double)q[3 * a + 2]) +                                         \
                               ((double)p[3 * b + 2] + (double)q[3 * b + 2])) /                                        \
                              4;                                                                                       \
                double red = (((double)p[3 * a] + (double)q[3 * a]) + ((double)p[3 * b] + (double)q[3 * b])) / 4;      \
                cb[i * w + j] = 128 + (blue - grey) / k->cb_scale;                                                     \
                cr[i * w + j] = 128 + (red - grey) / k->cr_scale;                                                      \
            }                                                                                                          \
        }                                                                                                              \
    }

SPLIT(split_bytes, uint8_t)
SPLIT(split_doubles, double)

/* A row of chroma doubled: between the rows i and `other`, then between columns. */
static inline void double_row(const double *plane, N i, N other, double *between, double *out, N w, N W)
{
    const double *a = plane + i * w, *b = plane + other * w;
    for (N j = 0; j < w; j++)
        between[j] = 0.75 * (a[j] - 128) + 0.25 * (b[j] - 128);
    for (N j = 0; j < W / 2; j++) {
        out[2 * j] = 0.75 * between[j] + 0.25 * between[j ? j - 1 : 0];
        out[2 * j + 1] = 0.75 * between[j] + 0.25 * between[j + 1 < w ? j + 1 : j];
    }
    if (W & 1)
        out[W - 1] = 0.75 * between[w - 1] + 0.25 * between[w > 1 ? w - 2 : 0];
}

/* As SampleFormat.from_axis does for bytes: ties are not where flat parts lie. */
static inline void to_bytes(const double *restrict values, double rounding, int32_t *restrict out, N W)
{
    for (N x = 0; x < W; x++) {
        double y = 255.0 * (values[x] / 255.0) + rounding;
        y = y < 0 ? 0 : y;
        y = y > 255 ? 255 : y;
        out[x] = (int32_t)y;
    }
}

WIDE static void merge(const double *luma, const double *cb, const double *cr, const Weights *k, double rounding,
                       uint8_t *picture, double *scratch, N H, N W, N first, N last)
{
    N h = (H + 1) / 2, w = (W + 1) / 2;
    double *between = scratch, *red = scratch + w, *blue = red + W, *green = blue + W;
    int32_t *r = (int32_t *)(green + W), *g = r + W, *b = g + W;
    for (N y = 2 * first; y < 2 * last && y < H; y++) {
        N i = y / 2, other = y & 1 ? (i + 1 < h ? i + 1 : i) : (i ? i - 1 : 0);
        const double *l = luma + y * W;
        double_row(cr, i, other, between, red, w, W);
        double_row(cb, i, other, between, blue, w, W);
        for (N x = 0; x < W; x++) {
            red[x] = red[x] * k->cr_scale + l[x];
            blue[x] = blue[x] * k->cb_scale + l[x];
            green[x] = ((l[x] - k->red * red[x]) - k->blue * blue[x]) / k->green;
        }
        to_bytes(red, rounding, r, W);
        to_bytes(green, rounding, g, W);
        to_bytes(blue, rounding, b, W);
        uint8_t *out = picture + y * W * 3;
        for (N x = 0; x < W; x++) {
            out[3 * x] = (uint8_t)r[x];
            out[3 * x + 1] = (uint8_t)g[x];
            out[3 * x + 2] = (uint8_t)b[x];
        }
    }
}

/* Python */

static PyObject *failed(void)
{
    PyErr_SetString(PyExc_ValueError, "arrays of a picture are too small");
    return NULL;
}

static PyObject *py_split(PyObject *self, PyObject *args)
{
    (void)self;
    Py_buffer picture, luma, cb, cr;
    Weights k;
    N H, W, first, last;
    if (!PyArg_ParseTuple(args, "y*(ddddd)w*w*w*nnnn", &picture, &k.red, &k.green, &k.blue, &k.cb_scale, &k.cr_scale,
                          &luma, &cb, &cr, &H, &W, &first, &last))
        return NULL;
    N h = (H + 1) / 2, w = (W + 1) / 2;
    int good = H > 0 && W > 0 && first >= 0 && last <= h && (picture.itemsize == 1 || picture.itemsize == 8) &&
               has_room(&picture, H * W * 3, picture.itemsize) && has_room(&luma, H * W, 8) && has_room(&cb, h * w, 8) &&
               has_room(&cr, h * w, 8);
    if (good) {
        Py_BEGIN_ALLOW_THREADS
        if (picture.itemsize == 1)
            split_bytes(picture.buf, &k, luma.buf, cb.buf, cr.buf, H, W, first, last);
        else
            split_doubles(picture.buf, &k, luma.buf, cb.buf, cr.buf, H, W, first, last);
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&picture);
    PyBuffer_Release(&luma);
    PyBuffer_Release(&cb);
    PyBuffer_Release(&cr);
    if (!good)
        return failed();
    Py_RETURN_NONE;
}

static PyObject *py_merge(PyObject *self, PyObject *args)
{
    (void)self;
    Py_buffer luma, cb, cr, picture;
    Weights k;
    double rounding;
    N H, W, first, last;
    if (!PyArg_ParseTuple(args, "y*y*y*(ddddd)dw*nnnn", &luma, &cb, &cr, &k.red, &k.green, &k.blue, &k.cb_scale,
                          &k.cr_scale, &rounding, &picture, &H, &W, &first, &last))
        return NULL;
    N h = (H + 1) / 2, w = (W + 1) / 2;
    int good = H > 0 && W > 0 && first >= 0 && last <= h && has_room(&picture, H * W * 3, 1) &&
               has_room(&luma, H * W, 8) && has_room(&cb, h * w, 8) && has_room(&cr, h * w, 8);
    double *scratch = good ? malloc((w + 3 * W) * sizeof(double) + 3 * W * sizeof(int32_t)) : NULL;
    if (scratch) {
        Py_BEGIN_ALLOW_THREADS
        merge(luma.buf, cb.buf, cr.buf, &k, rounding, picture.buf, scratch, H, W, first, last);
        Py_END_ALLOW_THREADS
        free(scratch);
    }
    PyBuffer_Release(&luma);
    PyBuffer_Release(&cb);
    PyBuffer_Release(&cr);
    PyBuffer_Release(&picture);
    if (!good)
        return failed();
    if (!scratch)
        return PyErr_NoMemory();
    Py_RETURN_NONE;
}

PyMethodDef planes_methods[] = {
    {"split_planes", py_split, METH_VARARGS, "See dinp.pictures.colour_transform.split_planes."},
    {"merge_planes", py_merge, METH_VARARGS, "See dinp.pictures.colour_transform.merge_planes."},
    {NULL, NULL, 0, NULL},
};
