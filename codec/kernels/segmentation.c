/* Region merging: the order in which neighbouring regions are merged, and the price of each merge.

   Input: zones with their areas and sums, and an edge for every pair of neighbouring zones with the number of cracks
   between them and the squared jumps across those. The pair with the least error per saved bit goes first. Prices are
   kept in a heap and looked at again when they come up: they change with each merge of their regions. The heap is
   ordered by (price, edge, version), which is total, so that the result does not depend on how the heap is made.
   `dinp.encoder.segmentation` holds the counterpart in Python and the model of errors and bits. */

#include "kernels.h"
#include <stdlib.h>
#include <string.h>

typedef struct {
    double price;
    int32_t edge;
    int32_t version;
} entry;

typedef struct {
    int64_t n, m, planes;
    int32_t *u, *v;         /* ends of each edge: regions */
    double *cracks, *jumps; /* of each edge */
    double *area, *sum;     /* of each region; sums of each plane */
    int32_t *version;       /* of each edge; -1: gone */
    int32_t *next[2];       /* lists of the edges at the two ends */
    int32_t *head, *tail;   /* of each region: 2 * edge + end, or -1 */
    int32_t *degree;        /* of each region: length of its list, an upper bound */
    int32_t *table;         /* hash of pairs of regions to edges */
    uint64_t bits;
    entry *heap;
    int64_t size, room;
} merger;

static int before(const entry *a, const entry *b)
{
    if (a->price != b->price) return a->price < b->price;
    if (a->edge != b->edge) return a->edge < b->edge;
    return a->version < b->version;
}

