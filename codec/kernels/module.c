/* The extension dinp._kernels: the methods of all other files in one module. */

#include "kernels.h"

extern PyMethodDef binarisation_methods[];

static int add_methods(PyObject *module)
{
    return PyModule_AddFunctions(module, binarisation_methods);
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, add_methods}, {0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_kernels", "Compiled kernels: see dinp.kernels.", 0, NULL, slots, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__kernels(void) { return PyModuleDef_Init(&definition); }
