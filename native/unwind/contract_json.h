// Looks things up in the runtime's contract descriptor, a JSON text in its read-only data (dotnet/runtime,
// docs/design/datacontracts/data_descriptor.md). No memory is taken; every step is bounded by the text.
#pragma once
#include <stdint.h>

namespace nh::unwind {

// A JSON value within a text. Everything asked of a missing value is missing.
class ContractJson {
  public:
    ContractJson() : at_(nullptr), end_(nullptr) {}
    ContractJson(const char* at, const char* end);

    explicit operator bool() const { return at_ != nullptr; }

    // Of an object: the member's value.
    ContractJson member(const char* name) const;
    // Of an array: its first value; of anything else the value itself. Numbers are written bare or in an array with
    // the name of their type.
    ContractJson first() const;
    bool is_array() const { return at_ != nullptr && *at_ == '['; }
    // A number, also one in quotes, decimal or 0x and hexadecimal; false when it is none, or beyond 64 bits.
    bool number(uint64_t* value) const;
    bool is_text(const char* text) const;

  private:
    const char* at_;  // first byte of the value
    const char* end_;
};

}  // namespace nh::unwind
