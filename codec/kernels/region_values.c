/* Coding of the regions' first values by a mixture of distributions, all in integers.

   `dinp.entropy.first_values` holds the model's description and its counterpart in numpy. */

#include "kernels.h"
#include "rangecoder.h"
#include <stdlib.h>
#include <string.h>

enum { EXPERTS = 7, GROUPS = 4, STEPS = 9, CONTEXTS = GROUPS * STEPS, TOP = 1024, SCALES = 3 * 12, MOST_SHIFT = 8, MATCHES = 4, SLOTS = 1 << 16, RUNS = 8 };

typedef struct {
    const int32_t *logistic; /* 4096 entries, 0 .. 2^16, in steps of 1/128 scale */
    int64_t top;             /* largest value in fine units */
    int32_t *used;           /* of each value: how often, in all */
    int32_t *beside;         /* of each value beside each */
    int32_t *total;          /* of the rows of `beside` */
    int64_t uses;
    int32_t weight[CONTEXTS][EXPERTS];
    int32_t scale[SCALES];   /* in 1/16 fine units */
    int32_t *seen[MATCHES];  /* of each slot: value + 1 in the upper bits, run in the lower three; 0 where nothing was */
    int32_t hit[MATCHES][RUNS]; /* probability in 2^-16 that a match of a run is right */
    int32_t part[EXPERTS][TOP + 2];
    uint64_t mass[TOP + 2];
    uint32_t ends[TOP + 3];
} mixture;

static void logistic(const mixture *m, int32_t *part, int64_t count, int shift, int64_t centre16, int64_t scale16)
{
    int64_t last = 0;
    for (int64_t j = 0; j < count; j++) {
        int64_t end = 1 << 16;
        if (j + 1 < count) {
            int64_t edge16 = ((2 * j + 1) << shift) << 3; /* (j + 1/2) << shift, in 1/16 */
            int64_t z = ((edge16 - centre16) * 128);
            z = z >= 0 ? z / scale16 : -((-z + scale16 - 1) / scale16);
            z = z < -2048 ? -2048 : z > 2047 ? 2047 : z;
            end = m->logistic[z + 2048];
        }
        part[j] = (int32_t)(end - last);
        last = end;
    }
}

static void counted(const mixture *m, int32_t *part, int64_t count, int shift, const int32_t *counts, int64_t total)
{
    for (int64_t j = 0; j < count; j++) part[j] = 0;
    if (!total) return;
    int64_t half = shift ? (int64_t)1 << (shift - 1) : 0;
    for (int64_t u = 0; u <= m->top; u++)
        if (counts[u]) part[(u + half) >> shift] += counts[u];
    for (int64_t j = 0; j < count; j++) part[j] = (int32_t)(((int64_t)part[j] << 16) / total);
}

static int32_t size_class(int64_t d)
{
    int32_t c = 0;
    while (d) {
        c++;
        d >>= 1;
    }
    return c < 11 ? c : 11;
}

typedef struct {
    int64_t count, a, b;
    int shift, context, s0, s1, s2;
    int32_t *slot[MATCHES];
    int64_t guess[MATCHES]; /* symbol, or -1 */
} place;