static int push(merger *g, entry e)
{
    if (g->size == g->room) {
        entry *more = realloc(g->heap, (size_t)(2 * g->room) * sizeof(entry));
        if (!more) return -1;
        g->heap = more;
        g->room *= 2;
    }
    int64_t i = g->size++;
    while (i > 0 && before(&e, &g->heap[(i - 1) / 2])) {
        g->heap[i] = g->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    g->heap[i] = e;
    return 0;
}

static entry pop(merger *g)
{
    entry top = g->heap[0], e = g->heap[--g->size];
    int64_t i = 0;
    for (;;) {
        int64_t child = 2 * i + 1;
        if (child >= g->size) break;
        if (child + 1 < g->size && before(&g->heap[child + 1], &g->heap[child])) child++;
        if (!before(&g->heap[child], &e)) break;
        g->heap[i] = g->heap[child];
        i = child;
    }
    g->heap[i] = e;
    return top;
}

static double price(const merger *g, int32_t e, double jump_weight, double crack_bits, double region_bits)
{
    int32_t a = g->u[e], b = g->v[e];
    double distance = 0;
    for (int64_t p = 0; p < g->planes; p++) {
        double d = g->sum[a * g->planes + p] / g->area[a] - g->sum[b * g->planes + p] / g->area[b];
        distance += d * d;
    }
    double constant = g->area[a] * g->area[b] / (g->area[a] + g->area[b]) * distance;
    double smooth = jump_weight * g->jumps[e];
    return (smooth < constant ? smooth : constant) / (crack_bits * g->cracks[e] + region_bits);
}

/* Slot of the edge between a and b, or the empty slot (-1) where it would go; -2 marks slots that were left. */
static uint64_t slot_of(const merger *g, int32_t a, int32_t b)
{
    int32_t low = a < b ? a : b, high = a < b ? b : a;
    uint64_t mask = ((uint64_t)1 << g->bits) - 1;
    uint64_t key = ((uint64_t)(uint32_t)low << 32 | (uint32_t)high) * 0x9E3779B97F4A7C15u;
    for (uint64_t i = key >> (64 - g->bits);; i = (i + 1) & mask) {
        int32_t e = g->table[i];
        if (e == -1) return i;
        if (e < 0) continue;
        if ((g->u[e] == a && g->v[e] == b) || (g->u[e] == b && g->v[e] == a)) return i;
    }
}

static void append(merger *g, int32_t region, int32_t half)
{
    g->next[half & 1][half >> 1] = -1;
    if (g->head[region] < 0) g->head[region] = half;
    else {
        int32_t last = g->tail[region];
        g->next[last & 1][last >> 1] = half;
    }
    g->tail[region] = half;
    g->degree[region]++;
}

static int64_t merge(merger *g, const double *model, double limit, int32_t *kept, int32_t *lost, double *prices)
{
    int64_t count = 0;
    for (int32_t e = 0; e < g->m; e++) {
        g->table[slot_of(g, g->u[e], g->v[e])] = e;
        append(g, g->u[e], 2 * e);
        append(g, g->v[e], 2 * e + 1);
        if (push(g, (entry){price(g, e, model[0], model[1], model[2]), e, 0})) return -1;
    }
    while (g->size) {
        entry top = pop(g);
        if (g->version[top.edge] != top.version) continue;
        double now = price(g, top.edge, model[0], model[1], model[2]);
        if (now > top.price) {
            if (push(g, (entry){now, top.edge, ++g->version[top.edge]})) return -1;
            continue;
        }
        if (now > limit) break;
        int32_t a = g->u[top.edge], b = g->v[top.edge];
        if (g->degree[b] > g->degree[a] || (g->degree[b] == g->degree[a] && b < a)) {
            int32_t t = a;
            a = b;
            b = t;
        }
        kept[count] = a;
        lost[count] = b;
        prices[count++] = now;
        g->table[slot_of(g, a, b)] = -2;
        g->version[top.edge] = -1;
        g->area[a] += g->area[b];
        for (int64_t p = 0; p < g->planes; p++) g->sum[a * g->planes + p] += g->sum[b * g->planes + p];
        int32_t half = g->head[b];
        while (half >= 0) {
            int32_t e = half >> 1, end = half & 1, after = g->next[end][e];
            if (g->version[e] >= 0) {
                int32_t other = end ? g->u[e] : g->v[e];
                g->table[slot_of(g, b, other)] = -2;
                uint64_t slot = slot_of(g, a, other);
                int32_t f = g->table[slot];
                if (f >= 0) {
                    g->cracks[f] += g->cracks[e];
                    g->jumps[f] += g->jumps[e];
                    g->version[e] = -1;
                } else {
                    if (end) g->v[e] = a;
                    else g->u[e] = a;
                    g->table[slot] = e;
                    append(g, a, half);
                    f = e;
                }
                entry again = {price(g, f, model[0], model[1], model[2]), f, ++g->version[f]};
                if (push(g, again)) return -1;
            }
            half = after;
        }
    }
    return count;
}

static PyObject *merge_regions(PyObject *self, PyObject *args)
{
    /* area (n), sum (n, planes), u (m), v (m), cracks (m), jumps (m), kept (n), lost (n), prices (n), ... -> merges */
    Py_buffer b[9];
    double model[3], limit;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*y*y*y*y*y*w*w*w*dddd", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5], &b[6], &b[7], &b[8],
                          &model[0], &model[1], &model[2], &limit))
        return NULL;
    merger g = {0};
    int64_t count = -2;
    g.n = b[0].len / 8;
    g.m = b[2].len / 4;
    g.planes = g.n ? b[1].len / (8 * g.n) : 1;
    if (b[1].len == 8 * g.n * g.planes && b[3].len == 4 * g.m && b[4].len == 8 * g.m && b[5].len == 8 * g.m &&
        b[6].len == 4 * g.n && b[7].len == 4 * g.n && b[8].len == 8 * g.n) {
        Py_BEGIN_ALLOW_THREADS
        count = -1;
        while (((int64_t)1 << g.bits) < 4 * g.m + 16) g.bits++;
        g.room = 2 * g.m + 16;
        g.u = malloc(4 * (size_t)g.m + 4);
        g.v = malloc(4 * (size_t)g.m + 4);
        g.cracks = malloc(8 * (size_t)g.m + 8);
        g.jumps = malloc(8 * (size_t)g.m + 8);
        g.area = malloc(8 * (size_t)g.n + 8);
        g.sum = malloc(8 * (size_t)(g.n * g.planes) + 8);
        g.version = calloc((size_t)g.m + 1, 4);
        g.next[0] = malloc(4 * (size_t)g.m + 4);
        g.next[1] = malloc(4 * (size_t)g.m + 4);
        g.head = malloc(4 * (size_t)g.n + 4);
        g.tail = malloc(4 * (size_t)g.n + 4);
        g.degree = calloc((size_t)g.n + 1, 4);
        g.table = malloc(4 * ((size_t)1 << g.bits));
        g.heap = malloc((size_t)g.room * sizeof(entry));
        if (g.u && g.v && g.cracks && g.jumps && g.area && g.sum && g.version && g.next[0] && g.next[1] && g.head &&
            g.tail && g.degree && g.table && g.heap) {
            memcpy(g.area, b[0].buf, (size_t)b[0].len);
            memcpy(g.sum, b[1].buf, (size_t)b[1].len);
            memcpy(g.u, b[2].buf, (size_t)b[2].len);
            memcpy(g.v, b[3].buf, (size_t)b[3].len);
            memcpy(g.cracks, b[4].buf, (size_t)b[4].len);
            memcpy(g.jumps, b[5].buf, (size_t)b[5].len);
            memset(g.head, 0xFF, 4 * (size_t)g.n);
            memset(g.table, 0xFF, 4 * ((size_t)1 << g.bits));
            count = merge(&g, model, limit, b[6].buf, b[7].buf, b[8].buf);
        }
        free(g.u), free(g.v), free(g.cracks), free(g.jumps), free(g.area), free(g.sum), free(g.version);
        free(g.next[0]), free(g.next[1]), free(g.head), free(g.tail), free(g.degree), free(g.table), free(g.heap);
        Py_END_ALLOW_THREADS
    }
    for (int i = 0; i < 9; i++) PyBuffer_Release(&b[i]);
    if (count == -1) return PyErr_NoMemory();
    if (count < 0) {
        PyErr_SetString(PyExc_ValueError, "arrays do not fit one another");
        return NULL;
    }
    return PyLong_FromLongLong(count);
}

PyMethodDef segmentation_methods[] = {
    {"merge_regions", merge_regions, METH_VARARGS, "Merge neighbouring regions, the cheapest first."},
    {NULL, NULL, 0, NULL},
};
