/* Range coding of bits and symbols whose frequencies are known beforehand: the counterpart of constriction in
   dinp.entropy.coder. */

#include "kernels.h"
#include "rangecoder.h"

/* Whether a buffer holds `count` items of `size` bytes; sets ValueError. */
static int holds(const Py_buffer *buffer, Py_ssize_t count, Py_ssize_t size)
{
    if (count >= 0 && buffer->len == count * size)
        return 1;
    PyErr_SetString(PyExc_ValueError, "an array has the wrong size");
    return 0;
}

/* decode_bits(state, data, ones (n,) int64, bits (n,) uint8): whether all were decoded */
static PyObject *decode_bits(PyObject *module, PyObject *args)
{
    Py_buffer state, data, ones, bits;
    (void)module;
    if (!PyArg_ParseTuple(args, "w*y*y*w*", &state, &data, &ones, &bits))
        return NULL;
    Py_ssize_t n = bits.len;
    int ok = holds(&state, RANGE_DECODER_STATE, 8) && holds(&ones, n, 8), damaged = 0;
    if (ok) {
        Py_BEGIN_ALLOW_THREADS
        const int64_t *one = ones.buf;
        uint8_t *bit = bits.buf;
        range_decoder decoder;
        range_decoder_load(&decoder, state.buf, data.buf, (size_t)data.len);
        for (Py_ssize_t i = 0; i < n && !damaged; i++) {
            int found = range_decode_bit(&decoder, (uint32_t)one[i]);
            damaged = found < 0;
            bit[i] = (uint8_t)(found > 0);
        }
        range_decoder_store(&decoder, state.buf);
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&state), PyBuffer_Release(&data), PyBuffer_Release(&ones), PyBuffer_Release(&bits);
    return ok ? PyBool_FromLong(!damaged) : NULL;
}

/* encode_bits(state, words (held + n,) uint32, bits (n,) uint8, ones (n,) int64): number of words written */
static PyObject *encode_bits(PyObject *module, PyObject *args)
{
    Py_buffer state, words, bits, ones;
    (void)module;
    if (!PyArg_ParseTuple(args, "w*w*y*y*", &state, &words, &bits, &ones))
        return NULL;
    Py_ssize_t n = bits.len, count = 0;
    int ok = holds(&state, RANGE_ENCODER_STATE, 8) && holds(&ones, n, 8);
    ok = ok && holds(&words, n + (Py_ssize_t)((uint64_t *)state.buf)[2], 4);
    if (ok) {
        Py_BEGIN_ALLOW_THREADS
        const int64_t *one = ones.buf;
        const uint8_t *bit = bits.buf;
        range_encoder encoder;
        range_encoder_load(&encoder, state.buf, words.buf);
        for (Py_ssize_t i = 0; i < n; i++)
            range_encode_bit(&encoder, bit[i], (uint32_t)one[i]);
        range_encoder_store(&encoder, state.buf);
        count = (Py_ssize_t)encoder.count;
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&state), PyBuffer_Release(&words), PyBuffer_Release(&bits), PyBuffer_Release(&ones);
    return ok ? PyLong_FromSsize_t(count) : NULL;
}

/* decode_symbols(state, data, frequencies (n, k) int64, symbols (n,) int64): whether all were decoded */
static PyObject *decode_symbols(PyObject *module, PyObject *args)
{
    Py_buffer state, data, frequencies, symbols;
    (void)module;
    if (!PyArg_ParseTuple(args, "w*y*y*w*", &state, &data, &frequencies, &symbols))
        return NULL;
    Py_ssize_t n = symbols.len / 8, k = n ? frequencies.len / 8 / n : 0;
    int ok = holds(&state, RANGE_DECODER_STATE, 8) && holds(&frequencies, n * k, 8), damaged = 0;
    if (ok) {
        Py_BEGIN_ALLOW_THREADS
        const int64_t *row = frequencies.buf;
        int64_t *symbol = symbols.buf;
        range_decoder decoder;
        range_decoder_load(&decoder, state.buf, data.buf, (size_t)data.len);
        for (Py_ssize_t i = 0; i < n && !damaged; i++, row += k) {
            uint64_t scale;
            int64_t quantile = range_peek(&decoder, &scale), before = row[0];
            uint32_t from = 0, to = range_bound((uint32_t)before, 1, (uint32_t)k);
            Py_ssize_t j = 0;
            while (quantile >= to && j < k - 1) {
                before += row[++j];
                from = to;
                to = j < k - 1 ? range_bound((uint32_t)before, (uint32_t)j + 1, (uint32_t)k) : 1u << RANGE_BITS;
            }
            symbol[i] = j;
            damaged = quantile < 0 || range_skip(&decoder, scale, from, to);
        }
        range_decoder_store(&decoder, state.buf);
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&state), PyBuffer_Release(&data), PyBuffer_Release(&frequencies), PyBuffer_Release(&symbols);
    return ok ? PyBool_FromLong(!damaged) : NULL;
}

/* encode_symbols(state, words (held + n,) uint32, symbols (n,) int64, frequencies (n, k) int64): words written */
static PyObject *encode_symbols(PyObject *module, PyObject *args)
{
    Py_buffer state, words, symbols, frequencies;
    (void)module;
    if (!PyArg_ParseTuple(args, "w*w*y*y*", &state, &words, &symbols, &frequencies))
        return NULL;
    Py_ssize_t n = symbols.len / 8, k = n ? frequencies.len / 8 / n : 0, count = 0;
    int ok = holds(&state, RANGE_ENCODER_STATE, 8) && holds(&frequencies, n * k, 8);
    ok = ok && holds(&words, n + (Py_ssize_t)((uint64_t *)state.buf)[2], 4);
    for (Py_ssize_t i = 0; ok && i < n; i++)
        if ((uint64_t)((int64_t *)symbols.buf)[i] >= (uint64_t)k) {
            PyErr_SetString(PyExc_ValueError, "a symbol is out of range");
            ok = 0;
        }
    if (ok) {
        Py_BEGIN_ALLOW_THREADS
        const int64_t *row = frequencies.buf, *symbol = symbols.buf;
        range_encoder encoder;
        range_encoder_load(&encoder, state.buf, words.buf);
        for (Py_ssize_t i = 0; i < n; i++, row += k) {
            int64_t before = 0, j = symbol[i];
            for (int64_t l = 0; l < j; l++)
                before += row[l];
            uint32_t from = range_bound((uint32_t)before, (uint32_t)j, (uint32_t)k), to = 1u << RANGE_BITS;
            if (j < k - 1)
                to = range_bound((uint32_t)(before + row[j]), (uint32_t)j + 1, (uint32_t)k);
            range_encode(&encoder, from, to);
        }
        range_encoder_store(&encoder, state.buf);
        count = (Py_ssize_t)encoder.count;
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&state), PyBuffer_Release(&words), PyBuffer_Release(&symbols), PyBuffer_Release(&frequencies);
    return ok ? PyLong_FromSsize_t(count) : NULL;
}

PyMethodDef range_methods[] = {
    {"decode_bits", decode_bits, METH_VARARGS, "Range decoding of bits."},
    {"encode_bits", encode_bits, METH_VARARGS, "Range encoding of bits."},
    {"decode_symbols", decode_symbols, METH_VARARGS, "Range decoding of symbols."},
    {"encode_symbols", encode_symbols, METH_VARARGS, "Range encoding of symbols."},
    {NULL, NULL, 0, NULL},
};
