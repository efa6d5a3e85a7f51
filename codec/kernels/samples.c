/* Lossless samples by context mixing. See dinp.entropy.sample_coder, whose docstring is the specification. */

#include "contours.h"
#include "kernels.h"
#include "slots.h"

enum {
    WINDOWS = 6,
    CHAINS = 3,
    PLACES = WINDOWS + CHAINS + 8, /* contexts of which neighbour a pixel equals */
    PLACE_KINDS = 4,
    PLACE_SETS = 3,
    RESIDUES = 20, /* contexts of what is coded otherwise */
    RESIDUE_KINDS = 12,
    RESIDUE_SETS = 3,
    CHANNELS = 4,
    MARGIN = 8, /* columns around */
    BLOCK = 64  /* rows kept: memory goes with the width */
};

static const int WINDOW_CRACKS[WINDOWS] = {5, 8, 12, 17, 23, 32};
static const int CHAIN_STEPS[CHAINS] = {4, 8, 12};
static const int PLACE_SIZES[PLACE_SETS] = {PLACE_KINDS * 256, PLACE_KINDS * 16, PLACE_KINDS * 256};
static const int PLACE_STAGES[MIX_STAGES] = {PLACE_KINDS * 256, PLACE_KINDS * 256};
static const int RESIDUE_SIZES[RESIDUE_SETS] = {CHANNELS * 64, RESIDUE_KINDS * 16, RESIDUE_KINDS * 32};
static const int RESIDUE_STAGES[MIX_STAGES] = {CHANNELS * 64, RESIDUE_KINDS * 32};

typedef struct {
    mix_model place, residue;
    mix_coder coder;
    mix_slots places, residues; /* of 2^bits a context */
    int bits, starved;          /* no memory was left */
    int32_t *quiet;
    uint8_t *cells;
    int32_t *samples, *errors; /* (BLOCK + 2, W + margins, channels): of a block of rows and two above, errors likewise */
    uint32_t mask[WINDOWS][4];
    int height, width, channels;
    int32_t levels[CHANNELS]; /* samples are 0..levels - 1 */
} sample_coder;

static size_t lay_out(sample_coder *c, int32_t *state)
{
    size_t size = mix_lay_out(&c->place, state, PLACES, PLACE_KINDS, PLACE_SETS, PLACE_SIZES, PLACE_STAGES);
    size += mix_lay_out(&c->residue, state ? state + size : NULL, RESIDUES, RESIDUE_KINDS, RESIDUE_SETS, RESIDUE_SIZES,
                        RESIDUE_STAGES);
    c->quiet = state ? state + size : NULL;
    return size + QUIET * QUIET;
}

static inline uint32_t zigzag(int32_t d, int32_t most) /* clipped to +-most */
{
    d = d > most ? most : d < -most ? -most : d;
    return (uint32_t)d << 1 ^ (uint32_t)(d >> 31);
}

static inline uint32_t coarse(int32_t d) /* 0..31 */
{
    return (uint32_t)class_of((uint32_t)(d < 0 ? -d : d)) << 1 | (d < 0);
}

static inline uint32_t join(uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    return a * 0x9E3779B1u + b * 0x85EBCA77u + c * 0xC2B2AE3Du + d * 0x27D4EB2Fu;
}

static inline int32_t absolute(int32_t d)
{
    return d < 0 ? -d : d;
}

static inline int32_t between(int32_t x, int32_t a, int32_t b) /* x clipped to a..b or b..a */
{
    int32_t low = a < b ? a : b, high = a < b ? b : a;
    return x < low ? low : x > high ? high : x;
}

static inline int has_room(sample_coder *c, mix_slots *slots, size_t blocks)
{
    if (!slots_reserve(slots, blocks))
        c->starved = c->coder.failed = 1;
    return !c->starved;
}

