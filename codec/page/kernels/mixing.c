/* Context mixing, docs/format.md, section 10.1: foretells a bit, and learns from it. Everything lies where the page put
   it; js/mixer.js is the same in JavaScript. */

#include "page.h"

enum { SETS = 3, STAGES = 2, MOST_CONTEXTS = 20, KNOTS = 91, LIMIT = 255 };

typedef struct {
    uint16_t probability;
    uint8_t history, check;
} slot;

typedef struct {
    int32_t contexts, kinds, places, a, b, c;
    slot *slots;
    int32_t *maps;
    uint8_t *counts;
    int32_t *weights[SETS], *stages[STAGES];
    int32_t *final;
    const int32_t *at;      /* of the bit: places, */
    const uint8_t *marks;   /* checks, */
    const int32_t *rows;    /* rows of the sets and then of the stages */
    const int16_t *stretch; /* tables */
    const int32_t *ratio, *logistic;
    const uint8_t *next, *seen;
} mixer;

static struct {
    int32_t kind, d[SETS], p0, t, g[STAGES], x[2 * MOST_CONTEXTS + 4];
    slot *slot[MOST_CONTEXTS];
    int32_t *knot[STAGES];
} now;

static inline int32_t squash(const mixer *m, int32_t x)
{
    int32_t a = x < 0 ? -x : x;
    a = a > 2815 ? 2815 : a;
    int32_t k = a >> 6, t = a & 63, p = (m->logistic[k] * (64 - t) + m->logistic[k + 1] * t) >> 6;
    return x >= 0 ? p : 65536 - p;
}

/* The probability of 2^16 that a bit of the kind is 1. */
EXPORTED int32_t mix_predict(const mixer *m, int32_t kind)
{
    now.kind = kind;
    int32_t width = 2 * m->contexts + 1;
    for (int32_t i = 0; i < m->contexts; i++) {
        slot *s = now.slot[i] = m->slots + i * m->places + m->at[i];
        if (s->check != m->marks[i])
            s->check = m->marks[i], s->probability = 32768, s->history = 0;
        now.x[2 * i] = m->stretch[m->maps[(i * m->kinds + kind) * 256 + s->history] >> 10];
        now.x[2 * i + 1] = m->stretch[s->probability >> 4];
    }
    now.x[width - 1] = 256;
    int64_t mixed = 0;
    for (int s = 0; s < SETS; s++) {
        const int32_t *w = m->weights[s] + m->rows[s] * width;
        uint32_t sum = 0;
        for (int32_t i = 0; i < width; i++)
            sum += (uint32_t)w[i] * (uint32_t)now.x[i];
        now.d[s] = limited((int32_t)sum >> 13, -2815, 2815);
        mixed += (int64_t)m->final[SETS * kind + s] * now.d[s];
    }
    mixed >>= 16;
    int32_t v = mixed < -2815 ? -2815 : mixed > 2815 ? 2815 : (int32_t)mixed;
    now.p0 = squash(m, v);
    now.t = (v + 2880) & 63;
    int32_t sum = 2 * now.p0;
    for (int j = 0; j < STAGES; j++) {
        int32_t *knot = m->stages[j] + m->rows[SETS + j] * KNOTS + ((v + 2880) >> 6);
        sum += (knot[0] * (64 - now.t) + knot[1] * now.t) >> 6;
        now.knot[j] = knot + (now.t >> 5);
    }
    return limited(sum >> 2, 1, 65535);
}

/* Learn from the bit that was foretold. */
EXPORTED void mix_update(const mixer *m, int32_t bit)
{
    int32_t width = 2 * m->contexts + 1, target = bit << 16, full = bit ? 65535 : 0;
    for (int s = 0; s < SETS; s++) {
        int32_t *w = m->weights[s] + m->rows[s] * width, e = ((target - squash(m, now.d[s])) * m->a) >> 5;
        for (int32_t i = 0; i < width; i++)
            w[i] = limited(w[i] + ((now.x[i] * e + 32768) >> 16), -32768, 32767);
        m->final[SETS * now.kind + s] += (now.d[s] * (target - now.p0) * m->b + 131072) >> 18;
    }
    for (int j = 0; j < STAGES; j++)
        *now.knot[j] += (full - *now.knot[j]) >> m->c;
    for (int32_t i = 0; i < m->contexts; i++) {
        slot *s = now.slot[i];
        int32_t at = (i * m->kinds + now.kind) * 256 + s->history;
        m->maps[at] += (int32_t)(((bit ? 4194303 : 0) - (int64_t)m->maps[at]) * m->ratio[m->counts[at]] >> 16);
        m->counts[at] += m->counts[at] < LIMIT;
        s->probability += (int32_t)(((int64_t)full - s->probability) * m->ratio[m->seen[s->history]] >> 16);
        s->history = m->next[256 * bit + s->history];
    }
}
