// Reads little-endian data between two addresses; a read past the end gives 0 and is remembered.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>

namespace nh::unwind {

class ByteReader {
  public:
    ByteReader(uintptr_t at, uintptr_t end) : at_(at), end_(end), ok_(at <= end) {}

    bool ok() const { return ok_; }
    bool done() const { return !ok_ || at_ >= end_; }
    uintptr_t at() const { return at_; }
    uintptr_t end() const { return end_; }

    template <typename T>
    T read() {
        T value{};
        if (!take(sizeof(T))) {
            return value;
        }
        memcpy(&value, reinterpret_cast<const void*>(at_ - sizeof(T)), sizeof(T));
        return value;
    }

    void skip(uint64_t bytes) { take(bytes); }

    // LEB128, DWARF 5 section 7.6; bits past the 64th are dropped.
    uint64_t unsigned_leb() {
        uint64_t value = 0;
        for (uint32_t shift = 0;; shift += 7) {
            auto byte = read<uint8_t>();
            if (shift < 64) {
                value |= static_cast<uint64_t>(byte & 0x7F) << shift;
            }
            if ((byte & 0x80) == 0) {
                return value;
            }
        }
    }

    int64_t signed_leb() {
        uint64_t value = 0;
        uint32_t shift = 0;
        uint8_t byte;
        do {
            byte = read<uint8_t>();
            if (shift < 64) {
                value |= static_cast<uint64_t>(byte & 0x7F) << shift;
            }
            shift += 7;
        } while ((byte & 0x80) != 0);
        if (shift < 64 && (byte & 0x40) != 0) {
            value |= ~uint64_t{0} << shift;
        }
        return static_cast<int64_t>(value);
    }

    // A pointer in one of the DW_EH_PE encodings (LSB core specification 10.5). `data` is what data-relative ones
    // are relative to. Indirect and text-relative ones, which unwinding never needs, count as failures.
    uintptr_t encoded_pointer(uint8_t encoding, uintptr_t data) {
        uintptr_t base = 0;
        switch (encoding & 0xF0) {
            case 0x00:
                break;
            case 0x10:
                base = at_;
                break;
            case 0x30:
                base = data;
                break;
            default:
                ok_ = false;
                return 0;
        }
        return base + encoded_number(encoding);
    }

    // The same without a base: a length.
    uintptr_t encoded_number(uint8_t encoding) {
        switch (encoding & 0x0F) {
            case 0x00:
            case 0x04:
            case 0x0C:
                return read<uint64_t>();
            case 0x01:
                return unsigned_leb();
            case 0x02:
                return read<uint16_t>();
            case 0x03:
                return read<uint32_t>();
            case 0x09:
                return static_cast<uintptr_t>(signed_leb());
            case 0x0A:
                return static_cast<uintptr_t>(int64_t{read<int16_t>()});
            case 0x0B:
                return static_cast<uintptr_t>(int64_t{read<int32_t>()});
            default:
                ok_ = false;
                return 0;
        }
    }

  private:
    bool take(uint64_t bytes) {
        if (!ok_ || end_ - at_ < bytes) {
            ok_ = false;
            return false;
        }
        at_ += bytes;
        return true;
    }

    uintptr_t at_;
    uintptr_t end_;
    bool ok_;
};

}  // namespace nh::unwind