/* A bit of the residue: its node 0..255 (of all that is coded of a sample) and kind. */
static int residue_bit(sample_coder *c, int bit, int node, int kind, int channel, const uint32_t *hash, int activity,
                       int shape)
{
    if (!has_room(c, &c->residues, RESIDUES))
        return 0;
    for (int k = 0; k < RESIDUES; k++) {
        uint32_t h = scramble(hash[k] + (uint32_t)(k * 256 + node) * 0x3C6EF372u);
        c->residue.slot[k] = mix_find(slots_find(&c->residues, k, h >> (32 - c->bits)), 0, (uint8_t)((h & 255) | 1));
    }
    int by_node = channel * 64 + (node < 63 ? node : 63);
    int select[RESIDUE_SETS] = {by_node, kind * 16 + activity, kind * 32 + shape};
    int stage[MIX_STAGES] = {by_node, kind * 32 + shape};
    int32_t p = mix_predict(&c->residue, RESIDUES, RESIDUE_SETS, kind, select, stage);
    mix_spend(&c->coder, MIX_WORK);
    bit = mix_code(&c->coder, bit, (uint32_t)p);
    mix_update(&c->residue, RESIDUES, RESIDUE_SETS, bit);
    return bit;
}

/* A residue; the value given is ignored where it is decoded. */
static int32_t code_residue(sample_coder *c, int32_t r, int channel, const uint32_t *hash, int activity, int shape)
{
    if (!residue_bit(c, r != 0, 0, 0, channel, hash, activity, shape))
        return 0;
    int negative = residue_bit(c, r < 0, 1, 1, channel, hash, activity, shape);
    uint32_t m = (uint32_t)absolute(r); /* Exp-Golomb code of m - 1 */
    int size = 0;
    while (size < 17 && residue_bit(c, m >> (size + 1) != 0, 2 + size + 20 * negative, 2 + (size < 4 ? size : 4), channel,
                                    hash, activity, shape))
        size++;
    uint32_t found = 1;
    for (int k = size - 1; k >= 0; k--) {
        int deep = size - 1 - k;
        int node = deep < 3 ? 64 + size * 8 + (int)(found & ((1u << deep) - 1)) + (1 << deep) - 1 : 220 + k;
        int bit = residue_bit(c, m >> k & 1, node, deep < 3 ? 7 + deep : 10, channel, hash, activity, shape);
        found = found << 1 | (uint32_t)bit;
    }
    return negative ? -(int32_t)found : (int32_t)found;
}

static int same(const int32_t *a, const int32_t *b, int channels)
{
    for (int k = 0; k < channels; k++)
        if (a[k] != b[k])
            return 0;
    return 1;
}