/* Distribution of a region's value: ends[j] = sum of frequencies below j. */
static place describe(mixture *m, const int32_t *value, int32_t first, int32_t second, int shift,
                      const uint32_t *pattern)
{
    place p;
    p.shift = shift;
    p.count = ((m->top + (((int64_t)1 << shift) - 1)) >> shift) + 1;
    p.a = first < 0 ? -1 : value[first];
    p.b = second < 0 ? p.a : value[second];
    int64_t gap = p.a < p.b ? p.b - p.a : p.a - p.b;
    p.context = (first < 0 ? 0 : second < 0 ? 1 : gap <= (int64_t)2 << shift ? 2 : 3) * STEPS + shift;
    p.s0 = size_class(gap);
    p.s1 = 12 + size_class(gap);
    p.s2 = 24 + shift;
    int64_t a = first < 0 ? m->top / 2 : p.a, b = first < 0 ? m->top / 2 : p.b;
    for (int64_t j = 0; j < p.count; j++) m->part[0][j] = (int32_t)((65536 * (j + 1)) / p.count - (65536 * j) / p.count);
    counted(m, m->part[1], p.count, shift, m->used, m->uses);
    int64_t row = a;
    counted(m, m->part[2], p.count, shift, m->beside + row * (m->top + 1), first < 0 ? 0 : m->total[row]);
    int64_t floor16 = (int64_t)2 << shift;
    int64_t t0 = m->scale[p.s0] < floor16 ? floor16 : m->scale[p.s0];
    int64_t t1 = m->scale[p.s1] < floor16 ? floor16 : m->scale[p.s1];
    int64_t t2 = m->scale[p.s2] < floor16 ? floor16 : m->scale[p.s2];
    logistic(m, m->part[3], p.count, shift, 16 * a, t0);
    logistic(m, m->part[4], p.count, shift, 8 * (a + b), t1);
    logistic(m, m->part[5], p.count, shift, 16 * a, t2);
    logistic(m, m->part[6], p.count, shift, 16 * b, t0);
    const int32_t *w = m->weight[p.context];
    uint64_t total = 0;
    for (int k = 0; k < EXPERTS; k++) {
        uint64_t sum = 0;
        for (int64_t j = 0; j < p.count; j++) sum += (uint64_t)m->part[k][j];
        total += (uint64_t)w[k] * sum;
    }
    total >>= 16;
    for (int64_t j = 0; j < p.count; j++) {
        uint64_t sum = 0;
        for (int k = 0; k < EXPERTS; k++) sum += (uint64_t)w[k] * (uint64_t)m->part[k][j];
        m->mass[j] = (sum << 8) / total; /* about 2^24 together; `total` is rounded down, so it may be a little more */
    }
    int64_t half = shift ? (int64_t)1 << (shift - 1) : 0;
    for (int k = 0; k < MATCHES; k++) {
        uint32_t key = pattern[k] + (uint32_t)(p.a + 1) * 0x9E3779B1u + (uint32_t)(p.b + 1) * 0x85EBCA6Bu;
        p.slot[k] = m->seen[k] + ((key * 0xC2B2AE35u) >> 16);
        p.guess[k] = -1;
        if (!*p.slot[k]) continue;
        int64_t j = ((*p.slot[k] >> 3) - 1 + half) >> shift;
        uint64_t share = (uint64_t)m->hit[k][*p.slot[k] & 7];
        for (int64_t i = 0; i < p.count; i++) m->mass[i] = (m->mass[i] * (65536 - share)) >> 16;
        m->mass[j] += share << 8;
        p.guess[k] = j;
    }
    uint64_t room = 65536 - (uint64_t)p.count, sum = 0;
    for (int64_t j = 0; j < p.count; j++) {
        uint64_t end = ((sum * room) >> 24) + (uint64_t)j, most = 65536 - (uint64_t)(p.count - j);
        m->ends[j] = (uint32_t)(end < most ? end : most); /* masses may be a little more than 2^24: each symbol keeps a place */
        sum += m->mass[j];
    }
    m->ends[p.count] = 65536;
    return p;
}

static void learn(mixture *m, const place *p, int64_t j, int32_t value)
{
    int32_t *w = m->weight[p->context];
    uint64_t post[EXPERTS], total = 0;
    for (int k = 0; k < EXPERTS; k++) total += post[k] = (uint64_t)w[k] * (uint64_t)(m->part[k][j] + 1);
    for (int k = 0; k < EXPERTS; k++) {
        int64_t aim = (int64_t)((post[k] << 16) / total);
        int64_t moved = w[k] + (aim - w[k] >= 0 ? (aim - w[k]) / 24 : -((w[k] - aim) / 24));
        w[k] = (int32_t)(moved < 256 ? 256 : moved);
    }
    for (int k = 0; k < MATCHES; k++) {
        int32_t run = *p->slot[k] & 7, right = p->guess[k] == j;
        if (p->guess[k] >= 0) {
            int32_t *hit = &m->hit[k][run];
            *hit += ((right ? 65536 - 1024 : 1024) - *hit) / 16;
        }
        run = right ? (run < RUNS - 1 ? run + 1 : run) : 0;
        *p->slot[k] = (value + 1) << 3 | run;
    }
    m->used[value] += 1;
    m->uses += 1;
    if (p->a >= 0) {
        m->beside[p->a * (m->top + 1) + value] += 1;
        m->total[p->a] += 1;
        int64_t from_a = 16 * (value < p->a ? p->a - value : value - p->a);
        int64_t from_b = 16 * (value < p->b ? p->b - value : value - p->b);
        int64_t middle = 8 * (p->a + p->b), from_middle = 16 * (int64_t)value - middle;
        if (from_middle < 0) from_middle = -from_middle;
        int64_t nearest = from_a < from_b ? from_a : from_b;
        int32_t *s = m->scale;
        s[p->s0] += (int32_t)((nearest / 2 - s[p->s0]) / 16);
        s[p->s1] += (int32_t)((from_middle / 2 - s[p->s1]) / 16);
        s[p->s2] += (int32_t)((from_a / 2 - s[p->s2]) / 16);
    }
}

