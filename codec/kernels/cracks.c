/* Contours: cracks between pixels by context mixing, and the regions that they enclose. See dinp.entropy.crack_coder,
   whose docstring is the specification. */


#include "contours.h"
#include "kernels.h"

enum {
    WINDOWS = 4,   /* contexts of the nearest cracks */
    CHAINS = 2,    /* contexts of the way along the contour */
    CONTEXTS = WINDOWS + CHAINS + 3,
    KINDS = 8,
    SETS = 3,
    NEAR = 256,
    RARE = 1 << 14,                   /* patterns of cracks near by */
    RARELY = ((1 << 26) / 100) << 5,  /* a start is rarer than 1 in 100 */
    RARE_START = ((1 << 26) / 40) << 5 | 2
};

static const int SET_SIZES[SETS] = {KINDS * 16, 3 * NEAR, KINDS * 256};
static const int STAGE_SIZES[MIX_STAGES] = {3 * NEAR, KINDS * 256};
static const int WINDOW_CRACKS[WINDOWS] = {5, 14, 23, 36};
static const int CHAIN_STEPS[CHAINS] = {8, 12};

typedef struct {
    mix_model model;
    mix_coder coder;
    mix_slot *table; /* (CONTEXTS, size, 4) */
    int bits;        /* log2 of size */
    int32_t *quiet;  /* (QUIET, QUIET) probabilities of a start where nothing is near, 22 bits above a count */
    int32_t rare[RARE]; /* of a start, by the cracks near by; as `quiet` */
    uint8_t *cells;  /* (4 + H + 1, PAD + W + PAD): 1 a crack above the pixel, 2 one on its left */
    size_t stride;
    uint32_t mask[WINDOWS][4];
} crack_coder;

static size_t lay_out(mix_model *m, int32_t *state, int32_t **quiet)
{
    size_t size = mix_lay_out(m, state, CONTEXTS, KINDS, SETS, SET_SIZES, STAGE_SIZES);
    *quiet = state ? state + size : NULL;
    return size + QUIET * QUIET;
}

static inline int code_bit(crack_coder *c, int bit, int32_t p)
{
    return mix_code(&c->coder, bit, (uint32_t)p);
}

