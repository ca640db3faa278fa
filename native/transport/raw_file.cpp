#include "native/transport/raw_file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <initializer_list>

#include "native/transport/kernel.h"

namespace nh::transport {
namespace {

constexpr uint32_t ring_count = 68;
constexpr uint32_t shared_rings = 4;
constexpr uint32_t slot_count = 16 << 10;  // never given back
constexpr uint32_t module_capacity = 512;
constexpr uint32_t node_capacity = 1 << 20;
constexpr uint32_t reused_capacity = 4 << 10;
constexpr uint64_t ring_bytes = 64 << 10;
constexpr uint64_t page_bytes = 4096;
constexpr uint64_t chunk_stride = sizeof(wire::raw_chunk) + ring_bytes;
constexpr uint32_t most_chunks = 1u << 26;
constexpr int most_names = 100;

constexpr uint64_t align(uint64_t offset) {
    return (offset + page_bytes - 1) & ~(page_bytes - 1);
}

// What all use comes first, and has its place on the disk from the start; slots, nodes and rings get theirs where they
// are used.
constexpr uint64_t rings_at = align(sizeof(wire::region));
constexpr uint64_t modules_at = align(rings_at + ring_count * sizeof(wire::ring));
constexpr uint64_t reused_at = align(modules_at + module_capacity * sizeof(wire::module));
constexpr uint64_t slots_at = align(reused_at + reused_capacity * sizeof(wire::reused_code));
constexpr uint64_t nodes_at = align(slots_at + slot_count * sizeof(wire::slot));
constexpr uint64_t data_at = align(nodes_at + node_capacity * sizeof(wire::node));
constexpr uint64_t region_bytes = data_at + ring_count * ring_bytes;
constexpr uint64_t region_at = sizeof(wire::raw_file);
constexpr uint64_t chunks_at = region_at + region_bytes;
constexpr uint64_t reserved_bytes = region_at + slots_at + page_bytes;  // with the first process
constexpr uint64_t most_write_bytes = 64;                               // of an event and what stands before it
static_assert(region_at % page_bytes == 0);
static_assert(chunks_at + chunk_stride <= smallest_raw_file);

wire::raw_file* file;  // null: there is none
uint8_t* base;

uint64_t clock_of(clockid_t clock) {
    timespec now = {};
    clock_gettime(clock, &now);
    return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

uint64_t limit_of(int resource, uint64_t share) {
    rlimit limit = {};
    kernel::call(SYS_prlimit64, 0, resource, 0, kernel::address(&limit));
    return limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur == 0 ? ~0ull : limit.rlim_cur / share;
}

// Where a page that has its place on the disk may lose it, or the server does not answer, a store can end the program.
bool may_be_stored_to(long descriptor) {
    constexpr long unsteady[] = {
        0x9123683E /* btrfs */, 0x2FC12FC1 /* ZFS */,  0xCA451A4E /* bcachefs */, NFS_SUPER_MAGIC,
        0xFF534D42 /* CIFS */,  0xFE534D42 /* SMB2 */, 0x65735546 /* FUSE */,     V9FS_MAGIC};
    struct statfs status = {};
    if (kernel::call(SYS_fstatfs, descriptor, kernel::address(&status)) != 0) {
        return false;
    }
    for (long type : unsteady) {
        if (static_cast<uint32_t>(status.f_type) == static_cast<uint32_t>(type)) {
            return false;
        }
    }
    return true;
}

char* write_number(char* at, uint64_t number) {
    char digits[20];
    int count = 0;
    do {
        digits[count++] = static_cast<char>('0' + number % 10);
        number /= 10;
    } while (number != 0);
    while (count > 0) {
        *at++ = digits[--count];
    }
    return at;
}

// path, path.PID, path.PID-2, …
void name_file(const char* path, int attempt, char* out) {
    size_t length = strlen(path);
    memcpy(out, path, length);
    char* end = out + length;
    if (attempt > 0) {
        *end++ = '.';
        end = write_number(end, static_cast<uint64_t>(kernel::call(SYS_getpid)));
    }
    if (attempt > 1) {
        *end++ = '-';
        end = write_number(end, static_cast<uint64_t>(attempt));
    }
    *end = 0;
}

const char* explain(long error) {
    switch (-error) {
        case EACCES:
        case EPERM:
            return "cannot be written: permission denied; this program runs unprofiled";
        case ENOENT:
        case ENOTDIR:
            return "cannot be written: there is no such folder; this program runs unprofiled";
        case EROFS:
            return "cannot be written: it is on a read-only file system; this program runs unprofiled";
        case ENOSPC:
        case EDQUOT:
            return "cannot be written: there is no space for it; this program runs unprofiled";
        default:
            return "cannot be written; this program runs unprofiled";
    }
}

// Gives the first part of the file its place on the disk.
long reserve(long descriptor) {
    long result = kernel::call(SYS_fallocate, descriptor, 0, 0, static_cast<long>(reserved_bytes));
    if (result != -EOPNOTSUPP && result != -ENOSYS) {
        return result;
    }
    static const uint8_t nothing[page_bytes] = {};
    for (uint64_t at = 0; at < reserved_bytes; at += page_bytes) {
        result = kernel::call(SYS_pwrite64, descriptor, kernel::address(nothing), page_bytes, static_cast<long>(at));
        if (result != static_cast<long>(page_bytes)) {
            return result < 0 ? result : -ENOSPC;
        }
    }
    return 0;
}

void lay_out(uint8_t* start, const RawFileRequest& request) {
    auto* rings = reinterpret_cast<wire::ring*>(start + rings_at);
    for (uint32_t i = 0; i < ring_count; i++) {
        rings[i].data_offset = data_at + i * ring_bytes;
        rings[i].capacity = ring_bytes;
        rings[i].owner_slot = wire::no_slot;
    }
    auto* header = reinterpret_cast<wire::region*>(start);
    header->version = wire::wire_version;
    header->page_bytes = page_bytes;
    header->region_bytes = region_bytes;
    header->ring_offset = rings_at;
    header->slot_offset = slots_at;
    header->module_offset = modules_at;
    header->node_offset = nodes_at;
    header->reused_offset = reused_at;
    header->ring_count = ring_count;
    header->shared_ring_count = shared_rings;
    header->slot_count = slot_count;
    header->module_capacity = module_capacity;
    header->node_capacity = node_capacity;
    header->reused_capacity = reused_capacity;
    header->sample_bytes = request.sample_bytes;
    header->records_mappings = request.mappings ? 1 : 0;
    header->clock_ns = request.start_ns;
    header->control = static_cast<uint32_t>(wire::control::record);
    header->node_count = 1;
    header->magic = wire::region_magic;
}

uint32_t read_whole(const char* path, uint8_t* out, uint32_t most) {
    long descriptor = kernel::call(SYS_openat, AT_FDCWD, kernel::address(path), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        return 0;
    }
    uint32_t have = 0;
    while (have < most) {
        long got = kernel::call(SYS_read, descriptor, kernel::address(out + have), most - have);
        if (got <= 0) {
            break;
        }
        have += static_cast<uint32_t>(got);
    }
    kernel::close(static_cast<int>(descriptor));
    return have;
}

void introduce(wire::raw_file* header, const RawFileRequest& request, uint64_t file_bytes) {
    header->version = wire::wire_version;
    header->pid = static_cast<uint32_t>(kernel::call(SYS_getpid));
    header->parent_pid = static_cast<uint32_t>(kernel::call(SYS_getppid));
    header->chunk_stride = chunk_stride;
    header->region_offset = region_at;
    header->region_bytes = region_bytes;
    header->chunk_offset = chunks_at;
    uint64_t chunks = (file_bytes - chunks_at) / chunk_stride;
    header->chunk_capacity = chunks < most_chunks ? static_cast<uint32_t>(chunks) : most_chunks;
    header->start_ns = request.start_ns;
    header->start_unix_ns = clock_of(CLOCK_REALTIME) - (clock_of(CLOCK_MONOTONIC) - request.start_ns);
    header->command_length = read_whole("/proc/self/cmdline", header->command, sizeof(header->command));
    long length = kernel::call(SYS_readlinkat, AT_FDCWD, kernel::address("/proc/self/exe"),
                               kernel::address(header->executable), sizeof(header->executable));
    header->executable_length = length > 0 ? static_cast<uint32_t>(length) : 0;
    __atomic_store_n(&header->magic, wire::raw_magic, __ATOMIC_RELEASE);
}

// Maps the file; null: it cannot be.
uint8_t* map(long descriptor, uint64_t bytes) {
    void* start =
        kernel::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, static_cast<int>(descriptor));
    if (kernel::is_error(start)) {
        return nullptr;
    }
    kernel::madvise(start, bytes, MADV_DONTDUMP);
    return static_cast<uint8_t*>(start);
}

const char* fill(long descriptor, const RawFileRequest& request, Region* out) {
    uint64_t bytes = request.limit;
    for (uint64_t limit : {limit_of(RLIMIT_AS, 8), limit_of(RLIMIT_FSIZE, 1)}) {
        bytes = limit < bytes ? limit : bytes;
    }
    bytes &= ~(page_bytes - 1);
    if (bytes < chunks_at + chunk_stride) {
        return "cannot be written: this program's limits leave no room for it; it runs unprofiled";
    }
    if (!may_be_stored_to(descriptor)) {
        return "cannot be written: its file system does not keep what a full disk is promised; this program runs "
               "unprofiled";
    }
    long result = kernel::call(SYS_ftruncate, descriptor, static_cast<long>(bytes));
    result = result == 0 ? reserve(descriptor) : result;
    if (result != 0) {
        return explain(result);
    }
    uint8_t* start = map(descriptor, bytes);
    if (start == nullptr) {
        return "cannot be mapped; this program runs unprofiled";
    }
    lay_out(start + region_at, request);
    if (!view_region(start + region_at, region_bytes, out)) {
        kernel::munmap(start, bytes);
        return "cannot be written; this program runs unprofiled";
    }
    base = start;
    introduce(reinterpret_cast<wire::raw_file*>(start), request, bytes);
    file = reinterpret_cast<wire::raw_file*>(start);
    return nullptr;
}

// Has the page's place on the disk be found, as a store would; false where a store would be a bus error.
bool touch(uintptr_t page) {
    static uint32_t nobody_waits_here;
    long result = kernel::call(SYS_futex, kernel::address(&nobody_waits_here), FUTEX_WAKE_OP | FUTEX_PRIVATE_FLAG, 0, 0,
                               static_cast<long>(page), FUTEX_OP(FUTEX_OP_OR, 0, FUTEX_OP_CMP_EQ, 1));
    return result >= 0;
}

wire::raw_chunk* take_chunk(uint64_t bytes) {
    // The count may be wrong by then, for it lies where others can write; what is made of it is not out of the file.
    uint32_t index = __atomic_load_n(&file->chunk_count, __ATOMIC_RELAXED);
    uint32_t capacity = file->chunk_capacity;
    if (index < capacity) {
        index = __atomic_fetch_add(&file->chunk_count, 1, __ATOMIC_RELAXED);
    }
    if (index >= capacity) {
        return nullptr;
    }
    uint8_t* at = base + chunks_at + index * chunk_stride;
    return make_present(at, sizeof(wire::raw_chunk) + bytes) ? reinterpret_cast<wire::raw_chunk*>(at) : nullptr;
}

}  // namespace

const char* create_raw_file(const RawFileRequest& request, Region* out) {
    static char name[most_raw_path_bytes + 64];
    for (int attempt = 0; attempt < most_names; attempt++) {
        name_file(request.path, attempt, name);
        long descriptor = kernel::call(SYS_openat, AT_FDCWD, kernel::address(name),
                                       O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (descriptor == -EEXIST) {
            continue;
        }
        if (descriptor < 0) {
            return explain(descriptor);
        }
        const char* wrong = fill(descriptor, request, out);
        kernel::close(static_cast<int>(descriptor));
        if (wrong != nullptr) {
            kernel::call(SYS_unlinkat, AT_FDCWD, kernel::address(name), 0);
        }
        return wrong;
    }
    return "cannot be written: there are too many files of that name; this program runs unprofiled";
}

bool writes_raw_file() {
    return file != nullptr;
}

void leave_raw_file() {
    file = nullptr;
}

bool make_present(const void* start, uint64_t bytes) {
    const auto first = reinterpret_cast<uintptr_t>(start) & ~(page_bytes - 1);
    const auto end = reinterpret_cast<uintptr_t>(start) + bytes;
    for (uintptr_t page = first; page < end; page += page_bytes) {
        if (!touch(page)) {
            return false;
        }
    }
    return true;
}

bool make_ring_present(const RingWriter& ring) {
    if (ring.head >= ring.span.capacity) {
        return true;  // it has been here before
    }
    uint64_t to_end = ring.span.capacity - ring.head;
    return make_present(ring.span.data + ring.head, to_end < most_write_bytes ? to_end : most_write_bytes);
}

void refresh_raw_clock(const Region& region) {
    uint64_t now = clock_of(CLOCK_MONOTONIC_COARSE);
    if (now > __atomic_load_n(&region.header->clock_ns, __ATOMIC_RELAXED)) {
        __atomic_store_n(&region.header->clock_ns, now, __ATOMIC_RELAXED);
    }
}

Written spill(const Region&, RingWriter& ring) {
    wire::ring* header = ring.span.header;
    const uint64_t tail = __atomic_load_n(&header->tail, __ATOMIC_RELAXED);
    const uint64_t bytes = ring.head - tail;
    if (bytes > ring.span.capacity || bytes > ring_bytes) {
        return Written::file_full;  // somebody else writes here
    }
    wire::raw_chunk* chunk = take_chunk(bytes);
    if (chunk == nullptr) {
        return Written::file_full;
    }
    // In pieces: a forked child that came to be in the midst of this stops soon, for its parent's ring is not its own.
    auto* to = reinterpret_cast<uint8_t*>(chunk + 1);
    for (uint64_t done = 0; done < bytes;) {
        if (recording_mark() != ring.mark) {
            return Written::not_recording;
        }
        uint64_t at = (tail + done) & (ring.span.capacity - 1);
        uint64_t piece = ring.span.capacity - at;
        piece = piece < bytes - done ? piece : bytes - done;
        piece = piece < page_bytes ? piece : page_bytes;
        memcpy(to + done, ring.span.data + at, piece);
        done += piece;
    }
    if (recording_mark() != ring.mark) {
        return Written::not_recording;
    }
    chunk->position = tail;
    chunk->ring = static_cast<uint32_t>((ring.span.data - (base + region_at + data_at)) / ring_bytes);
    __atomic_store_n(&chunk->bytes, static_cast<uint32_t>(bytes), __ATOMIC_RELEASE);
    __atomic_store_n(&header->tail, ring.head, __ATOMIC_RELEASE);
    return Written::yes;
}

}  // namespace nh::transport
