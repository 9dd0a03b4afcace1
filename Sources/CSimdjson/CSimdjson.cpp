// simdjson's DOM parser behind four C types. See the header.
//
// Exceptions never cross: every call used here reports by error code, and allocation failure is
// caught where it can throw.
#include "CSimdjson.h"

#include <simdjson.h>

#include <cstring>
#include <memory>
#include <new>

namespace {

struct Workspace {
    simdjson::dom::parser parser;
    std::unique_ptr<char[]> input;
    size_t input_capacity = 0;
    size_t depth = 0;
};

thread_local std::unique_ptr<Workspace> workspace;

csimdjson_status status_of(simdjson::error_code code) {
    switch (code) {
    case simdjson::SUCCESS: return CSIMDJSON_OK;
    case simdjson::DEPTH_ERROR: return CSIMDJSON_TOO_DEEP;
    case simdjson::UTF8_ERROR: return CSIMDJSON_NOT_UTF8;
    case simdjson::STRING_ERROR:
    case simdjson::UNESCAPED_CHARS: return CSIMDJSON_BAD_STRING;
    case simdjson::NUMBER_ERROR: return CSIMDJSON_BAD_NUMBER;
    case simdjson::T_ATOM_ERROR:
    case simdjson::F_ATOM_ERROR:
    case simdjson::N_ATOM_ERROR: return CSIMDJSON_BAD_LITERAL;
    case simdjson::UNCLOSED_STRING: return CSIMDJSON_UNFINISHED_STRING;
    case simdjson::EMPTY: return CSIMDJSON_EMPTY;
    case simdjson::MEMALLOC:
    case simdjson::CAPACITY: return CSIMDJSON_NO_MEMORY;
    default: return CSIMDJSON_BAD_GRAMMAR;
    }
}

}  // namespace

csimdjson_status csimdjson_parse(
    const uint8_t *bytes, size_t count, size_t depth_max, const uint64_t **tape,
    const uint8_t **strings) {
    if (count == 0) return CSIMDJSON_EMPTY;
    try {
        if (!workspace) workspace = std::make_unique<Workspace>();
        Workspace &w = *workspace;
        if (w.input_capacity < count) {
            size_t capacity = count < 4096 ? 4096 : count + count / 2;
            w.input.reset(new char[capacity + simdjson::SIMDJSON_PADDING]);
            w.input_capacity = capacity;
        }
        if (w.parser.capacity() < count || w.depth != depth_max) {
            auto error = w.parser.allocate(w.input_capacity, depth_max);
            if (error) return status_of(error);
            w.depth = depth_max;
        }
        std::memcpy(w.input.get(), bytes, count);
        std::memset(w.input.get() + count, ' ', simdjson::SIMDJSON_PADDING);
        auto error = w.parser.parse(w.input.get(), count, false).error();
        if (error) return status_of(error);
        *tape = w.parser.doc.tape.get();
        *strings = w.parser.doc.string_buf.get();
        return CSIMDJSON_OK;
    } catch (const std::bad_alloc &) {
        workspace.reset();
        return CSIMDJSON_NO_MEMORY;
    }
}

void csimdjson_release(size_t kept_bytes) {
    if (workspace && workspace->input_capacity > kept_bytes) workspace.reset();
}
