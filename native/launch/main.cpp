// nativeheap-launch COLLECTOR-ARGV...: starts the collector and, when told, the target, and ends as the target did.
// The last arguments of COLLECTOR-ARGV are the target's command line, byte for byte; the collector says how many.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "native/launch/collector.h"
#include "native/launch/port_rescue.h"
#include "native/launch/signals.h"
#include "native/launch/target.h"
#include "native/wire/wire.h"

namespace nh::launch {
namespace {

constexpr int fault_of_ours = 1;
constexpr int bad_usage = 2;
constexpr int most_agreed_code = 5;  // what the collector ends with when it refuses
constexpr size_t most_text = 64 * 1024;

struct Child {
    pid_t pid = 0;  // 0: not started
    bool ended = false;
    int status = 0;

    bool lives() const { return pid != 0 && !ended; }
};

struct Supervisor {
    int argument_count;
    char** arguments;
    Inherited inherited;
    int link = -1;     // to the collector, -1 once it is of no use
    int signals = -1;  // signalfd
    Child collector;
    Child target;
    PortRescue rescue;
    int asked_to_end = 0;  // the first such signal while no target ran
    int verdict = -1;      // what the collector found, as an exit code; -1: nothing to say
};

int exit_code(int status) {
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

bool receive(int link, void* to, size_t bytes) {
    uint8_t* next = static_cast<uint8_t*>(to);
    while (bytes > 0) {
        ssize_t got = read(link, next, bytes);
        if (got <= 0 && !(got < 0 && errno == EINTR))
            return false;
        if (got > 0) {
            next += got;
            bytes -= static_cast<size_t>(got);
        }
    }
    return true;
}

void drop_link(Supervisor& supervisor) {
    if (supervisor.link >= 0)
        close(supervisor.link);
    supervisor.link = -1;
}

void report(Supervisor& supervisor, wire::launch_kind kind, int status, int error) {
    wire::launch_report message = {static_cast<uint32_t>(kind), static_cast<uint32_t>(supervisor.target.pid),
                                   static_cast<uint32_t>(status), static_cast<uint32_t>(error)};
    if (supervisor.link >= 0 && send(supervisor.link, &message, sizeof message, MSG_NOSIGNAL) < 0)
        drop_link(supervisor);
}

// The target's pipes and locks are its own from now on: whoever waits for their end waits for the target alone.
void close_inherited_descriptors(const Supervisor& supervisor) {
    int low = supervisor.link < supervisor.signals ? supervisor.link : supervisor.signals;
    int high = supervisor.link < supervisor.signals ? supervisor.signals : supervisor.link;
    close(0);
    close(1);
    syscall(SYS_close_range, 3, low - 1, 0);
    syscall(SYS_close_range, low + 1, high - 1, 0);
    syscall(SYS_close_range, high + 1, ~0U, 0);
}

void start(Supervisor& supervisor, const wire::launch_order& order) {
    static char text[most_text];
    bool understood = order.kind == static_cast<uint32_t>(wire::launch_kind::start) && order.argument_count > 0 &&
                      order.argument_count < static_cast<uint32_t>(supervisor.argument_count) &&
                      order.text_bytes <= sizeof text && supervisor.target.pid == 0;
    if (!understood || !receive(supervisor.link, text, order.text_bytes) ||
        (order.text_bytes > 0 && text[order.text_bytes - 1] != '\0')) {
        drop_link(supervisor);
        return;
    }
    char** argv = supervisor.arguments + supervisor.argument_count - order.argument_count;
    pid_t pid = start_target({argv, text, order.text_bytes}, supervisor.inherited);
    if (pid < 0) {
        report(supervisor, wire::launch_kind::failed, 0, errno);
        return;
    }
    supervisor.target.pid = pid;
    supervisor.rescue.remember(text, order.text_bytes);
    report(supervisor, wire::launch_kind::started, 0, 0);
    close_inherited_descriptors(supervisor);
}

void read_link(Supervisor& supervisor) {
    wire::launch_order order;
    if (!receive(supervisor.link, &order, sizeof order))
        drop_link(supervisor);
    else if (order.kind == static_cast<uint32_t>(wire::launch_kind::verdict) && order.argument_count <= 255)
        supervisor.verdict = static_cast<int>(order.argument_count);
    else
        start(supervisor, order);
}

void look_at(Child& child) {
    child.ended = child.lives() && waitpid(child.pid, &child.status, WNOHANG) == child.pid;
}

void reap(Supervisor& supervisor) {
    if (supervisor.collector.lives())
        look_at(supervisor.collector);
    if (supervisor.target.lives()) {
        look_at(supervisor.target);
        if (supervisor.target.ended)
            report(supervisor, wire::launch_kind::ended, supervisor.target.status, 0);
    }
    if (supervisor.collector.ended && supervisor.target.lives())
        supervisor.rescue.begin();
}

void pass_on(const Supervisor& supervisor, const signalfd_siginfo& info) {
    int signal = static_cast<int>(info.ssi_signo);
    if (info.ssi_code == SI_QUEUE) {
        sigval value;
        value.sival_ptr = reinterpret_cast<void*>(info.ssi_ptr);
        sigqueue(supervisor.target.pid, signal, value);
    } else {
        kill(supervisor.target.pid, signal);
    }
}

bool asks_to_end(int signal) {
    return signal == SIGINT || signal == SIGTERM || signal == SIGHUP || signal == SIGQUIT;
}

// While the target runs a signal is its own business. Before that there is nothing to keep; after that the trace is
// being closed, which one signal hastens and the next one ends.
void take(Supervisor& supervisor, const signalfd_siginfo& info) {
    int signal = static_cast<int>(info.ssi_signo);
    if (supervisor.target.lives()) {
        if (meant_for_target(info))
            pass_on(supervisor, info);
    } else if (asks_to_end(signal)) {
        if (supervisor.target.ended && supervisor.asked_to_end == 0)
            report(supervisor, wire::launch_kind::hurry, 0, 0);
        else if (supervisor.collector.lives())
            kill(supervisor.collector.pid, SIGKILL);
        if (supervisor.asked_to_end == 0)
            supervisor.asked_to_end = signal;
    }
}

void read_signals(Supervisor& supervisor) {
    signalfd_siginfo info;
    while (read(supervisor.signals, &info, sizeof info) == sizeof info) {
        // What came before the target's end was meant for it: signals are read in the order of their numbers.
        if (info.ssi_signo == static_cast<uint32_t>(SIGCHLD))
            reap(supervisor);
        else
            take(supervisor, info);
    }
}

bool done(const Supervisor& supervisor) {
    return supervisor.collector.ended && (supervisor.target.pid == 0 || supervisor.target.ended);
}

void supervise(Supervisor& supervisor) {
    while (!done(supervisor)) {
        pollfd sources[] = {
            {supervisor.signals, POLLIN, 0}, {supervisor.link, POLLIN, 0}, {supervisor.rescue.descriptor(), POLLIN, 0}};
        if (poll(sources, 3, -1) < 0)
            continue;
        if (sources[0].revents != 0)
            read_signals(supervisor);
        if (sources[1].revents != 0 && supervisor.link >= 0)
            read_link(supervisor);
        if (sources[2].revents != 0)
            supervisor.rescue.take_connection();
    }
    supervisor.rescue.end();
}

// Descriptors 0 to 2 may be closed; ours must not take their numbers, or messages for a person would go there.
int above_standard(int descriptor) {
    if (descriptor < 0 || descriptor > 2)
        return descriptor;
    int moved = fcntl(descriptor, F_DUPFD_CLOEXEC, 3);
    close(descriptor);
    return moved;
}

bool prepare(Supervisor& supervisor) {
    int ends[2];
    if (!take_signals(supervisor.inherited) || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return false;
    supervisor.link = above_standard(ends[0]);
    int theirs = above_standard(ends[1]);
    if (supervisor.link < 0 || theirs < 0)
        return false;
    supervisor.collector.pid = start_collector(supervisor.arguments + 1, theirs);
    close(theirs);
    if (supervisor.collector.pid < 0)
        return false;
    supervisor.signals = above_standard(open_signals());
    return supervisor.signals >= 0;
}

int finish(const Supervisor& supervisor) {
    const Child& collector = supervisor.collector;
    bool started = supervisor.target.pid != 0;
    if (WIFSIGNALED(collector.status) && supervisor.asked_to_end == 0) {
        dprintf(2, "nativeheap: error: the collector was ended by signal %d; %s\n", WTERMSIG(collector.status),
                started ? "the trace ends at its last commit" : "nothing was started");
        if (!started)
            return fault_of_ours;
    }
    if (!started && supervisor.asked_to_end != 0)
        return 128 + supervisor.asked_to_end;
    // The runtime has codes of its own for not coming up, and says why in its own words.
    if (!started && exit_code(collector.status) > most_agreed_code) {
        dprintf(2,
                "nativeheap: error: the collector cannot start here (exit code %d; is a ulimit too low?); nothing was "
                "started\n",
                exit_code(collector.status));
        return fault_of_ours;
    }
    if (started && supervisor.verdict >= 0)
        return supervisor.verdict;
    return exit_code(started ? supervisor.target.status : collector.status);
}

}  // namespace
}  // namespace nh::launch

int main(int argument_count, char** arguments) {
    using namespace nh::launch;
    if (argument_count < 2) {
        dprintf(2, "usage: nativeheap-launch COLLECTOR [ARGUMENT...]\n");
        return bad_usage;
    }
    static Supervisor supervisor;
    supervisor.argument_count = argument_count;
    supervisor.arguments = arguments;
    if (!prepare(supervisor)) {
        dprintf(2, "nativeheap: error: cannot start: %s\n", strerror(errno));
        return fault_of_ours;
    }
    supervise(supervisor);
    return finish(supervisor);
}
