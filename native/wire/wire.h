// C++ view of records.def: constants, enums and structs, sizes asserted. No code.
#pragma once
#include <stdint.h>

namespace nh::wire {

using u8 = uint8_t;
using u16 = uint16_t;
using u32 = uint32_t;
using u64 = uint64_t;

#define NH_CONSTANT(type, name, value) inline constexpr type name = value;
#define NH_ENUM_BEGIN(name, type) enum class name : type {
#define NH_ENUM_VALUE(name, member, value) member = value,
#define NH_ENUM_END(name) \
    }                     \
    ;
#define NH_RECORD_BEGIN(name) struct name {
#define NH_FIELD(record, type, field) type field;
#define NH_ARRAY(record, type, field, count) type field[count];
#define NH_RECORD_END(name, size) \
    }                             \
    ;                             \
    static_assert(sizeof(name) == (size), "records.def states the size of " #name);
#include "records.def"
#undef NH_CONSTANT
#undef NH_ENUM_BEGIN
#undef NH_ENUM_VALUE
#undef NH_ENUM_END
#undef NH_RECORD_BEGIN
#undef NH_FIELD
#undef NH_ARRAY
#undef NH_RECORD_END

}  // namespace nh::wire
