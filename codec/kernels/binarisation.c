/* Mass eating: from confidences to the points of an inpainting mask, see dinp.models.masks.binarise. */

#include "kernels.h"
#include <stdlib.h>

typedef struct {
    double mass;
    int64_t pixel;
} Entry;

/* Whether a comes before b: more mass, or the same and an earlier pixel. */
static int before(Entry a, Entry b) { return a.mass > b.mass || (a.mass == b.mass && a.pixel < b.pixel); }

static void push(Entry *heap, int64_t *size, Entry e)
{
    int64_t i = (*size)++;
    while (i > 0 && before(e, heap[(i - 1) / 2])) {
        heap[i] = heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    heap[i] = e;
}

static void pop(Entry *heap, int64_t *size)
{
    Entry e = heap[--(*size)];
    int64_t i = 0, n = *size;
    for (;;) {
        int64_t child = 2 * i + 1;
        if (child >= n)
            break;
        if (child + 1 < n && before(heap[child + 1], heap[child]))
            child++;
        if (!before(heap[child], e))
            break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = e;
}

/* eat_mass(mass, order, dy, dx, mask, height, width, points) -> points that were set

   mass (H * W) double, eaten in place; order (H * W) int64, pixels by falling mass, equal ones by rising index; dy, dx
   (k) int32, places to eat from, nearest first; mask (H * W) uint8. Each pixel is pushed at most once a meal that
   leaves some of it: at most `points` entries are in the heap. */
static PyObject *eat_mass(PyObject *self, PyObject *args)
{
    (void)self;
    Py_buffer mass_, order_, dy_, dx_, mask_;
    Py_ssize_t height, width, points;
    if (!PyArg_ParseTuple(args, "w*y*y*y*w*nnn", &mass_, &order_, &dy_, &dx_, &mask_, &height, &width, &points))
        return NULL;
    double *mass = mass_.buf;
    const int64_t *order = order_.buf;
    const int32_t *dy = dy_.buf, *dx = dx_.buf;
    uint8_t *mask = mask_.buf;
    const int64_t n = (int64_t)height * width, places = dy_.len / 4;
    int64_t set = 0, size = 0, next = 0;
    Entry *heap = NULL;
    int fits = mass_.len == 8 * n && order_.len == 8 * n && mask_.len == n && dx_.len == dy_.len && points >= 0;
    if (fits)
        heap = malloc((size_t)(points + 1) * sizeof(Entry));
    if (heap) {
        Py_BEGIN_ALLOW_THREADS
        uint8_t *touched = calloc((size_t)n, 1);
        if (touched) {
            while (set < points) {
                while (next < n && touched[order[next]])
                    next++;
                while (size && (mass[heap[0].pixel] != heap[0].mass || mask[heap[0].pixel]))
                    pop(heap, &size);
                Entry best = {0, -1};
                if (next < n)
                    best = (Entry){mass[order[next]], order[next]};
                if (size && (best.pixel < 0 || before(heap[0], best)))
                    best = heap[0];
                if (best.pixel < 0 || best.mass <= 0)
                    break;
                mask[best.pixel] = 1;
                touched[best.pixel] = 1;
                set++;
                int64_t y = best.pixel / width, x = best.pixel % width;
                double hunger = 1.0;
                for (int64_t k = 0; k < places && hunger > 0; k++) {
                    int64_t v = y + dy[k], u = x + dx[k];
                    if (v < 0 || v >= height || u < 0 || u >= width)
                        continue;
                    int64_t p = v * width + u;
                    double there = mass[p];
                    if (there <= 0)
                        continue;
                    touched[p] = 1;
                    if (there <= hunger) {
                        mass[p] = 0;
                        hunger -= there;
                    } else {
                        mass[p] = there - hunger;
                        hunger = 0;
                        if (!mask[p])
                            push(heap, &size, (Entry){mass[p], p});
                    }
                }
            }
            free(touched);
        } else
            set = -1;
        Py_END_ALLOW_THREADS
        free(heap);
    }
    PyBuffer_Release(&mass_);
    PyBuffer_Release(&order_);
    PyBuffer_Release(&dy_);
    PyBuffer_Release(&dx_);
    PyBuffer_Release(&mask_);
    if (!fits) {
        PyErr_SetString(PyExc_ValueError, "arrays of other sizes were expected");
        return NULL;
    }
    if (!heap || set < 0)
        return PyErr_NoMemory();
    return PyLong_FromLongLong(set);
}

PyMethodDef binarisation_methods[] = {
    {"eat_mass", eat_mass, METH_VARARGS, "Points of a mask by mass eating."},
    {NULL, NULL, 0, NULL},
};