static void free_mixture(mixture *m)
{
    for (int k = 0; k < MATCHES; k++) free(m->seen[k]);
    free(m->used), free(m->beside), free(m->total), free(m);
}

static mixture *new_mixture(const int32_t *logistic_table, int64_t top, const int32_t *start)
{
    mixture *m = calloc(1, sizeof(mixture));
    if (!m) return NULL;
    m->logistic = logistic_table;
    m->top = top;
    m->used = calloc((size_t)top + 1, 4);
    m->beside = calloc((size_t)((top + 1) * (top + 1)), 4);
    m->total = calloc((size_t)top + 1, 4);
    for (int k = 0; k < MATCHES; k++) {
        m->seen[k] = calloc(SLOTS, 4);
        for (int r = 0; r < RUNS; r++) m->hit[k][r] = 65536 / 16 * (r ? 8 + r : 4);
    }
    int complete = m->used && m->beside && m->total;
    for (int k = 0; k < MATCHES; k++) complete = complete && m->seen[k];
    if (!complete) {
        free_mixture(m);
        return NULL;
    }
    for (int c = 0; c < CONTEXTS; c++)
        for (int k = 0; k < EXPERTS; k++) m->weight[c][k] = start[c / STEPS * EXPERTS + k];
    for (int s = 0; s < SCALES; s++) m->scale[s] = start[GROUPS * EXPERTS + s];
    return m;
}

typedef struct {
    Py_buffer state, stream, start, logistic, first, second, shift, pattern, value;
    long long top;
} task;

/* Whether the arrays fit one another; sets ValueError. */
static int fits(const task *t, Py_ssize_t state)
{
    Py_ssize_t n = t->first.len / 4;
    if (t->top >= 1 && t->top <= TOP && t->state.len == 8 * state && t->start.len == 4 * (GROUPS * EXPERTS + SCALES) &&
        t->logistic.len == 4 * 4096 && t->first.len == 4 * n && t->second.len == 4 * n && t->shift.len == 4 * n &&
        t->pattern.len == 4 * MATCHES * n && t->value.len == 4 * n)
        return 1;
    PyErr_SetString(PyExc_ValueError, "an array has the wrong size");
    return 0;
}

static void release(task *t)
{
    PyBuffer_Release(&t->state), PyBuffer_Release(&t->stream), PyBuffer_Release(&t->start);
    PyBuffer_Release(&t->logistic), PyBuffer_Release(&t->first), PyBuffer_Release(&t->second);
    PyBuffer_Release(&t->shift), PyBuffer_Release(&t->pattern), PyBuffer_Release(&t->value);
}

static uint32_t bound(const mixture *m, const place *p, int64_t j)
{
    return j < p->count ? range_bound(m->ends[j], (uint32_t)j, (uint32_t)p->count) : 1u << RANGE_BITS;
}

/* The symbol whose value costs least: weight x squared distance from what is wanted + bit cost x bits. */
static int64_t chosen(const mixture *m, const place *p, double wanted, double weight, double bit_cost,
                      const int32_t *bits)
{
    double least = 0;
    int64_t best = -1;
    for (int64_t j = 0; j < p->count; j++) {
        int64_t value = j << p->shift;
        double d = (double)(value < m->top ? value : m->top) - wanted;
        double cost = weight * d * d + bit_cost * (bits[m->ends[j + 1] - m->ends[j]] / 65536.0);
        if (best < 0 || cost < least) {
            least = cost;
            best = j;
        }
    }
    return best;
}

static int32_t value_of(const mixture *m, const place *p, int64_t j)
{
    int64_t value = j << p->shift;
    return (int32_t)(value < m->top ? value : m->top);
}

/* encode_region_values(state, words, start, logistic, first, second, shift, pattern (n, 2), value, top, wanted (n) float64,
   weight (n) float64, bit cost, bits (65537) int32): number of words written. With a bit cost of at least 0 values are
   chosen and given back in `value`, else those in `value` are coded. */
