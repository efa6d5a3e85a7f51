/* Optimal pruning as a hint to the tree network, see dinp.models.networks.hints: the same numbers as numpy has them. */

#include "grids.h"

enum { LEVELS = 5, ROOT = 1 << LEVELS, LANES = 8, MOST_COSTS = 64, BLOCK = 256 };
enum { CELLS = 341 }; /* of a root: 256 + 64 + 16 + 4 + 1 */

typedef float Lanes[LANES]; /* the same cell of so many roots, which are side by side */

static const int FIRST[LEVELS] = {0, 256, 320, 336, 340}; /* of the cells of each level of a root, the finest first */

/* Means of the cells of side 2, 4, ..., 32 of a plane, one level after the other. */
static void means_of(const float *fine, N height, N width, float *coarse)
{
    for (int level = 0; level < LEVELS; level++) {
        height /= 2, width /= 2;
        for (N r = 0; r < height; r++) {
            const float *up = fine + 4 * r * width, *down = up + 2 * width;
            for (N c = 0; c < width; c++)
                coarse[r * width + c] = ((up[2 * c] + down[2 * c]) + (up[2 * c + 1] + down[2 * c + 1])) / 4;
        }
        fine = coarse;
        coarse += height * width;
    }
}

/* A row of fine samples by bilinear interpolation of coarse means: of their own row and of the next one to it. */
WIDE static void smooth_row(const float *own, const float *beside, N width, float *between, float *out)
{
    if (own == beside)
        memcpy(between, own, (size_t)width * sizeof(float));
    else
        for (N c = 0; c < width; c++)
            between[c] = 0.75f * own[c] + 0.25f * beside[c];
    out[0] = between[0];
    for (N c = 1; c < width; c++)
        out[2 * c] = 0.75f * between[c] + 0.25f * between[c - 1];
    for (N c = 0; c + 1 < width; c++)
        out[2 * c + 1] = 0.75f * between[c] + 0.25f * between[c + 1];
    out[2 * width - 1] = between[width - 1];
}

/* Energy that splitting each cell of a level removes, for a row of roots: `rows` rows of coarse cells from `first` on. */
WIDE static void gains_of(const float *fine, const float *coarse, N height, N width, N first, N rows, float factor,
                          float *scratch, float *gains)
{
    float *between = scratch, *smooth = between + width, *rest[2] = {smooth + 2 * width, smooth + 4 * width};
    for (N r = first; r < first + rows; r++, gains += width) {
        for (int half = 0; half < 2; half++) {
            N other = half ? (r + 1 < height ? r + 1 : r) : (r ? r - 1 : r);
            const float *row = fine + (2 * r + half) * 2 * width;
            smooth_row(coarse + r * width, coarse + other * width, width, between, smooth);
            for (N c = 0; c < 2 * width; c++) {
                float left = row[c] - smooth[c];
                rest[half][c] = left * left;
            }
        }
        for (N c = 0; c < width; c++)
            gains[c] = ((rest[0][2 * c] + rest[1][2 * c]) + (rest[0][2 * c + 1] + rest[1][2 * c + 1])) * factor;
    }
}

/* A grid of costs: as doubles, as the least floats that are not below them, and what one place more is worth. */
typedef struct {
    N count;
    double cost[MOST_COSTS], slope[MOST_COSTS];
    float least[MOST_COSTS];
} Grid;

static Grid grid_of(const double *costs, N count)
{
    Grid grid = {.count = count};
    for (N k = 0; k < count; k++) {
        grid.cost[k] = costs[k];
        grid.slope[k] = k + 1 < count ? 1 / (costs[k + 1] - costs[k]) : 0;
        grid.least[k] = (float)costs[k];
        if ((double)grid.least[k] < costs[k])
            grid.least[k] = nextafterf(grid.least[k], INFINITY);
    }
    return grid;
}

