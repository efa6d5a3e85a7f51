/* Context mixing of bits: what dinp.entropy.mixing specifies, in C. All of it is integer arithmetic.

   The learned state (counts of histories, weights, stages of refinement) is one array of 32-bit integers that the caller
   in Python lays out and hands over as a copy; slots of contexts and the arithmetic coder live as long as one call. */

#ifndef DINP_MIXING_H
#define DINP_MIXING_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SSE2__) || defined(_M_X64)
#include <emmintrin.h>
#define MIX_SSE2 1
#endif

enum {
    MIX_STRETCH_MAX = 2815,  /* 11 nats in units of 1/256 */
    MIX_HISTORIES = 242,     /* states of a slot */
    MIX_KNOTS = 45,          /* of a refinement stage */
    MIX_MOST_CONTEXTS = 40,
    MIX_MOST_SETS = 6,
    MIX_STAGES = 2,
    MIX_MOST_INPUTS = 2 * MIX_MOST_CONTEXTS + 8, /* with zeros up to a multiple of 8 */
    MIX_PARAMETERS = 16,
    MIX_OVERRUN = 8,         /* bytes that a decoder may take beyond the end: its first four, and four that were zero */
    MIX_WORK = 4,            /* units of work that a bit by the mixer counts */
    MIX_FREE_WORK = 21,      /* log2 of the units that every stream may ask for, */
    MIX_BYTE_WORK = 15       /* and of those for each of its bytes */
};

/* ---- the binary arithmetic coder ---- */

typedef struct {
    uint32_t low, high, point;
    const uint8_t *in;
    uint8_t *out;
    size_t at, size; /* bytes taken or written; bytes there are or room */
    int failed;      /* more was taken than there can be, or no room */
    uint64_t work;   /* units */
} mix_coder;

/* Bytes that a stream of so much work has at least. */
static inline size_t mix_least(uint64_t work)
{
    uint64_t most = (uint64_t)1 << MIX_FREE_WORK;
    return work <= most ? 0 : (size_t)((work - most + (1 << MIX_BYTE_WORK) - 1) >> MIX_BYTE_WORK);
}

/* Count work; a decoder fails where it is more than the stream's bytes allow. */
static inline void mix_spend(mix_coder *c, uint64_t units)
{
    c->work += units;
    if (!c->out)
        c->failed |= c->work > ((uint64_t)1 << MIX_FREE_WORK) + ((uint64_t)c->size << MIX_BYTE_WORK);
}

static inline void mix_start_decoding(mix_coder *c, const uint8_t *data, size_t size)
{
    *c = (mix_coder){.high = UINT32_MAX, .in = data, .size = size};
    for (int k = 0; k < 4; k++, c->at++)
        c->point = c->point << 8 | (c->at < size ? data[c->at] : 0);
}

/* Code a bit (encoder: `out` is set) that is 1 with probability p / 2^16, 1..2^16 - 1. */
static inline int mix_code(mix_coder *c, int bit, uint32_t p)
{
    uint32_t middle = c->low + (uint32_t)(((uint64_t)(c->high - c->low) * p) >> 16);
    if (!c->out)
        bit = c->point <= middle;
    if (bit)
        c->high = middle;
    else
        c->low = middle + 1;
    while (!((c->low ^ c->high) >> 24)) {
        if (c->out) {
            if (c->at < c->size)
                c->out[c->at] = (uint8_t)(c->high >> 24);
            else
                c->failed = 1;
        } else {
            c->point = c->point << 8 | (c->at < c->size ? c->in[c->at] : 0);
            c->failed |= c->at >= c->size + MIX_OVERRUN;
        }
        c->at++;
        c->low <<= 8;
        c->high = c->high << 8 | 255;
    }
    return bit;
}

/* End the stream: as few bytes as decode to the same bits (at most 4 zero bytes are left away) and allow its work. */
static inline size_t mix_finish(mix_coder *c)
{
    if (c->low && c->at < c->size)
        c->out[c->at++] = (uint8_t)((c->low >> 24) + 1);
    else if (c->low)
        c->failed = 1;
    for (int k = 0; k < 4 && c->at && !c->out[c->at - 1] && !c->failed; k++)
        c->at--;
    for (size_t least = mix_least(c->work); c->at < least && !c->failed;)
        if (c->at < c->size)
            c->out[c->at++] = 0;
        else
            c->failed = 1;
    return c->at;
}