/* Code all pixels; `given` (H, W) are the cells to code, NULL to decode. Returns 0 where the stream is damaged. */
static int code_cells(crack_coder *c, const uint8_t *given, int height, int width)
{
    size_t stride = c->stride;
    uint16_t *quiet_rows = calloc((size_t)width, sizeof *quiet_rows);
    if (!quiet_rows)
        return 0;
    for (int y = 0; y < height && !c->coder.failed; y++) {
        uint8_t *cell = c->cells + (size_t)(4 + y) * stride + PAD;
        uint32_t window[4] = {0, 0, 0, 0};
        for (int k = 1; k < 4; k++)
            for (int x = 0; x < 7; x++)
                window[k] = window[k] >> 2 | (uint32_t)cell[x - (ptrdiff_t)(k * stride)] << 30;
        uint32_t since = 255; /* pixels since a crack in this row */
        for (int x = 0; x < width && !c->coder.failed; x++, cell++) {
            for (int k = 1; k < 4; k++)
                window[k] = window[k] >> 2 | (uint32_t)cell[7 - (ptrdiff_t)(k * stride)] << 30;
            int pixel = given ? given[(size_t)y * width + x] : 0;
            int up = window[1] >> 17 & 1, left = window[0] >> 30 & 1;
            since += since < 255;
            quiet_rows[x] += quiet_rows[x] < 255;
            if (!(x | y)) {
                pixel = 0;
            } else if (is_quiet(window)) {
                int32_t *entry = c->quiet + QUIET * class_of(since) + class_of(quiet_rows[x]);
                if (!y || !x)
                    entry = c->quiet + (y ? 0 : 1);
                int bit = code_bit(c, pixel != 0, quiet_probability(*entry));
                quiet_update(entry, bit, &c->model.tables);
                pixel = bit ? (!y ? 2 : !x ? 1 : 3) : 0;
            } else {
                int sum = up + left, arms = up | left << 1;
                int32_t *rare = c->rare + (window[0] >> 28 | (window[1] >> 14 & 255) << 4 | (window[2] >> 16 & 3) << 12);
                if (!sum && y && x && *rare < RARELY) {
                    int bit = code_bit(c, pixel != 0, quiet_probability(*rare));
                    quiet_update(rare, bit, &c->model.tables);
                    pixel = 3 * bit;
                    goto coded;
                }
                uint32_t chain_up = up ? trace(cell, stride, 0, 16) : 0, chain_left = left ? trace(cell, stride, 3, 16) : 0;
                uint32_t chain = up ? chain_up : left ? chain_left : 0;
                uint32_t hash[CONTEXTS];
                for (int k = 0; k < WINDOWS; k++)
                    hash[k] = (window[0] & c->mask[k][0]) * 0x9E3779B1u + (window[1] & c->mask[k][1]) * 0x85EBCA77u +
                              (window[2] & c->mask[k][2]) * 0xC2B2AE3Du + (window[3] & c->mask[k][3]) * 0x27D4EB2Fu;
                for (int k = 0; k < CHAINS; k++) {
                    int steps = CHAIN_STEPS[k], half = steps / 2;
                    uint32_t way = sum == 2 ? chain_up >> (32 - 2 * half) << 2 * half | chain_left >> (32 - 2 * half)
                                            : chain >> (32 - 2 * steps);
                    hash[WINDOWS + k] = way * 0x9E3779B1u + (uint32_t)arms * 0x85EBCA77u;
                }
                uint32_t right = window[1] >> 16 | 0x20000u; /* from the pixel above on */
                uint32_t next = 0; /* pixels to the next crack on the right in the row above */
                for (uint32_t r = right >> 3; !(r & 1); r >>= 2)
                    next++;
                int since_class = class_of(since), rows_class = class_of(quiet_rows[x]);
                int more = WINDOWS + CHAINS;
                hash[more] = (uint32_t)(arms | since_class << 2 | rows_class << 6) + next * 0x9E3779B1u +
                             (chain >> 28) * 0x85EBCA77u;
                hash[more + 1] = (chain >> 20) * 0x9E3779B1u + (window[0] & c->mask[1][0]) * 0xC2B2AE3Du +
                                 (window[1] & c->mask[1][1]) * 0x85EBCA77u + (uint32_t)arms;
                hash[more + 2] = (window[1] >> 6) * 0x9E3779B1u + (window[0] >> 28) * 0x85EBCA77u;
                int near = (int)(window[0] >> 29) | (int)(window[1] >> 14 & 15) << 3 | (int)(window[1] >> 19 & 1) << 7;

                mix_slot *group[CONTEXTS];
                uint8_t check[CONTEXTS];
                for (int k = 0; k < CONTEXTS; k++) {
                    uint32_t h = scramble(hash[k] + (uint32_t)k * 0x3C6EF372u);
                    group[k] = c->table + (((size_t)k << c->bits) + (h >> (32 - c->bits))) * 4;
                    check[k] = (uint8_t)((h & 255) | 1);
                    MIX_PREFETCH(group[k]);
                }
                int known = 0, bit = 0; /* node: 0 the crack above; 1, 2 the one on the left after 0, 1 */
                for (int node = 0;;) {
                    int implied = !y ? node == 0 : !x ? node != 0 : node && (sum == 0 || (sum == 1 && !known));
                    if (!implied) {
                        int kind = node == 0 ? (sum == 2 ? 3 : sum ? left + 1 : 0) : sum == 2 ? 5 + node : 3 + left + 1;
                        for (int k = 0; k < CONTEXTS; k++)
                            c->model.slot[k] = mix_find(group[k], (uint32_t)node, check[k]);
                        int select[SETS] = {kind * 16 + since_class, node * NEAR + near, kind * 256 + (int)(chain >> 24)};
                        int stage[MIX_STAGES] = {node * NEAR + near, kind * 256 + (int)(chain >> 24)};
                        int32_t p = mix_predict(&c->model, CONTEXTS, SETS, kind, select, stage);
                        bit = node ? pixel >> 1 : pixel & 1;
                        mix_spend(&c->coder, MIX_WORK);
                        bit = code_bit(c, bit, p);
                        mix_update(&c->model, CONTEXTS, SETS, bit);
                    } else if (node == 0 || !x) {
                        bit = 0;
                    } else {
                        bit = sum == 0 ? known : 1;
                    }
                    if (!node && !sum)
                        quiet_update(rare, bit, &c->model.tables);
                    if (node) {
                        pixel = known | bit << 1;
                        break;
                    }
                    known = bit;
                    node = 1 + bit;
                }
            }
coded:
            *cell = (uint8_t)pixel;
            window[0] = window[0] >> 2 | (uint32_t)pixel << 30;
            if (pixel)
                since = 0, quiet_rows[x] = 0;
        }
    }
    free(quiet_rows);
    return !c->coder.failed;
}

