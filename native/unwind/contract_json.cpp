#include "native/unwind/contract_json.h"

#include <string.h>

namespace nh::unwind {
namespace {

const char* skip_space(const char* at, const char* end) {
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) {
        ++at;
    }
    return at;
}

// Behind the closing quote of the string that begins there; null when it does not end.
const char* skip_string(const char* at, const char* end) {
    for (++at; at < end; ++at) {
        if (*at == '"') {
            return at + 1;
        }
        at += *at == '\\';
    }
    return nullptr;
}

// Behind the value that begins there; null when the text ends before.
const char* skip_value(const char* at, const char* end) {
    uint32_t depth = 0;
    while (at < end) {
        const char c = *at;
        if (c == '"') {
            at = skip_string(at, end);
            if (at == nullptr || depth == 0) {
                return at;
            }
            continue;
        }
        if (c == '{' || c == '[') {
            ++depth;
        } else if (c == '}' || c == ']' || c == ',') {
            if (depth == 0) {
                return at;  // behind a number or a word
            }
            if (c != ',' && --depth == 0) {
                return at + 1;
            }
        }
        ++at;
    }
    return depth == 0 ? at : nullptr;
}

bool spells(const char* at, const char* end, const char* text) {
    const size_t length = strlen(text);
    return at < end && *at == '"' && static_cast<size_t>(end - at) > length + 1 && memcmp(at + 1, text, length) == 0 &&
           at[1 + length] == '"';
}

int digit(char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : 16;
}

}  // namespace

ContractJson::ContractJson(const char* at, const char* end) : at_(skip_space(at, end)), end_(end) {
    if (at_ >= end_) {
        at_ = nullptr;
    }
}

ContractJson ContractJson::member(const char* name) const {
    if (at_ == nullptr || *at_ != '{') {
        return {};
    }
    for (const char* at = skip_space(at_ + 1, end_); at < end_ && *at == '"';) {
        const bool wanted = spells(at, end_, name);
        at = skip_string(at, end_);
        at = at == nullptr ? end_ : skip_space(at, end_);
        if (at >= end_ || *at != ':') {
            return {};
        }
        at = skip_space(at + 1, end_);
        if (wanted) {
            return {at, end_};
        }
        at = skip_value(at, end_);
        at = at == nullptr ? end_ : skip_space(at, end_);
        if (at >= end_ || *at != ',') {
            return {};
        }
        at = skip_space(at + 1, end_);
    }
    return {};
}

ContractJson ContractJson::first() const {
    return is_array() ? ContractJson(at_ + 1, end_) : *this;
}

bool ContractJson::number(uint64_t* value) const {
    if (at_ == nullptr) {
        return false;
    }
    const char* at = at_ + (*at_ == '"');
    const bool hexadecimal = end_ - at > 2 && at[0] == '0' && at[1] == 'x';
    at += hexadecimal ? 2 : 0;
    const int base = hexadecimal ? 16 : 10;
    const char* const digits = at;
    uint64_t result = 0;
    for (; at < end_ && digit(*at) < base; ++at) {
        if (__builtin_mul_overflow(result, static_cast<uint64_t>(base), &result) ||
            __builtin_add_overflow(result, static_cast<uint64_t>(digit(*at)), &result)) {
            return false;
        }
    }
    *value = result;
    return at != digits;
}

bool ContractJson::is_text(const char* text) const {
    return at_ != nullptr && spells(at_, end_, text);
}

}  // namespace nh::unwind
