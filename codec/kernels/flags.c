/* Coding of hierarchical flags: the counterpart of the walk in dinp.entropy.flag_coder, whose docstring is the
   specification. States of a level's cells lie in a grid with a border of 2: -1 no flag, 0 flag not yet coded, 1 flag 0,
   2 flag 1. Cells of a pass are given by their index in the grid without border. */

#include "kernels.h"
#include "network.h"

enum { BORDER = 2, UNIT = 1 << 10, WINDOW = 24, RING = 8, INPUTS = 95, LOGISTIC = 4096, LEAST = 16 };

static int is_sized(int right)
{
    if (!right)
        PyErr_SetString(PyExc_ValueError, "an array has the wrong size");
    return right;
}

static Py_ssize_t padded(Py_ssize_t rows, Py_ssize_t columns)
{
    return (rows + 2 * BORDER) * (columns + 2 * BORDER);
}

/* Half as many, rounded up: rows or columns of the level above. */
static Py_ssize_t above(Py_ssize_t count)
{
    return (count + 1) / 2;
}

/* flag_level(parents or b"", last, rows, columns, states): fills the states of a level of which no flag is coded; how
   many flags it has. Without parents all cells have one; with `last` 0 the cell in the last row and column has none. */
static PyObject *flag_level(PyObject *module, PyObject *args)
{
    Py_buffer parents, states;
    Py_ssize_t rows, columns, count = 0;
    int last;
    (void)module;
    if (!PyArg_ParseTuple(args, "y*pnnw*", &parents, &last, &rows, &columns, &states))
        return NULL;
    int ok = is_sized(rows > 0 && columns > 0 && states.len == padded(rows, columns) &&
                      (parents.len == 0 || parents.len == padded(above(rows), above(columns))));
    if (ok) {
        Py_BEGIN_ALLOW_THREADS
        Py_ssize_t width = columns + 2 * BORDER, width_above = above(columns) + 2 * BORDER;
        memset(states.buf, -1, (size_t)states.len);
        for (Py_ssize_t y = 0; y < rows; y++) {
            int8_t *row = (int8_t *)states.buf + (y + BORDER) * width + BORDER;
            const int8_t *parent = (const int8_t *)parents.buf + (y / 2 + BORDER) * width_above + BORDER;
            for (Py_ssize_t x = 0; x < columns; x++)
                if (parents.len == 0 || parent[x / 2] == 2)
                    row[x] = 0, count++;
        }
        int8_t *end = (int8_t *)states.buf + (rows - 1 + BORDER) * width + BORDER + columns - 1;
        if (!last && *end == 0)
            *end = -1, count--;
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&parents), PyBuffer_Release(&states);
    return ok ? PyLong_FromSsize_t(count) : NULL;
}

/* flag_cells(states, rows, columns, first row, first column, cells int32): the cells of a pass; how many there are */
static PyObject *flag_cells(PyObject *module, PyObject *args)
{
    Py_buffer states, cells;
    Py_ssize_t rows, columns, first_row, first_column, count = 0;
    (void)module;
    if (!PyArg_ParseTuple(args, "y*nnnnw*", &states, &rows, &columns, &first_row, &first_column, &cells))
        return NULL;
    int ok = is_sized(states.len == padded(rows, columns) && cells.len == 4 * above(rows) * above(columns));
    if (ok) {
        Py_BEGIN_ALLOW_THREADS
        int32_t *cell = cells.buf;
        for (Py_ssize_t y = first_row; y < rows; y += 2) {
            const int8_t *row = (const int8_t *)states.buf + (y + BORDER) * (columns + 2 * BORDER) + BORDER;
            for (Py_ssize_t x = first_column; x < columns; x += 2)
                if (row[x] == 0)
                    cell[count++] = (int32_t)(y * columns + x);
        }
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&states), PyBuffer_Release(&cells);
    return ok ? PyLong_FromSsize_t(count) : NULL;
}

typedef struct {
    const int8_t *states[3]; /* of the level and of those above it, NULL where there is none */
    Py_ssize_t rows, columns;
    int side_log2, phase, clipped_row, clipped_column, ratio[2];
} flag_context;

/* Inputs of the network (95,) for the cell at row y, column x. */
static void features(const flag_context *c, Py_ssize_t y, Py_ssize_t x, int16_t *input)
{
    memset(input, 0, INPUTS * sizeof *input);
    Py_ssize_t columns = c->columns;
    int16_t *to = input;
    for (int up = 0; up < 3; up++) {
        int reach = up < 2 ? 2 : 1;
        Py_ssize_t width = columns + 2 * BORDER;
        if (c->states[up]) {
            const int8_t *centre = c->states[up] + ((y >> up) + BORDER) * width + (x >> up) + BORDER;
            int16_t *at = to;
            for (int dy = -reach; dy <= reach; dy++)
                for (int dx = -reach; dx <= reach; dx++) {
                    if (!dy && !dx)
                        continue;
                    int state = centre[dy * width + dx];
                    if (up == 0) {
                        at[0] = state >= 0 ? UNIT : 0;
                        at[WINDOW] = (int16_t)(state >= 1 ? (2 * state - 3) * UNIT : 0);
                    } else
                        at[0] = (int16_t)((state >= 1 ? state - 1 : -1) * UNIT);
                    at++;
                }
        }
        to += up == 0 ? 2 * WINDOW : up == 1 ? WINDOW : RING;
        columns = above(columns);
    }
    to[c->side_log2] = UNIT;
    to[8 + c->phase] = UNIT;
    to[12] = (int16_t)c->ratio[0];
    to[13] = (int16_t)c->ratio[1];
    if ((c->clipped_row && y == c->rows - 1) || (c->clipped_column && x == c->columns - 1))
        to[14] = UNIT;
}