/* Code the channels of a pixel one by one; whether they are within their levels. */
static int code_channels(sample_coder *c, const int32_t *given, int32_t *at, int32_t *error, const uint32_t *window)
{
    ptrdiff_t n = c->channels, row = (ptrdiff_t)(c->width + 2 * MARGIN) * n;
    for (int k = 0; k < n; k++) {
        const int32_t *v = at + k, *e = error + k;
        int32_t W = v[-n], N = v[-row], NW = v[-row - n], NE = v[-row + n], WW = v[-2 * n], NN = v[-2 * row];
        int32_t NEE = v[-row + 2 * n], NNE = v[-2 * row + n], base = 0, first = 0, second = 0;
        int32_t p = between(W + N - NW, W, N);
        if (k) { /* the channel before: what it changed by */
            int p_before = k - 1;
            const int32_t *u = at + p_before;
            int32_t dW = W - u[-n], dN = N - u[-row], dNW = NW - u[-row - n];
            base = u[0] + between(dW + dN - dNW, dW, dN);
            base = base < 0 ? 0 : base >= c->levels[k] ? c->levels[k] - 1 : base;
            first = error[p_before], second = base - p;
            p = base;
        }
        int32_t activity = absolute(W - NW) + absolute(N - NW) + absolute(N - NE);
        int32_t trouble = absolute(e[-n]) + absolute(e[-row]) + absolute(e[-row + n]) + absolute(e[-row - n]);
        int act = class_of((uint32_t)activity), trb = class_of((uint32_t)trouble);
        uint32_t hash[RESIDUES] = {
            join((uint32_t)act, 1, (uint32_t)trb, 0),
            join(zigzag(W - p, 255), zigzag(N - p, 255), 2, 0),
            join(zigzag(W - p, 255), zigzag(NE - p, 255), 3, 0),
            join(zigzag(N - p, 255), zigzag(NW - p, 255), zigzag(NE - p, 255), 4),
            join(coarse(W - p) | coarse(N - p) << 5 | coarse(NW - p) << 10 | coarse(NE - p) << 15, 5, 0, 0),
            join(coarse(W - p) | coarse(N - p) << 5 | coarse(NW - p) << 10 | coarse(NE - p) << 15,
                 coarse(WW - p) | coarse(NN - p) << 5 | coarse(NEE - p) << 10, 6, 0),
            join((uint32_t)W, (uint32_t)p, 7, 0),
            join((uint32_t)W, (uint32_t)N, 8, 0),
            join((uint32_t)W, (uint32_t)N, (uint32_t)NW, (uint32_t)NE + 9),
            join((uint32_t)p, 10, 0, 0),
            join(zigzag(e[-n], 63), zigzag(e[-row], 63), 11, 0),
            join(coarse(e[-n]) | coarse(e[-row]) << 5 | coarse(e[-row - n]) << 10 | coarse(e[-row + n]) << 15, 12, 0, 0),
            join(zigzag(first, 255), zigzag(second, 31), coarse(W - p), 13),
            join(zigzag(2 * W - WW - p, 127), zigzag(2 * N - NN - p, 127), 14, 0),
            join(zigzag(W + NE - N - p, 127), zigzag(N + NE - NNE - p, 127), 15, 0),
            join(window[0] >> 28 | (window[1] & 0x003FF000), coarse(W - N), coarse(N - NE), 16),
            join((uint32_t)act, coarse(e[-n]), coarse(W - N), 17),
            join((uint32_t)W, (uint32_t)WW, (uint32_t)p, 18),
            join((uint32_t)N, (uint32_t)NN, (uint32_t)NE, 19),
            join(coarse(first), (uint32_t)trb, (uint32_t)act, 20),
        };
        for (int i = 0; i < RESIDUES; i++)
            hash[i] += (uint32_t)k * 0x632BE5ABu;
        int32_t r = code_residue(c, given ? given[k] - p : 0, k, hash, act, trb * 2 + (act > 4));
        at[k] = p + r;
        error[k] = r;
        if (at[k] < 0 || at[k] >= c->levels[k])
            return 0;
    }
    return 1;
}

/* Store a row of samples as integers of `bytes` bytes, 1, 2 or 4. */
static void store_row(void *out, int bytes, size_t at, const int32_t *row, size_t count)
{
    for (size_t k = 0; k < count; k++)
        if (bytes == 1)
            ((uint8_t *)out)[at + k] = (uint8_t)row[k];
        else if (bytes == 2)
            ((uint16_t *)out)[at + k] = (uint16_t)row[k];
        else
            ((int32_t *)out)[at + k] = row[k];
}

/* Code all pixels; `given` (H, W, channels) are the samples to code, NULL to decode to `out`, integers of `bytes` bytes.
   Whether all is well. */
