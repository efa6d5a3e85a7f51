/* Coding of values: the counterpart of features, frequencies and coding in dinp.entropy.value_model and value_coder,
   whose docstrings are the specification. Everything is in integers, mostly in 1/16 grey level.

   A pass goes in three steps: describe_values looks at the neighbours and runs the network, for any part of the pass,
   and writes one `description` a value; decode_values or encode_values code the symbols one after the other, asking
   only for the frequencies that they need; settle_values says what became of the values. */

#include "kernels.h"
#include "network.h"
#include "order.h"
#include "rangecoder.h"

enum {
    FRACTION = 10,
    COMPONENTS = 3,
    RADIUS = 20,
    SYMBOLS = 2 * RADIUS + 3,
    MAX_LEVEL = 1 << 18,
    GREY = 16,
    INPUT_MAX = INT16_MAX,
    LOGISTIC = 2048, /* half the table */
};

static const int64_t ALONE = INT64_MIN; /* stands for the base prediction of a value without neighbours */

/* The distribution of a value: a mixture of logistic distributions, in 1/256 grey level. */
typedef struct {
    int64_t mean[COMPONENTS], spread[COMPONENTS];
    int64_t centre; /* level of the middle symbol */
    int64_t half;   /* half a step */
    int32_t weight[COMPONENTS + 1];
} description;

/* floor(a / b) for 0 <= a, 0 < b, a + b < 2^53. The quotient of such numbers, correctly rounded, has the floor of the
   exact one, and takes a fraction of the time of a division of 64-bit integers. */
static inline int64_t quotient(int64_t a, int64_t b)
{
    return (int64_t)((double)a / (double)b);
}

/* The same for any a >= 0; b < 2^52. */
static inline int64_t long_quotient(int64_t a, int64_t b)
{
    return a >> 52 ? a / b : quotient(a, b);
}

/* The same for any a. */
static inline int64_t floor_division(int64_t a, int64_t b)
{
    return a < 0 ? -long_quotient(b - 1 - a, b) : long_quotient(a, b);
}

static inline int64_t clip(int64_t v, int64_t least, int64_t most)
{
    return v < least ? least : v > most ? most : v;
}

/* Exponent and first ten bits of the mantissa of 1 <= x < 2^53 are its piecewise linear logarithm. */
static inline int64_t log2_fixed(int64_t x)
{
    double exact = (double)x;
    uint64_t bits;
    memcpy(&bits, &exact, sizeof bits);
    return (int64_t)(bits >> (52 - FRACTION)) - (1023 << FRACTION);
}

static inline int64_t signed_log(int64_t x)
{
    int64_t size = log2_fixed((x < 0 ? -x : x) + (1 << FRACTION)) - (FRACTION << FRACTION);
    return x < 0 ? -size : size;
}

static inline int16_t input(int64_t v)
{
    return (int16_t)clip(v, -INPUT_MAX, INPUT_MAX);
}

/* What is known of all values: see dinp.entropy.value_coder._Compiled. */
typedef struct {
    const int32_t *y, *x, *step;
    const uint8_t *side_log2, *number;
    const int64_t *value, *surprise;
    order_grids grids;
} known_values;