/* Whether the stream ends where its last bit does, or has the bytes that its work asks for. */
static inline int mix_exhausted(const mix_coder *c)
{
    return !c->failed && (c->size + 3 <= c->at || c->size == mix_least(c->work));
}

/* ---- tables ---- */

/* 2^16 / (1 + exp(-k / 4)) */
static const uint16_t mix_logistic[MIX_KNOTS + 1] = {
    32768, 36843, 40793, 44511, 47911, 50941, 53581, 55834, 57724, 59287, 60565, 61598, 62428, 63090,
    63615, 64030, 64357, 64614, 64816, 64974, 65097, 65194, 65269, 65328, 65374, 65410, 65438, 65459,
    65476, 65489, 65500, 65508, 65514, 65519, 65523, 65526, 65528, 65530, 65531, 65532, 65533, 65534,
    65534, 65535, 65535, 65535};

/* The logistic function: 2^16 / (1 + exp(-x / 256)), 1..2^16 - 1. */
static inline int32_t mix_squash(int32_t x)
{
    int32_t a = x < 0 ? -x : x;
    a = a > MIX_STRETCH_MAX ? MIX_STRETCH_MAX : a;
    int32_t k = a >> 6, f = a & 63;
    int32_t p = (mix_logistic[k] * (64 - f) + mix_logistic[k + 1] * f) >> 6;
    return x < 0 ? 65536 - p : p;
}

typedef struct {
    int16_t stretch[4096];               /* of probabilities in units of 2^-12 */
    uint8_t next[MIX_HISTORIES][2];      /* history after a bit */
    uint8_t seen[MIX_HISTORIES];         /* n0 + n1 */
    int32_t reciprocal[1024];            /* 65536 / (n + 1.5) */
} mix_tables;

/* A history is (11 n0 + n1) 2 + last bit; a bit adds one to its count, up to 10, and halves the other above 2. */
static inline void mix_make_tables(mix_tables *t)
{
    int32_t x = -MIX_STRETCH_MAX;
    for (int32_t p = 0; p < 4096; p++) { /* the least x whose logistic function reaches the middle of the cell */
        while (x < MIX_STRETCH_MAX && mix_squash(x) < 16 * p + 8)
            x++;
        t->stretch[p] = (int16_t)x;
    }
    for (int h = 0; h < MIX_HISTORIES; h++) {
        int n[2] = {h / 2 / 11, h / 2 % 11};
        t->seen[h] = (uint8_t)(n[0] + n[1]);
        for (int bit = 0; bit < 2; bit++) {
            int m[2] = {n[0], n[1]};
            m[bit] += m[bit] < 10;
            m[!bit] = m[!bit] > 2 ? (m[!bit] + 2) / 2 : m[!bit];
            t->next[h][bit] = (uint8_t)((m[0] * 11 + m[1]) * 2 + bit);
        }
    }
    for (int n = 0; n < 1024; n++)
        t->reciprocal[n] = 131072 / (2 * n + 3);
}

/* ---- slots of contexts ---- */

typedef struct {
    uint16_t p; /* probability of 1 in 2^-16, exclusive-or 2^15, so that 0 means one half */
    uint8_t history, check;
} mix_slot;

#if defined(__GNUC__)
#define MIX_PREFETCH(address) __builtin_prefetch(address)
#else
#define MIX_PREFETCH(address) ((void)(address))
#endif

static inline mix_slot *mix_find(mix_slot *table, uint32_t index, uint8_t check)
{
    mix_slot *slot = table + index;
    if (slot->check != check)
        *slot = (mix_slot){.check = check};
    return slot;
}

/* ---- the mixer ---- */

/* The learned state, in order: parameters; maps (contexts, kinds, histories); weights of the first layer (sets, each
   (size, inputs)); of the second (kinds, sets); refinement stages (each (size, 2 knots + 1)). Probabilities of maps are
   22 bits above a count of 10. Weights of the first layer are in units of 2^-13, in 16 bits, of the second 2^-16. */
typedef struct {
    int contexts, kinds, sets, inputs, padded;
    int32_t *parameters, *maps, *initial[MIX_MOST_SETS], *final, *refine[MIX_STAGES];
    int16_t *weights[MIX_MOST_SETS]; /* rows of `padded` */
    mix_tables tables;
    /* of the bit at hand */
    mix_slot *slot[MIX_MOST_CONTEXTS];
    int32_t *map[MIX_MOST_CONTEXTS];
    int16_t input[MIX_MOST_INPUTS], *chosen[MIX_MOST_SETS];
    int32_t dot[MIX_MOST_SETS], *last;
    int32_t *stage[MIX_STAGES], mixed;
    int32_t set_p[MIX_MOST_SETS], mixed_p, p;
} mix_model;