static int code_samples(sample_coder *c, const int32_t *given, void *out, int bytes)
{
    int n = c->channels, width = c->width;
    ptrdiff_t row = (ptrdiff_t)(width + 2 * MARGIN) * n, stride = width + 2 * PAD;
    uint16_t *rows_since = calloc((size_t)width, sizeof *rows_since);
    if (!rows_since)
        return 0;
    int ok = 1;
    for (int y = 0; y < c->height && ok && !c->coder.failed; y++) {
        int place = y % BLOCK;
        if (y && !place) { /* a new block begins: the last two rows stay above it */
            memmove(c->samples, c->samples + BLOCK * row, 2 * (size_t)row * sizeof *c->samples);
            memmove(c->errors, c->errors + BLOCK * row, 2 * (size_t)row * sizeof *c->errors);
        }
        int32_t *at = c->samples + (2 + place) * row + MARGIN * n, *error = c->errors + (2 + place) * row + MARGIN * n;
        const int32_t *begin = at;
        uint8_t *cell = c->cells + (4 + y) * stride + PAD;
        for (int m = 1; m <= MARGIN; m++) /* on the left: the first pixel above; on the right of that row: its last */
            for (int k = 0; k < n; k++) {
                at[-m * n + k] = at[-row + k];
                at[-row + (width - 1 + m) * n + k] = at[-row + (width - 1) * n + k];
            }
        uint32_t window[4] = {0, 0, 0, 0}, since = 255;
        for (int k = 1; k < 4; k++)
            for (int x = 0; x < 7; x++)
                window[k] = window[k] >> 2 | (uint32_t)cell[x - k * stride] << 30;
        for (int x = 0; x < width && ok && !c->coder.failed; x++, cell++, at += n, error += n) {
            const int32_t *source = given ? given + ((size_t)y * width + x) * n : NULL;
            for (int k = 1; k < 4; k++)
                window[k] = window[k] >> 2 | (uint32_t)cell[7 - k * stride] << 30;
            since += since < 255;
            rows_since[x] += rows_since[x] < 255;
            /* candidates: the pixels on the left, above, above right, above left, as far as they differ */
            const int32_t *candidate[4] = {at - n, at - row, at - row + n, at - row - n};
            int quiet = is_quiet(window) && same(at - n, at - row, n), chosen = -1, tried = 0;
            if (quiet) {
                int32_t *entry = c->quiet + QUIET * class_of(since) + class_of(rows_since[x]);
                int bit = source ? !same(source, at - n, n) : 0;
                bit = mix_code(&c->coder, bit, (uint32_t)quiet_probability(*entry));
                quiet_update(entry, bit, &c->place.tables);
                chosen = bit ? -1 : 0;
                tried = 1; /* of the others, all that differ follow */
            }
            if (chosen < 0) {
                int up = window[1] >> 17 & 1, left = window[0] >> 30 & 1;
                uint32_t chain = up ? trace(cell, (size_t)stride, 0, 16) : left ? trace(cell, (size_t)stride, 3, 16) : 0;
                uint32_t arms = (uint32_t)(up | left << 1), hash[PLACES];
                uint32_t value[12] = {0};
                const int32_t *near[12] = {at - n,           at - row,         at - row + n, at - row - n,
                                           at - 2 * n,       at - 2 * row,     at - row + 2 * n, at - 2 * row + n,
                                           at - 2 * row - n, at - row - 2 * n, at - 3 * n,   at - row + 3 * n};
                for (int i = 0; i < 12; i++)
                    for (int k = 0; k < n; k++)
                        value[i] = value[i] * 0x2C1B3C6Du + (uint32_t)near[i][k] + 1;
                for (int k = 0; k < WINDOWS; k++)
                    hash[k] = join(window[0] & c->mask[k][0], window[1] & c->mask[k][1], window[2] & c->mask[k][2],
                                   window[3] & c->mask[k][3]);
                for (int k = 0; k < CHAINS; k++)
                    hash[WINDOWS + k] = join(chain >> (32 - 2 * CHAIN_STEPS[k]), arms, 1, (uint32_t)(same(at - n, at - row, n)));
                uint32_t *more = hash + WINDOWS + CHAINS;
                int since_class = class_of(since), rows_class = class_of(rows_since[x]);
                more[0] = join(value[0], value[1], value[2], value[3]);
                more[1] = join(value[0], value[1], value[2] * 31 + value[3], value[4] * 31 + value[5]);
                more[2] = join(value[0], value[1], 2, 0);
                more[3] = join(value[0], (uint32_t)since_class, (uint32_t)rows_class, 3);
                more[4] = join(value[0], value[1], value[2], value[6] * 31 + value[11]);
                more[5] = join(value[0], value[4], value[10], 5);
                more[6] = join(value[1], value[5], value[7] * 31 + value[8], value[0]);
                more[7] = join((uint32_t)coarse(at[-n] - at[-row]), (uint32_t)coarse(at[-row] - at[-row + n]),
                               (uint32_t)coarse(at[-n] - at[-row - n]), window[0] >> 28);
                int nearby = (int)(window[0] >> 29) | (int)(window[1] >> 14 & 15) << 3 | (int)(window[1] >> 19 & 1) << 7;
                if (!has_room(c, &c->places, PLACES))
                    break;
                mix_slot *group[PLACES];
                uint8_t check[PLACES];
                for (int k = 0; k < PLACES; k++) {
                    uint32_t h = scramble(hash[k] + (uint32_t)k * 0x3C6EF372u);
                    group[k] = slots_find(&c->places, k, (h >> (34 - c->bits)) * 4);
                    check[k] = (uint8_t)((h & 255) | 1);
                    MIX_PREFETCH(group[k]);
                }
                for (int i = tried; i < 4 && chosen < 0; i++) {
                    int again = 0;
                    for (int j = 0; j < i; j++)
                        again |= same(candidate[i], candidate[j], n);
                    if (again)
                        continue;
                    for (int k = 0; k < PLACES; k++)
                        c->place.slot[k] = mix_find(group[k], (uint32_t)i, check[k]);
                    int select[PLACE_SETS] = {i * 256 + nearby, i * 16 + since_class, i * 256 + (int)(chain >> 24)};
                    int stage[MIX_STAGES] = {i * 256 + nearby, i * 256 + (int)(chain >> 24)};
                    int32_t p = mix_predict(&c->place, PLACES, PLACE_SETS, i, select, stage);
                    mix_spend(&c->coder, MIX_WORK);
                    int bit = mix_code(&c->coder, source ? same(source, candidate[i], n) : 0, (uint32_t)p);
                    mix_update(&c->place, PLACES, PLACE_SETS, bit);
                    if (bit)
                        chosen = i;
                }
            }
            if (chosen >= 0) {
                memcpy(at, candidate[chosen], (size_t)n * sizeof *at);
                for (int k = 0; k < n; k++)
                    error[k] = 0;
            } else {
                ok = code_channels(c, source, at, error, window);
            }
            int pixel = (y && !same(at, at - row, n)) | (x && !same(at, at - n, n)) << 1;
            *cell = (uint8_t)pixel;
            window[0] = window[0] >> 2 | (uint32_t)pixel << 30;
            if (pixel)
                since = 0, rows_since[x] = 0;
        }
        if (out)
            store_row(out, bytes, (size_t)y * width * n, begin, (size_t)width * n);
    }
    free(rows_since);
    return ok && !c->coder.failed;
}