/* Inputs of the network, (48,); the base prediction, or ALONE; and the scale. */
static void features(const known_values *known, int32_t i, int p, int16_t *x, int64_t *base_of, int64_t *scale_of)
{
    int32_t neighbour[ORDER_NEIGHBOURS];
    int spacing = ORDER_SPACINGS - 1 - p / 2;
    int found = order_neighbours(&known->grids, known->number, p, known->y[i], known->x[i], neighbour);
    int64_t step = known->step[i], side = known->side_log2[i];
    int64_t d2[ORDER_NEIGHBOURS], weight[ORDER_NEIGHBOURS], value[ORDER_NEIGHBOURS], surprise_of[ORDER_NEIGHBOURS];
    int64_t total = 0, sum = 0, nearest = 1 << 18;
    for (int j = 0; j < ORDER_NEIGHBOURS; j++) {
        int32_t n = neighbour[j];
        weight[j] = 0, d2[j] = 1, value[j] = 0, surprise_of[j] = 0;
        if (n < 0)
            continue;
        int64_t dy = known->y[i] - known->y[n], dx = known->x[i] - known->x[n];
        d2[j] = dy * dy + dx * dx > 1 ? dy * dy + dx * dx : 1;
        weight[j] = quotient(1 << 20, d2[j]);
        if (weight[j] < 1)
            weight[j] = 1;
        value[j] = known->value[n];
        surprise_of[j] = known->surprise[n];
        total += weight[j];
        sum += weight[j] * value[j];
        if (d2[j] < nearest)
            nearest = d2[j];
    }
    if (total < 1)
        total = 1;
    int64_t base = found ? floor_division(sum, total) : 128 * GREY, spread = 0, surprise = 0;
    for (int j = 0; j < ORDER_NEIGHBOURS; j++)
        if (neighbour[j] >= 0) {
            int64_t difference = value[j] - base;
            spread += weight[j] * (difference < 0 ? -difference : difference);
            surprise += weight[j] * surprise_of[j];
        }
    spread = long_quotient(spread, total);
    surprise = long_quotient(surprise, total);
    int64_t scale = (spread + surprise) / 2 + step / 4;
    *base_of = found ? base : ALONE;
    *scale_of = found ? (scale > 1 ? scale : 1) : 48 * GREY;
    for (int j = 0; j < ORDER_NEIGHBOURS; j++) {
        int there = neighbour[j] >= 0;
        x[j] = there ? input(signed_log(floor_division((value[j] - base) * (1 << FRACTION), step))) : 0;
        x[8 + j] = input(quotient(weight[j] << FRACTION, total));
        x[16 + j] = there ? input(signed_log(quotient(surprise_of[j] << FRACTION, step))) : 0;
        x[24 + j] = there ? input((known->side_log2[neighbour[j]] - side) * (1 << FRACTION)) : 0;
        x[32 + j] = there ? input(log2_fixed(d2[j]) - (2 * spacing << FRACTION)) : 0;
    }
    x[40] = input(signed_log(quotient(spread << FRACTION, step)));
    x[41] = input(signed_log(quotient(surprise << FRACTION, step)));
    x[42] = input(log2_fixed(nearest) - (2 * spacing << FRACTION));
    x[43] = input(side << FRACTION);
    x[44] = input((int64_t)spacing << FRACTION);
    x[45] = input((int64_t)(p & 1) << FRACTION);
    x[46] = input(log2_fixed(step) - (4 << FRACTION));
    x[47] = input((int64_t)found << (FRACTION - 2));
}

/* 2^x in units of 2^-16, x in units of 2^-10 */
static int64_t exp2_fixed(int64_t x, const int32_t *table)
{
    int64_t whole = x >> FRACTION, mantissa = table[x & ((1 << FRACTION) - 1)];
    return whole >= 0 ? mantissa << whole : mantissa >> -whole;
}

static void describe(const int32_t *output, int64_t base, int64_t scale, int64_t step, const int32_t *exp2,
                     description *d)
{
    int64_t most = output[0], total = 0, power[COMPONENTS];
    for (int j = 1; j < COMPONENTS; j++)
        most = output[j] > most ? output[j] : most;
    for (int j = 0; j < COMPONENTS; j++) {
        power[j] = exp2_fixed(clip(output[j] - most, -10 << FRACTION, 0), exp2);
        total += power[j];
    }
    int64_t rest = 1 << 14, centre = 0;
    for (int j = 0; j < COMPONENTS; j++) {
        d->weight[j] = (int32_t)quotient(power[j] << 14, total);
        rest -= d->weight[j];
    }
    d->weight[0] += (int32_t)rest;
    d->weight[COMPONENTS] = 0;
    for (int j = 0; j < COMPONENTS; j++) {
        int64_t offset = clip(output[COMPONENTS + j], -8 << FRACTION, 8 << FRACTION);
        int64_t width = clip(output[2 * COMPONENTS + j], -6 << FRACTION, 4 << FRACTION);
        d->mean[j] = base * 16 + ((offset * scale) >> 6);
        int64_t spread = (exp2_fixed(width, exp2) * scale) >> 12;
        d->spread[j] = spread > 4 ? spread : 4;
        centre += d->weight[j] * d->mean[j];
    }
    d->half = step * 16 / 2;
    d->centre = clip(floor_division((centre >> 14) + d->half, 2 * d->half), -MAX_LEVEL, MAX_LEVEL);
}

/* Frequency of all symbols up to `t`, 0..RADIUS * 2 + 1, together. */
static uint32_t frequency_up_to(const description *d, int64_t t, const int32_t *logistic)
{
    int64_t edge = (2 * (d->centre - RADIUS + t) - 1) * d->half, sum = 0;
    for (int j = 0; j < COMPONENTS; j++) {
        int64_t numerator = (edge - d->mean[j]) * 128, end = LOGISTIC * d->spread[j], z;
        if (numerator >= end)
            z = LOGISTIC - 1;
        else if (numerator < -end)
            z = -LOGISTIC;
        else
            z = floor_division(numerator, d->spread[j]);
        sum += (int64_t)d->weight[j] * logistic[z + LOGISTIC];
    }
    return (uint32_t)(((sum >> 14) * ((1 << FREQUENCY_BITS) - SYMBOLS)) >> FREQUENCY_BITS) + (uint32_t)t + 1;
}

