/* Marks behind a word: where in a text may one of those stand that we know?
 *
 * Compiled where there is a compiler (hatch_build.py), called by marks.py, which does the same in Python where
 * there is none. Reads what it is given and nothing else: no allocation, no library, no state.
 */
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { KEY = 8, ROOM = 64 };
enum { NOT_FOLLOWED = -1, TOO_MANY = -2 };

/* Laid out alike in marks.py. */
struct search {
    const uint8_t *word;    /* what marks stand behind: at least anchor + 2 bytes */
    const uint8_t *follows; /* what has to follow the word wherever it stands; may be empty */
    const uint8_t *cells;   /* 2^bits of them: nonzero where a mark may be known whose key falls there */
    uint64_t word_length;
    uint64_t anchor; /* the place in the word of two bytes that are rare together in the texts searched */
    uint64_t follows_length;
    uint64_t skip; /* bytes between word (and what follows it) and mark */
    uint64_t bits; /* 1 to 32 */
    uint32_t found[ROOM];
};

/* A mark's key is its first eight bytes, spread by Fibonacci hashing. */
static uint64_t cell_of(const uint8_t *mark, uint64_t bits)
{
    uint64_t key = 0;
    for (int i = KEY - 1; i >= 0; i--)
        key = key << 8 | mark[i];
    return key * UINT64_C(0x9E3779B97F4A7C15) >> (64 - bits);
}

/* The first place from `at` on, before `end`, where the two bytes stand; `end` where there is none. The text goes on
 * for a byte at least behind `end`. */
static uint64_t next_pair(const uint8_t *text, uint64_t at, uint64_t end, uint8_t first, uint8_t second)
{
#ifdef __SSE2__
    const __m128i firsts = _mm_set1_epi8((char)first), seconds = _mm_set1_epi8((char)second);
    for (; end - at >= 32; at += 32) {
        const __m128i *here = (const __m128i *)(text + at), *next = (const __m128i *)(text + at + 1);
        const __m128i low = _mm_and_si128(_mm_cmpeq_epi8(_mm_loadu_si128(here), firsts),
                                          _mm_cmpeq_epi8(_mm_loadu_si128(next), seconds));
        const __m128i high = _mm_and_si128(_mm_cmpeq_epi8(_mm_loadu_si128(here + 1), firsts),
                                           _mm_cmpeq_epi8(_mm_loadu_si128(next + 1), seconds));
        if (_mm_movemask_epi8(_mm_or_si128(low, high)))
            return at + (uint64_t)__builtin_ctz((unsigned)_mm_movemask_epi8(low) |
                                                (unsigned)_mm_movemask_epi8(high) << 16);
    }
#endif
    while (at < end) {
        const uint8_t *found = memchr(text + at, first, end - at);
        if (!found)
            return end;
        at = (uint64_t)(found - text);
        if (text[at + 1] == second)
            return at;
        at++;
    }
    return end;
}

/* Offsets of marks that may be known, into search->found; their number. NOT_FOLLOWED where the word stands somewhere
 * with something else behind it (or the text ends there), TOO_MANY where there is no room for them. */
int64_t find_marks(const uint8_t *text, uint64_t length, struct search *search)
{
    const uint8_t *word = search->word;
    const uint64_t word_length = search->word_length, anchor = search->anchor;
    const uint64_t behind = word_length + search->follows_length;
    int64_t count = 0;

    if (length < word_length)
        return 0;
    if (length > UINT32_MAX)
        return TOO_MANY;
    const uint64_t end = length - word_length + 1; /* a word begins before here */
    for (uint64_t at = 0; at < end; at++) {
        at = next_pair(text + anchor, at, end, word[anchor], word[anchor + 1]);
        if (at == end || memcmp(text + at, word, word_length) != 0)
            continue;
        const uint64_t left = length - at, mark = at + behind + search->skip;
        if (left < behind || memcmp(text + at + word_length, search->follows, search->follows_length) != 0)
            return NOT_FOLLOWED;
        if (left < behind + search->skip + KEY) { /* the text ends before a mark does */
            if (search->follows_length)
                return NOT_FOLLOWED;
        } else if (search->cells[cell_of(text + mark, search->bits)]) {
            if (count == ROOM)
                return TOO_MANY;
            search->found[count++] = (uint32_t)mark;
        }
    }
    return count;
}