/* Where gains lie on the grid, from 0 to count - 1, by linear interpolation: for `n` cells, as low + step * place. */
WIDE static void finest_costs(const float *gains, N n, const Grid *grid, float low, float step, float *out)
{
    int32_t reached[BLOCK]; /* how many costs each gain reaches */
    for (N first = 0; first < n; first += BLOCK) {
        const N some = n - first < BLOCK ? n - first : BLOCK;
        memset(reached, 0, sizeof reached);
        for (N k = 0; k < grid->count; k++)
            for (N i = 0; i < some; i++)
                reached[i] += gains[first + i] >= grid->least[k];
        for (N i = 0; i < some; i++) {
            const N k = reached[i] ? reached[i] - 1 : 0;
            const double above = (double)gains[first + i] - grid->cost[k];
            out[first + i] = low + step * (float)(grid->slope[k] * (above > 0 ? above : 0) + (double)k);
        }
    }
}

/* Where the critical costs of all but the finest cells of some roots lie on the grid of costs: added to `places`. */
WIDE static void coarser_places(Lanes *gains, const Grid *grid, Lanes *places)
{
    Lanes net[CELLS]; /* gain of the best tree below each cell, at a cost: above 0 where it is split */
    for (N k = 0; k < grid->count; k++) {
        const float cost = (float)grid->cost[k];
        for (int cell = 0; cell < FIRST[1]; cell++)
            for (int i = 0; i < LANES; i++)
                net[cell][i] = gains[cell][i] - cost;
        for (int level = 1; level < LEVELS; level++) {
            const int side = ROOT >> (level + 1);
            for (int y = 0; y < side; y++)
                for (int x = 0; x < side; x++) {
                    const int cell = FIRST[level] + y * side + x;
                    const Lanes *up = net + FIRST[level - 1] + 4 * y * side + 2 * x, *down = up + 2 * side;
                    Lanes was;
                    memcpy(was, net[cell], sizeof was);
                    for (int i = 0; i < LANES; i++) {
                        float a = up[0][i] > 0 ? up[0][i] : 0, b = down[0][i] > 0 ? down[0][i] : 0;
                        float c = up[1][i] > 0 ? up[1][i] : 0, d = down[1][i] > 0 ? down[1][i] : 0;
                        net[cell][i] = (gains[cell][i] - cost) + ((a + b) + (c + d));
                    }
                    for (int i = 0; k && i < LANES; i++) {
                        float fall = was[i] - net[cell][i];
                        float share = (was[i] > 0 ? was[i] : 0) / (fall > 1e-30f ? fall : 1e-30f);
                        places[cell][i] += share < 1 ? share : 1;
                    }
                }
        }
    }
}

/* Critical costs of a row of roots: `critical` and `means` hold all levels of the plane, the finest first. */
static void critical_row(const float *plane, const float *means, N height, N width, const Grid *grid, float low,
                         float step, N root, float *scratch, float *critical)
{
    float *gains[LEVELS], *found[LEVELS], *next = scratch;
    N h = height, w = width;
    for (int level = 0; level < LEVELS; level++) {
        const N rows = ROOT >> (level + 1);
        h /= 2, w /= 2;
        gains[level] = next;
        next += rows * w;
        found[level] = critical + root * rows * w;
        const float *coarse = level ? means + 4 * h * w : means;
        gains_of(level ? means : plane, coarse, h, w, root * rows, rows, (float)(1 << 2 * level), scratch + ROOT * width, gains[level]);
        means = coarse;
        critical += h * w;
    }
    finest_costs(gains[0], ROOT / 2 * (width / 2), grid, low, step, found[0]);
    const N roots = width / ROOT;
    for (N first = 0; first < roots; first += LANES) {
        const N some = roots - first < LANES ? roots - first : LANES;
        Lanes energy[CELLS], places[CELLS];
        memset(energy, 0, sizeof energy), memset(places, 0, sizeof places);
        for (int level = 0; level < LEVELS; level++) {
            const N side = ROOT >> (level + 1), wide = width >> (level + 1);
            for (N y = 0; y < side; y++)
                for (N i = 0; i < some; i++)
                    for (N x = 0; x < side; x++)
                        energy[FIRST[level] + y * side + x][i] = gains[level][y * wide + (first + i) * side + x];
        }
        coarser_places(energy, grid, places);
        for (int level = 1; level < LEVELS; level++) {
            const N side = ROOT >> (level + 1), wide = width >> (level + 1);
            for (N y = 0; y < side; y++)
                for (N i = 0; i < some; i++)
                    for (N x = 0; x < side; x++)
                        found[level][y * wide + (first + i) * side + x] =
                            low + step * places[FIRST[level] + y * side + x][i];
        }
    }
}

