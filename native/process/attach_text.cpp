#include "native/process/attach_text.h"

#include <string.h>

#include "native/wire/wire.h"

namespace nh::process {
namespace {

// Cuts the text into what read_settings takes.
class SettingsText {
  public:
    // False: not ended within its bounds, or too many lines.
    bool read(const char* text) {
        size_t length = strnlen(text, sizeof(text_));
        if (length == sizeof(text_)) {
            return false;
        }
        memcpy(text_, text, length + 1);
        size_t count = 0;
        for (char* line = text_; *line != 0;) {
            char* end = strchr(line, '\n');
            if (*line != '\n') {
                if (count == most_lines) {
                    return false;
                }
                lines_[count++] = line;
            }
            if (end == nullptr) {
                break;
            }
            *end = 0;
            line = end + 1;
        }
        lines_[count] = nullptr;
        return true;
    }
    char** lines() { return lines_; }

  private:
    static constexpr size_t most_lines = 16;
    char text_[wire::attach_text_bytes];
    char* lines_[most_lines + 1];
};

SettingsText given;  // not on the stack of whoever attaches

}  // namespace

bool is_again(const char* text) {
    const uint64_t word[] = {wire::again_text, 0};
    return text != nullptr && strcmp(text, reinterpret_cast<const char*>(word)) == 0;
}

// Every line must be a setting: there is no other environment to leave alone here.
bool read_attach_text(const char* text, Settings* out) {
    const char* culprit;
    if (text == nullptr || !given.read(text) || read_settings(given.lines(), out, &culprit) != nullptr) {
        return false;
    }
    for (char** line = given.lines(); *line != nullptr; line++) {
        if (strncmp(*line, "NATIVEHEAP_", strlen("NATIVEHEAP_")) != 0) {
            return false;
        }
    }
    return out->socket != nullptr;
}

}  // namespace nh::process
