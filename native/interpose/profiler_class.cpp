// How a .NET runtime lets us in (AttachProfiler): it loads this library, asks for a profiler class and initialises one.
// That is all we want of it. The answer "cancelled" makes it forget us, so its only place for a profiler stays free;
// the library stays, for it is never unloaded.
//
// The interfaces are those of the runtime's corprof.idl: IClassFactory, and ICorProfilerCallback to the third version,
// the first with InitializeForAttach.
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "native/wire/wire.h"

extern "C" int nativeheap_attach(const char* settings);
extern "C" int nativeheap_detach();

namespace {

using nh::wire::attach_result;

using Result = int32_t;  // HRESULT
constexpr Result ok = 0;
constexpr Result no_interface = static_cast<Result>(0x80004002);
constexpr Result no_class = static_cast<Result>(0x80040111);
constexpr Result no_aggregation = static_cast<Result>(0x80040110);
constexpr Result cancelled = static_cast<Result>(nh::wire::attach_done);  // CORPROF_E_PROFILER_CANCEL_ACTIVATION

struct Id {
    uint64_t low, high;  // the GUID's 16 bytes
    bool operator==(const Id&) const = default;
};
constexpr Id of_class = {nh::wire::attach_class_low, nh::wire::attach_class_high};
constexpr Id of_unknown = {0x0000000000000000, 0x46000000000000C0};
constexpr Id of_factory = {0x0000000000000001, 0x46000000000000C0};
constexpr Id of_callbacks[] = {
    {0x4796A55C176FBED1, 0xE783F80EDAA9CA98},  // ICorProfilerCallback   176FBED1-A55C-4796-98CA-A9DA0EF883E7
    {0x49FECCF28A8CC829, 0x1A072822020FAEBB},  // ICorProfilerCallback2  8A8CC829-CCF2-49FE-BBAE-0F022228071A
    {0x4B8D77314FD2ED52, 0xC58630CCD2036994},  // ICorProfilerCallback3  4FD2ED52-7731-4B8D-9469-03D2CC3086C5
};

// An object is a pointer to its functions; there is one of each, which nobody has to free.
struct Object {
    const void* const* functions;
};

uint32_t keep(Object*) {
    return 1;
}
Result nothing() {
    return ok;
}

Result attach(const void* data, uint32_t bytes) {
    char text[nh::wire::attach_text_bytes];
    if (data == nullptr || bytes >= sizeof text) {
        return static_cast<Result>(nh::wire::attach_failed + static_cast<uint32_t>(attach_result::bad_settings));
    }
    memcpy(text, data, bytes);
    text[bytes] = 0;
    uint64_t detach[] = {nh::wire::detach_text, 0};
    int result =
        strcmp(text, reinterpret_cast<const char*>(detach)) == 0 ? nativeheap_detach() : nativeheap_attach(text);
    return result == static_cast<int>(attach_result::done)
               ? cancelled
               : static_cast<Result>(nh::wire::attach_failed + static_cast<uint32_t>(result));
}

Result initialise_for_attach(Object*, void*, const void* data, uint32_t bytes) {
    return attach(data, bytes);
}

// As a profiler from the start of a runtime we have nothing to do.
Result initialise(Object*, void*) {
    return cancelled;
}

Result query_callback(Object* self, const Id* interface, void** out) {
    bool known = *interface == of_unknown;
    for (const Id& callback : of_callbacks) {
        known = known || *interface == callback;
    }
    *out = known ? self : nullptr;
    return known ? ok : no_interface;
}

Result query_factory(Object* self, const Id* interface, void** out) {
    bool known = *interface == of_unknown || *interface == of_factory;
    *out = known ? self : nullptr;
    return known ? ok : no_interface;
}

constexpr size_t unknown_functions = 3;  // QueryInterface, AddRef, Release
constexpr size_t first_functions = 69;   // of ICorProfilerCallback
constexpr size_t second_functions = 8;   // of ICorProfilerCallback2
constexpr size_t third_functions = 3;    // of ICorProfilerCallback3

struct CallbackFunctions {
    const void* list[unknown_functions + first_functions + second_functions + third_functions];
};

template <typename Function>
const void* address(Function* function) {
    return reinterpret_cast<const void*>(function);
}

CallbackFunctions callback_functions;
Object callback = {callback_functions.list};

Object* make_callback() {
    for (const void*& function : callback_functions.list) {
        function = address(nothing);
    }
    callback_functions.list[0] = address(query_callback);
    callback_functions.list[1] = callback_functions.list[2] = address(keep);
    callback_functions.list[unknown_functions] = address(initialise);
    callback_functions.list[unknown_functions + first_functions + second_functions] = address(initialise_for_attach);
    return &callback;
}

Result create(Object*, void* outer, const Id* interface, void** out) {
    *out = nullptr;
    return outer != nullptr ? no_aggregation : query_callback(make_callback(), interface, out);
}

const void* const factory_functions[] = {address(query_factory), address(keep), address(keep), address(create),
                                         address(nothing)};
Object factory = {factory_functions};

}  // namespace

extern "C" __attribute__((visibility("default"))) Result DllGetClassObject(const Id* of, const Id* interface,
                                                                           void** out) {
    *out = nullptr;
    return *of == of_class ? query_factory(&factory, interface, out) : no_class;
}