static int fits(Py_ssize_t plane, Py_ssize_t levels, N height, N width)
{
    N cells = 0;
    for (int level = 1; level <= LEVELS; level++)
        cells += (height >> level) * (width >> level);
    if (height > 0 && width > 0 && height % ROOT == 0 && width % ROOT == 0 && plane == 4 * height * width &&
        levels == 4 * cells)
        return 1;
    PyErr_SetString(PyExc_ValueError, "arrays of other sizes than those of a plane and its cells");
    return 0;
}

/* cell_means(plane (H, W) float32, height, width, means float32): fills the last with the levels of side 2, 4, ..., 32 */
static PyObject *cell_means(PyObject *module, PyObject *args)
{
    Py_buffer plane, means;
    Py_ssize_t height, width;
    (void)module;
    if (!PyArg_ParseTuple(args, "y*nnw*", &plane, &height, &width, &means))
        return NULL;
    const int ok = fits(plane.len, means.len, height, width);
    if (ok) {
        Py_BEGIN_ALLOW_THREADS
        means_of(plane.buf, height, width, means.buf);
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&plane), PyBuffer_Release(&means);
    if (!ok)
        return NULL;
    Py_RETURN_NONE;
}

/* critical_costs(plane (H, W) float32, means of it, height, width, costs (K) float64, low, step, root, critical float32):
   fills what belongs to a row of roots of the last, whose levels are those of the means */
static PyObject *critical_costs(PyObject *module, PyObject *args)
{
    Py_buffer plane, means, costs, critical;
    Py_ssize_t height, width, root;
    float low, step;
    (void)module;
    if (!PyArg_ParseTuple(args, "y*y*nny*ffnw*", &plane, &means, &height, &width, &costs, &low, &step, &root, &critical))
        return NULL;
    int ok = fits(plane.len, means.len, height, width) && fits(plane.len, critical.len, height, width);
    if (ok && (root < 0 || root >= height / ROOT || costs.len < 16 || costs.len > 8 * MOST_COSTS)) {
        PyErr_SetString(PyExc_ValueError, "no such row of roots, or too few or too many costs");
        ok = 0;
    }
    /* a row of roots has less than width * ROOT / 2 cells; beside them a few rows */
    float *scratch = ok ? malloc((size_t)(2 * ROOT * width) * sizeof(float)) : NULL;
    if (ok && !scratch) {
        PyErr_NoMemory();
        ok = 0;
    }
    if (ok) {
        Py_BEGIN_ALLOW_THREADS
        const Grid grid = grid_of(costs.buf, costs.len / 8);
        critical_row(plane.buf, means.buf, height, width, &grid, low, step, root, scratch, critical.buf);
        Py_END_ALLOW_THREADS
    }
    free(scratch);
    PyBuffer_Release(&plane), PyBuffer_Release(&means), PyBuffer_Release(&costs), PyBuffer_Release(&critical);
    if (!ok)
        return NULL;
    Py_RETURN_NONE;
}

PyMethodDef hint_methods[] = {
    {"cell_means", cell_means, METH_VARARGS, "Means of the cells of a plane."},
    {"critical_costs", critical_costs, METH_VARARGS, "Costs below which optimal pruning splits cells."},
    {NULL, NULL, 0, NULL},
};