/* Where the interval of `symbol` begins, 0..43. */
static uint32_t bound(const description *d, int64_t symbol, const int32_t *logistic)
{
    if (symbol <= 0)
        return 0;
    if (symbol >= SYMBOLS)
        return 1u << RANGE_BITS;
    return range_bound(frequency_up_to(d, symbol - 1, logistic), (uint32_t)symbol, SYMBOLS);
}

/* The next symbol, from the middle outwards and then by halves; RANGE_DAMAGED where there is none. */
static int decode_symbol(range_decoder *decoder, const description *d, const int32_t *logistic)
{
    uint64_t scale;
    int64_t quantile = range_peek(decoder, &scale);
    if (quantile < 0)
        return RANGE_DAMAGED;
    int low = RADIUS + 1, high = RADIUS + 2, reach = 1; /* the symbol is in low..high - 1, if the bounds say so */
    uint32_t from = bound(d, low, logistic), to;
    if (quantile < from) {
        do {
            high = low, to = from;
            low = low - reach < 0 ? 0 : low - reach;
            reach *= 2;
            from = bound(d, low, logistic);
        } while (quantile < from);
    } else {
        to = bound(d, high, logistic);
        while (quantile >= to) {
            low = high, from = to;
            high = high + reach > SYMBOLS ? SYMBOLS : high + reach;
            reach *= 2;
            to = bound(d, high, logistic);
        }
    }
    while (high - low > 1) {
        int middle = (low + high) / 2;
        uint32_t at = bound(d, middle, logistic);
        if (quantile < at)
            high = middle, to = at;
        else
            low = middle, from = at;
    }
    return range_skip(decoder, scale, from, to) ? RANGE_DAMAGED : low;
}

static int is_sized(int right)
{
    if (!right)
        PyErr_SetString(PyExc_ValueError, "an array has the wrong size");
    return right;
}

/* describe_values(positions (2, n) int32, steps (n,) int32, sides (n,) uint8, numbers (n,) uint8, values (2, n) int64,
   grids, height, width, p, index (m,) int32, network, exp2 (1024,) int32, bases (m,) int64, descriptions (m, 10) int64) */
static PyObject *describe_values(PyObject *module, PyObject *args)
{
    Py_buffer positions, steps, sides, numbers, values, grids, index, network, exp2, bases, out;
    Py_ssize_t height, width;
    int p;
    (void)module;
    if (!PyArg_ParseTuple(args, "y*y*y*y*y*y*nniy*y*y*w*w*", &positions, &steps, &sides, &numbers, &values, &grids,
                          &height, &width, &p, &index, &network, &exp2, &bases, &out))
        return NULL;
    Py_ssize_t n = numbers.len, m = index.len / 4;
    known_values known = {
        .y = positions.buf, .x = (const int32_t *)positions.buf + n, .step = steps.buf, .side_log2 = sides.buf,
        .number = numbers.buf, .value = values.buf, .surprise = (const int64_t *)values.buf + n,
        .grids = order_of(grids.buf, height, width),
    };
    int ok = is_sized(positions.len == 8 * n && steps.len == 4 * n && sides.len == n && values.len == 16 * n &&
                      grids.len == 4 * known.grids.cells && p >= 0 && p < ORDER_PASSES && exp2.len == 4 << FRACTION &&
                      bases.len == 8 * m && out.len == (Py_ssize_t)sizeof(description) * m);
    if (ok) {
        Py_BEGIN_ALLOW_THREADS
        const int32_t *value = index.buf;
        int64_t *base = bases.buf, scale[NETWORK_ROWS];
        int16_t x[NETWORK_ROWS][NETWORK_WIDTH];
        int32_t y[NETWORK_ROWS][NETWORK_WIDTH];
        memset(x, 0, sizeof x);
        for (Py_ssize_t i = 0; i < m; i += NETWORK_ROWS) {
            Py_ssize_t rows = m - i < NETWORK_ROWS ? m - i : NETWORK_ROWS;
            for (Py_ssize_t r = 0; r < rows; r++)
                features(&known, value[i + r], p, x[r], base + i + r, scale + r);
            network_run(network.buf, x, y, 0);
            for (Py_ssize_t r = 0; r < rows; r++) {
                int64_t own = base[i + r] == ALONE ? 128 * GREY : base[i + r];
                describe(y[r], own, scale[r], known.step[value[i + r]], exp2.buf, (description *)out.buf + i + r);
            }
        }
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&positions), PyBuffer_Release(&steps), PyBuffer_Release(&sides), PyBuffer_Release(&numbers);
    PyBuffer_Release(&values), PyBuffer_Release(&grids), PyBuffer_Release(&index), PyBuffer_Release(&network);
    PyBuffer_Release(&exp2), PyBuffer_Release(&bases), PyBuffer_Release(&out);
    if (!ok)
        return NULL;
    Py_RETURN_NONE;
}