static void close_coder(sample_coder *c)
{
    if (c)
        free(c->cells), free(c->samples), free(c->errors), slots_close(&c->places), slots_close(&c->residues),
            mix_close(&c->place, PLACE_SIZES), mix_close(&c->residue, RESIDUE_SIZES), free(c);
}

/* A coder that has all slots from the beginning, if `all`, or those that come to be used. */
static sample_coder *open_coder(const Py_buffer *state, const Py_buffer *levels, Py_ssize_t height, Py_ssize_t width, int all)
{
    sample_coder *c = calloc(1, sizeof *c);
    if (!c) {
        PyErr_NoMemory();
        return NULL;
    }
    Py_ssize_t n = levels->len / 4;
    if (height < 1 || width < 1 || n < 1 || n > CHANNELS || levels->len % 4 ||
        state->len != (Py_ssize_t)lay_out(c, state->buf) * 4) {
        PyErr_SetString(PyExc_ValueError, "an array has the wrong size");
        free(c);
        return NULL;
    }
    mix_make_tables(&c->place.tables);
    c->residue.tables = c->place.tables;
    make_masks(c->mask, WINDOW_CRACKS, WINDOWS);
    c->height = (int)height, c->width = (int)width, c->channels = (int)n;
    memcpy(c->levels, levels->buf, (size_t)levels->len);
    c->bits = 14;
    while (c->bits < 22 && (1 << (c->bits - 2)) < height * width)
        c->bits++;
    size_t rows = (size_t)(height < BLOCK ? height : BLOCK) + 2, columns = (size_t)width + 2 * MARGIN;
    c->cells = calloc((size_t)height + 5, (size_t)width + 2 * PAD);
    c->samples = calloc(rows * columns, (size_t)n * 4);
    c->errors = calloc(rows * columns, (size_t)n * 4);
    int opened = slots_open(&c->places, PLACES, c->bits, 2, all) && slots_open(&c->residues, RESIDUES, c->bits, 0, all);
    if (!opened || !mix_open(&c->place, PLACE_SIZES) || !mix_open(&c->residue, RESIDUE_SIZES) || !c->cells || !c->samples ||
        !c->errors) {
        close_coder(c);
        PyErr_NoMemory();
        return NULL;
    }
    return c;
}