static PyObject *encode_region_values(PyObject *self, PyObject *args)
{
    task t;
    Py_buffer wanted, weight, bits;
    double bit_cost;
    (void)self;
    if (!PyArg_ParseTuple(args, "w*w*y*y*y*y*y*y*w*Ly*y*dy*", &t.state, &t.stream, &t.start, &t.logistic, &t.first,
                          &t.second, &t.shift, &t.pattern, &t.value, &t.top, &wanted, &weight, &bit_cost, &bits))
        return NULL;
    Py_ssize_t n = t.first.len / 4, count = 0;
    int ok = fits(&t, RANGE_ENCODER_STATE), wrong = 0;
    if (ok && (wanted.len != 8 * n || weight.len != 8 * n || bits.len != 4 * 65537 ||
               t.stream.len != 4 * (n + (Py_ssize_t)((uint64_t *)t.state.buf)[2]))) {
        PyErr_SetString(PyExc_ValueError, "an array has the wrong size");
        ok = 0;
    }
    mixture *m = ok ? new_mixture(t.logistic.buf, t.top, t.start.buf) : NULL;
    if (m) {
        Py_BEGIN_ALLOW_THREADS
        const uint32_t *pattern = t.pattern.buf;
        const int32_t *first = t.first.buf, *second = t.second.buf, *shift = t.shift.buf;
        int32_t *value = t.value.buf;
        range_encoder encoder;
        range_encoder_load(&encoder, t.state.buf, t.stream.buf);
        for (Py_ssize_t i = 0; i < n && !wrong; i++) {
            wrong = first[i] >= i || second[i] >= i || shift[i] < 0 || shift[i] > MOST_SHIFT;
            if (wrong) break;
            place p = describe(m, value, first[i], second[i], shift[i], pattern + MATCHES * i);
            int64_t j;
            if (bit_cost >= 0)
                j = chosen(m, &p, ((const double *)wanted.buf)[i], ((const double *)weight.buf)[i], bit_cost, bits.buf);
            else
                j = value[i] == m->top ? p.count - 1 : value[i] >> p.shift;
            wrong = j < 0 || j >= p.count;
            if (wrong) break;
            range_encode(&encoder, bound(m, &p, j), bound(m, &p, j + 1));
            value[i] = value_of(m, &p, j);
            learn(m, &p, j, value[i]);
        }
        range_encoder_store(&encoder, t.state.buf);
        count = (Py_ssize_t)encoder.count;
        free_mixture(m);
        Py_END_ALLOW_THREADS
    }
    release(&t), PyBuffer_Release(&wanted), PyBuffer_Release(&weight), PyBuffer_Release(&bits);
    if (ok && !m) return PyErr_NoMemory();
    if (wrong) PyErr_SetString(PyExc_ValueError, "a region's neighbours, step or value is out of range");
    return ok && !wrong ? PyLong_FromSsize_t(count) : NULL;
}

/* decode_region_values(state, data, start, logistic, first, second, shift, pattern (n, 2), value, top): whether all were decoded */
static PyObject *decode_region_values(PyObject *self, PyObject *args)
{
    task t;
    (void)self;
    if (!PyArg_ParseTuple(args, "w*y*y*y*y*y*y*y*w*L", &t.state, &t.stream, &t.start, &t.logistic, &t.first, &t.second,
                          &t.shift, &t.pattern, &t.value, &t.top))
        return NULL;
    Py_ssize_t n = t.first.len / 4;
    int ok = fits(&t, RANGE_DECODER_STATE), damaged = 0;
    mixture *m = ok ? new_mixture(t.logistic.buf, t.top, t.start.buf) : NULL;
    if (m) {
        Py_BEGIN_ALLOW_THREADS
        const uint32_t *pattern = t.pattern.buf;
        const int32_t *first = t.first.buf, *second = t.second.buf, *shift = t.shift.buf;
        int32_t *value = t.value.buf;
        range_decoder decoder;
        range_decoder_load(&decoder, t.state.buf, t.stream.buf, (size_t)t.stream.len);
        for (Py_ssize_t i = 0; i < n && !damaged; i++) {
            damaged = first[i] >= i || second[i] >= i || shift[i] < 0 || shift[i] > MOST_SHIFT;
            if (damaged) break;
            place p = describe(m, value, first[i], second[i], shift[i], pattern + MATCHES * i);
            uint64_t scale;
            int64_t at = range_peek(&decoder, &scale), low = 0, high = p.count;
            damaged = at < 0;
            while (high - low > 1) {
                int64_t middle = (low + high) / 2;
                if (bound(m, &p, middle) <= at) low = middle;
                else high = middle;
            }
            damaged = damaged || range_skip(&decoder, scale, bound(m, &p, low), bound(m, &p, low + 1));
            value[i] = value_of(m, &p, low);
            learn(m, &p, low, value[i]);
        }
        range_decoder_store(&decoder, t.state.buf);
        free_mixture(m);
        Py_END_ALLOW_THREADS
    }
    release(&t);
    if (ok && !m) return PyErr_NoMemory();
    return ok ? PyBool_FromLong(!damaged) : NULL;
}

PyMethodDef region_values_methods[] = {
    {"encode_region_values", encode_region_values, METH_VARARGS, "Choose and encode the first values of regions."},
    {"decode_region_values", decode_region_values, METH_VARARGS, "Decode the first values of regions."},
    {NULL, NULL, 0, NULL},
};
