/* What the files of the extension share.

   Each file has one job and ends in a table of its methods, which module.c adds to the module. Arrays come in through
   the buffer protocol ("y*" to read, "w*" to write): contiguous, of a type that the caller in Python has made sure of.
   Kernels check sizes, release the interpreter's lock, keep no state, and give the same result for any number of
   threads. Sums of floats are in a fixed order; no contraction to fused multiply-adds (-ffp-contract=off). */

#ifndef DINP_KERNELS_H
#define DINP_KERNELS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>

#endif
