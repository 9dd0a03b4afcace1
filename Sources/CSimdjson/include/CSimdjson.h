// The C face of simdjson (Debian libsimdjson-dev): parse a document, look at its tape.
//
// The tape is simdjson's own (doc/tape.md of its sources): one 64-bit word per token, the token's
// kind in the top byte, so that nothing is copied between the parser and Swift. It lives until the
// same thread parses again or calls csimdjson_release.
#ifndef CSIMDJSON_H
#define CSIMDJSON_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum csimdjson_status {
    CSIMDJSON_OK = 0,
    CSIMDJSON_TOO_DEEP,
    CSIMDJSON_NOT_UTF8,
    CSIMDJSON_BAD_STRING,
    CSIMDJSON_BAD_NUMBER,
    CSIMDJSON_BAD_LITERAL,
    CSIMDJSON_UNFINISHED_STRING,
    CSIMDJSON_EMPTY,
    CSIMDJSON_BAD_GRAMMAR,
    CSIMDJSON_NO_MEMORY
};

/// One parser per thread, reused. `bytes` needs no padding: it is copied.
/// On CSIMDJSON_OK, `*tape` and `*strings` are set.
enum csimdjson_status csimdjson_parse(
    const uint8_t *bytes, size_t count, size_t depth_max, const uint64_t **tape,
    const uint8_t **strings);

/// The document is no longer looked at; buffers that grew past `kept_bytes` of input are freed.
void csimdjson_release(size_t kept_bytes);

#ifdef __cplusplus
}
#endif

#endif