/* sample_state_size(): 32-bit integers of the learned state */
static PyObject *sample_state_size(PyObject *module, PyObject *args)
{
    static sample_coder coder;
    (void)module, (void)args;
    return PyLong_FromSize_t(lay_out(&coder, NULL));
}

/* encode_samples(state int32, samples (h, w, n) int32, levels (n,) int32, height, width): bytes */
static PyObject *encode_samples(PyObject *module, PyObject *args)
{
    Py_buffer state, given, levels;
    Py_ssize_t height, width;
    PyObject *result = NULL;
    (void)module;
    if (!PyArg_ParseTuple(args, "w*y*y*nn", &state, &given, &levels, &height, &width))
        return NULL;
    sample_coder *c = open_coder(&state, &levels, height, width, 1);
    size_t room = (size_t)given.len * 2 + 64;
    uint8_t *out = malloc(room);
    if (c && given.len != height * width * levels.len) {
        PyErr_SetString(PyExc_ValueError, "an array has the wrong size");
    } else if (c && !out) {
        PyErr_NoMemory();
    } else if (c) {
        size_t size;
        int ok;
        Py_BEGIN_ALLOW_THREADS
        c->coder = (mix_coder){.high = UINT32_MAX, .out = out, .size = room};
        ok = code_samples(c, given.buf, NULL, 0);
        size = mix_finish(&c->coder);
        Py_END_ALLOW_THREADS
        if (ok && !c->coder.failed)
            result = PyBytes_FromStringAndSize((const char *)out, (Py_ssize_t)size);
        else
            PyErr_SetString(PyExc_ValueError, "samples are not within their levels");
    }
    free(out), close_coder(c);
    PyBuffer_Release(&state), PyBuffer_Release(&given), PyBuffer_Release(&levels);
    return result;
}

/* decode_samples(state int32, data, levels (n,) int32, samples (h, w, n) uint8, uint16 or int32, height, width): whether
   all is well */
static PyObject *decode_samples(PyObject *module, PyObject *args)
{
    Py_buffer state, data, levels, samples;
    Py_ssize_t height, width;
    PyObject *result = NULL;
    (void)module;
    if (!PyArg_ParseTuple(args, "w*y*y*w*nn", &state, &data, &levels, &samples, &height, &width))
        return NULL;
    sample_coder *c = open_coder(&state, &levels, height, width, data.len >= SLOTS_LONG);
    Py_ssize_t count = height * width * (levels.len / 4), bytes = c ? samples.len / count : 0;
    if (c && ((bytes != 1 && bytes != 2 && bytes != 4) || samples.len != count * bytes)) {
        PyErr_SetString(PyExc_ValueError, "an array has the wrong size");
    } else if (c) {
        int ok;
        Py_BEGIN_ALLOW_THREADS
        mix_start_decoding(&c->coder, data.buf, (size_t)data.len);
        ok = code_samples(c, NULL, samples.buf, (int)bytes) && mix_exhausted(&c->coder);
        Py_END_ALLOW_THREADS
        result = c->starved ? PyErr_NoMemory() : PyBool_FromLong(ok);
    }
    close_coder(c);
    PyBuffer_Release(&state), PyBuffer_Release(&data), PyBuffer_Release(&levels), PyBuffer_Release(&samples);
    return result;
}

PyMethodDef sample_methods[] = {
    {"sample_state_size", sample_state_size, METH_NOARGS, NULL},
    {"encode_samples", encode_samples, METH_VARARGS, NULL},
    {"decode_samples", decode_samples, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};
