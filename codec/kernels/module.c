/* The extension dinp._kernels: the methods of all other files in one module. */

#include "kernels.h"

/* one table a file */
extern PyMethodDef binarisation_methods[];
extern PyMethodDef colour_methods[];
extern PyMethodDef crack_methods[];
extern PyMethodDef flag_methods[];
extern PyMethodDef group_methods[];
extern PyMethodDef hint_methods[];
extern PyMethodDef krylov_methods[];
extern PyMethodDef multigrid_methods[];
extern PyMethodDef network_methods[];
extern PyMethodDef order_methods[];
extern PyMethodDef planes_methods[];
extern PyMethodDef range_methods[];
extern PyMethodDef sample_methods[];
extern PyMethodDef region_values_methods[];
extern PyMethodDef contour_moves_methods[];
extern PyMethodDef segmentation_methods[];
extern PyMethodDef tonal_methods[];
extern PyMethodDef tree_methods[];
extern PyMethodDef value_methods[];

static int add_methods(PyObject *module)
{
    PyMethodDef *tables[] = {
        binarisation_methods,
        colour_methods,
        crack_methods,
        flag_methods,
        group_methods,
        hint_methods,
        krylov_methods,
        multigrid_methods,
        network_methods,
        order_methods,
        planes_methods,
        range_methods,
        sample_methods,
        region_values_methods,
        contour_moves_methods,
        segmentation_methods,
        tonal_methods,
        tree_methods,
        value_methods,
    };
    for (size_t k = 0; k < sizeof tables / sizeof *tables; k++)
        if (PyModule_AddFunctions(module, tables[k]))
            return -1;
    return 0;
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, add_methods}, {0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_kernels", "Compiled kernels: see dinp.kernels.", 0, NULL, slots, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__kernels(void) { return PyModuleDef_Init(&definition); }
