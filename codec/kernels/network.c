/* The integer network alone: the counterpart of IntegerNetwork.__call__ in dinp.entropy.fixed. */

#include "kernels.h"
#include "network.h"

/* run_network(packed, inputs (n, d) int16, outputs (n, k) int32, d, k, plain); packed by IntegerNetwork for these d and
   k; `plain` for a test of what processors without vectors do */
static PyObject *run_network(PyObject *module, PyObject *args)
{
    Py_buffer packed, inputs, outputs;
    Py_ssize_t d, k;
    int plain;
    (void)module;
    if (!PyArg_ParseTuple(args, "y*y*w*nnp", &packed, &inputs, &outputs, &d, &k, &plain))
        return NULL;
    Py_ssize_t n = d > 0 ? inputs.len / 2 / d : 0;
    int ok = d > 0 && k > 0 && d < NETWORK_WIDTH && k <= NETWORK_WIDTH && inputs.len == 2 * n * d && outputs.len == 4 * n * k;
    if (ok) {
        Py_BEGIN_ALLOW_THREADS
        int16_t x[NETWORK_ROWS][NETWORK_WIDTH];
        int32_t y[NETWORK_ROWS][NETWORK_WIDTH];
        const int16_t *from = inputs.buf;
        int32_t *to = outputs.buf;
        for (Py_ssize_t i = 0; i < n; i += NETWORK_ROWS) {
            Py_ssize_t rows = n - i < NETWORK_ROWS ? n - i : NETWORK_ROWS;
            memset(x, 0, sizeof x);
            for (Py_ssize_t r = 0; r < rows; r++)
                memcpy(x[r], from + (i + r) * d, 2 * (size_t)d);
            network_run(packed.buf, x, y, plain);
            for (Py_ssize_t r = 0; r < rows; r++)
                memcpy(to + (i + r) * k, y[r], 4 * (size_t)k);
        }
        Py_END_ALLOW_THREADS
    } else
        PyErr_SetString(PyExc_ValueError, "an array has the wrong size");
    PyBuffer_Release(&packed), PyBuffer_Release(&inputs), PyBuffer_Release(&outputs);
    if (!ok)
        return NULL;
    Py_RETURN_NONE;
}

PyMethodDef network_methods[] = {
    {"run_network", run_network, METH_VARARGS, "Outputs of an integer network."},
    {NULL, NULL, 0, NULL},
};
