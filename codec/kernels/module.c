/* The extension dinp._kernels: the methods of all other files in one module. */

#include "kernels.h"

/* extern PyMethodDef diffusion_methods[]; and so on: one table a file */

static int add_methods(PyObject *module)
{
    (void)module; /* PyModule_AddFunctions(module, diffusion_methods) || ... */
    return 0;
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, add_methods}, {0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_kernels", "Compiled kernels: see dinp.kernels.", 0, NULL, slots, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__kernels(void) { return PyModuleDef_Init(&definition); }
