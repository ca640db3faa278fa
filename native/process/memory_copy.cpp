#include "native/process/memory_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "native/process/process.h"
#include "native/transport/kernel.h"

namespace nh::process {
namespace {

using transport::kernel::address;
using transport::kernel::call;

constexpr uint64_t page_bytes = 4096;
constexpr uint64_t pipe_bytes = 65536;        // what one holds by default (pipe(7))
constexpr uint32_t most_descriptors = 65536;  // that are closed one by one, before Linux 5.9
constexpr uint32_t most_looks_at_the_end = 1000;
constexpr long kernel_signal_set_bytes = 8;
constexpr long clone_untraced = 0x00800000;  // CLONE_UNTRACED: whoever traces the program does not get the copy too

int32_t copy;  // 0: none, or it is buried

uint32_t load(const uint32_t& word) {
    return __atomic_load_n(&word, __ATOMIC_ACQUIRE);
}

// ---- in the copy: one thread, system calls alone ----

struct Copy {
    wire::copy_window* window;
    uint8_t* data;
    long pid;
    int pipe[2];
    int mappings;
};

// Bytes from `from` on, until one cannot be read. Whole pages go through a pipe, for the kernel gives part of a page to
// none.
uint64_t read_by_pipe(Copy& self, uint64_t from, uint64_t bytes) {
    if (self.pipe[0] < 0 && call(SYS_pipe2, address(self.pipe), O_CLOEXEC) < 0) {
        return 0;
    }
    uint64_t done = 0;
    while (done < bytes) {
        uint64_t at = from + done;
        uint64_t most = pipe_bytes - at % page_bytes;
        uint64_t some = bytes - done < most ? bytes - done : most;
        long given = call(SYS_write, self.pipe[1], static_cast<long>(at), static_cast<long>(some));
        if (given <= 0 || call(SYS_read, self.pipe[0], address(self.data + done), given) != given) {
            break;
        }
        done += static_cast<uint64_t>(given);
    }
    return done;
}

uint64_t read_memory(Copy& self, uint64_t from, uint64_t bytes) {
    struct {
        const void* start;
        size_t bytes;
    } to, of;
    uint64_t done = 0;
    while (done < bytes) {
        to = {self.data + done, bytes - done};
        of = {reinterpret_cast<void*>(from + done), bytes - done};
        long given = call(SYS_process_vm_readv, self.pid, address(&to), 1, address(&of), 1, 0);
        if (given == -EPERM || given == -ENOSYS) {  // a filter forbids it
            return read_by_pipe(self, from, bytes);
        }
        if (given <= 0) {
            break;
        }
        done += static_cast<uint64_t>(given);
    }
    return done;
}

uint64_t read_mappings(Copy& self, bool from_the_start) {
    if (from_the_start) {
        static const char path[] = "/proc/self/maps";
        self.mappings = static_cast<int>(call(SYS_openat, AT_FDCWD, address(path), O_RDONLY | O_CLOEXEC));
    }
    uint64_t done = 0;
    while (done < wire::copy_data_bytes) {
        long given =
            call(SYS_read, self.mappings, address(self.data + done), static_cast<long>(wire::copy_data_bytes - done));
        if (given <= 0) {
            break;
        }
        done += static_cast<uint64_t>(given);
    }
    return done;
}

// The program's sockets and pipes must not stay open for the copy's sake.
void close_descriptors() {
    if (call(SYS_close_range, 0, ~0U, 0) == 0) {
        return;
    }
    for (uint32_t descriptor = 0; descriptor < most_descriptors; ++descriptor) {
        transport::kernel::close(static_cast<int>(descriptor));
    }
}

// False when the copy is to end. What the collector wants is its own to check: this memory is no secret to it.
bool answer(Copy& self) {
    uint64_t bytes = self.window->bytes < wire::copy_data_bytes ? self.window->bytes : wire::copy_data_bytes;
    uint64_t from = self.window->address;
    switch (static_cast<wire::copy_request>(self.window->kind)) {
        case wire::copy_request::memory:
            self.window->given = read_memory(self, from, bytes);
            return true;
        case wire::copy_request::mappings:
            self.window->given = read_mappings(self, from == 0);
            return true;
        case wire::copy_request::end:
            break;
    }
    return false;
}

[[noreturn]] void serve(uint32_t answered) {
    close_descriptors();
    static const char name[] = "nheap-copy";
    call(SYS_prctl, PR_SET_NAME, address(name));
    wire::copy_window* window = region.window;
    Copy self = {window, reinterpret_cast<uint8_t*>(window) + wire::copy_data_offset, call(SYS_getpid), {-1, -1}, -1};
    transport::Patience patience(region);
    bool goes_on = true;
    while (goes_on && patience.look() == transport::Written::yes) {
        uint32_t wanted = load(window->wanted);
        if (wanted == answered) {
            timespec wait = {0, transport::look_again_ns};
            transport::kernel::futex(&window->wanted, FUTEX_WAIT, wanted, &wait);
            continue;
        }
        goes_on = answer(self);
        answered = wanted;
        __atomic_store_n(&window->done, answered, __ATOMIC_RELEASE);
        transport::kernel::futex(&window->done, FUTEX_WAKE, 1);
    }
    for (;;) {
        call(SYS_exit_group, 0);
    }
}

}  // namespace

void make_copy(uint32_t slot, uint32_t round) {
    wire::slot* own = &region.slots[slot];
    if (region.window == nullptr || load(own->copy_wanted) != round ||
        __atomic_exchange_n(&own->copy_taken, round, __ATOMIC_ACQ_REL) == round) {
        return;
    }
    bury_copy();
    uint32_t answered = load(region.window->wanted);
    uint64_t all = ~0UL;
    uint64_t before = 0;
    call(SYS_rt_sigprocmask, SIG_SETMASK, address(&all), address(&before), kernel_signal_set_bytes);
    long made = call(SYS_clone, clone_untraced);
    if (made == 0) {
        serve(answered);
    }
    call(SYS_rt_sigprocmask, SIG_SETMASK, address(&before), 0, kernel_signal_set_bytes);
    own->copy_pid = made > 0 ? static_cast<uint32_t>(made) : 0;
    own->copy_error = made > 0 ? 0 : static_cast<uint32_t>(-made);
    __atomic_store_n(&copy, made > 0 ? static_cast<int32_t>(made) : 0, __ATOMIC_RELEASE);
    __atomic_store_n(&own->copy_done, round, __ATOMIC_RELEASE);
    transport::kernel::futex(&own->copy_done, FUTEX_WAKE, 1);
}

void bury_copy() {
    int32_t pid = __atomic_exchange_n(&copy, 0, __ATOMIC_ACQ_REL);
    for (uint32_t looks = 0; pid != 0 && looks < most_looks_at_the_end; ++looks) {
        if (call(SYS_wait4, pid, 0, __WCLONE | WNOHANG) != 0) {
            return;  // it is buried, or was not ours: this is a forked child
        }
        call(SYS_sched_yield);
    }
    if (pid != 0) {
        __atomic_store_n(&copy, pid, __ATOMIC_RELEASE);
    }
}

}  // namespace nh::process
