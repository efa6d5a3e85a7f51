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
   the list of a later one, and the others into a heap. */
enum { KEYS = 1 << 19, LOW_BITS = 44 }; /* 11 bits of exponent and 8 of mantissa; the sign is 0 */
static const uint32_t NONE = UINT32_MAX;

#if defined(__GNUC__)
#define PREFETCH(place) __builtin_prefetch(place)
#else
#define PREFETCH(place) ((void)0)
#endif
enum { SOON = 4 };   /* rows around the next point */
enum { AHEAD = 16 }; /* pixels of a bucket lie anywhere, and so long before their turn they are asked for */

typedef struct {
    const double *mass;
    int64_t *ends;    /* of each key's bucket, in `pixels` */
    uint32_t *pixels; /* in buckets, of falling key */
    uint32_t *first;  /* of each key, a pixel that has moved there, or NONE */
    uint32_t *next;   /* of each such pixel, another one, or NONE */
    Entry *heap;      /* of the bucket whose turn it is; masses may have fallen since */
    int64_t key, begin, size, room;
} Queue;

static int64_t key_of(double mass)
{
    uint64_t bits;
    memcpy(&bits, &mass, sizeof bits);
    return (int64_t)(bits >> LOW_BITS);
}

static int fill(Queue *q, const double *mass, int64_t n)
{
    *q = (Queue){.mass = mass, .key = KEYS};
    q->ends = calloc(KEYS, sizeof(int64_t));
    q->pixels = malloc((size_t)(n + 1) * sizeof(uint32_t));
    q->first = malloc(KEYS * sizeof(uint32_t));
    q->next = malloc((size_t)(n + 1) * sizeof(uint32_t));
    if (!q->ends || !q->pixels || !q->first || !q->next)
        return 0;
    int64_t begin = 0;
    for (int64_t p = 0; p < n; p++)
        if (mass[p] > 0)
            q->ends[key_of(mass[p])]++;
    for (int64_t k = KEYS - 1; k >= 0; k--) {
        int64_t here = q->ends[k];
        q->ends[k] = begin; /* moves on to the end below */
        begin += here;
        q->first[k] = NONE;
    }
    for (int64_t p = 0; p < n; p++)
        if (mass[p] > 0)
            q->pixels[q->ends[key_of(mass[p])]++] = (uint32_t)p;
    return 1;
}

/* Into the heap, or on to the list of a later bucket; 0 if memory is short. */
static int place(Queue *q, uint32_t pixel)
{
    double now = q->mass[pixel];
    if (now <= 0)
        return 1;
    int64_t key = key_of(now);
    if (key != q->key) {
        q->next[pixel] = q->first[key];
        q->first[key] = pixel;
        return 1;
    }
    if (q->size == q->room) {
        int64_t room = 2 * q->room + 64;
        Entry *wider = realloc(q->heap, (size_t)room * sizeof(Entry));
        if (!wider)
            return 0;
        q->heap = wider;
        q->room = room;
    }
    push(q->heap, &q->size, (Entry){now, pixel});
    return 1;
}

/* Takes the pixel of the most mass, -1 if none has any, -2 if memory is short. */
static int64_t take(Queue *q)
{
    for (;;) {
        while (q->size) {
            Entry best = q->heap[0];
            pop(q->heap, &q->size);
            if (q->mass[best.pixel] == best.mass)
                return best.pixel;
            if (!place(q, (uint32_t)best.pixel))
                return -2;
        }
        if (q->key == 0)
            return -1;
        for (int64_t end = q->ends[--q->key]; q->begin < end; q->begin++) {
            PREFETCH(&q->mass[q->pixels[q->begin + AHEAD < end ? q->begin + AHEAD : q->begin]]);
            if (!place(q, q->pixels[q->begin]))
                return -2;
        }
        for (uint32_t p = q->first[q->key], after; p != NONE; p = after) {
            after = q->next[p];
            if (!place(q, p))
                return -2;
        }
    }
}

typedef struct {
    const int32_t *dy, *dx; /* nearest first: a disc */
    double *d2;
    int64_t places, reach, height, width;
} Surroundings;

/* Index of a place seen from a pixel, -1 outside; of a pixel that is far from all borders it need not be asked. */
static inline int64_t place_of(const Surroundings *a, int64_t y, int64_t x, int64_t k, int far)
{
    int64_t v = y + a->dy[k], u = x + a->dx[k];
    if (!far && (v < 0 || v >= a->height || u < 0 || u >= a->width))
        return -1;
    return v * a->width + u;
}

static void eat(double *mass, int64_t pixel, const Surroundings *a)
{
    const int64_t y = pixel / a->width, x = pixel % a->width;
    const int far = y >= a->reach && y + a->reach < a->height && x >= a->reach && x + a->reach < a->width;
    double sum = 0, moment = 0, ring = 0;
    int64_t seen = 0;
    for (; seen < a->places; seen++) {
        double d2 = a->d2[seen];
        if (d2 > ring) {
            if (sum * d2 - moment >= d2)
                break;
            ring = d2;
        }
        int64_t p = place_of(a, y, x, seen, far);
        if (p < 0)
            continue;
        sum += mass[p];
        moment += mass[p] * d2;
    }
    double rest = sum > 1 && moment > 0 ? (sum - 1) / moment : 0; /* 1 / s^2 */
    for (int64_t k = 0; k < seen; k++) {
        int64_t p = place_of(a, y, x, k, far);
        if (p < 0)
            continue;
        double left = a->d2[k] * rest;
        if (left < 1)
            mass[p] *= left;
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
    int fits = mass_.len == 8 * n && mask_.len == n && n < NONE && dx_.len == dy_.len && points >= 0;
    if (fits) {
        Py_BEGIN_ALLOW_THREADS
        Queue queue;
        Surroundings around = {.dy = dy, .dx = dx, .places = places, .height = height, .width = width};
        around.d2 = malloc((size_t)(places + 1) * sizeof(double));
        if (!fill(&queue, mass, n) || !around.d2)
            pixel = -2;
        for (int64_t k = 0; k < places && pixel >= 0; k++) {
            around.d2[k] = (double)dy[k] * dy[k] + (double)dx[k] * dx[k];
            const int64_t v = llabs(dy[k]), u = llabs(dx[k]), far = v > u ? v : u;
            around.reach = far > around.reach ? far : around.reach;
        }
        while (pixel >= 0 && set < points && (pixel = take(&queue)) >= 0) {
            mask[pixel] = 1;
            set++;
            for (int64_t row = -SOON; row <= SOON && queue.size; row++) {
                int64_t soon = queue.heap[0].pixel + row * width; /* about what is eaten next */
                if (soon >= 0 && soon < n)
                    PREFETCH(&mass[soon]);
            }
            eat(mass, pixel, &around);
            mass[pixel] = 0;
        }
        free(queue.ends);
        free(queue.pixels);
        free(queue.first);
        free(queue.next);
        free(queue.heap);
        free(around.d2);
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
