// Runs a program under the built shim and tells what it printed and how it ended.
#pragma once
#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace nh::test {

std::string shim_path();
std::string target_path(const std::string& name);

class Target {
  public:
    // socket: of a collector; empty: none named. settings: further NAME=VALUE.
    Target(const std::string& socket, const std::vector<std::string>& command,
           const std::vector<std::string>& settings = {});
    // Without the shim, which the program loads itself.
    static Target unprofiled(const std::vector<std::string>& command);
    ~Target();
    Target(const Target&) = delete;
    Target& operator=(const Target&) = delete;

    pid_t pid() const { return pid_; }
    // Reads its output to the end and waits for it.
    void wait();

    std::string output;  // standard output
    std::string errors;  // standard error
    int status = -1;     // as waitpid gave it
    bool succeeded() const { return status == 0; }
    // The number after "name": in its output; -1 when there is none.
    int64_t number(const std::string& name) const;

  private:
    Target(std::vector<std::string> environment, const std::vector<std::string>& command);

    pid_t pid_ = -1;
    int out_ = -1, err_ = -1;
};

}  // namespace nh::test