enum { MIX_MAP_LIMIT, MIX_SLOT_LIMIT, MIX_RATE, MIX_FINAL_RATE, MIX_STAGE_RATE };

/* Size of the state in 32-bit integers. */
static inline size_t mix_lay_out(mix_model *m, int32_t *state, int contexts, int kinds, int sets, const int *sizes,
                                 const int *stage_sizes)
{
    size_t at = MIX_PARAMETERS;
    m->contexts = contexts, m->kinds = kinds, m->sets = sets;
    m->inputs = 2 * contexts + 1;
    m->padded = (m->inputs + 7) / 8 * 8;
    m->parameters = state;
    m->maps = state + at, at += (size_t)contexts * kinds * MIX_HISTORIES;
    for (int s = 0; s < sets; s++)
        m->initial[s] = state + at, at += (size_t)sizes[s] * m->inputs;
    m->final = state + at, at += (size_t)kinds * sets;
    for (int s = 0; s < MIX_STAGES; s++)
        m->refine[s] = state + at, at += (size_t)stage_sizes[s] * (2 * MIX_KNOTS + 1);
    return at;
}

/* Take the weights over from the state; 0 without memory. `mix_close` gives it back, and what was learned. */
static inline int mix_open(mix_model *m, const int *sizes)
{
    size_t rows = 0;
    for (int s = 0; s < m->sets; s++)
        rows += (size_t)sizes[s];
    int16_t *w = calloc(rows * (size_t)m->padded, sizeof *w);
    m->weights[0] = w;
    if (!w)
        return 0;
    for (int s = 0; s < m->sets; s++) {
        m->weights[s] = w;
        for (int row = 0; row < sizes[s]; row++, w += m->padded)
            for (int i = 0; i < m->inputs; i++)
                w[i] = (int16_t)m->initial[s][(size_t)row * m->inputs + i];
    }
    memset(m->input, 0, sizeof m->input);
    return 1;
}

static inline void mix_close(mix_model *m, const int *sizes)
{
    for (int s = 0; s < m->sets && m->weights[0]; s++)
        for (int row = 0; row < sizes[s]; row++)
            for (int i = 0; i < m->inputs; i++)
                m->initial[s][(size_t)row * m->inputs + i] = m->weights[s][(size_t)row * m->padded + i];
    free(m->weights[0]);
}

/* Sum of products modulo 2^32; n is a multiple of 8. */
static inline int32_t mix_dot(const int16_t *w, const int16_t *x, int n)
{
#ifdef MIX_SSE2
    __m128i sum = _mm_setzero_si128();
    for (int i = 0; i < n; i += 8)
        sum = _mm_add_epi32(sum, _mm_madd_epi16(_mm_loadu_si128((const __m128i *)(const void *)(w + i)),
                                                _mm_loadu_si128((const __m128i *)(const void *)(x + i))));
    sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0x4E));
    sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0xB1));
    return _mm_cvtsi128_si32(sum);
#else
    uint32_t sum = 0;
    for (int i = 0; i < n; i++)
        sum += (uint32_t)(w[i] * x[i]);
    return (int32_t)sum;
#endif
}

/* w += x e / 2^16, rounded, within 16 bits; |e| < 2^15, n is a multiple of 8. */
static inline void mix_learn(int16_t *restrict w, const int16_t *restrict x, int32_t e, int n)
{
#ifdef MIX_SSE2
    __m128i error = _mm_set1_epi16((short)e);
    for (int i = 0; i < n; i += 8) {
        __m128i *place = (__m128i *)(void *)(w + i), in = _mm_loadu_si128((const __m128i *)(const void *)(x + i));
        __m128i half = _mm_srli_epi16(_mm_mullo_epi16(in, error), 15); /* to round: bit 15 of the products */
        __m128i change = _mm_add_epi16(_mm_mulhi_epi16(in, error), half);
        _mm_storeu_si128(place, _mm_adds_epi16(_mm_loadu_si128(place), change));
    }
#else
    for (int i = 0; i < n; i++) {
        int32_t v = w[i] + ((x[i] * e + 32768) >> 16);
        v = v > 32767 ? 32767 : v;
        w[i] = (int16_t)(v < -32768 ? -32768 : v);
    }
#endif
}

