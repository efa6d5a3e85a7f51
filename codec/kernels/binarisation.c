/* Mass eating: from confidences to the points of an inpainting mask, see dinp.models.masks.mass_eating. */

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

/* Pixels by falling mass, equal ones by rising index, while masses fall: all are dealt into buckets by the leading bits
   of their mass, which order non-negative doubles. When a bucket's turn comes, those whose mass has left it move on to
   a later one, and the others into a heap. */
enum { KEYS = 1 << 19, LOW_BITS = 44 }; /* 11 bits of exponent and 8 of mantissa; the sign is 0 */

typedef struct {
    const double *mass;
    int64_t *first; /* of each key, a pixel of its bucket, or -1 */
    int64_t *next;  /* of each pixel, another of its bucket, or -1 */
    Entry *heap;    /* of the bucket whose turn it is; masses may have fallen since */
    int64_t key, size, room;
} Queue;

static int64_t key_of(double mass)
{
    uint64_t bits;
    memcpy(&bits, &mass, sizeof bits);
    return (int64_t)(bits >> LOW_BITS);
}

static void deal(Queue *q, int64_t pixel)
{
    int64_t key = key_of(q->mass[pixel]);
    q->next[pixel] = q->first[key];
    q->first[key] = pixel;
}

static int fill(Queue *q, const double *mass, int64_t n)
{
    *q = (Queue){.mass = mass, .key = KEYS};
    q->first = malloc(KEYS * sizeof(int64_t));
    q->next = malloc((size_t)(n ? n : 1) * sizeof(int64_t));
    if (!q->first || !q->next)
        return 0;
    for (int64_t k = 0; k < KEYS; k++)
        q->first[k] = -1;
    for (int64_t p = n - 1; p >= 0; p--)
        if (mass[p] > 0)
            deal(q, p);
    return 1;
}

/* Takes the pixel of the most mass, -1 if none has any, -2 if memory is short. */
static int64_t take(Queue *q)
{
    for (;;) {
        while (q->size) {
            Entry best = q->heap[0];
            double now = q->mass[best.pixel];
            pop(q->heap, &q->size);
            if (now == best.mass)
                return best.pixel;
            if (now <= 0)
                continue;
            if (key_of(now) == q->key)
                push(q->heap, &q->size, (Entry){now, best.pixel});
            else
                deal(q, best.pixel);
        }
        if (q->key == 0)
            return -1;
        q->key--;
        for (int64_t p = q->first[q->key], after; p >= 0; p = after) {
            after = q->next[p];
            double now = q->mass[p];
            if (now <= 0)
                continue;
            if (key_of(now) != q->key) {
                deal(q, p);
                continue;
            }
            if (q->size == q->room) {
                int64_t room = 2 * q->room + 64;
                Entry *wider = realloc(q->heap, (size_t)room * sizeof(Entry));
                if (!wider)
                    return -2;
                q->heap = wider;
                q->room = room;
            }
            push(q->heap, &q->size, (Entry){now, p});
        }
    }
}

/* eat_mass(mass, dy, dx, mask, height, width, points) -> points that were set

   mass (H * W) double, at least 0, eaten in place; dy, dx (k) int32, places to eat from, nearest first; mask (H * W)
   uint8. A point eats 1 - d^2 / s^2 of the mass at a distance d below s, and s is such that this is one unit. */
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
    int64_t set = 0, pixel = 0;
    int fits = mass_.len == 8 * n && mask_.len == n && dx_.len == dy_.len && points >= 0;
    if (fits) {
        Py_BEGIN_ALLOW_THREADS
        Queue queue;
        if (!fill(&queue, mass, n))
            pixel = -2;
        while (pixel >= 0 && set < points && (pixel = take(&queue)) >= 0) {
            mask[pixel] = 1;
            set++;
            const int64_t y = pixel / width, x = pixel % width;
            double sum = 0, moment = 0, ring = 0;
            int64_t seen = 0;
            for (; seen < places; seen++) {
                double d2 = (double)dy[seen] * dy[seen] + (double)dx[seen] * dx[seen];
                if (d2 > ring && sum - moment / d2 >= 1)
                    break;
                ring = d2;
                int64_t v = y + dy[seen], u = x + dx[seen];
                if (v < 0 || v >= height || u < 0 || u >= width)
                    continue;
                double there = mass[v * width + u];
                sum += there;
                moment += there * d2;
            }
            double rest = sum > 1 && moment > 0 ? (sum - 1) / moment : 0; /* 1 / s^2 */
            for (int64_t k = 0; k < seen; k++) {
                int64_t v = y + dy[k], u = x + dx[k];
                if (v < 0 || v >= height || u < 0 || u >= width)
                    continue;
                double left = ((double)dy[k] * dy[k] + (double)dx[k] * dx[k]) * rest;
                if (left < 1)
                    mass[v * width + u] *= left;
            }
            mass[pixel] = 0;
        }
        free(queue.first);
        free(queue.next);
        free(queue.heap);
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&mass_);
    PyBuffer_Release(&dy_);
    PyBuffer_Release(&dx_);
    PyBuffer_Release(&mask_);
    if (!fits) {
        PyErr_SetString(PyExc_ValueError, "arrays of other sizes were expected");
        return NULL;
    }
    if (pixel == -2)
        return PyErr_NoMemory();
    return PyLong_FromLongLong(set);
}

PyMethodDef binarisation_methods[] = {
    {"eat_mass", eat_mass, METH_VARARGS, "Points of a mask by mass eating."},
    {NULL, NULL, 0, NULL},
};