/* decode_values(state, data, descriptions, logistic (4096,) int32, levels (m,) int64, escapes (m,) int8): whether all
   were decoded. Escapes are -1 below, 1 above, and then the level is that of the least excess. */
static PyObject *decode_values(PyObject *module, PyObject *args)
{
    Py_buffer state, data, descriptions, logistic, levels, escapes;
    (void)module;
    if (!PyArg_ParseTuple(args, "w*y*y*y*w*w*", &state, &data, &descriptions, &logistic, &levels, &escapes))
        return NULL;
    Py_ssize_t m = escapes.len;
    int damaged = 0;
    int ok = is_sized(state.len == 8 * RANGE_DECODER_STATE && descriptions.len == (Py_ssize_t)sizeof(description) * m &&
                      logistic.len == 8 * LOGISTIC && levels.len == 8 * m);
    if (ok) {
        Py_BEGIN_ALLOW_THREADS
        const description *d = descriptions.buf;
        int64_t *level = levels.buf;
        int8_t *escape = escapes.buf;
        range_decoder decoder;
        range_decoder_load(&decoder, state.buf, data.buf, (size_t)data.len);
        for (Py_ssize_t i = 0; i < m && !damaged; i++) {
            int symbol = decode_symbol(&decoder, d + i, logistic.buf);
            damaged = symbol < 0;
            level[i] = d[i].centre + symbol - RADIUS - 1;
            escape[i] = (int8_t)((symbol == SYMBOLS - 1) - (symbol == 0));
        }
        range_decoder_store(&decoder, state.buf);
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&state), PyBuffer_Release(&data), PyBuffer_Release(&descriptions), PyBuffer_Release(&logistic);
    PyBuffer_Release(&levels), PyBuffer_Release(&escapes);
    return ok ? PyBool_FromLong(!damaged) : NULL;
}

static int64_t symbol_of(const description *d, int64_t level)
{
    return clip(level - d->centre, -RADIUS - 1, RADIUS + 1) + RADIUS + 1;
}

/* encode_values(state, words (held + m,), descriptions, logistic (4096,) int32, levels (m,) int64): words written */
static PyObject *encode_values(PyObject *module, PyObject *args)
{
    Py_buffer state, words, descriptions, logistic, levels;
    (void)module;
    if (!PyArg_ParseTuple(args, "w*w*y*y*y*", &state, &words, &descriptions, &logistic, &levels))
        return NULL;
    Py_ssize_t m = levels.len / 8, count = 0;
    int ok = is_sized(state.len == 8 * RANGE_ENCODER_STATE && descriptions.len == (Py_ssize_t)sizeof(description) * m &&
                      logistic.len == 8 * LOGISTIC && levels.len == 8 * m &&
                      words.len == 4 * (m + (Py_ssize_t)((uint64_t *)state.buf)[2]));
    if (ok) {
        Py_BEGIN_ALLOW_THREADS
        const description *d = descriptions.buf;
        const int64_t *level = levels.buf;
        range_encoder encoder;
        range_encoder_load(&encoder, state.buf, words.buf);
        for (Py_ssize_t i = 0; i < m; i++) {
            int64_t symbol = symbol_of(d + i, level[i]);
            range_encode(&encoder, bound(d + i, symbol, logistic.buf), bound(d + i, symbol + 1, logistic.buf));
        }
        range_encoder_store(&encoder, state.buf);
        count = (Py_ssize_t)encoder.count;
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&state), PyBuffer_Release(&words), PyBuffer_Release(&descriptions), PyBuffer_Release(&logistic);
    PyBuffer_Release(&levels);
    return ok ? PyLong_FromSsize_t(count) : NULL;
}