static void close_coder(crack_coder *c)
{
    free(c->cells), free(c->table), mix_close(&c->model, SET_SIZES);
}

static int open_coder(crack_coder *c, const Py_buffer *state, Py_ssize_t height, Py_ssize_t width)
{
    if (height < 1 || width < 1 || state->len != (Py_ssize_t)lay_out(&c->model, state->buf, &c->quiet) * 4) {
        PyErr_SetString(PyExc_ValueError, "an array has the wrong size");
        return 0;
    }
    mix_make_tables(&c->model.tables);
    for (int k = 0; k < RARE; k++)
        c->rare[k] = RARE_START;
    make_masks(c->mask, WINDOW_CRACKS, WINDOWS);
    c->bits = 10;
    while (c->bits < 18 && (1 << (c->bits + 4)) < height * width)
        c->bits++;
    c->stride = (size_t)width + 2 * PAD;
    c->cells = calloc((size_t)(height + 5), c->stride);
    c->table = calloc(((size_t)CONTEXTS << c->bits) * 4, sizeof *c->table);
    if (!mix_open(&c->model, SET_SIZES) || !c->cells || !c->table) {
        close_coder(c);
        PyErr_NoMemory();
        return 0;
    }
    return 1;
}

/* crack_state_size(): 32-bit integers of the learned state */
static PyObject *crack_state_size(PyObject *module, PyObject *args)
{
    mix_model model;
    int32_t *quiet;
    (void)module, (void)args;
    return PyLong_FromSize_t(lay_out(&model, NULL, &quiet));
}

/* encode_cracks(state int32, cells (h, w) uint8, height, width): bytes */
static PyObject *encode_cracks(PyObject *module, PyObject *args)
{
    Py_buffer state, given;
    Py_ssize_t height, width;
    PyObject *result = NULL;
    (void)module;
    if (!PyArg_ParseTuple(args, "w*y*nn", &state, &given, &height, &width))
        return NULL;
    crack_coder *c = calloc(1, sizeof *c);
    size_t room = (size_t)given.len / 2 + 64;
    uint8_t *out = malloc(room);
    if (!c || !out) {
        PyErr_NoMemory();
    } else if (given.len != height * width) {
        PyErr_SetString(PyExc_ValueError, "an array has the wrong size");
    } else if (open_coder(c, &state, height, width)) {
        size_t size = 0;
        int ok;
        Py_BEGIN_ALLOW_THREADS
        c->coder = (mix_coder){.high = UINT32_MAX, .out = out, .size = room};
        ok = code_cells(c, given.buf, (int)height, (int)width);
        size = mix_finish(&c->coder);
        close_coder(c);
        Py_END_ALLOW_THREADS
        if (ok && !c->coder.failed)
            result = PyBytes_FromStringAndSize((const char *)out, (Py_ssize_t)size);
        else
            PyErr_NoMemory();
    }
    free(out), free(c);
    PyBuffer_Release(&state), PyBuffer_Release(&given);
    return result;
}

