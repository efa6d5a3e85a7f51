/* Range coding with 64 bits of state and words of 32 bits, equal to constriction's: see dinp.entropy.coder, whose
   docstring is the specification. All of it is integer arithmetic modulo 2^64.

   Coders live in Python as arrays of 64-bit integers between calls; a kernel loads one, uses it and stores it. Symbols
   are intervals [from, to) of 2^24. */

#ifndef DINP_RANGECODER_H
#define DINP_RANGECODER_H

#include <stddef.h>
#include <stdint.h>

#define RANGE_BITS 24      /* of the intervals of symbols */
#define FREQUENCY_BITS 16  /* of frequencies */
#define RANGE_SURPLUS 16   /* bytes of information that a stream may yield beyond its own */
#define RANGE_DAMAGED (-1) /* no symbol fits, or more was read than the stream can hold */

/* Where a symbol of `symbols` begins whose predecessors have the frequency `before` of 2^16 together, `symbol` of them. */
static inline uint32_t range_bound(uint32_t before, uint32_t symbol, uint32_t symbols)
{
    return (uint32_t)(((uint64_t)before * ((1u << RANGE_BITS) - symbols)) >> FREQUENCY_BITS) + symbol;
}

/* Where the bit 1 begins, whose frequency is `ones`, 1..2^16 - 1. */
static inline uint32_t range_bound_of_one(uint32_t ones)
{
    return range_bound((1u << FREQUENCY_BITS) - ones, 1, 2);
}

typedef struct {
    uint64_t lower, range, point, moves; /* moves: how often the state was moved on by a word */
    const uint8_t *data;
    uint64_t size; /* bytes of data */
} range_decoder;

enum { RANGE_DECODER_STATE = 4, RANGE_ENCODER_STATE = 5 }; /* 64-bit integers kept in Python */

static inline void range_decoder_load(range_decoder *d, const uint64_t *state, const uint8_t *data, size_t size)
{
    d->lower = state[0], d->range = state[1], d->point = state[2], d->moves = state[3];
    d->data = data, d->size = size;
}

static inline void range_decoder_store(const range_decoder *d, uint64_t *state)
{
    state[0] = d->lower, state[1] = d->range, state[2] = d->point, state[3] = d->moves;
}

/* What the symbol's interval must hold, 0..2^24 - 1, and the unit in which intervals are measured; RANGE_DAMAGED where
   no symbol can. */
static inline int64_t range_peek(const range_decoder *d, uint64_t *scale)
{
    *scale = d->range >> RANGE_BITS;
    uint64_t quantile = (d->point - d->lower) / *scale;
    return quantile >> RANGE_BITS ? RANGE_DAMAGED : (int64_t)quantile;
}

/* Leave the symbol of the interval [from, to) behind; 0, or RANGE_DAMAGED. */
static inline int range_skip(range_decoder *d, uint64_t scale, uint32_t from, uint32_t to)
{
    d->lower += scale * from;
    d->range = scale * (to - from);
    if (d->range >> 32)
        return 0;
    uint64_t at = 4 * (d->moves + 2); /* the first two words are in the state from the beginning */
    uint32_t word = 0;
    for (int k = 0; k < 4; k++)
        word = word << 8 | (at + k < d->size ? d->data[at + k] : 0);
    d->lower <<= 32;
    d->range <<= 32;
    d->point = d->point << 32 | word;
    d->moves++;
    return 4 * d->moves > d->size + RANGE_SURPLUS ? RANGE_DAMAGED : 0;
}

/* A bit, or RANGE_DAMAGED. */
static inline int range_decode_bit(range_decoder *d, uint32_t ones)
{
    uint64_t scale;
    int64_t quantile = range_peek(d, &scale);
    uint32_t bound = range_bound_of_one(ones);
    int bit = quantile >= bound;
    if (quantile < 0 || range_skip(d, scale, bit ? bound : 0, bit ? 1u << RANGE_BITS : bound))
        return RANGE_DAMAGED;
    return bit;
}

typedef struct {
    uint64_t lower, range;
    uint64_t held;  /* words that wait for a carry: the first as below, the others all ones */
    uint64_t first;
    uint64_t moves;
    uint32_t *words; /* room for held + one word a symbol */
    size_t count;    /* of words written */
} range_encoder;

static inline void range_encoder_load(range_encoder *e, const uint64_t *state, uint32_t *words)
{
    e->lower = state[0], e->range = state[1], e->held = state[2], e->first = state[3], e->moves = state[4];
    e->words = words, e->count = 0;
}

static inline void range_encoder_store(const range_encoder *e, uint64_t *state)
{
    state[0] = e->lower, state[1] = e->range, state[2] = e->held, state[3] = e->first, state[4] = e->moves;
}

/* Write what was held, with or without a carry. */
static inline void range_release(range_encoder *e, int carry)
{
    e->words[e->count++] = (uint32_t)e->first + (uint32_t)carry;
    for (uint64_t k = 1; k < e->held; k++)
        e->words[e->count++] = carry ? 0 : UINT32_MAX;
    e->held = 0;
}

/* Code the symbol of the interval [from, to). */
static inline void range_encode(range_encoder *e, uint32_t from, uint32_t to)
{
    uint64_t scale = e->range >> RANGE_BITS, before = e->lower;
    e->lower += scale * from;
    e->range = scale * (to - from);
    if (e->held && e->lower + e->range > e->lower) /* whether there is a carry is known now */
        range_release(e, e->lower < before);
    if (e->range >> 32)
        return;
    uint32_t word = (uint32_t)(e->lower >> 32);
    e->lower <<= 32;
    e->range <<= 32;
    e->moves++;
    if (e->held)
        e->held++;
    else if (e->lower + e->range > e->lower)
        e->words[e->count++] = word;
    else
        e->held = 1, e->first = word;
}

static inline void range_encode_bit(range_encoder *e, int bit, uint32_t ones)
{
    uint32_t bound = range_bound_of_one(ones);
    range_encode(e, bit ? bound : 0, bit ? 1u << RANGE_BITS : bound);
}

#endif
