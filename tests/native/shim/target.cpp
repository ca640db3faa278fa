#include "tests/native/shim/target.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <stdexcept>

namespace nh::test {
namespace {

void read_into(int descriptor, std::string* text, bool* open) {
    char buffer[4096];
    ssize_t got = read(descriptor, buffer, sizeof(buffer));
    if (got > 0) {
        text->append(buffer, static_cast<size_t>(got));
    } else {
        *open = got < 0 && errno == EINTR;
    }
}

}  // namespace

std::string shim_path() {
    return NH_SHIM;
}

std::string target_path(const std::string& name) {
    return std::string(NH_TARGETS) + "/" + name;
}

namespace {

std::vector<std::string> preloaded(const std::string& socket, const std::vector<std::string>& settings) {
    std::vector<std::string> variables = {"PATH=/usr/bin:/bin", "LD_PRELOAD=" + shim_path()};
    if (!socket.empty()) {
        variables.push_back("NATIVEHEAP_SOCKET=" + socket);
    }
    variables.insert(variables.end(), settings.begin(), settings.end());
    return variables;
}

}  // namespace

Target::Target(const std::string& socket, const std::vector<std::string>& command,
               const std::vector<std::string>& settings)
    : Target(preloaded(socket, settings), command) {}

Target Target::unprofiled(const std::vector<std::string>& command) {
    return Target(std::vector<std::string>{"PATH=/usr/bin:/bin"}, command);
}

Target::Target(std::vector<std::string> variables, const std::vector<std::string>& command) {
    std::vector<char*> environment, arguments;
    for (auto& variable : variables) {
        environment.push_back(variable.data());
    }
    environment.push_back(nullptr);
    for (auto& argument : command) {
        arguments.push_back(const_cast<char*>(argument.c_str()));
    }
    arguments.push_back(nullptr);
    int out[2], err[2];
    if (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0) {
        throw std::runtime_error("pipe");
    }
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, err[1], STDERR_FILENO);
    int error = posix_spawnp(&pid_, arguments[0], &actions, nullptr, arguments.data(), environment.data());
    posix_spawn_file_actions_destroy(&actions);
    close(out[1]);
    close(err[1]);
    out_ = out[0];
    err_ = err[0];
    if (error != 0) {
        throw std::runtime_error("cannot start " + command[0]);
    }
}

Target::~Target() {
    close(out_);
    close(err_);
    if (status == -1) {
        kill(pid_, SIGKILL);
        waitpid(pid_, &status, 0);
    }
}

void Target::wait() {
    bool out_open = true, err_open = true;
    while (out_open || err_open) {
        pollfd ends[] = {{out_open ? out_ : -1, POLLIN, 0}, {err_open ? err_ : -1, POLLIN, 0}};
        poll(ends, 2, -1);
        if (ends[0].revents != 0) {
            read_into(out_, &output, &out_open);
        }
        if (ends[1].revents != 0) {
            read_into(err_, &errors, &err_open);
        }
    }
    waitpid(pid_, &status, 0);
}

int64_t Target::number(const std::string& name) const {
    std::string key = "\"" + name + "\":";
    size_t at = output.find(key);
    return at == std::string::npos ? -1 : strtoll(output.c_str() + at + key.size(), nullptr, 10);
}

}  // namespace nh::test
