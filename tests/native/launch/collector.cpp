// A collector for the supervisor's tests: launch_collector BEHAVIOUR [SETTING...] -- COMMAND...
//   pass        starts the command with the settings, waits for its end, exits 0
//   refuse      exits 3 and starts nothing
//   die         starts the command and kills itself
//   leave       starts the command and exits 1 at once
//   die-early   kills itself and starts nothing
//   wait        starts nothing, says "waiting" and never ends
//   linger      as pass, then waits to be asked to hurry and says so
//   stuck       as linger, but does not listen
//   garbage     sends what is no order, exits 3
//   long        announces more text than there may be, exits 3
//   state       prints its own limits, signals and descriptors by executing the command itself
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <string>

#include "native/wire/wire.h"

namespace {

using nh::wire::launch_kind;

int link_to_supervisor;

void send_order(uint32_t arguments, const std::string& text, uint32_t announced) {
    nh::wire::launch_order order = {static_cast<uint32_t>(launch_kind::start), arguments, announced, 0};
    (void)!write(link_to_supervisor, &order, sizeof order);
    (void)!write(link_to_supervisor, text.data(), text.size());
}

launch_kind next_report() {
    nh::wire::launch_report report;
    if (read(link_to_supervisor, &report, sizeof report) != sizeof report)
        exit(99);
    dprintf(2, "report %u status %x error %u\n", report.kind, report.status, report.error);
    return static_cast<launch_kind>(report.kind);
}

[[noreturn]] void wait_for_ever() {
    for (;;)
        pause();
}

}  // namespace

int main(int argc, char** argv) {
    link_to_supervisor = atoi(getenv("NATIVEHEAP_SUPERVISOR"));
    std::string behaviour = argv[1];
    std::string settings;
    int at = 2;
    for (; strcmp(argv[at], "--") != 0; at++)
        settings += std::string(argv[at]) + '\0';
    at++;
    uint32_t arguments = static_cast<uint32_t>(argc - at);
    uint32_t bytes = static_cast<uint32_t>(settings.size());

    if (behaviour == "refuse")
        return 3;
    if (behaviour == "no-runtime")
        return 137;  // .NET: CoreClrInitFailure
    if (behaviour == "die-early")
        raise(SIGKILL);
    if (behaviour == "wait") {
        dprintf(2, "waiting\n");
        wait_for_ever();
    }
    if (behaviour == "state")
        execv(argv[at], argv + at);
    if (behaviour == "garbage" || behaviour == "long") {
        send_order(behaviour == "garbage" ? 1000 : arguments, settings, behaviour == "long" ? 1 << 20 : bytes);
        char byte;
        return read(link_to_supervisor, &byte, 1) == 0 ? 3 : 99;  // it hangs up
    }

    close(1);  // as the real one does: the target's output is the target's
    send_order(arguments, settings, bytes);
    if (next_report() == launch_kind::failed)
        return 3;
    if (behaviour == "die")
        raise(SIGKILL);
    if (behaviour == "leave")
        return 1;
    next_report();
    if (behaviour == "stuck") {
        dprintf(2, "stuck\n");
        wait_for_ever();
    }
    if (behaviour == "linger") {
        dprintf(2, "lingering\n");
        next_report();
    }
    return 0;
}