/* value_frequencies(descriptions, logistic (4096,) int32, levels (c, m) int64, frequencies (c, m) int32) */
static PyObject *value_frequencies(PyObject *module, PyObject *args)
{
    Py_buffer descriptions, logistic, levels, frequencies;
    (void)module;
    if (!PyArg_ParseTuple(args, "y*y*y*w*", &descriptions, &logistic, &levels, &frequencies))
        return NULL;
    Py_ssize_t m = descriptions.len / (Py_ssize_t)sizeof(description), c = m ? levels.len / 8 / m : 0;
    int ok = is_sized(descriptions.len == (Py_ssize_t)sizeof(description) * m && logistic.len == 8 * LOGISTIC &&
                      levels.len == 8 * m * c && frequencies.len == 4 * m * c);
    if (ok) {
        Py_BEGIN_ALLOW_THREADS
        const description *d = descriptions.buf;
        for (Py_ssize_t i = 0; i < m; i++) {
            int64_t known[2] = {-1, -1}; /* symbols up to which frequencies are known: candidates lie side by side */
            uint32_t sum[2] = {0, 0};
            for (Py_ssize_t j = 0; j < c; j++) {
                int64_t symbol = symbol_of(d + i, ((const int64_t *)levels.buf)[j * m + i]);
                uint32_t ends[2];
                for (int side = 0; side < 2; side++) {
                    int64_t t = symbol - 1 + side;
                    if (t < 0)
                        ends[side] = 0;
                    else if (t >= SYMBOLS - 1)
                        ends[side] = 1u << FREQUENCY_BITS;
                    else if (t == known[0] || t == known[1])
                        ends[side] = sum[t == known[1]];
                    else
                        ends[side] = frequency_up_to(d + i, t, logistic.buf);
                }
                for (int side = 0; side < 2; side++)
                    known[side] = symbol - 1 + side, sum[side] = ends[side];
                ((int32_t *)frequencies.buf)[j * m + i] = (int32_t)(ends[1] - ends[0]);
            }
        }
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&descriptions), PyBuffer_Release(&logistic), PyBuffer_Release(&levels);
    PyBuffer_Release(&frequencies);
    if (!ok)
        return NULL;
    Py_RETURN_NONE;
}

/* value_centres(descriptions, centres (m,) int64) */
static PyObject *value_centres(PyObject *module, PyObject *args)
{
    Py_buffer descriptions, centres;
    (void)module;
    if (!PyArg_ParseTuple(args, "y*w*", &descriptions, &centres))
        return NULL;
    Py_ssize_t m = centres.len / 8;
    int ok = is_sized(descriptions.len == (Py_ssize_t)sizeof(description) * m);
    for (Py_ssize_t i = 0; ok && i < m; i++)
        ((int64_t *)centres.buf)[i] = ((const description *)descriptions.buf)[i].centre;
    PyBuffer_Release(&descriptions), PyBuffer_Release(&centres);
    if (!ok)
        return NULL;
    Py_RETURN_NONE;
}

/* settle_values(values (2, n) int64, steps (n,) int32, index (m,) int32, levels (m,) int64, bases (m,) int64) */
static PyObject *settle_values(PyObject *module, PyObject *args)
{
    Py_buffer values, steps, index, levels, bases;
    (void)module;
    if (!PyArg_ParseTuple(args, "w*y*y*y*y*", &values, &steps, &index, &levels, &bases))
        return NULL;
    Py_ssize_t n = steps.len / 4, m = index.len / 4;
    int ok = is_sized(values.len == 16 * n && steps.len == 4 * n && levels.len == 8 * m && bases.len == 8 * m);
    if (ok) {
        Py_BEGIN_ALLOW_THREADS
        int64_t *value = values.buf, *surprise = value + n;
        const int64_t *level = levels.buf, *base = bases.buf;
        for (Py_ssize_t k = 0; k < m; k++) {
            int32_t i = ((const int32_t *)index.buf)[k];
            int64_t v = level[k] * ((const int32_t *)steps.buf)[i];
            value[i] = v;
            if (base[k] == ALONE) /* says nothing about how predictable its surroundings are */
                surprise[i] = 16 * GREY;
            else
                surprise[i] = v < base[k] ? base[k] - v : v - base[k];
        }
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&values), PyBuffer_Release(&steps), PyBuffer_Release(&index), PyBuffer_Release(&levels);
    PyBuffer_Release(&bases);
    if (!ok)
        return NULL;
    Py_RETURN_NONE;
}

PyMethodDef value_methods[] = {
    {"describe_values", describe_values, METH_VARARGS, "Distributions of the values of a part of a pass."},
    {"decode_values", decode_values, METH_VARARGS, "Range decoding of values."},
    {"encode_values", encode_values, METH_VARARGS, "Range encoding of values."},
    {"value_frequencies", value_frequencies, METH_VARARGS, "Frequencies of levels."},
    {"value_centres", value_centres, METH_VARARGS, "Levels of the middle symbols."},
    {"settle_values", settle_values, METH_VARARGS, "Values and surprises of levels."},
    {NULL, NULL, 0, NULL},
};
