/* Values of regions: see dinp.entropy.region_coder, whose docstring is the specification. */

#include "kernels.h"
#include "mixing.h"

enum { PAIRS = 1 << 16, MODELS = 3 };

static const int PAIR_WEIGHTS[MODELS] = {0, 4, 32};

typedef struct {
    mix_coder coder;
    int32_t regions, total, seen;
    int32_t *count, *out; /* of each colour; stamps of those that neighbours have */
    uint16_t *pairs;
    int64_t *weight; /* (MODELS, total) */
    int64_t sum[MODELS], score[MODELS];
    int32_t fresh[2]; /* probabilities that a colour is new, 2^-16, by whether the last one was */
} colour_coder;

/* log2 x in units of 2^-10, linear between powers of two. */
static inline int64_t log2_of(int64_t x)
{
    int e = 0;
    while (x >> (e + 1))
        e++;
    return ((int64_t)e << 10) + ((e > 10 ? x >> (e - 10) : x << (10 - e)) - 1024);
}

/* Code one colour of those that are known. */
static int32_t code_known(colour_coder *c, int32_t colour, int32_t above, int32_t region)
{
    memset(c->sum, 0, sizeof c->sum);
    for (int32_t k = 0; k < c->seen; k++) {
        int64_t pair = c->pairs[((uint32_t)above * 0x9E3779B1u + (uint32_t)k * 0x85EBCA77u) >> 16];
        for (int m = 0; m < MODELS; m++) {
            int64_t w = c->out[k] == region ? 0 : 1 + 2 * (int64_t)c->count[k] + PAIR_WEIGHTS[m] * pair;
            c->weight[(size_t)m * c->total + k] = w;
            c->sum[m] += w;
        }
    }
    int best = 0;
    for (int m = 1; m < MODELS; m++)
        if (c->score[m] < c->score[best])
            best = m;
    const int64_t *w = c->weight + (size_t)best * c->total;
    int32_t low = 0, high = c->seen;
    int64_t sum = c->sum[best];
    while (high - low > 1) {
        int32_t middle = (low + high) / 2;
        int64_t right = 0;
        for (int32_t k = middle; k < high; k++)
            right += w[k];
        int bit = right != 0;
        if (right && right != sum) {
            int64_t p = right * 65536 / sum;
            bit = mix_code(&c->coder, colour >= middle, (uint32_t)(p < 1 ? 1 : p > 65535 ? 65535 : p));
        }
        low = bit ? middle : low;
        high = bit ? high : middle;
        sum = bit ? right : sum - right;
    }
    for (int m = 0; m < MODELS; m++)
        c->score[m] += log2_of(c->sum[m]) - log2_of(c->weight[(size_t)m * c->total + low]) - (c->score[m] >> 5);
    return low;
}

/* Code the colours of all regions; `links` heads the list of each region's earlier neighbours. */
static int code_colours(colour_coder *c, int32_t *colours, const int32_t *above, const int32_t *links,
                        const int32_t *next, const int32_t *neighbour, int decode)
{
    int last = 1;
    c->fresh[0] = c->fresh[1] = 32768;
    for (int32_t r = 0; r < c->regions; r++) {
        int32_t barred = 0, colour = decode ? 0 : colours[r];
        for (int32_t k = links[r]; k >= 0; k = next[k]) {
            int32_t taken = colours[neighbour[k]];
            barred += c->out[taken] != r;
            c->out[taken] = r;
        }
        int32_t near = above[r] < 0 ? 0 : colours[above[r]];
        int fresh = c->seen < c->total;
        if (barred == c->seen && !fresh)
            return 0;
        if (fresh && barred < c->seen) {
            int32_t *p = c->fresh + last;
            fresh = mix_code(&c->coder, colour == c->seen, (uint32_t)*p);
            *p += fresh ? (65536 - *p) >> 5 : -(*p >> 5);
            *p = *p < 32 ? 32 : *p > 65504 ? 65504 : *p;
        }
        if (!fresh)
            mix_spend(&c->coder, (uint64_t)c->seen);
        if (c->coder.failed)
            return 0;
        colour = fresh ? c->seen++ : code_known(c, colour, near, r);
        last = fresh;
        colours[r] = colour;
        c->count[colour]++;
        uint16_t *pair = c->pairs + (((uint32_t)near * 0x9E3779B1u + (uint32_t)colour * 0x85EBCA77u) >> 16);
        *pair += *pair < 65535;
    }
    return !c->coder.failed;
}