/* describe_flags(states, parents or b"", grandparents or b"", rows, columns, log2 side, phase, last row clipped, last
   column clipped, ratio, ratio before, cells (m,) int32, network, logistic (8192,) int32, ones (m,) int64) */
static PyObject *describe_flags(PyObject *module, PyObject *args)
{
    Py_buffer levels[3], cells, network, logistic, ones;
    flag_context c;
    (void)module;
    if (!PyArg_ParseTuple(args, "y*y*y*nniippiiy*y*y*w*", &levels[0], &levels[1], &levels[2], &c.rows, &c.columns,
                          &c.side_log2, &c.phase, &c.clipped_row, &c.clipped_column, &c.ratio[0], &c.ratio[1], &cells,
                          &network, &logistic, &ones))
        return NULL;
    Py_ssize_t m = cells.len / 4, rows = c.rows, columns = c.columns;
    int ok = c.side_log2 >= 0 && c.side_log2 < 8 && c.phase >= 0 && c.phase < 4 && ones.len == 8 * m &&
             logistic.len == 8 * LOGISTIC && rows > 0 && columns > 0;
    for (int up = 0; up < 3; up++) {
        ok = ok && (levels[up].len == padded(rows, columns) || (up && !levels[up].len));
        c.states[up] = levels[up].len ? levels[up].buf : NULL;
        rows = above(rows), columns = above(columns);
    }
    ok = is_sized(ok);
    if (ok) {
        Py_BEGIN_ALLOW_THREADS
        int16_t x[NETWORK_ROWS][NETWORK_WIDTH];
        int32_t y[NETWORK_ROWS][NETWORK_WIDTH];
        const int32_t *cell = cells.buf;
        memset(x, 0, sizeof x);
        for (Py_ssize_t i = 0; i < m; i += NETWORK_ROWS) {
            Py_ssize_t some = m - i < NETWORK_ROWS ? m - i : NETWORK_ROWS;
            for (Py_ssize_t r = 0; r < some; r++) {
                features(&c, cell[i + r] / c.columns, cell[i + r] % c.columns, x[r]);
                x[r][INPUTS] = 0; /* makes their number even; the run before may have left something here */
            }
            network_run(network.buf, x, y, 0);
            for (Py_ssize_t r = 0; r < some; r++) {
                int64_t at = (int64_t)(y[r][0] + 1) >> 1;
                at = at < -LOGISTIC ? -LOGISTIC : at > LOGISTIC - 1 ? LOGISTIC - 1 : at;
                int64_t one = ((const int32_t *)logistic.buf)[at + LOGISTIC];
                int64_t most = (1 << 16) - LEAST;
                ((int64_t *)ones.buf)[i + r] = one < LEAST ? LEAST : one > most ? most : one;
            }
        }
        Py_END_ALLOW_THREADS
    }
    for (int up = 0; up < 3; up++)
        PyBuffer_Release(&levels[up]);
    PyBuffer_Release(&cells), PyBuffer_Release(&network), PyBuffer_Release(&logistic), PyBuffer_Release(&ones);
    if (!ok)
        return NULL;
    Py_RETURN_NONE;
}

/* settle_flags(states, rows, columns, cells (m,) int32, flags (m,) uint8): how many are 1 */
static PyObject *settle_flags(PyObject *module, PyObject *args)
{
    Py_buffer states, cells, flags;
    Py_ssize_t rows, columns, count = 0;
    (void)module;
    if (!PyArg_ParseTuple(args, "w*nny*y*", &states, &rows, &columns, &cells, &flags))
        return NULL;
    Py_ssize_t m = flags.len;
    int ok = is_sized(states.len == padded(rows, columns) && cells.len == 4 * m && columns > 0);
    if (ok) {
        Py_BEGIN_ALLOW_THREADS
        const int32_t *cell = cells.buf;
        const uint8_t *flag = flags.buf;
        for (Py_ssize_t i = 0; i < m; i++) {
            Py_ssize_t y = cell[i] / columns, x = cell[i] % columns;
            ((int8_t *)states.buf)[(y + BORDER) * (columns + 2 * BORDER) + x + BORDER] = (int8_t)(1 + flag[i]);
            count += flag[i];
        }
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&states), PyBuffer_Release(&cells), PyBuffer_Release(&flags);
    return ok ? PyLong_FromSsize_t(count) : NULL;
}

PyMethodDef flag_methods[] = {
    {"flag_level", flag_level, METH_VARARGS, "States of a level before it is coded."},
    {"flag_cells", flag_cells, METH_VARARGS, "The cells of a pass."},
    {"describe_flags", describe_flags, METH_VARARGS, "How probable a 1 is for each flag of a part of a pass."},
    {"settle_flags", settle_flags, METH_VARARGS, "States of a level after a pass."},
    {NULL, NULL, 0, NULL},
};
