/* Mass eating: from confidences to the points of an inpainting mask, see dinp.models.masks.binarise. */

#include "kernels.h"
#include <stdlib.h>
#include <string.h>

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

static int compare(const void *a, const void *b)
{
    return before(*(const Entry *)a, *(const Entry *)b) ? -1 : 1; /* no two are the same pixel */
}

/* Pixels by falling mass, equal ones by rising index, as they are asked for: all are dealt into buckets by the leading
   bits of their mass, which order non-negative doubles, and a bucket is sorted when its turn comes. */
enum { KEYS = 1 << 19, LOW_BITS = 44 }; /* 11 bits of exponent and 8 of mantissa; the sign is 0 */

typedef struct {
    const double *mass;
    const uint8_t *touched;
    int64_t *ends;   /* of each key's bucket, in `pixels` */
    int64_t *pixels; /* in buckets, of falling key */
    Entry *sorted;   /* what was untouched in this bucket */
    int64_t key, begin, size, next;
} Queue;

static int64_t key_of(double mass)
{
    uint64_t bits;
    memcpy(&bits, &mass, sizeof bits);
    return (int64_t)(bits >> LOW_BITS);
}

static int fill(Queue *q, const double *mass, const uint8_t *touched, int64_t n)
{
    *q = (Queue){.mass = mass, .touched = touched, .key = KEYS};
    int64_t *count = calloc(KEYS, sizeof(int64_t));
    q->ends = count;
    q->pixels = malloc((size_t)(n ? n : 1) * sizeof(int64_t));
    if (!count || !q->pixels)
        return 0;
    int64_t largest = 0, begin = 0;
    for (int64_t p = 0; p < n; p++)
        if (mass[p] > 0)
            count[key_of(mass[p])]++;
    for (int64_t k = KEYS - 1; k >= 0; k--) {
        int64_t here = count[k];
        largest = here > largest ? here : largest;
        count[k] = begin; /* moves on to the end below */
        begin += here;
    }
    for (int64_t p = 0; p < n; p++)
        if (mass[p] > 0)
            q->pixels[count[key_of(mass[p])]++] = p;
    q->sorted = malloc((size_t)(largest + 1) * sizeof(Entry));
    return q->sorted != NULL;
}

/* The first untouched pixel, or pixel -1. */
static Entry first(Queue *q)
{
    for (;;) {
        while (q->next < q->size && q->touched[q->sorted[q->next].pixel])
            q->next++;
        if (q->next < q->size)
            return q->sorted[q->next];
        if (q->key == 0)
            return (Entry){0, -1};
        int64_t end = q->ends[--q->key];
        q->size = q->next = 0;
        for (; q->begin < end; q->begin++) {
            int64_t p = q->pixels[q->begin];
            if (!q->touched[p])
                q->sorted[q->size++] = (Entry){q->mass[p], p};
        }
        qsort(q->sorted, (size_t)q->size, sizeof(Entry), compare);
    }
}

/* eat_mass(mass, dy, dx, mask, height, width, points) -> points that were set

   mass (H * W) double, eaten in place; dy, dx (k) int32, places to eat from, nearest first; mask (H * W) uint8. Each
   pixel is pushed at most once a meal that leaves some of it: at most `points` entries are in the heap. */
static PyObject *eat_mass(PyObject *self, PyObject *args)
{
    (void)self;
    Py_buffer mass_, dy_, dx_, mask_;
    Py_ssize_t height, width, points;
    if (!PyArg_ParseTuple(args, "w*y*y*w*nnn", &mass_, &dy_, &dx_, &mask_, &height, &width, &points))
        return NULL;
    double *mass = mass_.buf;
    const int32_t *dy = dy_.buf, *dx = dx_.buf;
    uint8_t *mask = mask_.buf;
    const int64_t n = (int64_t)height * width, places = dy_.len / 4;
    int64_t set = 0, size = 0;
    Entry *heap = NULL;
    int fits = mass_.len == 8 * n && mask_.len == n && dx_.len == dy_.len && points >= 0;
    if (fits)
        heap = malloc((size_t)(points + 1) * sizeof(Entry));
    if (heap) {
        Py_BEGIN_ALLOW_THREADS
        uint8_t *touched = calloc((size_t)(n ? n : 1), 1);
        Queue queue = {0};
        if (touched && fill(&queue, mass, touched, n)) {
            while (set < points) {
                while (size && (mass[heap[0].pixel] != heap[0].mass || mask[heap[0].pixel]))
                    pop(heap, &size);
                Entry best = first(&queue);
                if (size && (best.pixel < 0 || before(heap[0], best)))
                    best = heap[0];
                if (best.pixel < 0)
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
        } else
            set = -1;
        free(touched);
        free(queue.ends);
        free(queue.pixels);
        free(queue.sorted);
        Py_END_ALLOW_THREADS
        free(heap);
    }
    PyBuffer_Release(&mass_);
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
