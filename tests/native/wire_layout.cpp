// Prints the layout of every record as this compiler sees it, for comparison with the C# side:
// "constant value", "enum.member value", "record size" and "record.field offset size".
#include <stddef.h>
#include <stdio.h>

#include "native/wire/wire.h"

namespace {

using namespace nh::wire;

void print_layout() {
#define NH_CONSTANT(type, name, value) printf(#name " %llu\n", (unsigned long long)name);
#define NH_ENUM_BEGIN(name, type)
#define NH_ENUM_VALUE(name, member, value) printf(#name "." #member " %llu\n", (unsigned long long)name::member);
#define NH_ENUM_END(name)
#define NH_RECORD_BEGIN(name) printf(#name " %zu\n", sizeof(name));
#define NH_FIELD(record, type, field) \
    printf(#record "." #field " %zu %zu\n", offsetof(record, field), sizeof(record::field));
#define NH_ARRAY(record, type, field, count) NH_FIELD(record, type, field)
#define NH_RECORD_END(name, size)
#include "native/wire/records.def"
}

}  // namespace

int main() {
    print_layout();
    return 0;
}