static inline int32_t mix_clip(int64_t x)
{
    return x > MIX_STRETCH_MAX ? MIX_STRETCH_MAX : x < -MIX_STRETCH_MAX ? -MIX_STRETCH_MAX : (int32_t)x;
}

/* Probability of a 1 in 2^-16, 1..2^16 - 1, from the slots in m->slot. `contexts` and `sets`, those of the model, are
   told as constants, so that loops are unrolled. */
static inline int32_t mix_predict(mix_model *m, const int contexts, const int sets, int kind, const int *select,
                                  const int *stage_select)
{
    const mix_tables *t = &m->tables;
    const int inputs = 2 * contexts + 1, padded = (inputs + 7) / 8 * 8;
    for (int i = 0; i < contexts; i++) {
        const mix_slot *slot = m->slot[i];
        m->map[i] = m->maps + ((size_t)i * m->kinds + kind) * MIX_HISTORIES + slot->history;
        m->input[2 * i] = t->stretch[(uint32_t)*m->map[i] >> 20];
        m->input[2 * i + 1] = t->stretch[(slot->p ^ 32768) >> 4];
    }
    m->input[inputs - 1] = 256;
    m->last = m->final + (size_t)kind * sets;
    int64_t sum = 0;
    for (int s = 0; s < sets; s++) {
        m->chosen[s] = m->weights[s] + (size_t)select[s] * (size_t)padded;
        m->dot[s] = mix_clip(mix_dot(m->chosen[s], m->input, padded) >> 13);
        m->set_p[s] = mix_squash(m->dot[s]);
        sum += (int64_t)m->last[s] * m->dot[s];
    }
    m->mixed = mix_clip(sum >> 16);
    m->mixed_p = mix_squash(m->mixed);
    int32_t p = 2 * m->mixed_p;
    for (int s = 0; s < MIX_STAGES; s++) {
        int32_t place = m->mixed + MIX_KNOTS * 64, k = place >> 6, f = place & 63;
        int32_t *row = m->refine[s] + (size_t)stage_select[s] * (2 * MIX_KNOTS + 1) + k;
        m->stage[s] = row + (f >> 5);
        p += (row[0] * (64 - f) + row[1] * f) >> 6;
    }
    p >>= 2;
    m->p = p < 1 ? 1 : p > 65535 ? 65535 : p;
    return m->p;
}

/* Learn from the bit that `mix_predict` foretold. */
static inline void mix_update(mix_model *m, const int contexts, const int sets, int bit)
{
    const mix_tables *t = &m->tables;
    const int padded = (2 * contexts + 1 + 7) / 8 * 8;
    int32_t map_limit = m->parameters[MIX_MAP_LIMIT], slot_limit = m->parameters[MIX_SLOT_LIMIT];
    int32_t rate = m->parameters[MIX_RATE];
    int64_t final_rate = m->parameters[MIX_FINAL_RATE];
    int32_t target = bit << 16;
    for (int s = 0; s < sets; s++)
        mix_learn(m->chosen[s], m->input, (target - m->set_p[s]) * rate >> 5, padded);
    int64_t step = (target - m->mixed_p) * final_rate;
    for (int s = 0; s < sets; s++)
        m->last[s] += (int32_t)((m->dot[s] * step + (1 << 17)) >> 18);
    for (int s = 0; s < MIX_STAGES; s++)
        *m->stage[s] += ((bit ? 65535 : 0) - *m->stage[s]) >> m->parameters[MIX_STAGE_RATE];
    for (int i = 0; i < contexts; i++) {
        mix_slot *slot = m->slot[i];
        uint32_t entry = (uint32_t)*m->map[i];
        int32_t n = entry & 1023, p = entry >> 10;
        p += (int32_t)(((int64_t)((bit ? 4194303 : 0) - p) * t->reciprocal[n]) >> 16);
        *m->map[i] = (int32_t)((uint32_t)p << 10 | (uint32_t)(n < map_limit ? n + 1 : map_limit));
        n = t->seen[slot->history];
        n = n > slot_limit ? slot_limit : n;
        p = slot->p ^ 32768;
        p += (int32_t)(((int64_t)((bit ? 65535 : 0) - p) * t->reciprocal[n]) >> 16);
        slot->p = (uint16_t)(p ^ 32768);
        slot->history = t->next[slot->history][bit];
    }
}

#endif