/* decode_cracks(state int32, data, cells (h, w) uint8, height, width): whether all were decoded */
static PyObject *decode_cracks(PyObject *module, PyObject *args)
{
    Py_buffer state, data, cells;
    Py_ssize_t height, width;
    PyObject *result = NULL;
    (void)module;
    if (!PyArg_ParseTuple(args, "w*y*w*nn", &state, &data, &cells, &height, &width))
        return NULL;
    crack_coder *c = calloc(1, sizeof *c);
    if (!c) {
        PyErr_NoMemory();
    } else if (cells.len != height * width) {
        PyErr_SetString(PyExc_ValueError, "an array has the wrong size");
    } else if (open_coder(c, &state, height, width)) {
        int ok;
        Py_BEGIN_ALLOW_THREADS
        mix_start_decoding(&c->coder, data.buf, (size_t)data.len);
        ok = code_cells(c, NULL, (int)height, (int)width) && mix_exhausted(&c->coder);
        for (Py_ssize_t y = 0; y < height; y++)
            memcpy((uint8_t *)cells.buf + y * width, c->cells + (size_t)(4 + y) * c->stride + PAD, (size_t)width);
        close_coder(c);
        Py_END_ALLOW_THREADS
        result = PyBool_FromLong(ok);
    }
    free(c);
    PyBuffer_Release(&state), PyBuffer_Release(&data), PyBuffer_Release(&cells);
    return result;
}

static int32_t root_of(int32_t *parent, int32_t i)
{
    while (parent[i] != i)
        i = parent[i] = parent[parent[i]];
    return i;
}

/* regions_of(cells (h, w) uint8, labels (h, w) int32, height, width): number of regions */
static PyObject *regions_of(PyObject *module, PyObject *args)
{
    Py_buffer cells, labels;
    Py_ssize_t height, width;
    (void)module;
    if (!PyArg_ParseTuple(args, "y*w*nn", &cells, &labels, &height, &width))
        return NULL;
    int32_t count = -1;
    if (cells.len != height * width || labels.len != 4 * cells.len) {
        PyErr_SetString(PyExc_ValueError, "an array has the wrong size");
    } else {
        Py_BEGIN_ALLOW_THREADS
        const uint8_t *cell = cells.buf;
        int32_t *label = labels.buf; /* parents, the least pixel of a region being its root; then labels */
        for (int32_t y = 0, i = 0; y < height; y++)
            for (int32_t x = 0; x < width; x++, i++) {
                int32_t root = i;
                if (x && !(cell[i] & 2))
                    root = label[i - 1] = root_of(label, i - 1);
                label[i] = root;
                if (y && !(cell[i] & 1)) {
                    int32_t other = root_of(label, (int32_t)(i - width));
                    if (other < root)
                        label[root] = label[i] = other;
                    else
                        label[other] = root;
                }
            }
        count = 0;
        for (int32_t i = 0; i < (int32_t)(height * width); i++)
            label[i] = label[i] == i ? count++ : label[label[i]];
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&cells), PyBuffer_Release(&labels);
    return count < 0 ? NULL : PyLong_FromLong(count);
}

PyMethodDef crack_methods[] = {
    {"crack_state_size", crack_state_size, METH_NOARGS, NULL},
    {"encode_cracks", encode_cracks, METH_VARARGS, NULL},
    {"decode_cracks", decode_cracks, METH_VARARGS, NULL},
    {"regions_of", regions_of, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};