/* code_colours(labels (h, w) int32, colours (n,) int32, height, width, total, data or None): bytes, or whether all is
   well. Colours are numbered in the order in which regions have them first, regions in that of their first pixels. */
static PyObject *py_code_colours(PyObject *module, PyObject *args)
{
    Py_buffer labels, colours, data;
    Py_ssize_t height, width, total;
    PyObject *source, *result = NULL;
    (void)module;
    if (!PyArg_ParseTuple(args, "y*w*nnnO", &labels, &colours, &height, &width, &total, &source))
        return NULL;
    int decode = source != Py_None;
    if (decode && PyObject_GetBuffer(source, &data, PyBUF_SIMPLE)) {
        PyBuffer_Release(&labels), PyBuffer_Release(&colours);
        return NULL;
    }
    size_t regions = (size_t)colours.len / 4, pixels = (size_t)height * (size_t)width, room = regions * 8 + 64;
    colour_coder c = {.regions = (int32_t)regions, .total = (int32_t)total};
    int32_t *above = malloc(regions * 4), *links = malloc(regions * 4), *next = malloc(pixels * 8 + 8);
    int32_t *neighbour = malloc(pixels * 8 + 8);
    uint8_t *out = malloc(room);
    c.count = calloc((size_t)total + 1, 4), c.out = malloc(((size_t)total + 1) * 4), c.pairs = calloc(PAIRS, 2);
    c.weight = malloc(((size_t)total + 1) * MODELS * 8);
    if (labels.len != (Py_ssize_t)pixels * 4 || total < 1) {
        PyErr_SetString(PyExc_ValueError, "an array has the wrong size");
    } else if (!above || !links || !next || !neighbour || !out || !c.count || !c.out || !c.pairs || !c.weight) {
        PyErr_NoMemory();
    } else {
        int ok;
        size_t size = 0;
        Py_BEGIN_ALLOW_THREADS
        const int32_t *label = labels.buf;
        int32_t met = 0, entries = 0;
        for (size_t r = 0; r < regions; r++)
            above[r] = links[r] = -1;
        memset(c.out, 255, ((size_t)total + 1) * 4);
        for (size_t i = 0; i < pixels; i++) {
            int32_t here = label[i];
            if (here >= met) { /* its first pixel */
                above[here] = i >= (size_t)width ? label[i - (size_t)width] : i ? label[i - 1] : -1;
                met = here + 1;
            }
            int32_t sides[2] = {i % (size_t)width ? label[i - 1] : here, i >= (size_t)width ? label[i - (size_t)width] : here};
            for (int k = 0; k < 2; k++) {
                int32_t a = here > sides[k] ? here : sides[k], b = here > sides[k] ? sides[k] : here;
                if (a != b && (links[a] < 0 || neighbour[links[a]] != b)) {
                    neighbour[entries] = b, next[entries] = links[a], links[a] = entries++;
                }
            }
        }
        if (decode)
            mix_start_decoding(&c.coder, data.buf, (size_t)data.len);
        else
            c.coder = (mix_coder){.high = UINT32_MAX, .out = out, .size = room};
        ok = code_colours(&c, colours.buf, above, links, next, neighbour, decode);
        if (decode)
            ok = ok && mix_exhausted(&c.coder) && c.seen == c.total;
        else
            size = mix_finish(&c.coder);
        Py_END_ALLOW_THREADS
        if (decode)
            result = PyBool_FromLong(ok);
        else if (ok && !c.coder.failed)
            result = PyBytes_FromStringAndSize((const char *)out, (Py_ssize_t)size);
        else
            PyErr_SetString(PyExc_ValueError, "colours are not those of regions");
    }
    free(above), free(links), free(next), free(neighbour), free(out);
    free(c.count), free(c.out), free(c.pairs), free(c.weight);
    if (decode)
        PyBuffer_Release(&data);
    PyBuffer_Release(&labels), PyBuffer_Release(&colours);
    return result;
}

PyMethodDef colour_methods[] = {
    {"code_colours", py_code_colours, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};
